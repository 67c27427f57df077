//! Packing loses nothing, and no bytes make it fail in any other way than an error.

use proptest::prelude::*;

use super::*;
use crate::record::{Marks, Parts};
use crate::types::counter::Part;
use crate::types::seen::Seen;
use crate::types::set::Mark;

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
    (fields, parts, sets, tomb, maybe(), maybe()).prop_map(|(lww, counters, sets, tomb, row, forgotten)| {
        let (tomb, tomb_seen) = tomb.unzip();
        let tomb_seen = tomb_seen.flatten();
        let mut record = Record { lww, counters, sets, tomb, tomb_seen, row, forgotten, ..Record::default() };
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

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let nodes = Table::default();
        nodes.number(&Rc::from("a")).unwrap();
        let _ = unpack(None, &bytes, &[1, 2], &nodes);
        let _ = unpack_part(&bytes, &Rc::from("a"), &nodes);
        let _ = unpack_mark(&bytes, &Rc::from("a"), &nodes);
        let _ = unpack_fields(&bytes);
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
fn numbers_have_an_end() {
    use super::bytes::Reader;
    for (bytes, number) in
        [(&[0x7f][..], Some(127)), (&[0x80, 0x01], Some(128)), (&[0x80], None), (&[0xff; 20], None), (&[], None)]
    {
        assert_eq!(Reader(bytes).number().ok(), number, "{bytes:?}");
    }
}
