//! Databases of older formats: read as they are, upgraded by the first call that can write, and used on.

use rusqlite::Connection;
use serde_json::json;

use super::fixture::{copy, copy_of, NOW};
use crate::common::{error, text};
use crate::support::*;

/// What the script of the first fixture leaves in the application's tables.
const TASKS_ROWS: [&str; 7] = [
    "'anew', 'born again', 1, '[]', NULL, NULL, NULL, 'none yet'",
    "'long', NULL, 5, '",
    "'shipped', 'from before', 3, '[\"a\"]', 0, 'mine', 1, 'none yet'",
    "'t1', 'Tea', 1, '[]', 1, NULL, 2, 'none yet'",
    "'t2', 'Dig', 3, '[]', NULL, NULL, NULL, 'now'",
    "'tail', 'not folded', 4, '[\"t\"]', 1, NULL, NULL, 'none yet'",
    "",
];

fn open(path: &std::path::Path) -> Connection {
    clock::set(NOW);
    clock::open(path.to_str().unwrap())
}

fn read_only(path: &std::path::Path) -> Connection {
    clock::set(NOW);
    let uri = format!("file:{}?mode=ro", path.display());
    clock::open(&uri)
}

fn format(conn: &Connection) -> String {
    text(conn, "SELECT value FROM _crdt_pragma WHERE name = 'format'", [])
}

#[track_caller]
fn has_the_rows(conn: &Connection) {
    let found = table(conn, "tasks");
    assert_eq!(found.len(), TASKS_ROWS.len() - 1, "{found:#?}");
    for (row, want) in found.iter().zip(TASKS_ROWS) {
        assert!(row.starts_with(want), "{row} is not {want}");
    }
    assert_eq!(table(conn, "people"), ["1, 'a@x', 'Ann B'", "8, NULL, 'Bob'", "9, 'b@x', 'Cid'"]);
    assert_eq!(table(conn, "wr o\"w"), ["x'00ff', 1.5, 1, 'w', 4"]);
}

/// What a database says of itself without writing is what it says when it is upgraded.
#[test]
fn reading_and_upgrading_tell_the_same() {
    let (_folder, path) = copy(1);
    let tell = |conn: &Connection| {
        let mut all = vec![export(conn)];
        for table in ["tasks", "people", "wr o\"w"] {
            all.push(digest(conn, table));
            all.push(text(conn, "SELECT crdt_digest(?1, 'full')", [table]));
        }
        all.extend(rows(conn, "SELECT * FROM crdt_tables()"));
        all.extend(rows(conn, "SELECT * FROM crdt_fields()"));
        all.extend(rows(conn, "SELECT \"table\", pk, field, since, change FROM crdt_pending()"));
        all.extend(rows(conn, "SELECT * FROM crdt_peers()"));
        all.extend(rows(conn, "SELECT * FROM _tasks_crdt"));
        all.push(text(conn, "SELECT crdt_inspect('tasks', 't1')", []));
        all.push(text(conn, "SELECT crdt_pragma('hlc')", []));
        all.push(text(conn, "SELECT crdt_check()", []));
        all
    };
    let before = std::fs::read(&path).unwrap();
    let reader = read_only(&path);
    let read = tell(&reader);
    assert_eq!(format(&reader), "1");
    assert_eq!(text(&reader, "SELECT crdt_pragma('format')", []), "1");
    assert_eq!(status(&reader)["format"], 1);
    drop(reader);
    assert!(before == std::fs::read(&path).unwrap(), "reading wrote");
    let conn = open(&path);
    for (now, read) in tell(&conn).iter().zip(&read) {
        assert_eq!(now, read);
    }
    assert_eq!(read.last().unwrap(), "ok");
    assert_eq!(format(&conn), text(&conn, "SELECT crdt_pragma('format')", []));
    assert_eq!(format(&conn), "3");
    assert_eq!(status(&conn)["format"], 3);
    has_the_rows(&conn);
}

