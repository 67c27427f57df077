//! Peers that let this database do only some of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use serde_json::{json, Value};

use super::endpoint::{hub, serve, start, Heard, Reply, Request};
use super::{common, database, digest, prepare, sync};

const NOTES: &str = "CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, text TEXT); SELECT crdt_enable('notes');";

struct Hub {
    _folder: tempfile::TempDir,
    conn: rusqlite::Connection,
    url: String,
    heard: Heard,
    /// Whether the peer is as it is to be.
    strict: Arc<AtomicBool>,
}

/// A hub that forbids what `is_forbidden` tells.
fn forbidding(is_forbidden: fn(&Request) -> bool) -> Hub {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let conn = common::open_file(&file);
    prepare(&conn, "hub");
    conn.execute_batch(NOTES).unwrap();
    let strict = Arc::new(AtomicBool::new(true));
    let is_strict = Arc::clone(&strict);
    let (url, heard) = hub(&file, move |request| {
        let no = is_strict.load(Ordering::SeqCst) && is_forbidden(request);
        no.then(|| Reply::Answer(403, "{\"error\":\"not yours\"}".to_owned()))
    });
    Hub { _folder: folder, conn, url, heard, strict }
}

#[test]
fn who_may_only_write_pushes() {
    let hub = forbidding(|request| request.route == "/sync/pull");
    let ann = database("ann");
    ann.execute_batch(NOTES).unwrap();
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('t'); INSERT INTO notes VALUES ('n', 'x')").unwrap();
    let told = sync(&ann, &hub.url);
    assert!(told.contains(" pushed=3 ") && told.contains(" failed=2 (notes: ") && told.contains("not yours"), "{told}");
    assert_eq!(digest(&ann), digest(&hub.conn));
    ann.execute_batch("UPDATE notes SET text = 'y'").unwrap();
    assert!(common::text(&ann, "SELECT crdt_sync(?, '{\"tables\":[\"notes\"]}')", [&hub.url]).contains(" pushed=1 "));
    assert!(sync(&ann, &hub.url).contains(" pushed=0 "));
    assert_eq!(common::text(&hub.conn, "SELECT text FROM notes", []), "y");
    // Where nothing may be done that is asked for, it is an error.
    let only = common::error(&ann, "SELECT crdt_sync(?, '{\"push\":false}')", [&hub.url]);
    assert!(only.contains("403"), "{only}");
}

#[test]
fn who_may_do_nothing_is_told() {
    let hub = forbidding(|_| true);
    let ann = database("ann");
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('t')").unwrap();
    assert!(common::error(&ann, "SELECT crdt_sync(?)", [&hub.url]).contains("not yours"));
    hub.strict.store(false, Ordering::SeqCst);
    assert_eq!(sync(&ann, &hub.url), "pulled=0 pushed=2 merged=0 conflicts=0");
    assert!(!hub.heard.lock().unwrap().is_empty());
}

