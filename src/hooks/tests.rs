//! What is news, and what a hook may make of a change.

use std::rc::Rc;

use proptest::prelude::*;

use super::{check, known, verdict};
use crate::change::{Body, Change, Names};
use crate::clock::Hlc;
use crate::ffi::Value;
use crate::merge::merge;
use crate::record::{FieldId, Record};

fn stamp() -> impl Strategy<Value = Hlc> {
    (1i64..6, 0u32..2, prop::sample::select(vec!["a", "b"])).prop_map(|(ts, c, node)| Hlc::new(ts, c, &Rc::from(node)))
}

fn element() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["1", "\"x\"", "\"xy\""]).prop_map(str::to_owned)
}

/// A change of field 1 to 4, one for each type.
fn write() -> impl Strategy<Value = (u32, Hlc, Body)> {
    let elements = || prop::collection::vec(element(), 1..3);
    let body = prop_oneof![
        proptest::option::of(stamp()).prop_map(|forgotten| (0, Body::Tombstone { forgotten })),
        Just((0, Body::Row)),
        (0u8..3, any::<bool>()).prop_map(|(v, altered)| (1, Body::Lww { value: v.to_string(), prev: None, altered })),
        (0u128..3, any::<bool>())
            .prop_map(|(inc, operation)| (2, Body::Counter { inc, dec: 0, born: None, operation })),
        elements().prop_map(|elements| (3, Body::Add(elements))),
        elements().prop_map(|elements| (3, Body::Remove { elements, tags: None })),
        (elements(), prop::collection::vec(stamp(), 0..3))
            .prop_map(|(elements, tags)| (3, Body::Remove { elements, tags: Some(tags) })),
        Just((4, Body::Other { crdt_type: "list".into(), json: "{}".into() })),
    ];
    (stamp(), body).prop_map(|(hlc, (field, body))| (field, hlc, body))
}

fn nothing(_: FieldId) -> crate::error::Result<Option<String>> {
    Ok(None)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Looking at what a change touches tells the same as merging it into the whole record.
    #[test]
    fn news_is_what_the_merge_calls_news(
        history in prop::collection::vec(write(), 0..12),
        (field, hlc, body) in write(),
        forget in any::<bool>(),
    ) {
        let mut record = Record::default();
        for (field, hlc, body) in &history {
            merge(&mut record, *field, hlc, body, None, &mut nothing).unwrap();
        }
        if forget && record.tomb.is_some() && !record.alive() {
            record.forget();
        }
        let told = known::is_news(&record, field, &hlc, &body, &mut nothing).unwrap();
        let expected = merge(&mut record.clone(), field, &hlc, &body, None, &mut nothing).unwrap().news;
        prop_assert_eq!(told, expected);
    }
}

const HEAD: &str = r#"{"table":"t","pk":"1","hlc":{"ts":5,"c":0,"node":"a"},"node_id":"a","#;

fn parsed(json: &str) -> Change {
    crate::import::one(json, &mut Names::default()).expect(json)
}

/// What becomes of a change for which a hook answers `answer`: the JSON to go on with, or the error.
fn judged(rest: &str, answer: &str) -> Result<String, String> {
    let given = parsed(&format!("{HEAD}{rest}}}"));
    let (mut json, mut out) = (String::new(), String::new());
    given.write_json(&mut json);
    let change = verdict::judge(given, &json, &Value::from(answer)).map_err(|e| e.message().to_owned())?;
    change.write_json(&mut out);
    Ok(out)
}

const TITLE: &str = r#""field":"f","crdt_type":"lww","value":{"a" : 1e2},"prev":{"ts":4,"c":0,"node":"b"}"#;

