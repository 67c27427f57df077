//! What a round does, and what it tells.

use super::endpoint::hub;
use super::{common, database, digest, prepare, sync};

#[test]
fn a_round_carries_both_ways_and_the_next_is_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let at_hub = common::open_file(&file);
    prepare(&at_hub, "hub");
    let (url, heard) = hub(&file, |_| None);
    let (ann, bob) = (database("ann"), database("bob"));
    ann.execute_batch("INSERT INTO tasks VALUES ('t1', 'Milk', 2, '[\"shop\"]'), ('t2', 'Bread', 0, '[]')").unwrap();
    let sent = common::text(&ann, "SELECT json_array_length(crdt_changes_since(NULL), '$.changes')", []);
    assert_eq!(sync(&ann, &url), format!("pulled=0 pushed={sent} merged=0 conflicts=0"));
    assert_eq!(sync(&ann, &url), "pulled=0 pushed=0 merged=0 conflicts=0");
    assert_eq!(sync(&bob, &url), format!("pulled={sent} pushed=0 merged={sent} conflicts=0"));
    assert_eq!(sync(&bob, &url), "pulled=0 pushed=0 merged=0 conflicts=0");
    assert_eq!(digest(&ann), digest(&bob));

    // Both write the same cell without knowing: it is a conflict where they meet.
    ann.execute_batch("UPDATE tasks SET title = 'Oat milk', votes = votes + 1 WHERE id = 't1'").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(5)); // bob's is the later one
    bob.execute_batch("UPDATE tasks SET title = 'Soy milk' WHERE id = 't1'; DELETE FROM tasks WHERE id = 't2'")
        .unwrap();
    assert_eq!(sync(&ann, &url), "pulled=0 pushed=2 merged=0 conflicts=0");
    let told = sync(&bob, &url);
    assert!(told.ends_with("conflicts=1"), "{told}");
    sync(&ann, &url);
    assert_eq!(digest(&ann), digest(&bob));
    assert_eq!(digest(&ann), digest(&at_hub));
    assert_eq!(common::text(&ann, "SELECT group_concat(id || title || votes) FROM tasks", []), "t1Soy milk3");

    // What was pulled is not pushed back.
    heard.lock().unwrap().clear();
    sync(&ann, &url);
    sync(&bob, &url);
    assert!(heard.lock().unwrap().iter().all(|(route, _)| route == "/sync/pull"), "{:?}", heard.lock().unwrap());
}

/// A delete that the hub was never told of is kept, however old it is: else the row would stay there for ever.
#[test]
fn epitaphs_stay_until_the_hub_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let at_hub = common::open_file(&file);
    prepare(&at_hub, "hub");
    let (url, _) = hub(&file, |_| None);
    let ann = database("ann");
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('x'), ('y'), ('z')").unwrap();
    sync(&ann, &url);
    ann.execute_batch("DELETE FROM tasks WHERE id = 'x'; SELECT crdt_pragma('tombstone_ttl', '0')").unwrap();
    let clean = |more: &str| common::text(&ann, &format!("SELECT crdt_cleanup_tombstones('tasks'{more})"), []);
    assert_eq!([clean(""), clean(", 'epitaphs'")], ["1", "0"]);
    sync(&ann, &url);
    assert_eq!(common::text(&at_hub, "SELECT group_concat(id) FROM tasks", []), "y,z");
    assert_eq!(clean(", 'epitaphs'"), "1", "now it has it");
    // A copy goes under another id, which nobody has confirmed anything to.
    ann.execute_batch("DELETE FROM tasks WHERE id = 'y'").unwrap();
    sync(&ann, &url);
    ann.execute_batch("DELETE FROM tasks WHERE id = 'z'; SELECT crdt_fork()").unwrap();
    assert_eq!([clean(""), clean(", 'epitaphs'")], ["2", "0"]);
    sync(&ann, &url);
    assert_eq!(common::text(&at_hub, "SELECT count(*) FROM tasks", []), "0");
    ann.execute_batch("DELETE FROM _crdt_remote").unwrap();
    assert_eq!(clean(", 'epitaphs'"), "2");
}

