//! Filters beside those that hold the write lock: which rows are in a filter is written down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{json, Value};

use crate::common::{lww, quickest, Hub};
use crate::limits::post;
use crate::sse::Stream;

fn hub() -> Hub {
    let of = |owner: &str| json!({"tasks": format!("owner = '{owner}'")});
    let mut hub = Hub::with_tokens(&json!([
        {"token": "admin", "read": ["*"], "write": ["*"]},
        {"token": "ann", "read": ["tasks"], "write": ["tasks"], "filter": of("ann")},
        {"token": "bob", "read": ["tasks"], "write": ["tasks"], "filter": of("bob")},
    ]));
    hub.as_token("ann");
    hub
}

fn task(pk: &str, field: &str, value: &str) -> Value {
    lww("tasks", pk, field, 1, "x", json!(value))
}

const COMMIT_AND_LOCK: &str = "INSERT INTO tasks(id, owner) VALUES ('late', 'ann'); BEGIN IMMEDIATE";

/// A rollback is no commit that would have streams look again.
#[test]
fn a_stream_tells_what_a_lock_kept_from_it() {
    let hub = hub();
    hub.push(&[task("a1", "owner", "ann")]).ok();
    let mut stream = Stream::open(&hub, "");
    assert_eq!(stream.next().changes()[0]["pk"], json!("a1"));
    let app = hub.database();
    app.execute_batch(COMMIT_AND_LOCK).unwrap();
    assert!(stream.is_quiet(Duration::from_millis(500)));
    app.execute_batch("ROLLBACK").unwrap();
    let event = stream.next_within(Duration::from_secs(10)).expect("what was committed before");
    assert_eq!(event.changes()[0]["pk"], json!("late"));
}

#[test]
fn a_pull_that_cannot_tell_says_so() {
    let hub = hub();
    hub.push(&[task("a1", "owner", "ann")]).ok();
    let at = hub.post("/sync/pull", &json!({})).ok()["latest_hlc"].clone();
    let app = hub.database();
    app.execute_batch("INSERT INTO tasks(id, owner) VALUES ('b1', 'bob')").unwrap();
    app.execute_batch(COMMIT_AND_LOCK).unwrap();
    let from = |since: &Value| hub.post("/sync/pull", &json!({"since": since}));
    let took = quickest(5, |_| {
        let answer = from(&at);
        assert!(answer.error(503).contains("write lock"), "{}", answer.body);
        assert_eq!(answer.header("retry-after"), "1");
    });
    assert!(took < Duration::from_secs(2), "{took:?}");
    let answer = from(&Value::Null).ok();
    assert_eq!((&answer["has_more"], &answer["changes"][0]["pk"]), (&json!(true), &json!("a1")), "{answer}");
    from(&answer["latest_hlc"]).error(503);
    app.execute_batch("ROLLBACK").unwrap();
    let answer = from(&answer["latest_hlc"]).ok();
    assert_eq!((&answer["has_more"], &answer["changes"][0]["pk"]), (&json!(false), &json!("late")), "{answer}");
}

#[test]
fn refused_pushes_keep_nobody_from_what_was_committed() {
    let hub = hub();
    let others: Vec<Value> = (0..400).map(|i| task(&format!("x{i}"), "owner", "cy")).collect();
    post(&hub, "admin", "/sync/push", &json!({"changes": others})).ok();
    let mut stream = Stream::open(&hub, "");
    let not_his: Vec<Value> = (0..400).map(|i| task(&format!("x{i}"), "title", "mine")).collect();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    post(&hub, "bob", "/sync/push", &json!({"changes": not_his})).error(403);
                }
            });
        }
        std::thread::sleep(Duration::from_millis(200));
        let told: Vec<bool> = (0..2)
            .map(|i| {
                let pk = format!("q{i}");
                post(&hub, "admin", "/sync/push", &json!({"changes": [task(&pk, "owner", "ann")]})).ok();
                let event = stream.next_within(Duration::from_secs(20));
                event.is_some_and(|event| event.changes()[0]["pk"] == json!(pk))
            })
            .collect();
        over.store(true, Ordering::Relaxed);
        assert_eq!(told, [true, true]);
    });
}
