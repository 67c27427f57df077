//! Filters of tokens beside tables that change.

use serde_json::{json, Value};

use crate::common::{eventually, lww, Hub, PATIENCE};
use crate::edge;
use crate::sse::Stream;

fn tokens() -> Value {
    json!([
        {"token": "admin", "read": ["*"], "write": ["*"]},
        {"token": "ann", "read": ["*"], "write": ["*"], "filter": {"tasks": "owner = 'ann'"}},
        {"token": "astray", "read": ["*"], "write": ["*"], "filter": {"tsks": "owner = 'ann'", "notes": "body <> ''"}},
        {"token": "refused", "read": ["*"], "filter": {"tasks": "owner IN (SELECT 'ann')"}},
        {"token": "wrong", "read": ["*"], "write": ["*"], "filter": {"tasks": "ownr = 'ann'"}},
    ])
}

fn hub() -> Hub {
    let mut hub = Hub::with_tokens(&tokens());
    let of = |pk: &str, owner: &str| lww("tasks", pk, "owner", 1, "x", json!(owner));
    hub.as_token("admin")
        .push(&[of("a1", "ann"), of("b1", "bob"), lww("notes", "n1", "body", 1, "x", json!("n"))])
        .ok();
    hub
}

/// What is there of bob's, or of tables without a filter, is refused with a word on what to do.
fn refused(hub: &Hub, table: &str) {
    for tables in [json!([table]), Value::Null] {
        let error = hub.post("/sync/pull", &json!({"tables": tables})).error(500);
        assert!(error.contains("token file"), "{error}");
    }
    eventually("a stream is refused too", || match Stream::open(hub, &format!("tables={table}")).status {
        503 => false, // the name is too new
        status => status == 500 || panic!("{status}"),
    });
    assert_eq!(hub.push(&[lww(table, "b1", "title", 9, "y", json!("x"))]).status, 500);
    let presence = hub.get(&format!("/sync/presence?topic={table}:b1"));
    assert!(presence.status == 500 || presence.status == 403, "{}", presence.body);
    eventually("the status has the name", || {
        let status = hub.get("/sync/status").ok();
        let of = status["tables"].as_array().unwrap().iter().find(|of| of["table"] == table);
        assert_eq!(of.and_then(|of| of.get("records")), None, "{status}");
        of.is_some()
    });
}

#[test]
fn a_filter_whose_table_is_renamed_opens_nothing() {
    let mut hub = hub();
    hub.as_token("ann");
    let mut stream = Stream::open(&hub, "");
    assert!(!stream.next().data.contains("b1"));
    let conn = edge::open(&hub.path());
    conn.execute_batch("ALTER TABLE tasks RENAME TO jobs").unwrap();
    eventually("the new name is known", || hub.post("/sync/pull", &json!({"tables": ["tasks"]})).status != 200);
    refused(&hub, "jobs");
    // Another one of that name has the filter; the one that had the name is still what it was meant for.
    conn.execute_batch("CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, owner TEXT); SELECT crdt_enable('tasks')")
        .unwrap();
    conn.execute_batch("INSERT INTO tasks VALUES ('a2', 'ann'), ('b2', 'bob'); UPDATE jobs SET title = 'hidden'")
        .unwrap();
    eventually("the new one is known", || hub.post("/sync/pull", &json!({"tables": ["tasks"]})).status == 200);
    let seen = hub.pull(&json!({"tables": ["tasks"]}));
    assert!(seen.len() == 1 && seen[0]["pk"] == "a2", "{seen:?}");
    refused(&hub, "jobs");
    let end = stream.next();
    assert!(end.name == "error" && end.data.contains("token file"), "{end:?}");
    assert!(stream.ends_within(PATIENCE));
}

#[test]
fn a_filter_for_a_table_that_is_not_there_opens_nothing() {
    let mut hub = hub();
    hub.as_token("astray");
    refused(&hub, "tasks");
    assert_eq!(hub.pull(&json!({"tables": ["notes"]})).len(), 1, "which has a filter of its own");
    hub.push(&[lww("notes", "n2", "body", 2, "y", json!("x"))]).ok();
}

#[test]
fn a_filter_that_does_not_fit_is_the_hubs_fault() {
    let mut hub = hub();
    hub.as_token("wrong");
    let pulled = hub.post("/sync/pull", &json!({"tables": ["tasks"]})).error(500);
    let pushed = hub.push(&[lww("tasks", "a1", "title", 9, "y", json!("x"))]).error(500);
    assert_eq!(pulled, pushed);
    assert!(pulled.contains("filter of this token") && !pulled.contains("ownr"), "{pulled}");
    hub.post("/sync/pull", &json!({"tables": ["notes"]})).ok();
    hub.post("/sync/pull", &json!({"tables": ["nothing"]})).error(400);
    hub.as_token("refused");
    assert_eq!(hub.post("/sync/pull", &json!({"tables": ["tasks"]})).error(500), pulled, "what exports do not take");
    hub.post("/sync/pull", &json!({"tables": ["nothing"]})).error(400);
}
