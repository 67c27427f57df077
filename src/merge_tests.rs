//! The laws of the merge, on random changes of every kind.

use proptest::prelude::*;
use std::rc::Rc;

use super::*;
use crate::record::Record;

/// `make laws CASES=1000000` takes as many cases of each law.
fn many() -> ProptestConfig {
    ProptestConfig::with_cases(std::env::var("LAWS").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000))
}

fn stamp() -> impl Strategy<Value = Hlc> {
    (1i64..6, 0u32..2, 0usize..3).prop_map(|(ts, c, n)| Hlc::new(ts, c, &Rc::from(["a", "b", "c"][n])))
}

fn element() -> impl Strategy<Value = String> {
    prop_oneof![Just("\"x\"".to_owned()), Just("\"y\"".to_owned())]
}

/// A change of field 1 (lww), 2 (counter), 3 (set), the row, or a delete. A remove names its tags: without them its meaning
/// depends on the receiver, by design.
fn change() -> impl Strategy<Value = (FieldId, Hlc, Body)> {
    let lww = (0u8..3, proptest::option::of(stamp()), any::<bool>())
        .prop_map(|(v, prev, altered)| (1, Body::Lww { value: v.to_string(), prev, altered }));
    let counter = (0u8..4, 0u8..4, any::<bool>()).prop_map(|(inc, dec, operation)| {
        (2, Body::Counter { inc: inc.into(), dec: dec.into(), born: None, operation })
    });
    let add = element().prop_map(|e| (3, Body::Add(vec![e])));
    let remove = (element(), proptest::collection::vec(stamp(), 0..3))
        .prop_map(|(e, tags)| (3, Body::Remove { elements: vec![e], tags: Some(tags) }));
    let body =
        prop_oneof![lww, counter, add, remove, Just((0, Body::Row)), Just((0, Body::Tombstone { forgotten: None }))];
    (body, stamp()).prop_map(|((field, mut body), hlc)| {
        if let Body::Remove { tags: Some(tags), .. } = &mut body {
            tags.retain(|tag| *tag <= hlc); // it takes what it has seen
        }
        (field, hlc, body)
    })
}

/// The same among authors who keep to the protocol: totals only grow, and those of a new life say so. For such changes the
/// end of a life may be told as well.
fn change_of_lives() -> impl Strategy<Value = (FieldId, Hlc, Body)> {
    (change(), proptest::option::of(stamp())).prop_map(|((field, hlc, mut body), until)| {
        match &mut body {
            Body::Counter { inc, dec, born, .. } => {
                *born = Some(Hlc::new(3, 1, &hlc.node)).filter(|born| *born <= hlc);
                let age = hlc.ts.unsigned_abs() + u64::from(hlc.c);
                (*inc, *dec) = if born.is_some() { (age.into(), 1) } else { (10 * u128::from(age), age.into()) };
            }
            Body::Tombstone { forgotten } => *forgotten = until.filter(|until| *until <= hlc),
            _ => {}
        }
        (field, hlc, body)
    })
}

fn state(changes: &[(FieldId, Hlc, Body)]) -> Record {
    let mut record = Record::default();
    for change in changes {
        take(&mut record, change);
    }
    normal(record)
}

fn take(record: &mut Record, (field, hlc, body): &(FieldId, Hlc, Body)) -> Outcome {
    told(record, (*field, hlc, body), None)
}

fn told(record: &mut Record, (field, hlc, body): (FieldId, &Hlc, &Body), seen: Option<&[Hlc]>) -> Outcome {
    let seen = seen.map(|seen| seen.iter().collect());
    merge(record, field, hlc, body, seen.as_ref(), &mut |_| Ok(None)).expect("pure")
}

/// What is replicated: `prev` and the like are remarks on one delivery, and a hidden row stamp is not part of the state.
fn normal(mut record: Record) -> Record {
    record.row = record.visible_row().cloned();
    record.tomb_seen = None;
    record.lww.values_mut().for_each(|l| (l.prev, l.past) = (None, None));
    record
}

