//! Tables that differ from node to node, or change: what a cell cannot hold is kept, and nothing else stops working.

use serde_json::json;

use crate::common::{error, open_file, text};
use crate::support::*;

fn enabled(name: &str, columns: &str, types: &str) -> rusqlite::Connection {
    node(name, &format!("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, {columns}); SELECT crdt_enable('t'{types})"))
}

/// A cell that cannot hold its value (affinity) keeps it in the state, and that is what is relayed.
#[test]
fn affinities_that_differ() {
    let (a, b, c) = (
        enabled("a", "v TEXT, w, x", ""),
        enabled("b", "v INTEGER, w TEXT, x REAL", ""),
        enabled("c", "v TEXT, w, x", ""),
    );
    run(&a, "INSERT INTO t VALUES ('1', '12', 5, 7), ('2', '1e3', 2.0, 'x'), ('3', 'text', x'00', 9007199254740993)");
    send(&a, &b);
    assert_eq!(table(&b, "t")[0], "'1', 12, '5', 7.0", "shown as the column has it");
    assert_eq!(digest(&a, "t"), digest(&b, "t"));
    send(&b, &c);
    same(&a, &c, "t");
    // A write to another column of the row does not touch what the cell could not hold.
    run(&b, "UPDATE t SET x = 1.5 WHERE id = '1'; UPDATE t SET v = v, w = w");
    send(&b, &c);
    assert_eq!(table(&c, "t")[0], "'1', '12', 5, 1.5");
    send(&b, &a);
    same(&a, &c, "t");
    assert_eq!(digest(&a, "t"), digest(&b, "t"));
    // A write to the cell itself is a change.
    run(&b, "UPDATE t SET v = 13 WHERE id = '1'");
    send(&b, &a);
    assert_eq!(table(&a, "t")[0], "'1', '13', 5, 1.5");
    send(&a, &b);
    assert_eq!(digest(&a, "t"), digest(&b, "t"));
}

/// A STRICT table refuses what another took: the row waits, and comes when its value fits.
#[test]
fn a_strict_table_at_one_end() {
    let a = enabled("a", "n, m", "");
    let b =
        node("b", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, n INTEGER, m TEXT) STRICT; SELECT crdt_enable('t')");
    run(&a, "INSERT INTO t VALUES ('1', 'no number', 'x'), ('2', 2, 'y')");
    assert!(send(&a, &b)["pending"].as_i64().unwrap() > 0);
    assert_eq!(table(&b, "t"), ["'2', 2, 'y'"]);
    assert_eq!(digest(&a, "t"), digest(&b, "t"));
    run(&a, "UPDATE t SET n = 1 WHERE id = '1'");
    send(&a, &b);
    same(&a, &b, "t");
}

/// A row arrives in parts, the first without a column that may not be NULL.
#[test]
fn a_row_in_parts() {
    let a = enabled("a", "v NOT NULL, w", "");
    let part = |field: &str| change(field, (1000, 0, "x"), json!({"table": "t", "pk": "1", "value": "x"}));
    assert_eq!(take(&a, &[part("w")])["pending"], 1);
    assert_eq!(table(&a, "t").len(), 0);
    take(&a, &[part("v")]);
    assert_eq!(table(&a, "t"), ["'1', 'x', 'x'"]);
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    sound(&a);
}

/// Column order, defaults, further local columns, the case of the table's name: none matters.
#[test]
fn columns_in_another_order() {
    let a = enabled("a", "v, n INTEGER DEFAULT 0, s TEXT DEFAULT '[]'", ", 'n:counter', 's:set'");
    let b = node("b", "CREATE TABLE T(mine, s TEXT, id TEXT PRIMARY KEY NOT NULL, n INTEGER DEFAULT 9, v); SELECT crdt_enable('T', 'n:counter', 's:set', 'mine:none')");
    run(&a, "INSERT INTO t VALUES ('1', 'x', 3, '[1]'); UPDATE t SET n = n + 1, s = '[1,2]'");
    send(&a, &b);
    assert_eq!(rows(&b, "SELECT id, v, n, s, mine FROM t"), ["'1', 'x', 4, '[1,2]', NULL"]);
    run(&b, "UPDATE t SET mine = 'local', v = 'from b'");
    send(&b, &a);
    assert_eq!(table(&a, "t"), ["'1', 'from b', 4, '[1,2]'"]);
}

/// Rows that a type cannot take are named when the table is enabled; nothing is half done.
#[test]
fn rows_that_a_type_cannot_take() {
    for (rows_before, arguments) in [
        ("('1', 'text', '[]')", "'t', 'n:counter', 's:set'"),
        ("('1', 1.5, '[]')", "'t', 'n:counter', 's:set'"),
        ("('1', 1, 'no array')", "'t', 'n:counter', 's:set'"),
        ("('1', 1, '{}')", "'t', 's:set'"),
        ("('1', 1, '[1')", "'t', 's:set'"),
        ("(NULL, 1, '[]')", "'t'"),
    ] {
        let a = node(
            "a",
            &format!("CREATE TABLE t(id TEXT PRIMARY KEY, n, s); INSERT INTO t VALUES ('0', 1, '[]'), {rows_before}"),
        );
        let before = contents(&a);
        let message = error(&a, &format!("SELECT crdt_enable({arguments})"), []);
        assert!(message.contains("crdt_enable"), "{message}");
        assert_eq!(contents(&a), before, "{rows_before}");
        run(&a, "DELETE FROM t WHERE id IS NULL OR id = '1'");
        run(&a, &format!("SELECT crdt_enable({arguments})"));
    }
}

