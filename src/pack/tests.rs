//! Packing loses nothing, and no bytes make it fail in any other way than an error.

use proptest::prelude::*;

use super::*;
use crate::clock::Tick;
use crate::record::{Marks, Parts};
use crate::types::counter::Part;
use crate::types::seen::Seen;
use crate::types::set::Mark;

/// A record as an application's updates leave it: mostly one author, mostly the base stamp.
fn updated() -> impl Strategy<Value = Record> {
    let field = (0u32..8, stamp(), proptest::option::of(stamp()), any::<bool>());
    let exceptions = proptest::collection::vec(field, 0..4);
    let gone = proptest::collection::vec(0u32..8, 0..3);
    (stamp(), exceptions, gone, record(), 0..8u32).prop_map(|(base, exceptions, gone, other, which)| {
        let mut record = Record::new(&base, &[0, 1, 2, 3, 4, 5, 6]);
        for (field, hlc, prev, altered) in exceptions {
            record.lww.insert(field, Lww { altered, ..Lww::live(hlc, prev) });
        }
        gone.iter().for_each(|field| drop(record.lww.remove(field)));
        match which {
            0 => record.counters = other.counters,
            1 => record.sets = other.sets,
            2 => record.tomb = other.tomb,
            3 => record.lww.extend(other.lww),
            4 => record.row = other.row,
            5 => record.apart = true,
            6 => record.shed = other.shed,
            _ => {}
        }
        record.row = record.visible_row().cloned();
        record
    })
}

#[derive(Default)]
struct Table(std::cell::RefCell<Vec<Rc<str>>>);

impl Nodes for Table {
    fn number(&self, node: &Rc<str>) -> Result<u32> {
        let mut all = self.0.borrow_mut();
        if let Some(i) = all.iter().position(|n| n == node) {
            return Ok(i as u32);
        }
        all.push(Rc::clone(node));
        Ok(all.len() as u32 - 1)
    }

    fn node(&self, number: u32) -> Result<Rc<str>> {
        self.0.borrow().get(number as usize).cloned().ok_or_else(corrupt)
    }
}

fn stamp() -> impl Strategy<Value = Hlc> {
    let ts = prop_oneof![Just(0), Just(i64::MAX), 0i64..4];
    (ts, 0u32..2, 0usize..2).prop_map(|(ts, c, n)| Hlc::new(ts, c, &Rc::from(["a", "b"][n])))
}

fn record() -> impl Strategy<Value = Record> {
    let seen = || proptest::collection::vec(stamp(), 0..3).prop_map(|stamps| stamps.iter().collect::<Seen>());
    let lww = (stamp(), proptest::option::of(stamp()), any::<bool>(), proptest::option::of(".{0,5}"), seen(), seen())
        .prop_map(|(hlc, prev, altered, saved, seen, missed)| {
            let past = Past::of(seen, missed);
            Lww { hlc, prev, altered, saved, past }
        });
    let fields = proptest::collection::btree_map(0u32..200, lww, 0..5);
    let part = (any::<u128>(), any::<u128>(), stamp(), proptest::option::of(stamp()))
        .prop_map(|(inc, dec, hlc, born)| ((Rc::clone(&hlc.node), String::new()), Part { inc, dec, hlc, born }));
    let parts = proptest::collection::btree_map(0u32..9, part.prop_map(|(key, part)| Parts::from([(key, part)])), 0..3);
    let mark = ("[a-z]{0,3}", stamp(), proptest::option::of(stamp()), proptest::option::of(stamp())).prop_map(
        |(element, add, gone, op)| {
            ((element, Rc::clone(&add.node)), Mark { add: Some(add.tick()), gone, op: op.map(|op| op.tick()) })
        },
    );
    let sets = proptest::collection::btree_map(0u32..9, mark.prop_map(|(key, mark)| Marks::from([(key, mark)])), 0..3);
    let tomb = proptest::option::of((stamp(), proptest::option::of(seen())));
    let maybe = || proptest::option::of(stamp());
    let shed = proptest::collection::vec(stamp().prop_map(|hlc| (Rc::clone(&hlc.node), hlc.tick())), 0..3);
    (fields, parts, sets, tomb, maybe(), maybe(), shed).prop_map(|(lww, counters, sets, tomb, row, forgotten, shed)| {
        let (tomb, tomb_seen) = tomb.unzip();
        let tomb_seen = tomb_seen.flatten();
        let shed = shed.into_iter().collect();
        let mut record = Record { lww, counters, sets, tomb, tomb_seen, row, forgotten, shed, ..Record::default() };
        record.row = record.visible_row().cloned();
        record
    })
}

