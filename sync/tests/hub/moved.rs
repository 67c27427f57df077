//! Databases that are moved away or replaced while they are served.
#![cfg(unix)]

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::common::{eventually, lww, Hub};
use crate::edge::{converge, Edge};

fn beside(hub: &Hub, name: &str) -> PathBuf {
    hub.folder.path().join(name)
}

#[test]
fn a_hub_acknowledges_nothing_that_nobody_would_find() {
    let hub = Hub::start(&[]);
    let note = |id: &str, step| lww("notes", id, "body", step, "a", json!("x"));
    hub.push(&[note("n1", 1)]).ok();
    let away = beside(&hub, "away.db");
    fs::rename(hub.path(), &away).unwrap();
    for replaced in [false, true] {
        if replaced {
            fs::write(hub.path(), "another").unwrap();
        }
        let said = hub.push(&[note("n2", 2)]).error(503);
        assert!(said.contains("moved away, deleted or replaced"), "{said}");
        assert_eq!(hub.post("/sync/pull", &json!({})).error(503), said);
        assert_eq!(hub.get("/ready").error(503), said);
        assert_eq!(hub.get("/health").status, 200);
    }
    assert_eq!(fs::read(hub.path()).unwrap(), b"another");
    fs::rename(&away, hub.path()).unwrap();
    hub.push(&[note("n3", 3)]).ok();
    assert_eq!(hub.get("/ready").status, 200);
    let ids = "SELECT group_concat(id, ' ') FROM (SELECT id FROM notes ORDER BY id)";
    assert_eq!(hub.database().query_row(ids, [], |row| row.get::<_, String>(0)).unwrap(), "n1 n3");
}

#[test]
fn who_stays_with_a_hub_goes_on_with_the_file_that_is_there_now() {
    let hub = Hub::start(&[]);
    let edge = Edge::new();
    edge.open().execute("INSERT INTO tasks(id) VALUES ('a')", []).unwrap();
    let copy = beside(&hub, "copy.db");
    edge.open().execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    let _running = edge.run(&["--peer", &hub.url, "--interval", "3600"]);
    converge(&[edge.path(), hub.path()], 1);
    fs::rename(&copy, edge.path()).unwrap();
    for of in ["edge.db-wal", "edge.db-shm"] {
        let _ = fs::remove_file(edge.path().with_file_name(of));
    }
    edge.open().execute("INSERT INTO tasks(id) VALUES ('b')", []).unwrap();
    let count =
        |conn: rusqlite::Connection| conn.query_row("SELECT count(*) FROM tasks", [], |row| row.get::<_, i64>(0));
    eventually("the hub has what the file holds that is there now", || count(hub.database()) == Ok(2));
    converge(&[edge.path(), hub.path()], 2);
}