/// Within a transaction of the caller's a reading call upgrades nothing; a writing one does, and a rollback takes it back.
#[test]
fn an_upgrade_is_part_of_the_transaction() {
    let (_folder, path) = copy(1);
    let conn = open(&path);
    run(&conn, "BEGIN; SELECT crdt_digest('tasks'); COMMIT");
    assert_eq!(format(&conn), "1");
    run(&conn, "BEGIN; SELECT crdt_merge('[]')");
    assert_eq!(format(&conn), "3");
    run(&conn, "ROLLBACK");
    assert_eq!(format(&conn), "1");
    let digest_before = digest(&read_only(&path), "tasks");
    assert_eq!(digest(&conn, "tasks"), digest_before);
    assert_eq!(format(&conn), "3");
    sound(&conn);
}

/// An upgraded database goes on: writes, changes of others, cursors handed out before, the disabled table.
#[test]
fn an_upgraded_database_goes_on() {
    let (_folder, path) = copy(1);
    let a = open(&path);
    let b = named(
        clock::open(":memory:"),
        "b",
        "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, votes INTEGER DEFAULT 0, tags TEXT DEFAULT '[]',
           done BOOLEAN, secret TEXT, stars INTEGER, later TEXT DEFAULT 'none yet');
         CREATE TABLE people(id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT NOT NULL);
         CREATE TABLE \"wr o\"\"w\"(\"key\", \"select\", part INTEGER, v, n INTEGER, PRIMARY KEY (part, \"key\")) WITHOUT ROWID;
         CREATE TABLE off(id TEXT PRIMARY KEY NOT NULL, v, n INTEGER);
         SELECT crdt_enable('tasks', 'votes:counter', 'tags:set', 'secret:none'), crdt_enable('people'), crdt_enable('wr o\"w', 'n:counter'),
           crdt_enable('off', 'n:counter');
         SELECT crdt_pragma('max_drift', '1m')",
    );
    run(&a, "SELECT crdt_enable('off', 'n:counter')");
    assert_eq!(rows(&a, "SELECT v FROM off"), ["'changed while off'", "'kept'"]);
    let all = || text(&a, "SELECT crdt_changes_since(NULL, json_array('tasks', 'people', 'wr o\"w', 'off'))", []);
    merge(&b, &all());
    for name in ["tasks", "wr o\"w", "off", "people"] {
        assert_eq!(digest(&a, name), digest(&b, name), "{name}");
    }
    run(&b, "UPDATE tasks SET votes = votes + 10, tags = '[\"new\"]', title = 'from b' WHERE id = 't1'; UPDATE people SET name = 'B' WHERE id = 9");
    run(&a, "UPDATE tasks SET votes = votes + 1 WHERE id = 't1'; INSERT INTO tasks(id) VALUES ('fresh'); DELETE FROM tasks WHERE id = 'tail'");
    send(&b, &a);
    merge(&b, &all());
    for name in ["tasks", "wr o\"w", "off", "people"] {
        assert_eq!(digest(&a, name), digest(&b, name), "{name}");
    }
    let cells = "SELECT id, title, votes, tags FROM tasks WHERE id = 't1'";
    assert_eq!(rows(&a, cells), rows(&b, cells));
    assert_eq!(rows(&a, cells), ["'t1', 'from b', 12, '[\"new\"]'"]);
    sound(&a);
    sound(&b);
}

/// A program without the extension writes before and after the upgrade, and everything is captured.
#[test]
fn a_client_without_the_extension() {
    let (_folder, path) = copy(1);
    let bare = Connection::open(&path).unwrap();
    run(&bare, "UPDATE tasks SET title = 'bare, before', votes = votes + 1 WHERE id = 't2'");
    drop(bare);
    let a = open(&path);
    let title = |conn: &Connection| {
        let page = since(conn, None);
        (page.of("t2", "title")["value"].clone(), rows(conn, "SELECT votes FROM tasks WHERE id = 't2'"))
    };
    assert_eq!(title(&a), ("bare, before".into(), vec!["4".to_string()]));
    assert_eq!(format(&a), "3");
    let bare = Connection::open(&path).unwrap();
    run(&bare, "UPDATE tasks SET title = 'bare, after', votes = votes + 1 WHERE id = 't2'");
    drop(bare);
    assert_eq!(title(&a), ("bare, after".into(), vec!["5".to_string()]));
    sound(&a);
}