#[test]
fn a_value_spelled_anew_is_not_altered() {
    let original = judged(TITLE, &format!("{HEAD}{TITLE}}}")).unwrap();
    assert!(original.contains(r#""value":{"a" : 1e2},"prev":{"#) && !original.contains("altered"), "{original}");
    let minified = r#""field":"f","crdt_type":"lww","value":{"a":1e2}"#;
    assert_eq!(judged(TITLE, &format!("{HEAD}{minified}}}")).unwrap(), original);
    let flag = r#""field":"f","crdt_type":"lww","value":true"#;
    let one = r#""field":"f","crdt_type":"lww","value":1"#;
    assert!(judged(flag, &format!("{HEAD}{one}}}")).unwrap().ends_with(r#""value":true}"#));
}

#[test]
fn another_value_is_marked_and_keeps_what_it_overwrote() {
    let new = r#""field":"f","crdt_type":"lww","value":"x""#;
    let out = judged(TITLE, &format!("{HEAD}{new}}}")).unwrap();
    assert!(out.ends_with(r#""value":"x","prev":{"ts":4,"c":0,"node":"b"},"altered":true}"#), "{out}");
    let one = r#""field":"f","crdt_type":"lww","value":1"#;
    let real = judged(one, &format!("{HEAD}{}}}", one.replace(":1", ":1.0"))).unwrap();
    assert!(real.ends_with(r#""value":1.0,"altered":true}"#), "{real}");
    // Once altered it stays so.
    let again = format!("{new},\"altered\":true");
    assert!(judged(&again, &format!("{HEAD}{new}}}")).unwrap().contains("altered"));
}

#[test]
fn nothing_else_may_change() {
    let refused = |rest: &str, answer: &str, part: &str| {
        let e = judged(rest, answer).expect_err(answer);
        assert!(e.contains(part), "{e}");
    };
    let title = format!("{HEAD}{TITLE}}}");
    for (from, to, part) in [
        ("\"table\":\"t\"", "\"table\":\"u\"", "the table"),
        ("\"pk\":\"1\"", "\"pk\":\"2\"", "the pk"),
        ("\"field\":\"f\"", "\"field\":\"g\"", "the field"),
        ("\"ts\":5", "\"ts\":6", "the stamp"),
        ("\"ts\":4", "\"ts\":3", "'prev'"),
    ] {
        refused(TITLE, &title.replace(from, to), part);
    }
    let other = title.replace("\"node\":\"a\"", "\"node\":\"b\"").replace("\"node_id\":\"a\"", "\"node_id\":\"b\"");
    refused(TITLE, &other, "the node");
}

#[test]
fn contents_of_other_types_may_not_change() {
    for (rest, from, to) in [
        (r#""field":"n","crdt_type":"counter","counter_delta":{"inc":1,"dec":0}"#, "\"inc\":1", "\"inc\":2"),
        (r#""field":"s","crdt_type":"set","set_op":{"op":"add","elements":["x"]}"#, "\"x\"", "\"y\""),
        (r#""field":"s","crdt_type":"set","set_op":{"op":"add","elements":["x"]}"#, "add", "remove"),
        (r#""field":"l","crdt_type":"list","list_op":{"op":"insert"}"#, "insert", "delete"),
    ] {
        let json = format!("{HEAD}{rest}}}");
        assert!(judged(rest, &json.replace(":[", ": [")).is_ok(), "white space is nothing");
        let e = judged(rest, &json.replace(from, to)).expect_err(rest);
        assert!(e.contains("content") || e.contains("crdt_type"), "{e}");
    }
    let counter = r#""field":"n","crdt_type":"counter","counter_delta":{"inc":1,"dec":0}"#;
    let lww = r#""field":"n","crdt_type":"lww","value":1"#;
    assert!(judged(counter, &format!("{HEAD}{lww}}}")).expect_err(lww).contains("crdt_type"));
}

#[test]
fn what_is_no_change_is_told_back() {
    assert!(judged(TITLE, "not for this tenant").expect_err("text").contains("not for this tenant"));
    assert!(verdict::judge(parsed(&format!("{HEAD}{TITLE}}}")), "", &Value::Integer(1))
        .is_err_and(|e| e.message().contains("integer")));
}

#[test]
fn first_words() {
    for (sql, word) in [
        ("SELECT 1", "SELECT"),
        ("  -- why\n /* so\n */ ; with x AS (VALUES(1)) SELECT 1", "with"),
        ("VALUES(1)", "VALUES"),
        ("--", ""),
        ("/* open", ""),
        ("", ""),
    ] {
        assert_eq!(check::first_word(sql), word, "{sql}");
    }
}
