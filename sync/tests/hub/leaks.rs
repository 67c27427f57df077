//! What a limited token could learn by ways around its scope.

use std::time::{Duration, SystemTime};

use serde_json::{json, Value};

use crate::common::{lww, Hub};
use crate::edge;
use crate::sse::Stream;

/// A cursor of nobody's, that lies ahead of everything.
fn now() -> Value {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    json!({"ts": since.as_nanos() as u64, "c": 0, "node": ""})
}

/// A push's answer can have a cursor, with which its owner is taken for one that has seen every row.
#[test]
fn a_push_gives_a_cursor_only_to_who_may_read_everything() {
    let mut hub = Hub::with_tokens(&json!([
        {"token": "admin", "read": ["*"], "write": ["*"]},
        {"token": "filtered", "read": ["tasks"], "write": ["tasks"], "filter": {"tasks": "owner = 'ann'"}},
        {"token": "filtered writer", "read": ["*"], "write": ["*"], "filter": {"tasks": "owner = 'ann'"}},
        {"token": "reads one", "read": ["tasks"], "write": ["*"]},
        {"token": "reads none", "write": ["tasks"]},
    ]));
    hub.as_token("admin");
    let of = |pk: &str, owner: &str| lww("tasks", pk, "owner", 1, "x", json!(owner));
    hub.push(&[of("a1", "ann"), of("bobs-key", "bob"), lww("secrets", "s1", "word", 1, "x", json!("hidden"))]).ok();
    let push =
        |hub: &Hub, table: &str| hub.post("/sync/push", &json!({"changes": [], "tables": [table], "since": now()}));
    assert!(push(&hub, "tasks").ok()["cursor"].is_object());
    for token in ["filtered", "filtered writer", "reads one", "reads none"] {
        hub.as_token(token);
        for table in ["tasks", "secrets", "nothing"] {
            let answer = push(&hub, table);
            assert_eq!(answer.status, 200, "{token}: whether {table} is enabled does not show: {}", answer.body);
            let answer = answer.ok();
            assert_eq!(answer.get("cursor"), None, "{token}, {table}: {answer}");
        }
    }
    // With a cursor of somebody else's, too, the filter holds.
    hub.as_token("admin");
    let everything = hub.post("/sync/pull", &json!({"tables": ["tasks"]})).ok()["latest_hlc"].clone();
    hub.as_token("filtered");
    for request in [json!({"tables": ["tasks"]}), json!({"tables": ["tasks"], "since": everything})] {
        let seen = hub.pull(&request);
        assert!(seen.iter().all(|change| change["value"] != "bob"), "{seen:?}");
    }
}

/// Tables are enabled while a client asks for them again and again.
#[test]
fn a_table_that_has_just_been_enabled_has_its_filter() {
    const TABLES: usize = 12;
    let names: Vec<String> = (0..TABLES).map(|i| format!("later{i}")).collect();
    let filter: serde_json::Map<String, Value> =
        names.iter().map(|name| (name.clone(), json!("owner = 'ann'"))).collect();
    let mut hub = Hub::with_tokens(&json!([{"token": "ann", "read": names, "filter": filter}]));
    hub.as_token("ann");
    let conn = edge::open(&hub.path());
    for name in &names {
        conn.execute_batch(&format!(
            "CREATE TABLE {name}(id TEXT PRIMARY KEY NOT NULL, owner TEXT);
             INSERT INTO {name} VALUES ('a', 'ann'), ('b', 'bob');"
        ))
        .unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| loop {
                    let mut stream = Stream::open(&hub, &format!("tables={name}"));
                    if stream.status == 200 {
                        let first = stream.next().data;
                        assert!(first.contains("ann") && !first.contains("bob"), "{first}");
                        return;
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(30));
            conn.query_row("SELECT crdt_enable(?1)", [name], |_| Ok(())).unwrap();
        });
    }
}