/// A newer format is refused by every function that looks at the database, with a sentence, and nothing changes.
#[test]
fn a_newer_format_is_refused_by_every_function() {
    let (_folder, path) = copy(1);
    let conn = open(&path);
    digest(&conn, "tasks");
    run(&conn, "UPDATE _crdt_pragma SET value = 4 WHERE name = 'format'; UPDATE _crdt_state SET token = random()");
    run(&conn, "UPDATE tasks SET title = 'written on' WHERE id = 't1'");
    let before = contents(&Connection::open(&path).unwrap());
    let calls = [
        "crdt_enable('tasks')",
        "crdt_schema('tasks')",
        "crdt_disable('tasks')",
        "crdt_alter('tasks', 'ADD COLUMN x')",
        "crdt_node_id()",
        "crdt_node_id('x')",
        "crdt_fork()",
        "crdt_pragma('max_drift')",
        "crdt_pragma('max_drift', '2m')",
        "crdt_pragma('format')",
        "crdt_pragma('hlc')",
        "crdt_cleanup_tombstones()",
        "crdt_now()",
        "crdt_cursor()",
        "crdt_changes_since(NULL)",
        "crdt_merge('[]')",
        "crdt_pull('{}')",
        "crdt_push('{}')",
        "crdt_inspect('tasks', 't1')",
        "crdt_state('tasks', 't1')",
        "crdt_digest('tasks')",
        "crdt_check()",
        "crdt_retry()",
        "crdt_hook('h', 'after_inbound', 'SELECT 1')",
        "crdt_unhook('h')",
        "crdt_filter('tasks')",
        "crdt_filter('tasks', '1')",
        "crdt_status()",
        "* FROM crdt_changes(NULL, NULL)",
        "* FROM crdt_tables()",
        "* FROM crdt_fields()",
        "* FROM crdt_peers()",
        "* FROM crdt_pending()",
        "* FROM crdt_conflicts()",
        "* FROM _tasks_crdt",
    ];
    for opened in [open(&path), conn] {
        for call in calls {
            let why = error(&opened, &format!("SELECT {call}"), []);
            assert!(why.contains("format 4") && why.contains("up to 3"), "{call}: {why}");
        }
        for call in calls {
            run(&opened, "BEGIN");
            assert!(error(&opened, &format!("SELECT {call}"), []).contains("format 4"), "{call}, in a transaction");
            run(&opened, "COMMIT");
        }
    }
    assert_eq!(before, contents(&Connection::open(&path).unwrap()));
}

/// While another connection holds the write lock, an old database is read as it is.
#[test]
fn an_old_database_under_anothers_lock() {
    let (_folder, path) = copy(1);
    let other = Connection::open(&path).unwrap();
    run(&other, "BEGIN IMMEDIATE");
    let conn = open(&path);
    run(&conn, "PRAGMA busy_timeout = 0");
    let before = digest(&conn, "tasks");
    assert_eq!(format(&conn), "1");
    error(&conn, "SELECT crdt_merge('[]')", []);
    run(&other, "ROLLBACK");
    assert_eq!(digest(&conn, "tasks"), before);
    assert_eq!(format(&conn), "3");
}

/// The fixture of format 2, with hooks, filters, conflicts, peers, a renamed and a dropped column, a record that left: it says what
/// it said when it was made, and goes on.
#[test]
fn format_2() {
    for name in ["format2.db", "format2-last.db"] {
        of_format_2(copy_of(name));
    }
}

