//! Settings of the connection and the database that must not matter.

use crate::common::{error, load, open};
use crate::support::*;
use rusqlite::config::DbConfig;

const WRITES: &str = "INSERT INTO tasks VALUES ('té😀', 'x😀', 1, '[\"é\",\"😀\"]', 0), ('t2', char(0) || 'a', 2, '[2,1]', 1), ('t3', 'z', 0, '[]', 1);
    UPDATE tasks SET tags = '[\"ü\"]', priority = 5 WHERE done = 0; DELETE FROM tasks WHERE id = 't3';
    INSERT OR REPLACE INTO tasks(id) VALUES ('t2'); UPDATE tasks SET id = 't4' WHERE id = 't2'";

#[test]
fn pragmas() {
    let plain = node("plain", TASKS);
    for pragma in [
        "encoding = 'UTF-16le'",
        "encoding = 'UTF-16be'",
        "page_size = 512",
        "auto_vacuum = FULL",
        "reverse_unordered_selects = ON",
        "foreign_keys = OFF",
        "recursive_triggers = ON",
        "secure_delete = ON",
        "cell_size_check = ON",
        "temp_store = MEMORY",
        "legacy_alter_table = ON",
        "case_sensitive_like = ON",
        "count_changes = ON",
        "full_column_names = ON",
        "short_column_names = OFF",
        "full_column_names = ON; PRAGMA short_column_names = OFF",
        "automatic_index = OFF",
        "ignore_check_constraints = ON",
        "empty_result_callbacks = ON",
        "trusted_schema = OFF",
        "mmap_size = 0",
    ] {
        let a = open();
        let _ = try_run(&a, &format!("PRAGMA {pragma}"));
        let a = named(a, "a", TASKS);
        run(&a, WRITES);
        let b = open();
        let _ = try_run(&b, &format!("PRAGMA {pragma}"));
        let b = named(b, "b", TASKS);
        send(&a, &b);
        same(&a, &b, "tasks");
        run(&b, "UPDATE tasks SET title = 'back', tags = '[]'; SELECT * FROM _tasks_crdt; SELECT * FROM crdt_changes(NULL, NULL)");
        swap(&b, &a);
        same(&a, &b, "tasks");
        send(&a, &plain);
        assert_eq!(table(&b, "tasks").len(), 2, "{pragma}");
    }
}

/// Strings in double quotes switched off, a defensive connection, no views, no triggers for others: ours still work.
#[test]
fn configurations() {
    for (config, on) in [
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, true),
    ] {
        let a = open();
        a.set_db_config(config, on).unwrap();
        let a = named(a, "a", TASKS);
        run(&a, WRITES);
        let b = node("b", TASKS);
        swap(&a, &b);
        same(&a, &b, "tasks");
    }
}

/// `query_only`: reading works as on a read-only database.
#[test]
fn query_only() {
    let a = node("a", TASKS);
    run(&a, WRITES);
    run(&a, "PRAGMA query_only = ON");
    let read = (export(&a), digest(&a, "tasks"));
    run(&a, "SELECT crdt_inspect('tasks', 't4'); SELECT * FROM _tasks_crdt; SELECT crdt_status()");
    assert!(error(&a, "SELECT crdt_merge('[]')", []).contains("crdt_merge"));
    run(&a, "PRAGMA query_only = OFF");
    assert_eq!((export(&a), digest(&a, "tasks")), read);
}

/// Temporary tables of the same names hide nothing, neither those that are there when a table is enabled nor later ones.
#[test]
fn temporary_tables_in_the_way() {
    let [a, b] = nodes(["a", "b"], TASKS);
    hide(&a);
    let late = open();
    hide(&late);
    let refused =
        "'tasks' is hidden by a temporary table of that name; drop that, or enable tasks on another connection";
    let create = TASKS.replace("CREATE TABLE ", "CREATE TABLE main.");
    assert!(try_run(&late, &create).is_err_and(|e| e.contains(refused)));
    run(&late, "DROP TABLE temp.tasks; SELECT crdt_enable('tasks', 'priority:counter', 'tags:set')");
    for a in [a, late] {
        run(&a, "INSERT INTO main.tasks(id, title) VALUES ('t1', 'x')");
        send(&a, &b);
        run(&b, "UPDATE tasks SET title = 'y', tags = '[1]'");
        send(&b, &a);
        run(&a, "DELETE FROM main.tasks; INSERT INTO main.tasks(id) VALUES ('t2')");
        send(&a, &b);
        send(&b, &a);
        assert_eq!(rows(&a, "SELECT id, title, tags FROM main.tasks"), rows(&b, "SELECT id, title, tags FROM tasks"));
        assert_eq!(digest(&a, "tasks"), digest(&b, "tasks"));
        sound(&a);
        load(&a).unwrap();
    }
}

/// Makes temporary tables of the names that are ours, and of the tables that are enabled.
fn hide(conn: &rusqlite::Connection) {
    for name in [
        "tasks",
        "_crdt_batch",
        "_crdt_log",
        "_crdt_grave",
        "_crdt_state",
        "_crdt_clock",
        "_crdt_table",
        "_crdt_field",
        "_crdt_pragma",
        "_crdt_node",
        "_crdt_parts",
        "_crdt_show",
        "_crdt_moved_1_0_5",
        "_tasks_crdt",
    ] {
        run(conn, &format!("CREATE TEMP TABLE {name}(x)"));
    }
}

