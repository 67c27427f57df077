//! Several connections and processes on one database, and connections of unusual kinds.

mod common;
#[path = "connections/schema.rs"]
mod schema;
mod support;

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use common::{error, library, load, open, open_file, text};
use support::*;

const WAL: &str = "PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 30000;";

/// A read-only connection with the extension.
fn read_only(path: &std::path::Path) -> Connection {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    load(&conn).unwrap();
    conn
}

/// Changes without their order.
fn sorted(page: &Page) -> Vec<String> {
    let mut changes: Vec<_> = page.changes.iter().map(Value::to_string).collect();
    changes.sort();
    changes
}

#[test]
fn two_connections_share_clock_log_and_schema() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let first = file_node(&path, "a", &format!("{WAL}{TASKS}"));
    let second = open_file(&path);
    assert_eq!(text(&second, "SELECT crdt_node_id()", []), "a");
    let mut stamps = Vec::new();
    for i in 0..20 {
        let conn = if i % 2 == 0 { &first } else { &second };
        run(
            conn,
            &format!("INSERT INTO tasks(id, title) VALUES ('t{i}', 'x'); UPDATE tasks SET done = {i} WHERE id = 't0'"),
        );
        stamps.push(stamp_of(since(&second, None).of("t0", "done")));
        let now: Value = serde_json::from_str(&text(conn, "SELECT crdt_now()", [])).unwrap();
        stamps.push(stamp_of(&serde_json::json!({ "hlc": now })));
    }
    assert!(stamps.windows(2).all(|pair| pair[0] < pair[1]), "{stamps:?}");
    assert_eq!(export(&first), export(&second));
    run(&second, "CREATE TABLE u(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('u'); SELECT crdt_pragma('max_drift', '1h')");
    run(&first, "INSERT INTO u VALUES ('1', 'x')");
    assert!(since(&first, None).fields().contains(&"1.v".to_string()));
    assert_eq!(
        text(&first, "SELECT crdt_pragma('max_drift')", []),
        text(&second, "SELECT crdt_pragma('max_drift')", [])
    );
    run(&first, "SELECT crdt_disable('u')");
    run(&second, "INSERT INTO u VALUES ('2', 'y')");
    assert!(!since(&second, None).fields().contains(&"2.v".to_string()));
}

#[test]
fn processes_write_while_another_exports() {
    if !shell::exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", &format!("{WAL}{TASKS}"));
    run(&a, "INSERT INTO tasks(id) VALUES ('shared')");
    let b = node("b", TASKS);
    let writers: Vec<_> = [("p", true), ("q", false)]
        .into_iter()
        .map(|(name, loaded)| {
            let writes = (0..150).map(|i| {
                format!("INSERT INTO tasks(id, title) VALUES ('{name}{i}', '{i}'); UPDATE tasks SET priority = priority + 1 WHERE id = 'shared';")
            });
            let mut command = shell::command(&path, loaded);
            command.arg(writes.collect::<String>()).stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    let mut cursor: Option<String> = None;
    let mut pages = 0;
    let mut take_page = || {
        let page = since(&a, cursor.as_deref());
        merge(&b, &page.json);
        cursor = Some(page.cursor);
        pages += usize::from(!page.changes.is_empty());
    };
    for mut writer in writers {
        while writer.try_wait().unwrap().is_none() {
            take_page();
        }
        assert!(writer.wait().unwrap().success());
    }
    take_page();
    assert!(pages > 1);
    assert_eq!(rows(&a, "SELECT count(*) FROM tasks"), ["301"]);
    assert_eq!(rows(&b, "SELECT priority FROM tasks WHERE id = 'shared'"), ["300"]);
    same(&a, &b, "tasks");
    let mut stamps: Vec<_> = since(&a, None).changes.iter().filter(|c| c["field"] == "title").map(stamp_of).collect();
    let all = stamps.len();
    stamps.sort();
    stamps.dedup();
    assert_eq!(stamps.len(), all, "no stamp twice");
}

#[test]
fn threads_write_merge_and_export_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let hub = file_node(&path, "hub", &format!("{WAL}{TASKS}"));
    let feed = node("feed", TASKS);
    run(&feed, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO tasks(id, title) SELECT 'f' || i, i FROM n");
    let changes = since(&feed, None).changes;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let conn = open_file(&path);
            run(&conn, "PRAGMA busy_timeout = 30000");
            for i in 0..60 {
                run(&conn, &format!("INSERT INTO tasks(id, title) VALUES ('w{i}', 'x')"));
            }
        });
        let merger = scope.spawn(|| {
            let conn = open_file(&path);
            run(&conn, "PRAGMA busy_timeout = 30000");
            changes.chunks(7).for_each(|chunk| drop(take(&conn, chunk)));
        });
        scope.spawn(|| {
            let conn = read_only(&path);
            let mut seen = 0;
            while !stop.load(Ordering::Relaxed) {
                let count = since(&conn, None).changes.len();
                assert!(count >= seen);
                seen = count;
            }
        });
        writer.join().unwrap();
        merger.join().unwrap();
        stop.store(true, Ordering::Relaxed);
    });
    let b = node("b", TASKS);
    send(&hub, &b);
    assert_eq!(rows(&b, "SELECT count(*) FROM tasks"), ["120"]);
    same(&hub, &b, "tasks");
}

