//! What does not wait for whom: probes, pulls and pushes beside a lock, and beside those that have gone.

use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::common::{eventually, lww, quickest, Hub};
use crate::edge::Edge;
use crate::sse::open_raw;

#[test]
fn probes_take_no_place_of_pushes() {
    let hub = Hub::start(&["--max-waiting", "4"]);
    let lock = hub.database();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let asked = Instant::now();
        let probes: Vec<_> = (0..30).map(|_| scope.spawn(|| hub.get("/ready").status)).collect();
        std::thread::sleep(Duration::from_millis(300));
        let push = scope.spawn(|| hub.push(&[lww("notes", "n1", "body", 1, "a", json!("x"))]).status);
        for probe in probes {
            assert_eq!(probe.join().unwrap(), 503);
        }
        assert!(asked.elapsed() < Duration::from_secs(20), "one look for all of them: {:?}", asked.elapsed());
        lock.execute_batch("COMMIT").unwrap();
        assert_eq!(push.join().unwrap(), 200);
    });
    eventually("a new look", || hub.get("/ready").status == 200);
}

/// The database notes who pulls; while somebody else writes it does not.
#[test]
fn named_pulls_do_not_wait_for_a_writer() {
    let hub = Hub::start(&[]);
    hub.push(&[lww("notes", "n1", "body", 1, "a", json!("x"))]).ok();
    hub.pull(&json!({"node_id": "first"}));
    let lock = hub.database();
    lock.execute_batch("BEGIN IMMEDIATE; INSERT INTO notes VALUES ('local', 'not there yet')").unwrap();
    let took = quickest(10, |i| assert_eq!(hub.pull(&json!({"node_id": format!("n{i}")})).len(), 1));
    assert!(took < Duration::from_secs(2), "{took:?}");
    lock.execute_batch("COMMIT").unwrap();
    assert_eq!(hub.pull(&json!({"node_id": "last"})).len(), 2);
}

/// An application that has no write-ahead log yet, and is about to write.
#[test]
fn a_database_that_is_written_meanwhile_is_waited_for() {
    let (hub, edge) = (Hub::start(&[]), Edge::new());
    let app = edge.open();
    app.execute_batch("BEGIN IMMEDIATE; INSERT INTO tasks(id) VALUES ('a')").unwrap();
    std::thread::scope(|scope| {
        let synced = scope.spawn(|| edge.sync(&["--peer", &hub.url]));
        std::thread::sleep(Duration::from_millis(500));
        assert!(!synced.is_finished());
        app.execute_batch("COMMIT").unwrap();
        assert!(synced.join().unwrap().status.success());
    });
    assert!(hub.pull(&json!({})).iter().any(|change| change["pk"] == "a"));
}

#[test]
fn a_pull_whose_client_has_gone_ends() {
    // A filter that takes its time for each row.
    let slow = "length(hex(zeroblob(60000000))) > 0";
    let mut hub = Hub::with_tokens_and(
        &json!([{"token": "slow", "read": ["notes"], "filter": {"notes": slow}}, {"token": "admin", "read": ["*"], "write": ["*"]}]),
        &["--readers", "1"],
    );
    let notes: Vec<Value> = (0..1000).map(|i| lww("notes", &format!("n{i}"), "body", 1, "a", json!("x"))).collect();
    hub.as_token("admin").push(&notes).ok();
    hub.as_token("slow");
    let gone = open_raw(&hub, "/sync/stream", &[]);
    std::thread::sleep(Duration::from_millis(500));
    hub.as_token("admin");
    drop(gone);
    let asked = Instant::now();
    assert_eq!(hub.pull(&json!({"tables": ["tasks"]})).len(), 0);
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
}
