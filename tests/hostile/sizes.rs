//! Large and deep input: taken or refused, in bounded time and memory.

use std::time::{Duration, Instant};

use serde_json::json;

use super::world::{ask, TABLES};
use crate::support::*;

#[test]
fn a_set_of_a_hundred_thousand_elements() {
    let [a, b] = nodes(["a", "b"], TASKS);
    let elements: Vec<_> = (0..100_000).collect();
    take(&a, &[set("add", (1000, 0, "x"), json!(elements))]);
    take(&a, &[set("remove", (2000, 0, "x"), json!(elements))]);
    take(&a, &[set("add", (3000, 0, "y"), json!(["left"]))]);
    send(&a, &b);
    same(&a, &b, "tasks");
    assert_eq!(rows(&b, "SELECT tags FROM tasks"), ["'[\"left\"]'"]);
}

#[test]
fn json_ten_thousand_deep() {
    let a = node("a", TABLES);
    let deep = |n: usize, open: &str, close: &str| format!("{}1{}", open.repeat(n), close.repeat(n));
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = deep(10_000, open, close);
        let body = lww("title", (1000, 0, "x"), "HERE").to_string().replace("\"HERE\"", &nested);
        let element = set("add", (1000, 0, "x"), json!(["HERE"])).to_string().replace("\"HERE\"", &nested);
        let other = change("title", (1000, 0, "x"), json!({"crdt_type": "text", "value": "HERE"}));
        let other = other.to_string().replace("\"HERE\"", &nested);
        for json in [format!("[{body}]"), format!("[{element}]"), format!("[{other}]"), nested.clone()] {
            ask(&a, "SELECT crdt_merge(?1)", &[&json]).unwrap_err();
        }
    }
    take(&a, &[lww("title", (1000, 0, "x"), "still here")]);
    // A local write may hold what no peer would send.
    run(&a, "UPDATE tasks SET tags = '[' || replace(printf('%.500c', '['), '', '') || printf('%.500c', ']') || ']'");
    sound(&a);
    let b = node("b", TABLES);
    send(&a, &b);
    same(&a, &b, "tasks");
}

/// Whoever sends changes of many columns that nobody has spoils nobody's afternoon.
#[test]
fn many_fields_that_are_not_here() {
    let a = node("a", TASKS);
    let fields: Vec<_> = (0..5_000).map(|i| lww(&format!("f{i}"), (1000, 0, "x"), i)).collect();
    let began = Instant::now();
    assert_eq!(take(&a, &fields)["merged"], 5_000);
    run(&a, "UPDATE tasks SET title = 'x'");
    assert_eq!(since(&a, None).changes.len(), 5_001);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
