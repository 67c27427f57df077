//! How long answers are: what there is room for, in pages.

use std::net::Shutdown;
use std::time::Duration;

use serde_json::{json, Value};

use crate::common::{eventually, lww, Hub, PATIENCE};
use crate::edge;
use crate::limits::{begin, post, status, tokens};
use crate::sse::Stream;

const MB: usize = 1 << 20;

/// Has the hub's database get notes of that many bytes each.
fn write(hub: &Hub, notes: u32, bytes: u32) {
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO notes SELECT 'n' || i || '-' || ?2, printf('%.*c', ?2, 'x') FROM n";
    edge::open(&hub.path()).execute(sql, (notes, bytes)).unwrap();
}

/// The lengths of all pages from the beginning, and how many changes they have.
fn pages(hub: &Hub, mut request: Value) -> (Vec<usize>, usize) {
    let (mut lengths, mut changes) = (Vec::new(), 0);
    loop {
        let answer = post(hub, "a", "/sync/pull", &request);
        let page = answer.ok();
        lengths.push(answer.body.len());
        changes += page["changes"].as_array().unwrap().len();
        if page["has_more"] == json!(false) {
            return (lengths, changes);
        }
        request["since"] = page["latest_hlc"].clone();
    }
}

#[test]
fn pages_are_short_for_those_that_go_on() {
    let hub = Hub::with_tokens(&tokens());
    write(&hub, 200, 100_000);
    let (lengths, changes) = pages(&hub, json!({"limit": 5000}));
    assert!(changes == 200 && lengths.len() == 5 && lengths.iter().all(|length| *length < 5 * MB), "{lengths:?}");
    let (lengths, changes) = pages(&hub, json!({}));
    assert!(changes == 200 && lengths.len() == 2 && lengths[0] > 15 * MB && lengths[0] < 17 * MB, "{lengths:?}");
    let mut stream = Stream::open_with(&hub, "", &[("authorization", "Bearer a")]);
    let mut got = 0;
    while got < 200 {
        got += stream.next().changes().len();
    }
    assert!(hub.metric("grove_stream_exports_total") >= 5.0, "a stream goes on by itself");
}

#[test]
fn where_there_is_little_room_pages_are_short() {
    let hub = Hub::with_tokens_and(&tokens(), &["--max-body", "1000000", "--max-bodies", "2000000"]);
    write(&hub, 30, 100_000);
    write(&hub, 1, 3_000_000);
    let (lengths, changes) = pages(&hub, json!({}));
    assert_eq!(changes, 31, "{lengths:?}");
    assert!(lengths.iter().filter(|length| **length > MB).count() == 1, "one record is longer than all: {lengths:?}");
}

#[test]
fn pages_that_are_kept_hold_no_room() {
    let hub = Hub::with_tokens_and(&tokens(), &["--max-body", "1000000", "--max-bodies", "2000000"]);
    let mut stream = Stream::open_with(&hub, "", &[("authorization", "Bearer a")]);
    for (i, bytes) in (0..80).map(|i| (i, [10, 100_000][i % 2])) {
        post(
            &hub,
            "b",
            "/sync/push",
            &json!({"changes": [lww("notes", &format!("n{i}"), "body", 1, "b", json!("x".repeat(bytes)))]}),
        )
        .ok();
        stream.next();
    }
    for _ in 0..5 {
        post(&hub, "a", "/sync/pull", &json!({})).ok();
        hub.send("GET", "/sync/status", &[("authorization", "Bearer a")], b"").ok();
    }
}

#[test]
fn a_stream_that_finds_no_room_waits_for_it() {
    let hub = Hub::with_tokens_and(&tokens(), &["--max-body", "4000000", "--max-bodies", "24000000"]);
    let mut stream = Stream::open_with(&hub, "tables=tasks", &[("authorization", "Bearer a")]);
    write(&hub, 1, 20_000_000);
    let body = br#"{"tables":["notes"]}"#;
    let mut stalled = begin(&hub, "/sync/pull", "a", "", body.len(), body);
    assert_eq!(status(&mut stalled, PATIENCE), Some(200));
    eventually("its token's share is held", || {
        post(&hub, "a", "/sync/pull", &json!({"tables": ["tasks"]})).status == 429
    });
    post(&hub, "b", "/sync/push", &json!({"changes": [lww("tasks", "t1", "title", 1, "b", json!("x"))]})).ok();
    let exports = hub.metric("grove_stream_exports_total");
    assert!(stream.is_quiet(Duration::from_secs(1)));
    assert_eq!(hub.metric("grove_stream_exports_total"), exports, "nothing is made that cannot be kept");
    stalled.shutdown(Shutdown::Both).unwrap();
    assert_eq!(stream.next().changes().len(), 1);
}