proptest! {
    #![proptest_config(many())]

    #[test]
    fn order_and_repetition_do_not_matter(
        changes in prop_oneof![
            proptest::collection::vec(change(), 1..8),
            proptest::collection::vec(change_of_lives(), 1..8),
        ],
        order in any::<u64>(),
        repeats in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let once = state(&changes);
        let mut mixed = changes.clone();
        for repeat in &repeats {
            mixed.push(changes[repeat.index(changes.len())].clone());
        }
        let mut seed = order;
        for i in (1..mixed.len()).rev() {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            mixed.swap(i, (seed >> 33) as usize % (i + 1));
        }
        prop_assert_eq!(state(&mixed), once);
    }

    #[test]
    fn a_change_taken_again_is_no_news(changes in proptest::collection::vec(change_of_lives(), 1..8)) {
        let mut record = Record::default();
        for change in &changes {
            take(&mut record, change);
            prop_assert!(!take(&mut record, change).news);
        }
        for change in &changes {
            prop_assert!(!take(&mut record, change).news);
        }
    }

    #[test]
    fn what_is_no_news_changes_nothing(changes in proptest::collection::vec(change_of_lives(), 1..8)) {
        let mut record = Record::default();
        for change in &changes {
            let before = normal(record.clone());
            let news = take(&mut record, change).news;
            prop_assert_eq!(normal(record.clone()) != before, news);
        }
    }

    #[test]
    fn nothing_forgotten_comes_back(changes in proptest::collection::vec(change_of_lives(), 1..8)) {
        let mut record = Record { tomb: Some(Hlc::new(9, 0, &Rc::from("z"))), ..Record::default() };
        record.forget();
        for change in &changes {
            take(&mut record, change);
            prop_assert!(!record.alive());
            prop_assert!(record.epitaph && record.lww.is_empty() && record.sets.is_empty());
        }
    }
}

#[test]
fn a_new_life_counts_nothing_of_the_one_before() {
    let at = |ts, node: &str| Hlc::new(ts, 0, &Rc::from(node));
    let count = |inc, ts, node, born| (2, at(ts, node), Body::Counter { inc, dec: 0, born, operation: false });
    let add = |element: &str, ts, node| (3, at(ts, node), Body::Add(vec![element.to_owned()]));
    let old = [count(5, 1, "a", None), count(2, 2, "b", None), add("\"old\"", 2, "b")];
    let tomb = (0, at(4, "a"), Body::Tombstone { forgotten: Some(at(4, "a")) });
    let new = [count(1, 6, "a", Some(at(6, "a"))), add("\"new\"", 6, "a")];
    let mut record = Record::default();
    for change in old.iter().chain(&new).chain([&tomb]).chain(&old) {
        take(&mut record, change);
    }
    assert_eq!(record.sum(2), Some(1));
    assert_eq!(record.elements(3), ["\"new\""]);
    let before = record.clone();
    assert!(!take(&mut record, &count(9, 3, "a", None)).news && record == before);
}

#[test]
fn a_remove_without_tags_gets_its_meaning_once() {
    let at = |ts| Hlc::new(ts, 0, &Rc::from("a"));
    let element = || vec!["\"x\"".to_owned()];
    let remove = (3, at(5), Body::Remove { elements: element(), tags: None });
    let mut record = Record::default();
    take(&mut record, &(3, at(2), Body::Add(element())));
    assert!(take(&mut record, &remove).news);
    assert!(record.elements(3).is_empty());
    let late = Hlc::new(3, 0, &Rc::from("b"));
    take(&mut record, &(3, late, Body::Add(element())));
    assert!(!take(&mut record, &remove).news, "the same remove again removes nothing more");
    assert_eq!(record.elements(3), ["\"x\""]);
}

/// A world of three nodes that exchange one record: what a conflict is, told by everything that each node has ever received.
mod histories {
    use super::*;
    use crate::local;
    use std::collections::BTreeSet;

    const NODES: [&str; 3] = ["a", "b", "c"];

