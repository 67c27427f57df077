//! Payloads, requests, cursors, values.

use serde_json::Value;

use super::corpus::{each, refused};
use super::world::{full, World, NAMES};
use crate::support::*;

fn counts(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer).unwrap();
    let reasons = answer["rejected"].as_array().into_iter().flatten();
    let reasons: String = reasons.map(|r| format!("; {} {}", r["index"], r["reason"].as_str().unwrap())).collect();
    format!("merged {} unchanged {} pending {}{reasons}", answer["merged"], answer["unchanged"], answer["pending"])
}

/// Taken: nothing is broken, taking it again changes nothing, and it travels.
#[track_caller]
fn taken(target: &super::world::Target, call: &str, input: &str) {
    let state = || NAMES.map(|name| (table(&target.conn, name), full(&target.conn, name)));
    let before = state();
    let again: Value = serde_json::from_str(&target.ask(call, &[&input]).unwrap()).unwrap();
    assert_eq!(before, state(), "{input}: taken again, it changes something");
    // A record that left is dropped again, with what stands before that in the payload.
    assert!(again["merged"] == 0 || input.contains("_left"), "{input}: {again}");
    target.travels();
}

/// The other form of what was taken comes to the same.
#[track_caller]
fn in_either_form(world: &World, target: &super::world::Target, input: &str) {
    let form = if input.contains(r#""format":"compact""#) { "grove" } else { "compact" };
    let other = world.copy();
    let converted = other.ask("SELECT crdt_convert(?1, ?2)", &[&input, &form]).unwrap();
    other.ask("SELECT crdt_merge(?1)", &[&converted]).unwrap();
    let state = |conn| NAMES.map(|name| (table(conn, name), full(conn, name)));
    assert_eq!(state(&target.conn), state(&other.conn), "{converted}");
}

#[test]
fn payloads() {
    let world = World::new();
    each("merge", 150, |input| {
        let target = world.copy();
        match target.ask("SELECT crdt_merge(?1)", &[&input]) {
            Err(message) => refused(&message),
            Ok(answer) => {
                in_either_form(&world, &target, input);
                taken(&target, "SELECT crdt_merge(?1)", input);
                format!("ok: {}", counts(&answer))
            }
        }
    });
}

#[test]
fn pushes() {
    let world = World::new();
    each("push", 35, |input| {
        let target = world.copy();
        match target.ask("SELECT crdt_push(?1)", &[&input]) {
            Err(message) => refused(&message),
            Ok(answer) => {
                taken(&target, "SELECT crdt_push(?1)", input);
                format!("ok: {}", counts(&answer))
            }
        }
    });
}

fn page_told(json: &str) -> String {
    let resync = if json.contains("\"resync\":true") { ", from the beginning" } else { "" };
    format!("ok: {} changes{resync}", page(json).changes.len())
}

#[test]
fn pulls() {
    let world = World::new();
    each("pull", 35, |input| {
        let target = world.copy();
        let answer = target.ask("SELECT crdt_pull(?1)", &[&input]);
        target.travels();
        answer.map_or_else(|message| refused(&message), |json| page_told(&json))
    });
}

#[test]
fn cursors() {
    let world = World::new();
    each("cursor", 50, |input| {
        let target = world.copy();
        let answer = target.ask("SELECT crdt_changes_since(?1)", &[&input]);
        let listed = target.ask("SELECT count(*) FROM crdt_changes(?1, NULL)", &[&input]);
        assert_eq!(answer.is_ok(), listed.is_ok(), "{input}: {answer:?}, {listed:?}");
        if let Ok(json) = &answer {
            let next = page(json);
            assert_eq!(listed.as_deref(), Ok(next.changes.len().to_string().as_str()), "{input}");
            since(&target.conn, Some(&next.cursor));
        }
        answer.map_or_else(|message| refused(&message), |json| page_told(&json))
    });
}

/// A JSON value becomes an SQLite value and goes on to a third node as what it was.
#[test]
fn values() {
    let world = World::new();
    each("value", 75, |input| {
        let target = world.copy();
        let hlc = r#""hlc":{"ts":1700000001000000000,"c":0,"node":"x"}"#;
        let json = format!(r#"[{{"table":"pairs","pk":"[7,7]","field":"v","crdt_type":"lww",{hlc},"value":{input}}}]"#);
        if let Err(message) = target.ask("SELECT crdt_merge(?1)", &[&json]) {
            return refused(&message);
        }
        let [b, c] = nodes(["b", "c"], super::world::TABLES);
        send(&target.conn, &b);
        send(&b, &c);
        let cell = |conn| rows(conn, "SELECT v FROM pairs WHERE a = 7 AND b = 7").remove(0);
        assert_eq!(cell(&target.conn), cell(&c), "{input}");
        same(&target.conn, &c, "pairs");
        format!("ok: {}", cell(&c))
    });
}
