//! Servers of Grove, as their code has it: cursors that are stamps, tables cut at a limit, sets that are not understood.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{json, Value};

use super::endpoint::{start, Reply, Request};
use super::{common, database, sync};

/// A Go server's shadow rows: by table, key, field and node, the last record.
#[derive(Default)]
struct Server {
    rows: BTreeMap<[String; 4], Value>,
    limit: usize,
    pulls: Vec<Value>,
}

fn stamp(of: &Value) -> (i64, i64) {
    (of["ts"].as_i64().unwrap_or(0), of["c"].as_i64().unwrap_or(0))
}

impl Server {
    fn answer(&mut self, request: &Request) -> Value {
        let asked: Value = serde_json::from_str(&request.body).unwrap();
        if request.route == "/sync/push" {
            return self.push(&asked);
        }
        self.pulls.push(asked.clone());
        let since = stamp(&asked["since"]);
        let mut changes = Vec::new();
        for table in asked["tables"].as_array().unwrap() {
            let mut of_table: Vec<&Value> =
                self.rows.values().filter(|row| row["table"] == *table && stamp(&row["hlc"]) > since).collect();
            of_table.sort_by_key(|row| stamp(&row["hlc"]));
            changes.extend(of_table.into_iter().take(self.limit).cloned());
        }
        let zero = json!({"ts": 0, "c": 0, "node": ""});
        let latest = changes.iter().map(|row| row["hlc"].clone()).max_by_key(stamp).unwrap_or(zero);
        let changes = if changes.is_empty() { Value::Null } else { Value::Array(changes) };
        json!({"changes": changes, "latest_hlc": latest})
    }

    fn push(&mut self, asked: &Value) -> Value {
        let changes = asked["changes"].as_array().unwrap();
        for change in changes {
            // A set's operation is not read: it would wipe what is there.
            assert!(change.get("set_op").is_none() && change["field"] != "_row", "{change}");
            let part = |key: &str| change[key].as_str().unwrap().to_owned();
            self.rows.insert([part("table"), part("pk"), part("field"), part("node_id")], change.clone());
        }
        json!({"merged": changes.len(), "latest_hlc": {"ts": 1, "c": 0, "node": "go"}})
    }
}

fn server(limit: usize) -> (String, Arc<Mutex<Server>>) {
    let server = Arc::new(Mutex::new(Server { limit, ..Server::default() }));
    let at = Arc::clone(&server);
    (start(move |request| Reply::Answer(200, at.lock().unwrap().answer(&request).to_string())), server)
}

/// A write by a Go node, so many seconds ago.
fn written(key: &str, title: &str, ago: i64) -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let ts = i64::try_from(now).unwrap() - ago * 1_000_000_000;
    json!({"table": "tasks", "pk": key, "field": "title", "crdt_type": "lww", "node_id": "go", "value": title,
        "hlc": {"ts": ts, "c": 0, "node": "go"}})
}

fn arrives(server: &Mutex<Server>, change: Value) {
    server.lock().unwrap().push(&json!({ "changes": [change] }));
}

#[test]
fn cells_and_counters_go_through_sets_stay() {
    let (url, _) = server(10_000);
    let (ann, bob) = (database("ann"), database("bob"));
    assert_eq!(sync(&ann, &url), "pulled=0 pushed=0 merged=0 conflicts=0");
    ann.execute_batch("INSERT INTO tasks VALUES ('t', 'Milk', 2, '[\"shop\"]')").unwrap();
    assert_eq!(sync(&ann, &url), "pulled=0 pushed=2 merged=0 conflicts=0");
    bob.execute_batch("INSERT INTO tasks VALUES ('t', 'Bread', 3, '[]')").unwrap();
    sync(&bob, &url);
    sync(&ann, &url);
    for edge in [&ann, &bob] {
        assert_eq!(common::text(edge, "SELECT title || votes FROM tasks", []), "Bread5");
    }
    ann.execute_batch("DELETE FROM tasks").unwrap();
    sync(&ann, &url);
    sync(&bob, &url);
    assert_eq!(common::text(&bob, "SELECT count(*) FROM tasks", []), "0");
    assert_eq!(sync(&bob, &url).split_once(" merged").unwrap().1, "=0 conflicts=0");
}

#[test]
fn what_reached_the_server_late_is_pulled() {
    let (url, server) = server(10_000);
    let ann = database("ann");
    arrives(&server, written("now", "x", 0));
    assert!(sync(&ann, &url).starts_with("pulled=1 "));
    // Written before the cursor, by somebody who was offline: some minutes, then a day.
    arrives(&server, written("minutes", "y", 300));
    sync(&ann, &url);
    assert_eq!(common::text(&ann, "SELECT count(*) FROM tasks WHERE id = 'minutes'", []), "1");
    arrives(&server, written("day", "z", 86_400));
    sync(&ann, &url);
    assert_eq!(common::text(&ann, "SELECT count(*) FROM tasks WHERE id = 'day'", []), "0");
    // An hour later everything is asked for.
    ann.execute_batch("UPDATE _crdt_remote SET whole = whole - 3600000000000").unwrap();
    sync(&ann, &url);
    assert_eq!(common::text(&ann, "SELECT count(*) FROM tasks WHERE id = 'day'", []), "1");
}

#[test]
fn tables_are_asked_for_one_by_one() {
    let (url, server) = server(10_000);
    let ann = database("ann");
    ann.execute_batch("CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, title TEXT); SELECT crdt_enable('notes')")
        .unwrap();
    for i in 0..10_500 {
        arrives(&server, written(&i.to_string(), "x", 20_000 - i));
    }
    let mut note = written("n", "late", 0);
    note["table"] = "notes".into();
    arrives(&server, note);
    sync(&ann, &url);
    assert_eq!(common::text(&ann, "SELECT count(*) FROM tasks", []), "10500");
    assert_eq!(common::text(&ann, "SELECT title FROM notes", []), "late");
    let pulls = &server.lock().unwrap().pulls;
    assert!(pulls.iter().skip(1).all(|pull| pull["tables"].as_array().unwrap().len() == 1), "{pulls:?}");
}

/// Before anything was pulled too, sets are kept from a server that would lose what it has of them.
#[test]
fn a_server_that_is_only_pushed_to() {
    let (url, server) = server(10_000);
    let ann = database("ann");
    ann.execute_batch("INSERT INTO tasks VALUES ('t', 'Milk', 2, '[\"shop\"]')").unwrap();
    let push = || common::text(&ann, "SELECT crdt_sync(?, '{\"pull\":false}')", [&url]);
    assert_eq!(push(), "pulled=0 pushed=2 merged=0 conflicts=0");
    assert_eq!(push(), "pulled=0 pushed=0 merged=0 conflicts=0");
    assert_eq!(server.lock().unwrap().pulls.len(), 1, "it is known then");
    assert_eq!(sync(&ann, &url), "pulled=0 pushed=0 merged=0 conflicts=0");
}