    #[derive(Clone, Debug)]
    enum Step {
        Write(usize),
        Delete(usize),
        Send(usize, usize),
    }

    #[derive(Clone, Default)]
    struct Node {
        record: Record,
        /// The stamps that have come here, and those that their authors had received when they wrote them.
        received: BTreeSet<Hlc>,
        /// The conflicts told of.
        told: BTreeSet<(Hlc, Hlc)>,
    }

    fn step(deletes: bool) -> impl Strategy<Value = Step> {
        let send = || (0usize..3, 0usize..3).prop_map(|(from, to)| Step::Send(from, to));
        let write = (0usize..3).prop_map(Step::Write);
        let local = (0usize..3, any::<bool>()).prop_map(move |(n, delete)| match delete && deletes {
            true => Step::Delete(n),
            false => Step::Write(n),
        });
        prop_oneof![write, local, send(), send(), send()]
    }

    /// What a node sends: the delete, then the cell, as they are now.
    fn export(record: &Record) -> Vec<(FieldId, Hlc, Body, Option<Vec<Hlc>>)> {
        let list = |seen: &Seen| seen.stamps().to_vec();
        let tomb = record
            .tomb
            .iter()
            .map(|t| (0, t.clone(), Body::Tombstone { forgotten: None }, record.tomb_seen.as_ref().map(list)));
        let cell = record.lww.iter().map(|(field, lww)| {
            let body = Body::Lww { value: lww.hlc.ts.to_string(), prev: lww.prev.clone(), altered: false };
            (*field, lww.hlc.clone(), body, lww.seen().map(list))
        });
        let mut all: Vec<_> = tomb.chain(cell).collect();
        all.sort_by(|a, b| a.1.cmp(&b.1));
        all
    }

    /// Runs the steps; each merge's conflict is compared with what the sets of received stamps say.
    fn play(steps: &[Step]) {
        let mut nodes: [Node; 3] = Default::default();
        let mut knew: std::collections::BTreeMap<Hlc, BTreeSet<Hlc>> = Default::default();
        for (time, step) in steps.iter().enumerate() {
            let stamp = |n: usize| Hlc::new(time as i64 + 1, 0, &Rc::from(NODES[n]));
            match step {
                Step::Write(n) | Step::Delete(n) => {
                    let (node, hlc) = (&mut nodes[*n], stamp(*n));
                    match step {
                        Step::Delete(_) if !node.record.alive() => continue,
                        Step::Delete(_) => {
                            let value = node.record.lww.get(&1).map(|lww| lww.hlc.ts.to_string());
                            local::delete(&mut node.record, vec![(1, value)], &hlc);
                        }
                        _ => local::insert(&mut node.record, &[1], &hlc),
                    }
                    knew.insert(hlc.clone(), node.received.clone());
                    node.received.insert(hlc);
                }
                Step::Send(from, to) => {
                    let sent = export(&nodes[*from].record);
                    let node = &mut nodes[*to];
                    for (field, hlc, body, seen) in &sent {
                        let before = node.record.clone();
                        let outcome = told(&mut node.record, (*field, hlc, body), seen.as_deref());
                        // A delete that was overtaken by another, and a write that changes nothing, meet no delete.
                        let cell = before.lww.values().map(|lww| &lww.hlc).filter(|_| *field == 1 || outcome.news);
                        let met: Vec<&Hlc> =
                            cell.chain(before.tomb.iter().filter(|_| *field == 1 && outcome.news)).collect();
                        let apart = |a: &Hlc, b: &Hlc| a != b && !knew[a].contains(b) && !knew[b].contains(a);
                        let told_of = || format!("{hlc} at {}: {steps:?}", NODES[*to]);
                        if let Some(Conflict { local, incoming, .. }) = outcome.conflict.as_deref() {
                            assert!(apart(&incoming.hlc, &local.hlc), "no conflict: {}", told_of());
                            let pair = (incoming.hlc.clone(), local.hlc.clone());
                            assert!(node.told.insert(pair), "told twice: {}", told_of());
                        } else if !node.received.contains(hlc) {
                            assert!(!met.iter().any(|other| apart(hlc, other)), "missed: {}", told_of());
                        }
                        node.received.insert(hlc.clone());
                        // Whoever has a write has what its author knew.
                        node.received.extend(knew[hlc].iter().cloned());
                    }
                }
            }
        }
    }

