//! The wire form: what is taken, what is refused and why.

use super::*;
use crate::error::Result;

fn parsed(json: &str) -> Result<Change> {
    crate::import::one(json, &mut Names::default())
}

fn with(rest: &str) -> String {
    format!(r#"{{"table":"t","pk":"1","hlc":{{"ts":5,"c":0,"node":"a"}},"node_id":"a",{rest}}}"#)
}

fn refused(json: &str) -> String {
    parsed(json).expect_err(json).message().to_owned()
}

#[test]
fn every_body_survives_writing_and_reading() {
    let tag = r#"{"ts":4,"c":1,"node":"b"}"#;
    for rest in [
        r#""field":"title","crdt_type":"lww","value":{"a": [1.50]}"#.to_owned(),
        r#""field":"title","crdt_type":"lww","value":null"#.to_owned(),
        format!(r#""field":"title","crdt_type":"lww","value":1,"prev":{tag},"seen":[{tag}],"altered":true"#),
        format!(r#""field":"_tombstone","crdt_type":"","tombstone":true,"seen":[{tag}]"#),
        r#""field":"_tombstone","crdt_type":"","tombstone":true,"seen":[]"#.to_owned(),
        r#""field":"n","crdt_type":"counter","counter_delta":{"inc":18446744073709551616,"dec":0}"#.to_owned(),
        format!(
            r#""field":"n","crdt_type":"counter","counter_delta":{{"inc":1,"dec":0}},"born":{tag},"operation":true"#
        ),
        r#""field":"s","crdt_type":"set","set_op":{"op":"add","elements":["x",{"b":1}]}"#.to_owned(),
        r#""field":"s","crdt_type":"set","set_op":{"op":"remove","elements":["x"]}"#.to_owned(),
        format!(r#""field":"s","crdt_type":"set","set_op":{{"op":"remove","elements":["x"],"tags":[{tag}]}}"#),
        r#""field":"_row","crdt_type":"lww","value":true"#.to_owned(),
        r#""field":"_tombstone","crdt_type":"","tombstone":true"#.to_owned(),
        r#""field":"l","crdt_type":"list","list_op":{"op":"insert"}"#.to_owned(),
    ] {
        let change = parsed(&with(&rest)).expect(&rest);
        let mut out = String::new();
        change.write_json(&mut out);
        assert_eq!(parsed(&out).expect(&out), change);
        assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
    }
}

#[test]
fn a_value_keeps_every_byte() {
    let Body::Lww { value, .. } = parsed(&with(r#""field":"x","crdt_type":"lww","value":{"a" : 1e2}"#)).unwrap().body
    else {
        panic!("not lww")
    };
    assert_eq!(value, r#"{"a" : 1e2}"#);
}

#[test]
fn groves_deletes_are_deletes_but_a_path_delete_is_not() {
    for rest in [r#""field":"","crdt_type":"lww","tombstone":true"#, r#""field":"_tombstone","tombstone":true"#] {
        assert_eq!(parsed(&with(rest)).unwrap().body, Body::Tombstone { forgotten: None });
    }
    let path = parsed(&with(r#""field":"meta","crdt_type":"document","tombstone":true,"value":{"path":"a"}"#)).unwrap();
    assert!(matches!(path.body, Body::Other { .. }));
}

#[test]
fn bad_changes_are_refused_with_a_reason() {
    assert!(refused(&with(r#""field":"x","crdt_type":"lww","tombstone":true"#)).contains("_tombstone"));
    assert!(refused(&with(r#""field":"","crdt_type":"lww""#)).contains("names its field"));
    assert!(refused(&with(r#""field":"x""#)).contains("crdt_type"));
    assert!(refused(&with(r#""field":"x","crdt_type":"counter""#)).contains("counter_delta"));
    for delta in [r#"{"inc":1.5}"#, r#"{"inc":-1}"#, r#"{"inc":"1"}"#] {
        refused(&with(&format!(r#""field":"x","crdt_type":"counter","counter_delta":{delta}"#)));
    }
    assert!(refused(&with(r#""field":"x","crdt_type":"set","set_op":{"op":"drop","elements":[]}"#)).contains("remove"));
    assert!(refused(&with(r#""field":"x","crdt_type":"lww","value":1e999"#)).contains("number"));
    let late =
        r#""field":"s","crdt_type":"set","set_op":{"op":"remove","elements":["x"],"tags":[{"ts":6,"c":0,"node":"b"}]}"#;
    assert!(refused(&with(late)).contains("cannot have seen"));
}

#[test]
fn what_comes_before_its_cause_is_refused() {
    let late = r#"{"ts":6,"c":0,"node":"a"}"#;
    let born = format!(r#""field":"n","crdt_type":"counter","counter_delta":{{"inc":1}},"born":{late}"#);
    assert!(refused(&with(&born)).contains("cannot have begun"));
    let forgotten = format!(r#""field":"_tombstone","tombstone":true,"forgotten":{late}"#);
    assert!(refused(&with(&forgotten)).contains("cannot have forgotten"));
}

#[test]
fn changes_of_types_to_come_have_bounds_too() {
    let of = |name: usize, depth: usize| {
        let value = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        with(&format!(r#""field":"l","crdt_type":"{}","list_op":{value}"#, "x".repeat(name)))
    };
    assert!(matches!(parsed(&of(64, 3)).unwrap().body, Body::Other { .. }));
    assert!(refused(&of(65, 3)).contains("longer than any"));
    let most = crate::value::MAX_DEPTH - 1; // the change itself is a level
    assert!(parsed(&of(1, most)).is_ok());
    assert!(refused(&of(1, most + 1)).contains("nested deeper"));
}

#[test]
fn bad_stamps_are_refused() {
    let stamp = |hlc: &str| format!(r#"{{"table":"t","pk":"1","field":"x","crdt_type":"lww","hlc":{hlc},"value":1}}"#);
    assert!(parsed(&stamp(r#"{"ts":9223372036854775807,"c":4294967295,"node":"a"}"#)).is_ok());
    for hlc in [
        r#"{"ts":-1,"c":0,"node":"a"}"#,
        r#"{"ts":1.5,"c":0,"node":"a"}"#,
        r#"{"ts":9223372036854775808,"c":0,"node":"a"}"#,
        r#"{"ts":1,"c":4294967296,"node":"a"}"#,
        r#"{"ts":1,"c":-1,"node":"a"}"#,
        r#"{"ts":1,"c":0,"node":""}"#,
        r#"{"ts":1,"c":0}"#,
        "null",
    ] {
        refused(&stamp(hlc));
    }
    refused(&stamp(&format!(r#"{{"ts":1,"c":0,"node":"{}"}}"#, "n".repeat(256))));
    let two = with(r#""field":"x","crdt_type":"lww","value":1"#).replace(r#""node_id":"a""#, r#""node_id":"b""#);
    assert!(refused(&two).contains("one author"));
}