/// A rollback takes everything back, also what a connection remembers of the schema.
#[test]
fn enable_and_disable_roll_back() {
    let a = node("a", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v)");
    let before = contents(&a);
    run(&a, "BEGIN; SELECT crdt_enable('t'); INSERT INTO t VALUES ('1', 'x'); SELECT crdt_digest('t'); ROLLBACK");
    assert_eq!(contents(&a), before);
    error(&a, "SELECT crdt_digest('t')", []);
    run(&a, "SELECT crdt_enable('t'); INSERT INTO t VALUES ('1', 'x')");
    run(&a, "SAVEPOINT s; SELECT crdt_disable('t', 'purge'); ROLLBACK TO s; RELEASE s");
    run(&a, "UPDATE t SET v = 'y'");
    assert_eq!(since(&a, None).of("1", "v")["value"], "y");
    run(&a, "BEGIN; ALTER TABLE t ADD COLUMN w; SELECT crdt_enable('t'); UPDATE t SET w = 1; ROLLBACK");
    run(&a, "UPDATE t SET v = 'z'");
    assert_eq!(since(&a, None).fields(), ["1.v"]);
    sound(&a);
}

/// Renamed tables and columns, dropped columns: writes go on, `crdt_enable` again repairs.
#[test]
fn renames_and_drops() {
    let [a, b] = nodes(["a", "b"], "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w); SELECT crdt_enable('t')");
    run(&a, "INSERT INTO t VALUES ('1', 'x', 'y')");
    send(&a, &b);
    for conn in [&a, &b] {
        run(conn, "ALTER TABLE t RENAME COLUMN v TO u; UPDATE t SET u = u");
        run(conn, "SELECT crdt_enable('t')");
    }
    std::thread::sleep(std::time::Duration::from_millis(3)); // later than b's own
    run(&a, "UPDATE t SET u = 'renamed'; INSERT INTO t VALUES ('2', 'p', 'q')");
    swap(&a, &b);
    assert_eq!(table(&b, "t"), ["'1', 'renamed', 'y'", "'2', 'p', 'q'"]);
    for conn in [&a, &b] {
        run(conn, "ALTER TABLE t RENAME TO tt; UPDATE tt SET w = w");
        run(conn, "SELECT crdt_enable('tt')");
    }
    std::thread::sleep(std::time::Duration::from_millis(3));
    run(&a, "UPDATE tt SET w = 'after' WHERE id = '1'; DELETE FROM tt WHERE id = '2'");
    swap(&a, &b);
    assert_eq!(table(&b, "tt"), ["'1', 'renamed', 'after'"]);
    sound(&a);
    sound(&b);
}

/// An enabled database attached to another: its triggers find their own tables.
#[test]
fn writes_to_an_attached_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", TASKS);
    let main = node("main", TASKS);
    main.execute("ATTACH ?1 AS other", [path.to_str().unwrap()]).unwrap();
    run(&main, "INSERT INTO other.tasks(id, title, tags) VALUES ('t1', 'x', '[1]'), ('t2', 'y', '[]')");
    run(&main, "UPDATE other.tasks SET title = 'z', priority = 2; DELETE FROM other.tasks WHERE id = 't2'");
    run(&main, "INSERT INTO tasks(id, title) VALUES ('t9', 'in main')");
    assert_eq!(since(&main, None).of("t9", "title")["value"], "in main");
    assert!(!export(&main).contains("t1"));
    let page = since(&a, None);
    assert_eq!(page.of("t1", "title")["value"], "z");
    assert!(page.fields().contains(&"t2._tombstone".to_string()));
    let b = node("b", TASKS);
    send(&open_file(&path), &b);
    same(&a, &b, "tasks");
    assert_eq!(text(&b, "SELECT priority FROM tasks", []), "2");
}

/// Changes for a column that a node does not have are kept and applied when it appears (6.6).
#[test]
fn a_column_that_appears_shows_what_was_kept() {
    let [a, b] = nodes(["a", "b"], TASKS);
    let note = "ALTER TABLE tasks ADD COLUMN note TEXT; ALTER TABLE tasks ADD COLUMN votes INTEGER; ALTER TABLE tasks ADD COLUMN who TEXT";
    let again = "SELECT crdt_enable('tasks', 'priority:counter', 'tags:set', 'votes:counter', 'who:set')";
    run(&a, note);
    run(&a, again);
    run(&a, "INSERT INTO tasks(id, title, note, votes, who) VALUES ('t1', 'x', 'hello', 4, '[1]'), ('t2', 'y', NULL, NULL, NULL)");
    send(&a, &b);
    assert_eq!(digest(&a, "tasks"), digest(&b, "tasks"));
    run(&b, note);
    run(&b, again);
    assert_eq!(rows(&b, "SELECT id, note, votes FROM tasks ORDER BY id"), ["'t1', 'hello', 4", "'t2', NULL, NULL"]);
    assert_eq!(rows(&b, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    same(&a, &b, "tasks");
}

/// A table of this name hides the function by which sets are checked: every write would fail.
#[test]
fn a_table_named_json_tree() {
    let a = node("a", "CREATE TABLE json_tree(x); CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, s TEXT, n INTEGER)");
    run(&a, "SELECT crdt_enable('t', 's:none', 'n:counter'); INSERT INTO t VALUES ('1', 'x', 1)");
    let refused = error(&a, "SELECT crdt_enable('t', 's:set')", []);
    assert!(refused.contains("'json_tree' is a table or view") && refused.contains("rename it"), "{refused}");
    run(&a, "ALTER TABLE json_tree RENAME TO tree; UPDATE t SET s = NULL; SELECT crdt_enable('t', 's:set')");
    run(&a, "UPDATE t SET s = '[\"x\"]'");
    sound(&a);
}