/// A read-only connection folds in memory: what it exports now is what is exported after the fold.
#[test]
fn a_read_only_connection_exports_the_unfolded_tail() {
    for mode in ["WAL", "DELETE"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let a = file_node(&path, "a", &format!("PRAGMA journal_mode = {mode}; {TASKS}"));
        run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 3, '[\"a\",\"b\"]', 0), ('t2', 'y', 1, '[]', 1), ('t3', 'z', 1, '[]', 1)");
        let place = since(&a, None).cursor;
        run(&a, "UPDATE tasks SET title = 'tail', priority = priority - 5, tags = '[\"b\",\"c\"]' WHERE id = 't1'");
        run(&a, "DELETE FROM tasks WHERE id = 't2'; UPDATE tasks SET id = 't4' WHERE id = 't3'");
        run(&a, "INSERT OR REPLACE INTO tasks(id) VALUES ('t1'); INSERT INTO tasks(id, tags) VALUES ('t2', '[7]')");
        let reader = read_only(&path);
        let bytes = std::fs::read(&path).unwrap();
        let asked = [
            "SELECT crdt_digest('tasks', 'full')",
            "SELECT crdt_inspect('tasks', 't1')",
            "SELECT crdt_state('tasks', 't2')",
            "SELECT crdt_cursor()",
            "SELECT group_concat(pk || field || hlc_ts || hlc_c || coalesce(value, '')) FROM crdt_changes(NULL, NULL)",
            "SELECT group_concat(pk_hash || field_name || hlc_ts || coalesce(crdt_state, '')) FROM _tasks_crdt",
        ];
        let read: Vec<_> = asked.iter().map(|sql| text(&reader, sql, [])).collect();
        let pages = [since(&reader, None), since(&reader, Some(&place))];
        for sql in [
            "SELECT crdt_status()",
            "SELECT * FROM crdt_tables()",
            "SELECT * FROM crdt_pending()",
            "SELECT * FROM crdt_peers()",
        ] {
            run(&reader, sql);
        }
        assert!(std::fs::read(&path).unwrap() == bytes, "reading writes nothing");
        let folded = [since(&a, None), since(&a, Some(&place))];
        for (one, other) in pages.iter().zip(&folded) {
            assert_eq!((sorted(one), &one.cursor), (sorted(other), &other.cursor), "{mode}");
        }
        for (sql, value) in asked.iter().zip(read) {
            assert_eq!(text(&a, sql, []), value, "{sql}");
        }
        for sql in [
            "SELECT crdt_merge('[]')",
            "SELECT crdt_enable('tasks')",
            "SELECT crdt_fork()",
            "SELECT crdt_pragma('max_drift', '1s')",
        ] {
            let refused = error(&reader, sql, []);
            assert!(refused.contains("crdt_") && refused.contains("read"), "{sql}: {refused}");
        }
    }
}

