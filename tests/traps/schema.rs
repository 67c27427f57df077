//! Schema: tables that come, go and grow, and an SQLite older than the one the code was written on.

use crate::common::{error, open_file, text};
use crate::support::*;

/// Source: cr-sqlite #21.
#[test]
fn a_schema_cached_in_the_virtual_table_hides_a_new_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", TASKS);
    let mut count = a.prepare("SELECT count(*) FROM crdt_changes(NULL, NULL) WHERE \"table\" = 'fresh'").unwrap();
    let mut counted = move || count.query_row([], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(counted(), 0);
    let other = open_file(&path);
    run(&other, "CREATE TABLE fresh(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('fresh')");
    run(&other, "INSERT INTO fresh VALUES ('1', 'x')");
    assert!(counted() > 0);
    assert_eq!(since(&a, None).change("v")["value"], "x");
    run(&a, "INSERT INTO fresh VALUES ('2', 'y')");
    assert!(counted() > 1);
    assert_eq!(rows(&a, "SELECT count(*) FROM _fresh_crdt WHERE field_name = 'v'"), ["2"]);
}

/// Source: cr-sqlite #433, PR #458.
#[test]
fn drop_table_breaks_the_export_of_all_tables() {
    let two = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t');
               CREATE TABLE u(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('u');";
    let [a, b] = nodes(["a", "b"], two);
    run(&a, "INSERT INTO t VALUES ('1', 'x'); INSERT INTO u VALUES ('1', 'x')");
    send(&a, &b);
    run(&a, "UPDATE t SET v = 'unfolded'; DROP TABLE t");
    run(&a, "INSERT INTO u VALUES ('2', 'y'); UPDATE u SET v = 'z' WHERE id = '1'");
    send(&a, &b);
    same(&a, &b, "u");
    run(&b, "INSERT INTO u VALUES ('3', 'b'); UPDATE t SET v = 'b'");
    merge(&a, &text(&b, "SELECT crdt_changes_since(NULL, 'u')", []));
    same(&a, &b, "u");
    let refused = error(&a, "SELECT crdt_merge(?1)", [export(&b)]);
    assert!(refused.contains("crdt_merge") && refused.contains('t'), "{refused}");
    for sql in [
        "SELECT * FROM _u_crdt",
        "SELECT * FROM crdt_tables()",
        "SELECT crdt_status()",
        "SELECT * FROM crdt_changes(NULL, NULL)",
        "SELECT crdt_digest('u')",
        "ALTER TABLE u RENAME COLUMN v TO w; ALTER TABLE u RENAME COLUMN w TO v",
        "VACUUM",
    ] {
        run(&a, sql);
    }
    run(
        &a,
        "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t'); INSERT INTO t VALUES ('7', 'new')",
    );
    swap(&a, &b);
    same(&a, &b, "t");
    same(&a, &b, "u");
    assert!(rows(&b, "SELECT id FROM t").contains(&"'7'".to_string()));
}

/// Source: Fly.io, 22 Oct 2025; cr-sqlite PR #445.
#[test]
fn adding_a_nullable_column_rewrites_every_row() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(
        &a,
        "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
             INSERT INTO tasks(id, title) SELECT 't' || i, i FROM n",
    );
    send(&a, &b);
    let (before, digest_before) = (mark(&a), digest(&a, "tasks"));
    for _ in 0..2 {
        let _ = try_run(&a, "ALTER TABLE tasks ADD COLUMN note TEXT; ALTER TABLE tasks ADD COLUMN n INTEGER DEFAULT 3");
        run(&a, "SELECT crdt_enable('tasks', 'priority:counter', 'tags:set')");
        assert_eq!(since(&a, Some(&before)).fields(), [] as [&str; 0]);
    }
    assert_eq!(digest(&a, "tasks"), digest_before);
    run(&a, "UPDATE tasks SET note = 'hello' WHERE id = 't7'");
    assert_eq!(since(&a, Some(&before)).fields(), ["t7.note"]);
    send(&a, &b);
    assert_eq!(digest(&a, "tasks"), digest(&b, "tasks"), "a node without the column keeps its value");
}

