//! Another database at a peer's address, or the same as it was once: what it had confirmed it has not any more.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{json, Value};

use super::endpoint::{hub, start, Heard, Reply};
use super::{common, database, digest, prepare, sync};

const QUIET: &str = "pulled=0 pushed=0 merged=0 conflicts=0";

struct Hub {
    folder: tempfile::TempDir,
    file: PathBuf,
    url: String,
    heard: Heard,
}

fn serve() -> Hub {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    prepare(&common::open_file(&file), "hub");
    let (url, heard) = hub(&file, |_| None);
    Hub { folder, file, url, heard }
}

fn at(file: &Path) -> rusqlite::Connection {
    common::open_file(file)
}

/// A round that only pushes.
fn push(conn: &rusqlite::Connection, url: &str) -> String {
    common::text(conn, "SELECT crdt_sync(?, '{\"pull\":false}')", [url])
}

/// Rounds of both until nothing moves any more.
fn settle(edges: [&rusqlite::Connection; 2], url: &str) {
    for _ in 0..4 {
        edges.iter().for_each(|edge| drop(sync(edge, url)));
    }
    edges.iter().for_each(|edge| assert_eq!(sync(edge, url), QUIET));
}

#[test]
fn a_hub_that_was_put_back_from_a_backup_gets_what_it_lost() {
    let hub = serve();
    let (ann, bob) = (database("ann"), database("bob"));
    ann.execute_batch("INSERT INTO tasks(id, votes) VALUES ('t1', 1)").unwrap();
    settle([&ann, &bob], &hub.url);
    let backup = hub.folder.path().join("backup.db");
    fs::copy(&hub.file, &backup).unwrap();
    at(&hub.file).execute_batch("INSERT INTO tasks(id, title) VALUES ('h', 'by the hub')").unwrap();
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('t2'); UPDATE tasks SET votes = votes + 5 WHERE id = 't1'")
        .unwrap();
    for _ in 0..2 {
        sync(&ann, &hub.url);
    }
    assert_eq!(sync(&ann, &hub.url), QUIET);
    fs::copy(&backup, &hub.file).unwrap();
    let told = sync(&ann, &hub.url);
    assert!(told.contains(" resync=1 (tasks: "), "{told}");
    settle([&ann, &bob], &hub.url);
    let rows = "SELECT group_concat(id || votes) FROM (SELECT * FROM tasks ORDER BY id)";
    for conn in [&ann, &bob, &at(&hub.file)] {
        assert_eq!(common::text(conn, rows, []), "h0,t16,t20");
    }
    assert_eq!(digest(&ann), digest(&at(&hub.file)));
    assert_eq!(digest(&ann), digest(&bob));
}

/// Not all are told the cursor after a push. Theirs would fit the backup from before it.
#[test]
fn a_backup_from_just_before_a_push() {
    let folder = tempfile::tempdir().unwrap();
    let (file, backup) = (folder.path().join("hub.db"), folder.path().join("backup.db"));
    prepare(&at(&file), "hub");
    let served = file.clone();
    let (url, _) = hub(&file, move |request| {
        let push = |body: &str| common::text(&at(&served), "SELECT crdt_push(?, '{\"cursor\":false}')", [body]);
        (request.route == "/sync/push").then(|| Reply::Answer(200, push(&request.body)))
    });
    let ann = database("ann");
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('a')").unwrap();
    sync(&ann, &url);
    fs::copy(&file, &backup).unwrap();
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('b')").unwrap();
    assert_eq!(sync(&ann, &url), "pulled=0 pushed=2 merged=0 conflicts=0");
    fs::copy(&backup, &file).unwrap();
    assert!(sync(&ann, &url).contains(" resync=1 "));
    assert_eq!(digest(&ann), digest(&at(&file)));
    assert_eq!(sync(&ann, &url), QUIET);
}