    /// The delete of c gives way to that of a. What c had seen is known to a's next write all the same.
    #[test]
    fn what_the_author_of_a_losing_delete_had_seen_is_no_conflict() {
        use Step::{Delete, Send, Write};
        let (a, b, c) = (0, 1, 2);
        let meet = [Write(b), Write(c), Send(b, c), Send(c, a)];
        play(&[&meet[..], &[Delete(c), Delete(a), Send(c, a), Write(a), Send(b, a)]].concat());
        play(&[&meet[..], &[Delete(a), Delete(c), Send(c, a), Write(a), Send(b, a)]].concat());
    }

    proptest! {
        #![proptest_config(many())]

        #[test]
        fn a_conflict_is_two_writes_that_did_not_know_of_each_other(steps in proptest::collection::vec(step(false), 1..25)) {
            play(&steps);
        }

        #[test]
        fn deletes_too(steps in proptest::collection::vec(step(true), 1..25)) {
            play(&steps);
        }
    }
}

#[test]
fn succession_is_no_conflict_and_concurrency_is() {
    let at = |ts, node: &str| Hlc::new(ts, 0, &Rc::from(node));
    let write = |ts, node, prev| (1, at(ts, node), Body::Lww { value: "1".into(), prev, altered: false });
    let mut record = Record::default();
    let mut met = |change| take(&mut record, &change).conflict.is_some();
    assert!(!met(write(1, "a", None)));
    assert!(!met(write(2, "b", Some(at(1, "a")))));
    assert!(met(write(3, "c", Some(at(1, "a")))), "c had not seen b's");
    assert!(!met(write(1, "a", None)), "what c overwrote is no news to c");
    assert!(met(write(2, "d", Some(at(1, "a")))), "the loser is counted too");
    assert!(!met(write(2, "d", Some(at(1, "a")))), "once");
    assert!(!met(write(2, "b", Some(at(1, "a")))), "nor what was replaced before");
    assert!(!met(write(4, "c", None)), "an author has seen its own writes");
}

#[test]
fn a_conflict_names_both_sides() {
    let at = |ts, node: &str| Hlc::new(ts, 0, &Rc::from(node));
    let write =
        |ts, node, value: &str| (1, at(ts, node), Body::Lww { value: value.into(), prev: None, altered: false });
    let mut record = Record::default();
    take(&mut record, &write(5, "a", "1"));
    let side = |ts, node, value: Option<&str>| Side { hlc: at(ts, node), value: value.map(str::to_owned) };
    let lost = *take(&mut record, &write(3, "b", "2")).conflict.unwrap();
    let (local, incoming) = (side(5, "a", Some("1")), side(3, "b", Some("2")));
    assert_eq!(lost, Conflict { field: 1, written: 0, incoming_won: false, local, incoming });
    let gone = *told(&mut record, (0, &at(7, "c"), &Body::Tombstone { forgotten: None }), Some(&[])).conflict.unwrap();
    let (local, incoming) = (side(5, "a", Some("1")), side(7, "c", None));
    assert_eq!(gone, Conflict { field: 0, written: 1, incoming_won: true, local, incoming });
    let late = *take(&mut record, &write(6, "d", "4")).conflict.unwrap();
    assert_eq!((late.field, late.written, late.incoming_won), (0, 1, false));
    assert_eq!((late.local, late.incoming), (side(7, "c", None), side(6, "d", Some("4"))));
}

#[test]
fn news_of_who_left_a_filter_are_none_of_the_records() {
    let mut record = Record::default();
    let outcome = take(&mut record, &(0, Hlc::new(3, 0, &Rc::from("a")), Body::Left(None)));
    assert_eq!((record, outcome.conflict.is_some()), (Record::default(), false));
}