/// Source: cloudsync on SQLite 3.40.1, where `concat` and `format` are missing or new.
#[test]
fn sql_features_newer_than_the_host() {
    if !shell::exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.db"), folder.path().join("b.db"));
    let file = folder.path().join("a.json");
    let setup = format!("PRAGMA trusted_schema = OFF; {TASKS} SELECT crdt_node_id();");
    for path in [&a, &b] {
        shell::run(path, true, &setup);
    }
    let written = "INSERT INTO tasks VALUES ('t1', 'Milk', 1, '[\"x\",{\"a\":1}]', 0), ('t2', 'Tea', 0, '[]', 1);
        UPDATE tasks SET priority = priority + 2, tags = '[\"y\"]', title = 'Oat milk' WHERE id = 't1';
        INSERT OR REPLACE INTO tasks(id) VALUES ('t2'); UPDATE tasks SET id = 't3' WHERE id = 't2';
        DELETE FROM tasks WHERE id = 't3';";
    // The writer has not loaded the extension; triggers and view must work without it, trusting nothing.
    shell::run(&a, false, &format!("PRAGMA trusted_schema = OFF; {written}"));
    shell::run(&a, true, &format!("SELECT writefile('{}', crdt_changes_since(NULL))", file.display()));
    let merge = format!("SELECT crdt_merge(readfile('{}'))", file.display());
    assert!(shell::run(&b, true, &merge).contains("\"merged\""));
    let show = "PRAGMA trusted_schema = OFF; SELECT * FROM tasks ORDER BY 1; SELECT crdt_digest('tasks', 'full');
                SELECT * FROM _tasks_crdt ORDER BY 1, 2, 5; SELECT pk, field, value FROM crdt_changes(NULL, NULL) ORDER BY 1, 2;
                SELECT crdt_inspect('tasks', 't1');";
    let shown = shell::run(&a, true, show);
    assert!(shown.starts_with("t1|Oat milk|3|[\"y\"]|0\n"), "{shown}");
    assert_eq!(shown, shell::run(&b, true, show));
    shell::run(&b, false, "ALTER TABLE tasks RENAME TO jobs; ALTER TABLE jobs RENAME TO tasks; VACUUM;");
    assert_eq!(shown, shell::run(&b, true, show));
}

/// Triggers made by the name of a table are those of a temporary one that hides it.
#[test]
fn a_temporary_table_hides_the_one_that_is_enabled() {
    for temporary in ["CREATE TEMP TABLE tasks(id TEXT PRIMARY KEY NOT NULL, v)", "CREATE TEMP VIEW tasks AS SELECT 1"]
    {
        let [a] = nodes(["a"], "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, v)");
        run(&a, temporary);
        let refused = error(&a, "SELECT crdt_enable('TASKS')", []);
        assert!(refused.contains("temporary") && refused.contains("hidden"), "{refused}");
        run(&a, &format!("DROP {} temp.tasks", if temporary.contains("VIEW") { "VIEW" } else { "TABLE" }));
        run(&a, "SELECT crdt_enable('tasks'); INSERT INTO tasks VALUES ('1', 'x')");
        assert_eq!(since(&a, None).change("v")["value"], "x");
    }
}

/// What many tools do for an ALTER TABLE that SQLite does not have.
#[test]
fn a_rebuild_that_loses_the_triggers_is_told() {
    let [a] = nodes(["a"], "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t')");
    run(&a, "INSERT INTO t VALUES ('1', 'x')");
    let warned = |a: &rusqlite::Connection| status(a)["warnings"].to_string().contains("crdt_enable('t')");
    assert!(!warned(&a));
    sound(&a);
    run(
        &a,
        "BEGIN; CREATE TABLE n(id TEXT PRIMARY KEY NOT NULL, v, w); INSERT INTO n SELECT *, 1 FROM t; DROP TABLE t;
         ALTER TABLE n RENAME TO t; COMMIT",
    );
    assert!(warned(&a));
    assert!(text(&a, "SELECT crdt_check()", []).contains("crdt_enable"));
    run(&a, "SELECT crdt_enable('t')");
    assert!(!warned(&a));
    sound(&a);
}