fn of_format_2((_folder, path): (tempfile::TempDir, std::path::PathBuf)) {
    let digests = |conn: &Connection| {
        ["tasks", "people", "wr o\"w", "renamed"]
            .map(|table| text(conn, "SELECT crdt_digest(?1, 'full')", [table])[..8].to_owned())
    };
    let reader = read_only(&path);
    let read = digests(&reader);
    assert_eq!(read, ["5d574653", "6663aedd", "85ad3a2a", "13efcf34"]);
    assert_eq!(text(&reader, "SELECT crdt_filter('tasks')", []), "title IS NOT 'hidden'");
    assert_eq!(rows(&reader, "SELECT won, local_value, incoming_value FROM crdt_conflicts()").len(), 2);
    assert_eq!(status(&reader)["hooks"].as_array().map(Vec::len), Some(2));
    assert_eq!(rows(&reader, "SELECT id, c FROM renamed"), ["'r1', 'x'", "'r2', 'not folded'"]);
    drop(reader);
    let conn = open(&path);
    assert_eq!(digests(&conn), read);
    sound(&conn);
    run(&conn, "SELECT crdt_filter('tasks', NULL); UPDATE tasks SET title = 'on' WHERE id = 't1'; INSERT INTO renamed VALUES ('r3', 'new')");
    let late = json!([{"table": "renamed", "pk": "r1", "field": "a", "crdt_type": "lww", "value": "by its old name",
                       "hlc": {"ts": 1_700_000_999_000_000_000_i64, "c": 0, "node": "zoe"}}]);
    assert_eq!(merge(&conn, &late.to_string())["merged"], 1);
    assert_eq!(rows(&conn, "SELECT c FROM renamed ORDER BY id"), ["'by its old name'", "'not folded'", "'new'"]);
    sound(&conn);
}

/// The triggers and views that a table has may be of an older text under the same format: they go on, and `crdt_enable` brings them
/// up to date. That is no write.
#[test]
fn enable_renews_triggers_and_views() {
    let (_folder, path) = copy(2);
    run(&Connection::open(&path).unwrap(), "UPDATE _crdt_pragma SET value = 3 WHERE name = 'format'");
    let conn = open(&path);
    let text_of = |name: &str| text(&conn, "SELECT sql FROM sqlite_schema WHERE name = ?1", [name]);
    let shown = || {
        rows(
            &conn,
            "SELECT *, typeof(hlc_ts), typeof(hlc_counter), typeof(tombstone), typeof(crdt_state) FROM _tasks_crdt",
        )
    };
    let (view, before, digest_before) = (text_of("_tasks_crdt"), shown(), digest(&conn, "tasks"));
    let trigger =
        text(&conn, "SELECT name FROM sqlite_schema WHERE tbl_name = 'tasks' AND name GLOB '_crdt_*_clash*'", []);
    let old = text_of(&trigger);
    assert!(view.contains("SELECT atom") && old.contains("\"o\".rowid = new.rowid"), "{view} {old}");
    let place = mark(&conn);
    run(&conn, "SELECT crdt_enable('tasks')");
    assert!(text_of("_tasks_crdt") != view && text_of(&trigger) != old);
    assert_eq!(shown(), before);
    assert_eq!((mark(&conn), digest(&conn, "tasks")), (place, digest_before));
    run(&conn, "SELECT crdt_enable('tasks')");
    sound(&conn);
}

/// A script's triggers write what versions of format 2 do not know: they are to refuse the database from then on.
#[test]
fn a_script_raises_the_format() {
    let (_folder, path) = copy(2);
    let bare = Connection::open(&path).unwrap();
    run(&bare, "CREATE TABLE scripted(id TEXT PRIMARY KEY NOT NULL, v)");
    let script = text(&read_only(&path), "SELECT crdt_schema('scripted')", []);
    assert_eq!(format(&bare), "2");
    run(&bare, &format!("{script}; INSERT INTO scripted VALUES ('1', 'x'); DELETE FROM scripted"));
    assert_eq!(format(&bare), "3");
    drop(bare);
    let conn = open(&path);
    assert_eq!(rows(&conn, "SELECT pk FROM crdt_changes(NULL, 'scripted') WHERE tombstone"), ["'1'"]);
    sound(&conn);
}