/// Places are kept by the names of tables: those of a table that was renamed are not another's.
#[test]
fn another_table_under_an_old_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let at_hub = common::open_file(&file);
    prepare(&at_hub, "hub");
    at_hub.execute_batch("INSERT INTO tasks(id) VALUES ('t1')").unwrap();
    let (url, _) = hub(&file, |_| None);
    let ann = database("ann");
    sync(&ann, &url);
    ann.execute_batch("ALTER TABLE tasks RENAME TO old").unwrap();
    ann.execute_batch(super::TASKS).unwrap();
    common::text(&ann, "SELECT crdt_enable('tasks', 'votes:counter', 'tags:set')", []);
    common::text(&ann, "SELECT crdt_sync(?, '{\"tables\":[\"tasks\"]}')", [&url]);
    assert_eq!(common::text(&ann, "SELECT group_concat(id) FROM tasks", []), "t1");
}

#[test]
fn pages_go_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let at_hub = common::open_file(&file);
    prepare(&at_hub, "hub");
    at_hub.execute_batch("SELECT crdt_pragma('page_bytes', '2000')").unwrap();
    let (url, heard) = hub(&file, |_| None);
    let fill = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO tasks(id, title) SELECT ? || i, i FROM n";
    let ann = database("ann");
    at_hub.execute(fill, ["hub"]).unwrap();
    ann.execute(fill, ["ann"]).unwrap();
    let first = common::text(&ann, "SELECT crdt_sync(?, '{\"page\":20,\"pages\":2,\"json\":true}')", [&url]);
    assert!(first.contains("\"has_more\":true"), "{first}");
    common::text(&ann, "SELECT crdt_sync(?, '{\"page\":20}')", [&url]);
    assert_eq!(digest(&ann), digest(&at_hub));
    assert!(heard.lock().unwrap().iter().filter(|(route, _)| route == "/sync/push").count() > 5);
    assert!(heard.lock().unwrap().iter().filter(|(route, _)| route == "/sync/pull").count() > 5);
}

#[test]
fn a_table_enabled_later_is_pulled_from_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let at_hub = common::open_file(&file);
    prepare(&at_hub, "hub");
    let notes = "CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, text TEXT); SELECT crdt_enable('notes');";
    at_hub.execute_batch(notes).unwrap();
    at_hub.execute_batch("INSERT INTO notes VALUES ('n1', 'old'); INSERT INTO tasks(id) VALUES ('t1')").unwrap();
    let (url, heard) = hub(&file, |_| None);
    let ann = database("ann");
    sync(&ann, &url);
    ann.execute_batch(notes).unwrap();
    heard.lock().unwrap().clear();
    assert!(sync(&ann, &url).starts_with("pulled=1 "));
    assert_eq!(common::text(&ann, "SELECT text FROM notes", []), "old");
    // The other table goes on from where it was.
    let pulls = heard.lock().unwrap().clone();
    assert!(pulls.iter().any(|(_, body)| body.contains("[\"tasks\"]") && body.contains("hub~")), "{pulls:?}");
    ann.execute_batch("UPDATE notes SET text = 'new'").unwrap();
    assert_eq!(sync(&ann, &url), "pulled=0 pushed=1 merged=0 conflicts=0");
    assert_eq!(common::text(&at_hub, "SELECT text FROM notes", []), "new");
}

#[test]
fn only_the_tables_and_the_way_that_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let at_hub = common::open_file(&file);
    prepare(&at_hub, "hub");
    at_hub.execute_batch("INSERT INTO tasks(id) VALUES ('h')").unwrap();
    let (url, _) = hub(&file, |_| None);
    let ann = database("ann");
    ann.execute_batch("CREATE TABLE own(id TEXT PRIMARY KEY NOT NULL); SELECT crdt_enable('own'); INSERT INTO own VALUES ('x'); INSERT INTO tasks(id) VALUES ('a')").unwrap();
    // The hub has no table `own`.
    assert!(common::error(&ann, "SELECT crdt_sync(?, '{\"tables\":[\"own\"]}')", [&url]).contains("own"));
    let only =
        |way: &str| common::text(&ann, "SELECT crdt_sync(?, ?)", [&url, &format!("{{\"tables\":[\"tasks\"],{way}}}")]);
    let told = only("\"push\":false");
    assert!(told.starts_with("pulled=2 pushed=0"), "{told}");
    assert_eq!(common::text(&at_hub, "SELECT count(*) FROM tasks", []), "1");
    assert!(!only("\"pull\":false").contains("pushed=0"));
    assert_eq!(digest(&ann), digest(&at_hub));
}

