//! Tests of the model itself, on records written by hand.

use std::collections::BTreeSet;

use super::cell::Cell;
use super::json::parse;
use super::model::{Model, Record, Shown};
use super::wire::{Change, Export};

/// A record of table `t`, key `k`: field, type, `ts`, author and the rest of its keys.
fn change(field: &str, kind: &str, ts: i64, node: &str, rest: &str) -> Change {
    let text = format!(
        r#"{{"table":"t","pk":"k","field":"{field}","crdt_type":"{kind}",
            "hlc":{{"ts":{ts},"c":0,"node":"{node}"}},"node_id":"{node}",{rest}}}"#
    );
    Change::read(&parse(&text).unwrap()).unwrap()
}

fn lww(field: &str, ts: i64, node: &str, value: &str) -> Change {
    change(field, "lww", ts, node, &format!(r#""value":{value}"#))
}

fn delete(ts: i64, node: &str) -> Change {
    change("_tombstone", "lww", ts, node, r#""tombstone":true"#)
}

fn count(ts: i64, node: &str, inc: i128, dec: i128) -> Change {
    let rest = format!(r#""counter_delta":{{"inc":{inc},"dec":{dec}}}"#);
    change("n", "counter", ts, node, &rest)
}

fn add(ts: i64, node: &str, elements: &str) -> Change {
    let rest = format!(r#""set_op":{{"op":"add","elements":{elements}}}"#);
    change("s", "set", ts, node, &rest)
}

fn remove(ts: i64, node: &str, element: &str, tags: &[(i64, &str)]) -> Change {
    let tags: Vec<_> = tags.iter().map(|(ts, node)| format!(r#"{{"ts":{ts},"c":0,"node":"{node}"}}"#)).collect();
    let tags = tags.join(",");
    let rest = format!(r#""set_op":{{"op":"remove","elements":[{element}],"tags":[{tags}]}}"#);
    change("s", "set", ts, node, &rest)
}

/// The record that the changes make, in this order and in the reverse of it.
fn both_ways(changes: &[Change]) -> Record {
    let forth = Model::of(changes).unwrap();
    let back = Model::of(changes.iter().rev().chain(changes)).unwrap();
    assert_eq!(forth.lacks(&back), Vec::<String>::new());
    assert_eq!(back.lacks(&forth), Vec::<String>::new());
    forth.records[&("t".to_string(), "k".to_string())].clone()
}

fn elements(of: &[&str]) -> Option<Shown> {
    Some(Shown::Elements(of.iter().map(ToString::to_string).collect()))
}

#[test]
fn the_highest_stamp_wins_then_the_node() {
    let record =
        both_ways(&[lww("a", 5, "x", "1"), lww("a", 7, "x", "2"), lww("a", 7, "y", "3"), lww("a", 6, "z", "4")]);
    assert_eq!(record.shown("a"), Some(Shown::Value(BTreeSet::from([Cell::Int(3)]))));
}

#[test]
fn values_under_a_shared_stamp_are_all_candidates() {
    let record = both_ways(&[lww("a", 5, "_base", "1"), lww("a", 5, "_base", "2")]);
    let both = BTreeSet::from([Cell::Int(1), Cell::Int(2)]);
    assert_eq!(record.shown("a"), Some(Shown::Value(both)));
}

#[test]
fn counters_take_each_authors_maximum_and_saturate() {
    let record = both_ways(&[count(1, "x", 5, 0), count(3, "x", 7, 1), count(2, "y", 2, 9)]);
    assert_eq!(record.shown("n"), Some(Shown::Count(Some(-1))));
    let max = i128::from(i64::MAX);
    let record = both_ways(&[count(1, "x", max, 0), count(2, "y", max + max, 0)]);
    assert_eq!(record.shown("n"), Some(Shown::Count(Some(i64::MAX))));
}

#[test]
fn add_wins_over_a_concurrent_remove() {
    let seen = [add(1, "x", r#"["a","b"]"#), remove(3, "y", r#""a""#, &[(1, "x")])];
    assert_eq!(both_ways(&seen).shown("s"), elements(&["\"b\""]));
    let concurrent = [&seen[..], &[add(2, "x", r#"["a"]"#)]].concat();
    assert_eq!(both_ways(&concurrent).shown("s"), elements(&["\"a\"", "\"b\""]));
    let other_author = [&seen[..], &[add(1, "z", r#"["a"]"#)]].concat();
    assert_eq!(both_ways(&other_author).shown("s"), elements(&["\"a\"", "\"b\""]));
}

#[test]
fn a_remove_that_comes_before_its_add_still_removes() {
    let record = both_ways(&[remove(3, "y", "1.0", &[(1, "x")]), add(1, "x", "[1]")]);
    assert_eq!(record.shown("s"), elements(&[]));
}

#[test]
fn a_record_lives_when_a_stamp_lies_above_its_tombstone() {
    assert!(!both_ways(&[lww("a", 5, "x", "1"), delete(6, "y")]).alive());
    assert!(both_ways(&[lww("a", 5, "x", "1"), delete(6, "y"), count(7, "x", 1, 0)]).alive());
    assert!(both_ways(&[delete(6, "y"), lww("_row", 7, "x", "true")]).alive());
    assert!(!both_ways(&[delete(6, "y"), remove(5, "x", "1", &[(4, "x")])]).alive());
    assert!(!both_ways(&[delete(6, "y")]).alive());
}

#[test]
fn lacks_names_what_an_export_leaves_out() {
    let all = [lww("a", 5, "x", "1"), lww("b", 6, "x", "1"), count(2, "y", 1, 0), delete(1, "x")];
    let full = Model::of(&all).unwrap();
    for left_out in 0..all.len() {
        let part = all.iter().enumerate().filter(|(i, _)| *i != left_out);
        let model = Model::of(part.map(|(_, c)| c)).unwrap();
        assert!(!model.lacks(&full).is_empty(), "without {left_out}");
    }
    let stale = [&all[..3], &[delete(0, "x")]].concat();
    assert_eq!(Model::of(&stale).unwrap().lacks(&full).len(), 1);
}

#[test]
fn a_removed_tag_below_a_live_one_makes_no_difference() {
    let long = Model::of(&[add(1, "x", "[1]"), remove(2, "x", "1", &[(1, "x")]), add(3, "x", "[1]")]);
    let short = Model::of(&[add(3, "x", "[1]")]);
    assert!(short.unwrap().lacks(&long.unwrap()).is_empty());
}

#[test]
fn records_that_break_the_wire_contract_are_refused() {
    let bad = [
        r#"{"table":"t","pk":"k","field":"a","crdt_type":"lww","hlc":{"ts":1,"c":0,"node":"x"},"node_id":"y","value":1}"#,
        r#"{"table":"t","pk":"k","field":"a","crdt_type":"lww","hlc":{"ts":1,"c":0,"node":"x"},"node_id":"x"}"#,
        r#"{"table":"t","pk":"k","field":"a","crdt_type":"lww","hlc":{"ts":1,"c":0,"node":"x"},"node_id":"x","tombstone":true}"#,
        r#"{"table":"t","pk":"k","field":"a","crdt_type":"","hlc":{"ts":1,"c":0,"node":"x"},"node_id":"x","value":1}"#,
    ];
    for text in bad {
        assert!(Change::read(&parse(text).unwrap()).is_err(), "{text}");
    }
    assert!(Export::read(r#"{"changes":null,"latest_hlc":{"ts":0,"c":0,"node":"x~0"},"has_more":false}"#).is_err());
}