/// What such a connection tells of a row that a REPLACE removed comes to be, also where the row is back before the fold.
#[test]
fn a_row_that_a_replace_removed_and_that_is_back_was_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, c UNIQUE); SELECT crdt_enable('t')");
    run(&a, "INSERT INTO t VALUES ('r0', 'x'), ('r3', 'y'); INSERT OR REPLACE INTO t VALUES ('r2', 'x')");
    let told = text(&read_only(&path), "SELECT crdt_changes_since(NULL)", []);
    assert!(told.contains("_tombstone"));
    run(&a, "UPDATE t SET id = 'r0' WHERE id = 'r3'");
    merge(&a, &told);
    assert_eq!(text(&a, "SELECT crdt_node_id()", []), "a", "it knows its own stamps");
    assert_eq!(merge(&a, &told)["merged"], 0);
}

/// A database opened read-only that the extension never touched.
#[test]
fn a_read_only_database_without_anything_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t(id TEXT PRIMARY KEY)").unwrap();
    let reader = read_only(&path);
    run(&reader, "SELECT crdt_version(); SELECT * FROM crdt_tables(); SELECT * FROM crdt_changes(NULL, NULL)");
    error(&reader, "SELECT crdt_digest('t')", []);
}

#[test]
fn an_export_answers_while_another_holds_the_writer_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", &format!("PRAGMA journal_mode = WAL; {TASKS}"));
    run(&a, "PRAGMA busy_timeout = 0; INSERT INTO tasks(id, title) VALUES ('t1', 'in the tail')");
    let other = open_file(&path);
    run(&other, "BEGIN IMMEDIATE; UPDATE tasks SET title = 'uncommitted'");
    let during = since(&a, None);
    assert_eq!(during.change("title")["value"], "in the tail");
    for sql in [
        "SELECT crdt_cursor()",
        "SELECT crdt_digest('tasks')",
        "SELECT crdt_inspect('tasks', 't1')",
        "SELECT crdt_status()",
        "SELECT count(*) FROM _tasks_crdt",
        "SELECT count(*) FROM crdt_changes(NULL, NULL)",
        "SELECT crdt_pull('{\"tables\":[\"tasks\"],\"node_id\":\"b\"}')",
    ] {
        text(&a, sql, []);
    }
    assert!(error(&a, "SELECT crdt_merge(?1)", [&during.json]).contains("crdt_merge"));
    run(&other, "ROLLBACK");
    let after = since(&a, None);
    assert_eq!((sorted(&during), during.cursor), (sorted(&after), after.cursor));
}

/// `trusted_schema = OFF`: triggers and view work, loaded or not.
#[test]
fn untrusted_schemas() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", &format!("PRAGMA trusted_schema = OFF; {TASKS}"));
    let bare = Connection::open(&path).unwrap();
    for (i, conn) in [&a, &bare].into_iter().enumerate() {
        run(conn, "PRAGMA trusted_schema = OFF");
        run(
            conn,
            &format!(
                "INSERT INTO tasks VALUES ('t{i}', 'x', 1, '[1]', 0); UPDATE tasks SET tags = '[2]', priority = 3"
            ),
        );
        run(
            conn,
            &format!(
                "INSERT OR REPLACE INTO tasks(id) VALUES ('t{i}'); UPDATE tasks SET id = 'u{i}' WHERE id = 't{i}'"
            ),
        );
    }
    let view = "SELECT DISTINCT pk_hash FROM _tasks_crdt WHERE field_name = 'title' ORDER BY 1";
    assert_eq!(rows(&a, view), ["'t0'", "'t1'", "'u0'", "'u1'"]);
    let b = node("b", &format!("PRAGMA trusted_schema = OFF; {TASKS}"));
    send(&a, &b);
    same(&a, &b, "tasks");
}