/// The hub goes down between a push and the pull after it, and comes back as it was before the push.
#[test]
fn a_backup_from_before_a_push_of_a_round_that_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let (file, backup) = (folder.path().join("hub.db"), folder.path().join("backup.db"));
    prepare(&at(&file), "hub");
    let (served, is_down) = (file.clone(), Arc::new(Mutex::new(None)));
    let down = Arc::clone(&is_down);
    let (url, _) = hub(&file, move |request| {
        let mut down = down.lock().unwrap();
        match (request.route.as_str(), *down) {
            ("/sync/push", Some(0)) => {
                *down = Some(1);
                let push = common::text(&at(&served), "SELECT crdt_push(?, '{\"cursor\":false}')", [&request.body]);
                Some(Reply::Answer(200, push))
            }
            (_, Some(1)) => Some(Reply::Cut),
            _ => None,
        }
    });
    let ann = database("ann");
    at(&file).execute_batch("SELECT crdt_pragma('max_value_bytes', '20')").unwrap();
    ann.execute_batch("INSERT INTO tasks(id, title) VALUES ('a', 'a title that is too long for the hub')").unwrap();
    sync(&ann, &url);
    for what in ["news", "what was refused"] {
        fs::copy(&file, &backup).unwrap();
        match what {
            "news" => ann.execute_batch("INSERT INTO tasks(id) VALUES ('b')").unwrap(),
            _ => at(&file).execute_batch("SELECT crdt_pragma('max_value_bytes', '2000')").unwrap(),
        }
        *is_down.lock().unwrap() = Some(0);
        let retry = format!("{{\"retry\":{}}}", what != "news");
        common::error(&ann, "SELECT crdt_sync(?, ?)", [&url, &retry]);
        *is_down.lock().unwrap() = None;
        fs::copy(&backup, &file).unwrap();
        if what != "news" {
            at(&file).execute_batch("SELECT crdt_pragma('max_value_bytes', '2000')").unwrap();
        }
        sync(&ann, &url);
        let count = |conn: &rusqlite::Connection| common::text(conn, "SELECT count(*) || count(title) FROM tasks", []);
        assert_eq!(count(&at(&file)), if what == "news" { "20" } else { "21" }, "{what}");
    }
    assert_eq!(digest(&ann), digest(&at(&file)));
}

#[test]
fn a_new_hub_at_the_address_gets_everything() {
    for options in ["{\"json\":true}", "{\"pull\":false,\"json\":true}"] {
        let hub = serve();
        let ann = database("ann");
        let go = || common::text(&ann, "SELECT crdt_sync(?, ?)", [hub.url.as_str(), options]);
        ann.execute_batch("INSERT INTO tasks(id) VALUES ('a')").unwrap();
        go();
        assert!(!go().contains("resync"));
        fs::remove_file(&hub.file).unwrap();
        prepare(&at(&hub.file), "other");
        // Who only pushes hears of it with the next push.
        ann.execute_batch("INSERT INTO tasks(id) VALUES ('b')").unwrap();
        let told = go();
        assert!(told.contains("\"resync\":[\"tasks\"]"), "{told}");
        assert_eq!(digest(&ann), digest(&at(&hub.file)), "{options}");
        assert!(!go().contains("resync"));
        assert_eq!(sync(&ann, &hub.url).split_once(" pushed").unwrap().1, "=0 merged=0 conflicts=0");
    }
}

/// A push between the two must not move the cursor on which the next pull sees it: in the backup there was nothing to tell.
#[test]
fn a_backup_in_which_the_tables_were_empty() {
    let hub = serve();
    let ann = database("ann");
    let backup = hub.folder.path().join("backup.db");
    fs::copy(&hub.file, &backup).unwrap();
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('a'), ('b')").unwrap();
    sync(&ann, &hub.url);
    fs::copy(&backup, &hub.file).unwrap();
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('c')").unwrap();
    assert!(push(&ann, &hub.url).starts_with("pulled=0 pushed=2 "));
    assert!(sync(&ann, &hub.url).contains(" resync=1 "));
    assert_eq!(common::text(&at(&hub.file), "SELECT count(*) FROM tasks", []), "3");
    assert_eq!(digest(&ann), digest(&at(&hub.file)));
    assert_eq!(sync(&ann, &hub.url), QUIET);
}