/// A Grove server behind a proxy that lets pushes through.
#[test]
fn a_grove_server_that_is_known() {
    let closed = Arc::new(AtomicBool::new(false));
    let is_closed = Arc::clone(&closed);
    let url = start(move |request| match request.route.as_str() {
        "/sync/pull" if is_closed.load(Ordering::SeqCst) => Reply::Answer(403, "{\"error\":\"closed\"}".to_owned()),
        "/sync/pull" => Reply::Answer(200, r#"{"changes":null,"latest_hlc":{"ts":0,"c":0,"node":""}}"#.to_owned()),
        _ => Reply::Answer(200, r#"{"merged":1,"latest_hlc":{"ts":1,"c":0,"node":"go"}}"#.to_owned()),
    });
    let ann = database("ann");
    sync(&ann, &url);
    closed.store(true, Ordering::SeqCst);
    ann.execute_batch("INSERT INTO tasks VALUES ('t', 'Milk', 2, '[\"shop\"]')").unwrap();
    let told = sync(&ann, &url);
    assert!(told.contains(" pushed=2 ") && told.contains("closed"), "{told}");
}

/// What stands in for a set of tables while it is refused is gone once the set goes through.
#[test]
fn a_refusal_that_passes() {
    let hub = forbidding(|request| request.route == "/sync/push" && request.body.contains("\"notes\""));
    let ann = database("ann");
    ann.execute_batch(NOTES).unwrap();
    hub.conn.execute_batch("INSERT INTO tasks(id) VALUES ('h')").unwrap();
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('t'); INSERT INTO notes VALUES ('n', 'x')").unwrap();
    let told = sync(&ann, &hub.url);
    assert!(told.starts_with("pulled=2 pushed=2 ") && told.contains(" failed=1 (notes: "), "{told}");
    assert_eq!(digest(&ann), digest(&hub.conn));
    let pulls = |heard: &Heard| heard.lock().unwrap().iter().filter(|(route, _)| route == "/sync/pull").count();
    assert_eq!(pulls(&hub.heard), 1, "nothing is pulled twice");
    let places = "SELECT group_concat(tables, ';') FROM _crdt_remote";
    assert_eq!(common::text(&ann, places, []), "[\"notes\",\"tasks\"];[\"tasks\"]");
    hub.strict.store(false, Ordering::SeqCst);
    assert!(!sync(&ann, &hub.url).contains("failed"));
    assert_eq!(common::text(&ann, places, []), "[\"notes\",\"tasks\"]");
    assert_eq!(common::text(&hub.conn, "SELECT count(*) FROM notes", []), "1");
    // A set that was asked for has a place of its own, and keeps it.
    common::text(&ann, "SELECT crdt_sync(?, '{\"tables\":[\"tasks\"]}')", [&hub.url]);
    sync(&ann, &hub.url);
    assert_eq!(common::text(&ann, places, []), "[\"notes\",\"tasks\"];[\"tasks\"]");
}

/// A record that this database may not write is passed over, by itself; a refusal that names no changes is one of the table.
#[test]
fn records_that_may_not_be_written() {
    let hub = forbidding(|_| false);
    let file = hub.conn.path().unwrap().to_owned();
    let (closed, is_closed) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let (some, none) = (Arc::clone(&closed), Arc::clone(&is_closed));
    let url = start(move |request| {
        if request.route == "/sync/push" && some.load(Ordering::SeqCst) {
            let body: Value = serde_json::from_str(&request.body).unwrap();
            let changes = body["changes"].as_array().unwrap();
            let refused = |change: &Value| change["pk"] == "theirs";
            let rejected: Vec<Value> = (0..changes.len())
                .filter(|i| refused(&changes[*i]))
                .map(|i| json!({"index": i, "reason": "the record tasks[theirs] is not yours"}))
                .collect();
            if rejected.len() == changes.len() {
                let error = json!({"error": "all of it is outside", "rejected": rejected});
                let bare = json!({"error": "closed", "rejected": []});
                return Reply::Answer(403, if none.load(Ordering::SeqCst) { bare } else { error }.to_string());
            }
            if !rejected.is_empty() {
                let good: Vec<&Value> = changes.iter().filter(|change| !refused(change)).collect();
                let body = json!({"node_id": body["node_id"], "changes": good}).to_string();
                let Reply::Answer(200, answer) = serve(file.as_ref(), &Request { body, ..request }) else { panic!() };
                let mut answer: Value = serde_json::from_str(&answer).unwrap();
                answer["rejected"] = rejected.into();
                return Reply::Answer(200, answer.to_string());
            }
        }
        serve(file.as_ref(), &request)
    });
    let ann = database("ann");
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('theirs'), ('mine')").unwrap();
    let told = sync(&ann, &url);
    assert!(told.starts_with("pulled=0 pushed=2 ") && told.contains(" rejected=2 (the record tasks[theirs]"), "{told}");
    // Alone with nothing that is taken: the same, and what comes later goes.
    let told = sync(&ann, &url);
    assert!(told.contains(" rejected=2 (the record") && !told.contains("failed"), "{told}");
    ann.execute_batch("UPDATE tasks SET title = 'x' WHERE id = 'theirs'").unwrap();
    let told = sync(&ann, &url);
    assert!(told.contains(" rejected=2 (the record") && !told.contains("failed"), "{told}");
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('later')").unwrap();
    assert!(sync(&ann, &url).starts_with("pulled=0 pushed=2 "));
    assert_eq!(
        common::text(&hub.conn, "SELECT group_concat(id) FROM (SELECT id FROM tasks ORDER BY id)", []),
        "later,mine"
    );
    is_closed.store(true, Ordering::SeqCst);
    assert!(common::error(&ann, "SELECT crdt_sync(?)", [&url]).contains("closed"));
    closed.store(false, Ordering::SeqCst);
    assert!(!sync(&ann, &url).contains("rejected"));
    assert_eq!(digest(&ann), digest(&hub.conn));
}