proptest! {
    #[test]
    fn records_survive(record in record(), covered in proptest::collection::btree_set(0u32..200, 0..4)) {
        let covered: Vec<_> = covered.into_iter().collect();
        let nodes = Table::default();
        let packed = pack(&record, &covered, &nodes).unwrap();
        let mut back = unpack(packed.base, &packed.x, &covered, &nodes).unwrap();
        back.row = back.visible_row().cloned();
        prop_assert_eq!(back, record);
    }

    #[test]
    fn parts_and_marks_survive(inc: u128, dec: u128, hlc in stamp(), born in proptest::option::of(stamp()), gone in proptest::option::of(stamp())) {
        let nodes = Table::default();
        let part = Part { inc, dec, hlc: hlc.clone(), born };
        let bytes = pack_part(&part, &nodes).unwrap();
        prop_assert_eq!(unpack_part(&bytes, &hlc.node, &nodes).unwrap(), part);
        let mark = Mark { add: Some(hlc.tick()), gone, op: Some(hlc.tick()) };
        prop_assert_eq!(unpack_mark(&pack_mark(&mark, &hlc.node, &nodes).unwrap(), &hlc.node, &nodes).unwrap(), mark);
    }

    /// What is written into the bytes is what would have been packed.
    #[test]
    fn cells_are_written_as_by_unpacking(record in updated(), fields in proptest::collection::btree_set(0u32..7, 0..3),
                                         times in 1usize..3, later in 1i64..3) {
        let nodes = Table::default();
        let covered = [0, 1, 2, 3, 4, 5, 6];
        let fields: Vec<_> = fields.into_iter().collect();
        let mut packed = pack(&record, &covered, &nodes).unwrap();
        let Some(base) = packed.base.clone() else { return Ok(()) };
        let mut record = unpack(packed.base.clone(), &packed.x, &covered, &nodes).unwrap();
        let me: Rc<str> = Rc::from("a");
        let number = |node: &Rc<str>| nodes.number(node).unwrap();
        for time in 0..times as i64 {
            // Beyond all that the record has, as a clock makes them; some stamps above are at the end of time.
            let stamp = Hlc::new(4i64.saturating_add(later + time), 0, &me);
            let at = (base.tick(), number(&base.node));
            let Some(x) = write_cells(&packed.x, at, &covered, &fields, (stamp.tick(), number(&me))) else { break };
            crate::local::update(&mut record, &fields, &stamp);
            packed = pack(&record, &covered, &nodes).unwrap();
            prop_assert_eq!(packed.base.as_ref(), Some(&base));
            prop_assert_eq!(packed.x, &x[..]);
            packed.x = x;
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let nodes = Table::default();
        nodes.number(&Rc::from("a")).unwrap();
        let _ = unpack(None, &bytes, &[1, 2], &nodes);
        let _ = write_cells(&bytes, (Tick { ts: 1, c: 0 }, 0), &[1, 2, 3], &[2], (Tick { ts: 2, c: 0 }, 0));
        let _ = unpack_part(&bytes, &Rc::from("a"), &nodes);
        let _ = unpack_mark(&bytes, &Rc::from("a"), &nodes);
        let _ = unpack_fields::<Vec<_>>(&bytes);
    }
}

#[test]
fn a_fresh_row_is_its_base_alone() {
    let hlc = Hlc::new(7, 0, &Rc::from("a"));
    let mut record = Record { row: Some(hlc.clone()), ..Record::default() };
    for field in [1, 2, 3] {
        record.lww.insert(field, Lww::live(hlc.clone(), None));
    }
    let packed = pack(&record, &[1, 2, 3], &Table::default()).unwrap();
    assert_eq!(packed, Packed { base: Some(hlc), x: Vec::new(), apart: false });
}

#[test]
fn an_update_of_a_fresh_row_is_written_without_unpacking() {
    let at = |ts| (Tick { ts, c: 0 }, 1);
    let first = write_cells(&[], at(7), &[1, 2, 3, 4, 5], &[2], at(8)).unwrap();
    assert_eq!(first, [0, 1, 2, 6, 2, 0, 1, 0, 0, 1]);
    let second = write_cells(&first, at(7), &[1, 2, 3, 4, 5], &[1], at(9)).unwrap();
    assert_eq!(second, [0, 2, 1, 6, 4, 0, 1, 0, 0, 1, 2, 6, 2, 0, 1, 0, 0, 1]);
    assert_eq!(write_cells(&second, at(7), &[1, 2, 3, 4, 5], &[3], at(10)), None, "no stamp has most fields");
}

#[test]
fn what_is_kept_besides_is_left_to_the_other_road() {
    let at = |ts| (Tick { ts, c: 0 }, 1);
    for mark in [16, 32] {
        assert_eq!(write_cells(&[0, 1, 2, mark, 2, 0, 1], at(7), &[1, 2, 3, 4, 5], &[1], at(8)), None);
    }
    assert_eq!(write_cells(&[], at(7), &[1, 2, 3, 4, 5], &[9], at(8)), None, "a field that the base does not cover");
}

#[test]
fn numbers_have_an_end() {
    use super::bytes::Reader;
    for (bytes, number) in
        [(&[0x7f][..], Some(127)), (&[0x80, 0x01], Some(128)), (&[0x80], None), (&[0xff; 20], None), (&[], None)]
    {
        assert_eq!(Reader(bytes).number().ok(), number, "{bytes:?}");
    }
}

#[test]
fn ticks_are_as_far_from_their_origin_as_may_be() {
    use super::bytes::{put_tick, Reader};
    for (ts, origin) in [(i64::MAX, i64::MIN), (i64::MIN, i64::MAX), (0, i64::MIN), (i64::MIN, 1), (5, 5), (-7, 3)] {
        let (tick, mut out) = (Tick { ts, c: u32::MAX }, Vec::new());
        put_tick(&mut out, tick, origin);
        assert_eq!(Reader(&out).tick(origin).ok(), Some(tick), "{ts} from {origin}");
    }
}

proptest! {
    #[test]
    fn lists_of_cells_hold_what_records_hold(record in updated(), later in proptest::collection::vec((1u32..6, stamp()), 0..4)) {
        let (covered, of_base, nodes) = ([1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4], Table::default());
        let packed = pack(&record, &of_base, &nodes).unwrap();
        let Some(base) = &packed.base else { return Ok(()) };
        let mut record = unpack(Some(base.clone()), &packed.x, &of_base, &nodes).unwrap();
        let mut cells = Cells::new();
        if !unpack_cells(base, &packed.x, (&covered, &of_base), &nodes, &mut cells).unwrap() {
            return Ok(());
        }
        record.lww.retain(|field, _| covered.contains(field)); // 0 is no column any more
        let listed: Vec<_> = covered.iter().map(|field| record.lww.get(field).cloned()).collect();
        prop_assert_eq!(&cells, &listed);
        for (field, hlc) in later {
            record.lww.get_mut(&field).into_iter().for_each(|cell| cell.miss(&hlc));
            cells[field as usize - 1].iter_mut().for_each(|cell| cell.miss(&hlc));
        }
        prop_assert_eq!(pack_cells(&cells, &covered, &nodes).unwrap(), pack(&record, &covered, &nodes).unwrap());
    }
}