/// Sets are kept from a Grove server; one of ours at its address is to get them. The other way round it must not, but all the rest.
#[test]
fn a_grove_server_and_one_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    prepare(&at(&file), "hub");
    at(&file).execute_batch("INSERT INTO tasks(id, title) VALUES ('old', 'from before')").unwrap();
    let (is_ours, got) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::<Value>::new())));
    let (served, ours, taken) = (file.clone(), Arc::clone(&is_ours), Arc::clone(&got));
    let url = start(move |request| {
        if ours.load(Ordering::SeqCst) {
            return super::endpoint::serve(&served, &request);
        }
        let mut answer = json!({"changes": null, "latest_hlc": {"ts": 0, "c": 0, "node": ""}});
        if request.route == "/sync/push" {
            let body: Value = serde_json::from_str(&request.body).unwrap();
            taken.lock().unwrap().extend(body["changes"].as_array().unwrap().iter().cloned());
            answer = json!({"merged": 1, "latest_hlc": {"ts": 1, "c": 0, "node": "go"}});
        }
        Reply::Answer(200, answer.to_string())
    });
    let ann = database("ann");
    ann.execute_batch("INSERT INTO tasks VALUES ('t', 'Milk', 2, '[\"shop\"]')").unwrap();
    assert_eq!(sync(&ann, &url), "pulled=0 pushed=2 merged=0 conflicts=0");
    assert_eq!(sync(&ann, &url), QUIET);
    is_ours.store(true, Ordering::SeqCst);
    assert!(sync(&ann, &url).contains(" resync=1 "));
    assert_eq!(digest(&ann), digest(&at(&file)));
    assert_eq!(common::text(&ann, "SELECT title FROM tasks WHERE id = 'old'", []), "from before");
    assert_eq!(sync(&ann, &url), QUIET);
    is_ours.store(false, Ordering::SeqCst);
    got.lock().unwrap().clear();
    assert!(sync(&ann, &url).contains(" resync=1 "));
    let sent = got.lock().unwrap().len();
    assert_eq!(sent, 4, "two rows, a title and votes each");
    assert_eq!(sync(&ann, &url), QUIET);
}

/// Forgets that records were deleted, so many of them: the tombstones, then the epitaphs, which are a millisecond old by then.
fn forget_deletes(conn: &rusqlite::Connection, records: &str) {
    for what in ["SELECT crdt_cleanup_tombstones('tasks')", "SELECT crdt_cleanup_tombstones('tasks', 'epitaphs')"] {
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(common::text(conn, what, []), records);
    }
}

/// What is sent anew would bring back records of which the peer has forgotten that they were deleted: what is new goes there, and
/// nothing comes until the table is taken anew.
#[test]
fn deletes_that_the_peer_has_forgotten() {
    let hub = serve();
    let ann = database("ann");
    let conn = at(&hub.file);
    conn.execute_batch(
        "INSERT INTO tasks(id, title) VALUES ('a', 'x'), ('b', 'y'); SELECT crdt_pragma('tombstone_ttl', '1ms')",
    )
    .unwrap();
    sync(&ann, &hub.url);
    conn.execute_batch("DELETE FROM tasks WHERE id = 'a'").unwrap();
    forget_deletes(&conn, "1");
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('new')").unwrap();
    for pushed in [2, 0] {
        let told = sync(&ann, &hub.url);
        assert!(told.starts_with(&format!("pulled=0 pushed={pushed} ")) && !told.contains("resync"), "{told}");
        assert!(told.contains(" failed=1 (tasks: ") && told.contains("DELETE FROM _crdt_remote"), "{told}");
    }
    let ids = "SELECT group_concat(id) FROM (SELECT id FROM tasks ORDER BY id)";
    assert_eq!(common::text(&conn, ids, []), "b,new");
    // As it says.
    ann.execute_batch("SELECT crdt_disable('tasks', 'purge'); DELETE FROM tasks").unwrap();
    common::text(&ann, "SELECT crdt_enable('tasks', 'votes:counter', 'tags:set')", []);
    ann.execute_batch("DELETE FROM _crdt_remote").unwrap();
    assert_eq!(sync(&ann, &hub.url), "pulled=4 pushed=0 merged=4 conflicts=0", "its own too, under its former id");
    assert_eq!(sync(&ann, &hub.url), QUIET);
    assert_eq!(common::text(&ann, ids, []), "b,new");
    assert_eq!(digest(&ann), digest(&conn));
}