/// A fold gives stamps in the order of the log, and pruning goes back through it, whatever order rows are read in otherwise.
#[test]
fn rows_in_reverse() {
    let create =
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, n INTEGER DEFAULT 0); SELECT crdt_enable('t', 'n:counter')";
    let reads = "SELECT group_concat(id, '') FROM (SELECT id FROM t WHERE id < 4)";
    let [a, b, c] = nodes(["a", "b", "c"], create);
    run(&a, "PRAGMA reverse_unordered_selects = ON");
    for round in 0..12 {
        let cell = if round % 2 == 0 { "a" } else { "b" };
        run(
            &a,
            &format!(
                "WITH k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 150) INSERT INTO t(id, a, b) SELECT i, {round}, 0 FROM k WHERE true
                 ON CONFLICT(id) DO UPDATE SET {cell} = {round}, n = n + 1; DELETE FROM t WHERE id % 50 = {round}"
            ),
        );
        send(&a, &b);
    }
    run(&a, "SELECT crdt_cleanup_tombstones()");
    assert_eq!(rows(&a, reads), ["'321'"], "it is the application's setting");
    send(&a, &c);
    for other in [&b, &c] {
        same(&a, other, "t");
    }
    run(
        &a,
        "WITH k(i) AS (SELECT 1001 UNION ALL SELECT i + 1 FROM k WHERE i < 1200) INSERT INTO t(id) SELECT i FROM k",
    );
    let stamp =
        |change: &serde_json::Value| (change["hlc"]["ts"].as_i64().unwrap(), change["hlc"]["c"].as_i64().unwrap());
    let page = since(&a, None);
    let new = page.changes.iter().filter(|it| it["field"] == "a" && it["pk"].as_str().is_some_and(|pk| pk.len() == 4));
    let stamps: Vec<_> = new.map(stamp).collect();
    assert!(stamps.len() == 200 && stamps.is_sorted(), "{stamps:?}");
}

/// A merge while statements of the host's are half read.
#[test]
fn merges_under_open_statements() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO tasks(id, title) SELECT i, 'a' FROM n");
    run(&b, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) INSERT INTO tasks(id, title) SELECT i, 'b' FROM n");
    for sql in ["SELECT * FROM tasks", "SELECT * FROM crdt_changes(NULL, NULL)", "SELECT * FROM _tasks_crdt"] {
        let mut statement = b.prepare(sql).unwrap();
        let mut open_rows = statement.query([]).unwrap();
        open_rows.next().unwrap();
        send(&a, &b);
        while open_rows.next().unwrap().is_some() {}
    }
    send(&b, &a);
    same(&a, &b, "tasks");
}

/// An interrupted merge leaves nothing, and the next one takes all.
#[test]
fn an_interrupted_merge() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO tasks(id, title) SELECT i, 'a' FROM n");
    let json = export(&a);
    // After so many hundreds of steps of SQLite's machine.
    for hundreds in [1, 10, 100, 1000] {
        let mut left = hundreds;
        let stop = move || {
            left -= 1;
            left == 0
        };
        b.progress_handler(100, Some(stop)).unwrap();
        assert!(b.query_row("SELECT crdt_merge(?1)", [&json], |_| Ok(())).is_err(), "{hundreds}");
        b.progress_handler(0, None::<fn() -> bool>).unwrap();
        assert_eq!(table(&b, "tasks").len(), 0);
        assert!(b.is_autocommit());
        sound(&b);
    }
    merge(&b, &json);
    same(&a, &b, "tasks");
}

/// Conflict rules in the schema do not decide what happens to merged rows.
#[test]
fn conflict_rules_in_the_schema() {
    for rule in ["ROLLBACK", "FAIL", "IGNORE", "REPLACE", "ABORT"] {
        for columns in [format!("v NOT NULL ON CONFLICT {rule}, u"), format!("v, u UNIQUE ON CONFLICT {rule}")] {
            let a = node("a", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, u); SELECT crdt_enable('t')");
            let ddl = format!(
                "CREATE TABLE t(id TEXT PRIMARY KEY ON CONFLICT {rule} NOT NULL, {columns}); SELECT crdt_enable('t')"
            );
            let b = node("b", &ddl);
            run(&b, "INSERT INTO t VALUES ('0', 'old', 9)");
            run(&a, "INSERT INTO t VALUES ('1', 'good', 1), ('2', NULL, 2), ('3', 'good', 9), ('4', 'good', 4)");
            send(&a, &b);
            assert_eq!(
                rows(&b, "SELECT id FROM t WHERE id IN ('0', '1', '4') ORDER BY id"),
                ["'0'", "'1'", "'4'"],
                "{ddl}"
            );
            assert_eq!(rows(&b, "SELECT count(*) FROM t"), ["4"], "{ddl}");
            send(&b, &a);
            assert_eq!(digest(&a, "t"), digest(&b, "t"));
            sound(&b);
        }
    }
}