#[test]
fn what_a_hook_writes_on_the_way_in_is_pushed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let at_hub = common::open_file(&file);
    prepare(&at_hub, "hub");
    at_hub.execute_batch("INSERT INTO tasks(id) VALUES ('h')").unwrap();
    let (url, _) = hub(&file, |_| None);
    let ann = database("ann");
    sync(&ann, &url);
    ann.execute_batch(
        "SELECT crdt_hook('echo', 'after_inbound', 'INSERT OR IGNORE INTO tasks(id, title) SELECT ''seen '' || :pk, ''by ann'' WHERE :field = ''title''')",
    )
    .unwrap();
    at_hub.execute_batch("INSERT INTO tasks(id, title) VALUES ('g', 'x')").unwrap();
    sync(&ann, &url);
    assert_eq!(common::text(&ann, "SELECT title FROM tasks WHERE id = 'seen g'", []), "by ann");
    assert_eq!(common::text(&at_hub, "SELECT title FROM tasks WHERE id = 'seen g'", []), "by ann");
    assert_eq!(digest(&ann), digest(&at_hub));
}

#[test]
fn a_chain_relays() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first.db"), folder.path().join("second.db"));
    let (at_first, at_second) = (common::open_file(&first), common::open_file(&second));
    prepare(&at_first, "first");
    prepare(&at_second, "second");
    let ((to_first, _), (to_second, _)) = (hub(&first, |_| None), hub(&second, |_| None));
    let ann = database("ann");
    ann.execute_batch("INSERT INTO tasks(id, votes) VALUES ('a', 3)").unwrap();
    at_second.execute_batch("INSERT INTO tasks(id, votes) VALUES ('s', 4)").unwrap();
    sync(&ann, &to_first);
    sync(&at_first, &to_second);
    sync(&ann, &to_first);
    assert_eq!(digest(&ann), digest(&at_second));
    assert_eq!(digest(&at_first), digest(&at_second));
}

/// What an earlier version remembered of peers, in tables of fewer columns, goes: everything is exchanged once more.
#[test]
fn peers_remembered_in_an_earlier_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let (at_hub, ann) = (common::open_file(&path), database("ann"));
    prepare(&at_hub, "hub");
    at_hub.execute_batch("INSERT INTO tasks(id) VALUES ('h')").unwrap();
    ann.execute_batch(
        "INSERT INTO tasks(id) VALUES ('a');
         CREATE TABLE _crdt_remote(url TEXT NOT NULL, tables TEXT NOT NULL, pulled TEXT, PRIMARY KEY(url, tables)) WITHOUT ROWID;
         CREATE TABLE _crdt_refused(url TEXT)",
    )
    .unwrap();
    let (url, _) = hub(&path, |_| None);
    sync(&ann, &url);
    assert_eq!(sync(&ann, &url), "pulled=0 pushed=0 merged=0 conflicts=0");
    assert_eq!(digest(&ann), digest(&at_hub));
}

/// What a node knows of a record that comes to life again is told to all, also to where that came from: there it may be forgotten.
#[test]
fn a_record_that_comes_to_life_again_is_told_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let at_hub = common::open_file(&file);
    prepare(&at_hub, "hub");
    let (url, _) = hub(&file, |_| None);
    let (ann, bob) = (database("ann"), database("bob"));
    let written = |conn: &rusqlite::Connection, sql: &str| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        conn.execute_batch(sql).unwrap();
        sync(conn, &url);
    };
    written(&ann, "INSERT INTO tasks VALUES ('k', 'old', 3, '[\"x\"]')");
    sync(&bob, &url);
    written(&ann, "UPDATE tasks SET title = 'new', votes = 7, tags = '[\"x\",\"y\"]'");
    written(&ann, "DELETE FROM tasks");
    common::text(&at_hub, "SELECT crdt_pragma('tombstone_ttl', '0')", []);
    assert_eq!(common::text(&at_hub, "SELECT crdt_cleanup_tombstones('tasks')", []), "1");
    common::text(&at_hub, "SELECT crdt_pragma('tombstone_ttl', '7d')", []);
    written(&bob, "UPDATE tasks SET votes = votes + 1");
    for conn in [&ann, &bob, &ann, &bob] {
        sync(conn, &url);
    }
    let rows = |conn| common::text(conn, "SELECT group_concat(title || votes || tags) FROM tasks", []);
    assert_eq!([rows(&ann), rows(&bob)], [rows(&at_hub), rows(&at_hub)]);
    assert_eq!(rows(&ann), "new8[\"x\",\"y\"]");
    assert_eq!([digest(&ann), digest(&bob)], [digest(&at_hub), digest(&at_hub)]);
}