/// Where no record is left a peer has all of them, but not what was deleted.
#[test]
fn deletes_of_all_records_that_the_peer_has_forgotten() {
    let hub = serve();
    let ann = database("ann");
    let conn = at(&hub.file);
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('a'), ('b')").unwrap();
    sync(&ann, &hub.url);
    conn.execute_batch("SELECT crdt_pragma('tombstone_ttl', '1ms'); DELETE FROM tasks").unwrap();
    forget_deletes(&conn, "2");
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('c')").unwrap();
    assert!(push(&ann, &hub.url).starts_with("pulled=0 pushed=2 "));
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('d')").unwrap();
    hub.heard.lock().unwrap().clear();
    for pushed in [2, 0] {
        let told = sync(&ann, &hub.url);
        assert!(
            told.starts_with(&format!("pulled=0 pushed={pushed} ")) && told.contains(" failed=1 (tasks: "),
            "{told}"
        );
    }
    // Nor is the peer asked to say where it stands then.
    let heard = hub.heard.lock().unwrap();
    let (_, pushed) = heard.iter().find(|(route, _)| route == "/sync/push").unwrap();
    assert!(!pushed.contains("\"since\""), "{pushed}");
}

const NOTES: &str = "CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('notes')";
const NOTES_ANEW: &str = "SELECT crdt_disable('notes', 'purge'); DROP TABLE notes";

/// A table that was purged and made anew, at either end, is exchanged as a whole: no place in it is what it was.
#[test]
fn a_table_that_was_purged_and_made_anew() {
    let hub = serve();
    let (ann, conn) = (database("ann"), at(&hub.file));
    for side in [&ann, &conn] {
        side.execute_batch(NOTES).unwrap();
    }
    conn.execute_batch("INSERT INTO notes VALUES ('h', 'by the hub')").unwrap();
    ann.execute_batch("INSERT INTO notes VALUES ('a', 'by ann')").unwrap();
    settle([&ann, &ann], &hub.url);
    // The hub's log ends on a row of another table, on which the old places would stand.
    conn.execute_batch("INSERT INTO tasks(id) VALUES ('t')").unwrap();
    settle([&ann, &ann], &hub.url);
    let all = "SELECT group_concat(id || v) FROM (SELECT * FROM notes ORDER BY id)";
    for side in [&conn, &ann] {
        side.execute_batch(NOTES_ANEW).unwrap();
        side.execute_batch(NOTES).unwrap();
        assert_eq!(common::text(side, "SELECT count(*) FROM notes", []), "0");
        settle([&ann, &ann], &hub.url);
        for side in [&conn, &ann] {
            assert_eq!(common::text(side, all, []), "aby ann,hby the hub");
        }
    }
    // Places of a round with other tables stay.
    conn.execute_batch("UPDATE notes SET v = 'new' WHERE id = 'h'").unwrap();
    assert!(sync(&ann, &hub.url).starts_with("pulled=1 "));
    assert_eq!(common::text(&ann, all, []), "aby ann,hnew");
}
