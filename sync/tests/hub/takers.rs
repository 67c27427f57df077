//! Rows that a push takes out of their tables without naming them.

use serde_json::{json, Value};

use crate::common::{delete, lww, ts, Hub};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS users(id TEXT PRIMARY KEY NOT NULL, email TEXT UNIQUE, owner TEXT);
    CREATE TABLE IF NOT EXISTS kids(id TEXT PRIMARY KEY NOT NULL, user TEXT REFERENCES users(id) ON DELETE CASCADE);
    SELECT crdt_enable('users'); SELECT crdt_enable('kids');";

fn user(pk: &str, email: &str, owner: &str, step: i64) -> [Value; 2] {
    [lww("users", pk, "email", step, owner, json!(email)), lww("users", pk, "owner", step, owner, json!(owner))]
}

/// A hub where bob has a row, and ann one with a child that is not hers.
fn hub() -> Hub {
    let mut hub = Hub::with_tokens(&json!([
        {"token": "admin", "read": ["*"], "write": ["*"]},
        {"token": "ann", "read": ["users"], "write": ["users"], "filter": {"users": "owner = 'ann'"}},
        {"token": "users", "read": ["users"], "write": ["users"]},
    ]));
    crate::edge::open(&hub.path()).execute_batch(SCHEMA).unwrap();
    hub.as_token("admin").push(&user("b1", "bob@x", "bob", 50)).ok();
    hub.push(&user("a1", "ann@x", "ann", 50)).ok();
    hub.push(&[lww("kids", "k1", "user", 51, "x", json!("a1"))]).ok();
    assert_eq!(rows(&hub), (2, 1));
    hub
}

/// How many users and kids there are.
fn rows(hub: &Hub) -> (i64, i64) {
    let count = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM kids)";
    hub.database().query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

fn rejected(answer: &Value) -> Vec<u64> {
    answer["rejected"].as_array().unwrap().iter().map(|one| one["index"].as_u64().unwrap()).collect()
}

#[test]
fn an_older_claim_takes_no_row_beyond_the_filter() {
    let mut hub = hub();
    hub.as_token("ann");
    let mut changes: Vec<Value> = (0..20).flat_map(|i| user(&format!("n{i}"), &format!("{i}@x"), "ann", 5)).collect();
    changes.splice(14..14, user("claim", "bob@x", "ann", 5));
    let answer = hub.push(&changes).ok();
    assert_eq!(rejected(&answer), [14, 15], "{answer}");
    assert_eq!((rows(&hub), &answer["merged"]), ((22, 1), &json!(40)), "the others are taken");
    let alone = hub.push(&user("claim", "bob@x", "ann", 5));
    assert_eq!((alone.status, rejected(&alone.json())), (403, vec![0, 1]));
    // A later claim waits; one against a row of her own is hers to make.
    assert!(hub.push(&user("later", "bob@x", "ann", 90)).ok()["pending"].as_i64() > Some(0));
    hub.push(&user("older", "ann@x", "ann", 3)).error(403); // whose child would have no parent
    hub.push(&user("older", "3@x", "ann", 3)).ok();
    assert_eq!(rows(&hub), (22, 1));
}

#[test]
fn a_delete_takes_no_row_of_tables_that_are_not_written() {
    let mut hub = hub();
    for token in ["ann", "users"] {
        hub.as_token(token);
        let gone = [delete("users", "a1", 60, "y"), lww("users", "n1", "owner", 60, "y", json!("ann"))];
        let answer = hub.push(&gone).ok();
        assert_eq!(rejected(&answer), [0], "{token}: {answer}");
        assert_eq!(rows(&hub), (3, 1), "{token}");
    }
    hub.as_token("admin").push(&[delete("kids", "k1", 61, "y")]).ok();
    hub.as_token("ann").push(&[delete("users", "a1", 62, "y")]).ok();
    assert_eq!(rows(&hub), (2, 0));
}

/// What only together takes a row away, and more such records than are looked for in one push, are told in smaller pushes.
/// What the compact form says once the plain one says for each change: that is made of a push of theirs before anything is looked at.
#[test]
fn a_compact_push_does_not_grow_beyond_the_limit() {
    let mut hub = hub();
    hub.as_token("ann");
    let push = |changes: usize| {
        let start =
            [json!(["shape", "users", "email"]), json!(["node", "x"]), json!([0, "k".repeat(10_000), 0, ts(1), 0, 1])];
        let items: Vec<Value> = start.into_iter().chain((0..changes).map(|_| json!([0, 0, 0, 1, 0, 1]))).collect();
        hub.post("/sync/push", &json!({"format": "compact", "node_id": "x", "changes": items}))
    };
    let error = push(10_000).error(400);
    assert!(error.contains("in that form") && error.contains("send them in parts"), "{error}");
    // The key is told by its beginning.
    let answer = push(20).error(403);
    assert!(answer.len() < 500, "{answer}");
}

#[test]
fn what_cannot_be_told_at_once_is_told_in_parts() {
    let mut hub = hub();
    hub.as_token("ann");
    let claims: Vec<Value> = (0..100).flat_map(|i| user(&format!("c{i}"), "bob@x", "ann", 5)).collect();
    hub.push(&claims).error(413);
    assert_eq!(rows(&hub), (2, 1), "nothing of it is taken");
    for half in claims.chunks(100) {
        hub.push(half).error(413);
    }
    for few in claims.chunks(20) {
        let refused = hub.push(few);
        assert_eq!((refused.status, rejected(&refused.json()).len()), (403, 20));
    }
    assert_eq!(rows(&hub), (2, 1));
}

/// A change that waits is merged by somebody else's push: a token without a filter may not leave one behind either.
#[test]
fn a_delete_that_waits_is_refused() {
    let mut hub = hub();
    hub.as_token("users");
    let mut gone = delete("users", "a1", 60, "y");
    gone["hlc"]["ts"] = json!(4_000_000_000_000_000_000_i64);
    let answer = hub.push(&[gone, lww("users", "n1", "owner", 60, "y", json!("ann"))]).ok();
    assert_eq!(rejected(&answer), [0], "{answer}");
    assert!(answer["rejected"][0]["reason"].as_str().unwrap().contains("set the clock"), "{answer}");
    let waiting: i64 = hub.database().query_row("SELECT count(*) FROM _crdt_future", [], |row| row.get(0)).unwrap();
    assert_eq!((waiting, rows(&hub)), (0, (3, 1)));
}