/// What a client without the extension can do with an enabled database: everything but read the view.
#[test]
fn bare_connections() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", TASKS);
    let bare = Connection::open(&path).unwrap();
    run(&bare, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y'); DELETE FROM tasks WHERE id = 't2'; VACUUM; ANALYZE");
    run(&bare, "ALTER TABLE tasks RENAME COLUMN done TO finished; ALTER TABLE tasks RENAME TO jobs");
    run(&bare, "ALTER TABLE jobs RENAME TO tasks; ALTER TABLE tasks RENAME COLUMN finished TO done");
    run(&bare, "CREATE TABLE plain(id, v); ALTER TABLE plain RENAME TO other; ALTER TABLE other RENAME COLUMN v TO w; DROP TABLE other");
    run(&bare, "PRAGMA integrity_check; PRAGMA foreign_key_check; REINDEX");
    assert!(try_run(&bare, "SELECT * FROM _tasks_crdt").is_err());
    run(&bare, "UPDATE tasks SET done = 5");
    let page = since(&a, None);
    assert_eq!(page.of("t1", "done")["value"], 5);
    assert_eq!(page.of("t1", "title")["value"], "x");
}

#[test]
fn databases_in_memory() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    swap(&a, &b);
    same(&a, &b, "tasks");
    let shared = "file:shared_by_two?mode=memory&cache=shared";
    let first = named(open_file(shared), "s", TASKS);
    let second = open_file(shared);
    run(&second, "INSERT INTO tasks(id, title) VALUES ('t2', 'y')");
    assert_eq!(since(&first, None).change("title")["value"], "y");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.db");
    first.execute("VACUUM INTO ?1", [path.to_str().unwrap()]).unwrap();
    assert_eq!(digest(&open_file(&path), "tasks"), digest(&first, "tasks"));
}

/// `sqlite3_close` succeeds with no call of ours before it, whatever ran.
#[test]
fn closing_without_finalising() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    for round in 0..3 {
        let a = if round == 0 { file_node(&path, "a", TASKS) } else { open_file(&path) };
        run(&a, "INSERT OR REPLACE INTO tasks(id, title) VALUES ('t1', 'x')");
        let json = export(&a);
        merge(&a, &json);
        for sql in [
            "SELECT crdt_inspect('tasks', 't1')",
            "SELECT crdt_digest('tasks')",
            "SELECT * FROM _tasks_crdt",
            "SELECT crdt_status()",
            "SELECT crdt_pull('{\"tables\":[\"tasks\"],\"node_id\":\"b\"}')",
            "SELECT * FROM crdt_changes(NULL, NULL)",
            "SELECT * FROM crdt_tables()",
            "SELECT crdt_cleanup_tombstones()",
            "SELECT crdt_now()",
            "SELECT crdt_pragma('hlc')",
        ] {
            run(&a, sql);
        }
        let _ = try_run(&a, "SELECT crdt_merge('[{]')");
        {
            let mut half_read = a.prepare("SELECT * FROM crdt_changes(NULL, NULL)").unwrap();
            half_read.query([]).unwrap().next().unwrap();
        }
        if let Err((_, error)) = a.close() {
            panic!("round {round}: {error}");
        }
    }
}

#[test]
fn loading_twice() {
    let a = node("a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    let before = export(&a);
    for _ in 0..3 {
        load(&a).unwrap();
        assert_eq!(export(&a), before);
        run(&a, "SELECT * FROM crdt_changes(NULL, NULL); SELECT * FROM _tasks_crdt");
    }
    run(&a, "UPDATE tasks SET title = 'y'");
    assert_eq!(since(&a, None).change("title")["value"], "y");
    a.close().unwrap();
    assert!(library().exists());
    drop(open());
}

/// The first call of all waits for another's lock, as an INSERT does.
#[test]
fn the_first_enable_waits_for_the_lock() {
    for mode in ["WAL", "DELETE"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let (a, b) = (open_file(&path), open_file(&path));
        run(&a, &format!("PRAGMA journal_mode = {mode}; CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v)"));
        run(&b, "PRAGMA busy_timeout = 60000");
        run(&a, "BEGIN IMMEDIATE");
        let waiting = std::thread::spawn(move || text(&b, "SELECT crdt_enable('t')", []));
        std::thread::sleep(std::time::Duration::from_millis(200));
        run(&a, "INSERT INTO t VALUES ('1', 'x'); COMMIT");
        assert!(waiting.join().unwrap().contains("\"rows\":1"), "{mode}");
    }
}
