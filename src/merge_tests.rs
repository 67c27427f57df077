//! The laws of the merge, on random changes of every kind.

use proptest::prelude::*;
use std::rc::Rc;

use super::*;
use crate::record::Record;

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
    let held = record.lww.get(field).and_then(|l| l.saved.clone());
    merge(record, *field, hlc, body, &mut || Ok(held.clone())).expect("pure")
}

/// What is replicated: `prev` is a remark on one delivery, and a hidden row stamp is not part of the state.
fn normal(mut record: Record) -> Record {
    record.row = record.visible_row().cloned();
    record.lww.values_mut().for_each(|l| l.prev = None);
    record
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

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

#[test]
fn succession_is_no_conflict_and_concurrency_is() {
    let at = |ts, node: &str| Hlc::new(ts, 0, &Rc::from(node));
    let write = |ts, node, prev| (1, at(ts, node), Body::Lww { value: "1".into(), prev, altered: false });
    let mut record = Record::default();
    take(&mut record, &write(1, "a", None));
    assert!(!take(&mut record, &write(2, "b", Some(at(1, "a")))).conflict);
    assert!(take(&mut record, &write(3, "c", Some(at(1, "a")))).conflict, "c had not seen b's");
    assert!(!take(&mut record, &write(1, "a", None)).conflict, "what c overwrote is no news to c");
    assert!(take(&mut record, &write(2, "d", Some(at(1, "a")))).conflict, "the loser is counted too");
}
