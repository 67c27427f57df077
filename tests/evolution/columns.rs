//! ADD COLUMN, and peers whose tables have different columns.

use rusqlite::Connection;

use crate::common::text;
use crate::support::*;

const OLD: &str = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a); SELECT crdt_enable('t');";
const NEW: &str =
    "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a, b DEFAULT 'none', n INTEGER DEFAULT 0, s TEXT DEFAULT '[]');
    SELECT crdt_enable('t', 'n:counter', 's:set');";
const ADD: &str = "ALTER TABLE t ADD COLUMN b DEFAULT 'none'; ALTER TABLE t ADD COLUMN n INTEGER DEFAULT 0; ALTER TABLE t ADD COLUMN s TEXT DEFAULT '[]';
    SELECT crdt_enable('t', 'n:counter', 's:set');";

/// Not one change is exported, not one log row written, for columns that hold their default.
#[test]
fn added_columns_export_nothing() {
    for off in [false, true] {
        let a = node("a", OLD);
        run(&a, "INSERT INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 500) SELECT 'k' || i, i FROM c");
        let (place, before) = (mark(&a), digest(&a, "t"));
        let size = rows(&a, "SELECT count(*), max(seq) FROM _crdt_log");
        if off {
            run(&a, "SELECT crdt_disable('t')");
        }
        run(&a, ADD);
        assert_eq!(since(&a, Some(&place)).changes.len(), 0, "disabled meanwhile: {off}");
        assert_eq!(rows(&a, "SELECT count(*), max(seq) FROM _crdt_log"), size);
        assert_eq!(digest(&a, "t"), before);
        // A merge of another column leaves the counter's 0 alone.
        let hlc = serde_json::json!({"ts": 9_000, "c": 0, "node": "x"});
        let changed =
            serde_json::json!({"table": "t", "pk": "k8", "field": "a", "crdt_type": "lww", "hlc": hlc, "value": 1});
        take(&a, &[changed]);
        assert_eq!(rows(&a, "SELECT * FROM t WHERE id = 'k8'"), ["'k8', 8, 'none', 0, '[]'"]);
        run(&a, "UPDATE t SET b = 'x', n = 1 WHERE id = 'k7'");
        assert_eq!(since(&a, Some(&place)).fields(), ["k7.b", "k7.n"]);
        sound(&a);
    }
}

/// A counter or set whose default is something begins with it, everywhere alike.
#[test]
fn defaults_that_count() {
    let [a, b] = nodes(["a", "b"], OLD);
    run(&a, "INSERT INTO t VALUES ('1', 'x'), ('2', 'x')");
    send(&a, &b);
    for conn in [&a, &b] {
        run(conn, "ALTER TABLE t ADD COLUMN n INTEGER DEFAULT 9; ALTER TABLE t ADD COLUMN s TEXT DEFAULT '[\"d\"]'; ALTER TABLE t ADD COLUMN plain TEXT; ALTER TABLE t ADD COLUMN m INTEGER NOT NULL DEFAULT 0");
    }
    run(&a, "UPDATE t SET n = 10, s = '[\"d\",\"a\"]' WHERE id = '2'");
    for conn in [&a, &b] {
        run(conn, "SELECT crdt_enable('t', 'n:counter', 's:set', 'plain:set', 'm:counter')");
        sound(conn);
    }
    run(&a, "UPDATE t SET n = n + 1, plain = '[1]', m = m + 1 WHERE id = '1'");
    run(&b, "UPDATE t SET n = n + 1, s = '[]', m = m + 1 WHERE id = '1'");
    swap(&a, &b);
    assert_eq!(rows(&a, "SELECT * FROM t"), ["'1', 'x', 11, '[]', '[1]', 2", "'2', 'x', 10, '[\"a\",\"d\"]', NULL, 0"]);
    assert_eq!(rows(&b, "SELECT n, s, m FROM t"), rows(&a, "SELECT n, s, m FROM t"));
    assert_eq!(digest(&a, "t"), digest(&b, "t"));
    sound(&a);
    sound(&b);
}

/// Only rows that hold something else than the default have been written.
#[test]
fn values_written_before_enabling_again() {
    let a = node("a", OLD);
    run(&a, "INSERT INTO t VALUES ('1', 'x'), ('2', 'y'); ALTER TABLE t ADD COLUMN b DEFAULT 'none'; UPDATE t SET b = 'some' WHERE id = '2'");
    let place = mark(&a);
    run(&a, "SELECT crdt_enable('t')");
    assert_eq!(since(&a, Some(&place)).fields(), ["2.b"]);
}

/// A node with fewer columns keeps what it does not know, and passes it on; it is shown when the columns come, also when
/// nobody is there any more who could send it.
#[test]
fn unknown_columns_are_kept_passed_on_and_shown_later() {
    let (old, newer) = (node("old", OLD), node("newer", NEW));
    {
        let new = node("new", NEW);
        run(&new, "INSERT INTO t VALUES ('1', 'a', 'b', 3, '[\"s\"]'), ('2', 'a', 'b', 0, '[]'); UPDATE t SET n = n + 1, s = '[\"s\",\"t\"]'");
        run(&new, "DELETE FROM t WHERE id = '2'");
        send(&new, &old);
    }
    assert_eq!(table(&old, "t"), ["'1', 'a'"]);
    assert_eq!(
        rows(&old, "SELECT field FROM crdt_pending() ORDER BY 1"),
        ["'b'", "'n'", "'s'"],
        "of the row that lives"
    );
    sound(&old);
    send(&old, &newer);
    assert_eq!(table(&newer, "t"), ["'1', 'a', 'b', 4, '[\"s\",\"t\"]'"]);
    assert_eq!(digest(&old, "t"), digest(&newer, "t"));
    // The other way: what the old node writes, and what has no value in the new columns.
    run(&old, "UPDATE t SET a = 'old'; INSERT INTO t VALUES ('3', 'old')");
    send(&old, &newer);
    assert_eq!(table(&newer, "t"), ["'1', 'old', 'b', 4, '[\"s\",\"t\"]'", "'3', 'old', 'none', NULL, '[]'"]);
    run(&newer, "UPDATE t SET n = coalesce(n, 0) + 1, b = 'newer' WHERE id = '3'");
    send(&newer, &old);
    let place = mark(&old);
    run(&old, ADD);
    assert_eq!(since(&old, Some(&place)).changes.len(), 0, "what was kept had been passed on");
    assert_eq!(table(&old, "t"), table(&newer, "t"));
    assert_eq!(rows(&old, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    same(&old, &newer, "t");
    run(&old, "UPDATE t SET n = n + 10, s = '[]' WHERE id = '1'");
    send(&old, &newer);
    same(&old, &newer, "t");
}

/// A newer node's row brought back to life shows its new columns too, on the node that got them later.
#[test]
fn a_revival_after_the_columns_came() {
    let (old, new) = (node("old", OLD), node("new", NEW));
    run(&new, "INSERT INTO t VALUES ('1', 'a', 'b', 3, '[\"s\"]')");
    send(&new, &old);
    run(&old, "DELETE FROM t");
    run(&old, ADD);
    run(&new, "UPDATE t SET a = 'revived'");
    send(&new, &old);
    assert_eq!(table(&old, "t"), ["'1', 'revived', 'b', 3, '[\"s\"]'"]);
    swap(&old, &new);
    same(&old, &new, "t");
}

/// Without the extension: the script of crdt_schema, and what was kept is shown by the next call that can write.
#[test]
fn a_script_of_crdt_schema_shows_what_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let new = node("new", NEW);
    run(&new, "INSERT INTO t VALUES ('1', 'a', 'b', 3, '[\"s\"]')");
    {
        let a = file_node(&path, "a", OLD);
        send(&new, &a);
    }
    let bare = Connection::open(&path).unwrap();
    run(&bare, ADD.split("SELECT").next().unwrap());
    let script = text(&crate::common::open_file(&path), "SELECT crdt_schema('t', 'n:counter', 's:set')", []);
    run(&bare, &script);
    run(&bare, "UPDATE t SET n = n + 2");
    drop(bare);
    let a = crate::common::open_file(&path);
    assert_eq!(digest(&a, "t").len(), 64);
    assert_eq!(table(&a, "t"), ["'1', 'a', 'b', 5, '[\"s\"]'"]);
    send(&a, &new);
    same(&a, &new, "t");
}

/// A row that came without some of its fields shows their defaults. Nobody wrote these: neither does crdt_enable after a pause.
#[test]
fn enabling_again_writes_no_default_that_nobody_wrote() {
    let (a, b) = (node("a", NEW), node("b", NEW));
    run(&b, "SELECT crdt_alter('t', 'RENAME COLUMN b TO b2'); SELECT crdt_alter('t', 'RENAME COLUMN a TO a2')");
    run(&b, "INSERT INTO t VALUES ('1', 'x', 'y', 3, '[1]')");
    send(&b, &a);
    assert_eq!(table(&a, "t"), ["'1', NULL, 'none', 3, '[1]'"]);
    let place = mark(&a);
    run(&a, "SELECT crdt_disable('t'); SELECT crdt_enable('t')");
    assert_eq!(since(&a, Some(&place)).changes.len(), 0);
    run(&a, "SELECT crdt_disable('t'); UPDATE t SET b = 'z'; SELECT crdt_enable('t')");
    assert_eq!(since(&a, Some(&place)).fields(), ["1.b"]);
    run(&a, "SELECT crdt_alter('t', 'RENAME COLUMN b TO b2'); SELECT crdt_alter('t', 'RENAME COLUMN a TO a2')");
    swap(&a, &b);
    assert_eq!(table(&a, "t"), ["'1', 'x', 'z', 3, '[1]'"]);
    same(&a, &b, "t");
}

/// A default is what its column makes of it. Nobody wrote it: what a peer wrote before a pause stands.
#[test]
fn enabling_again_knows_a_default_of_another_type() {
    let [a, b] = nodes(["a", "b"], OLD);
    run(&a, "INSERT INTO t VALUES ('1', 'x')");
    send(&a, &b);
    for conn in [&a, &b] {
        run(conn, "ALTER TABLE t ADD COLUMN i INTEGER DEFAULT '0'; ALTER TABLE t ADD COLUMN s TEXT DEFAULT 0");
        run(conn, "ALTER TABLE t ADD COLUMN r REAL DEFAULT 1; SELECT crdt_enable('t')");
    }
    run(&b, "UPDATE t SET i = 1, s = 'written', r = 2.5");
    let place = mark(&a);
    run(&a, "SELECT crdt_disable('t'); SELECT crdt_enable('t')");
    assert_eq!(since(&a, Some(&place)).changes.len(), 0);
    swap(&a, &b);
    assert_eq!(table(&a, "t"), ["'1', 'x', 1, 'written', 2.5"]);
    same(&a, &b, "t");
}

/// In a DEFAULT clause SQLite takes a name for text, also where a column has it.
#[test]
fn a_default_that_is_a_name_is_text() {
    for name in ["abc", "a", "\"a\"", "[a]", "`a`"] {
        let [a, b] = nodes(["a", "b"], OLD);
        run(&a, "INSERT INTO t VALUES ('1', 'x')");
        send(&a, &b);
        for conn in [&a, &b] {
            run(conn, &format!("ALTER TABLE t ADD COLUMN n DEFAULT {name}"));
        }
        run(&b, "SELECT crdt_enable('t'); UPDATE t SET n = 'written'");
        let place = mark(&a);
        run(&a, "SELECT crdt_enable('t')");
        assert_eq!(since(&a, Some(&place)).changes.len(), 0, "{name}");
        run(&a, "SELECT crdt_disable('t'); SELECT crdt_enable('t')");
        assert_eq!(since(&a, Some(&place)).changes.len(), 0, "{name}, after a pause");
        swap(&a, &b);
        assert_eq!(table(&a, "t"), ["'1', 'x', 'written'"], "{name}");
        same(&a, &b, "t");
    }
}

/// So too in what a record claims in the table's unique indexes.
#[test]
fn a_record_with_a_default_that_is_a_name_has_its_claim() {
    let a = node("a", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a DEFAULT abc, u UNIQUE); SELECT crdt_enable('t')");
    run(&a, "INSERT INTO t VALUES ('2', 'x', 7)");
    let hlc = serde_json::json!({"ts": now(&a) + 1_000_000, "c": 0, "node": "x"});
    let change = serde_json::json!({"table": "t", "pk": "1", "field": "u", "crdt_type": "lww", "hlc": hlc, "value": 7});
    take(&a, &[change]);
    assert_eq!(
        rows(&a, "SELECT pk, reason LIKE '%; the record ''2'' claimed it before' FROM crdt_pending()"),
        ["'1', 1"]
    );
    sound(&a);
}

/// A set that was written while its table was disabled is put in order when it is enabled again, as every node shows it.
#[test]
fn a_set_written_while_disabled_is_put_in_order() {
    let (a, b) = (node("a", NEW), node("b", NEW));
    run(&a, "INSERT INTO t VALUES ('1', 'x', 'y', 3, '[2]')");
    send(&a, &b);
    run(&a, "SELECT crdt_disable('t'); UPDATE t SET s = '[2, 0]', n = NULL; SELECT crdt_enable('t')");
    assert_eq!(table(&a, "t"), ["'1', 'x', 'y', 0, '[0,2]'"]);
    swap(&a, &b);
    same(&a, &b, "t");
}

/// More fields than are kept at hand, some of which differ by case only: each is the column of that name in any case, or itself.
#[test]
fn many_fields_that_are_no_columns_here() {
    let [a, b] = nodes(["a", "b"], "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('tasks')");
    let names: Vec<String> =
        (0..100).flat_map(|i| [format!("f{i}"), format!("F{i}")]).chain(["V".to_owned()]).collect();
    let all: Vec<_> = names.iter().zip(1..).map(|(name, ts)| lww(name, (ts, 0, "z"), name.as_str())).collect();
    take(&a, &all);
    assert_eq!(take(&a, &all)["unchanged"], all.len());
    send(&a, &b);
    for node in [&a, &b] {
        assert_eq!(rows(node, "SELECT v FROM tasks"), ["'V'"]);
        let told = page(&export(node)).changes;
        let mut told: Vec<&str> = told.iter().filter_map(|change| change["value"].as_str()).collect();
        let mut sent: Vec<&str> = names.iter().map(String::as_str).collect();
        told.sort_unstable();
        sent.sort_unstable();
        assert_eq!(told, sent);
        sound(node);
    }
    same(&a, &b, "tasks");
}

/// A default that counts is what rows began with that were there when the first node added the column, and no others.
#[test]
fn a_default_that_counts_is_not_counted_in_rows_that_came_with_the_column() {
    let [a, b] = nodes(["a", "b"], "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t')");
    let add = "ALTER TABLE t ADD COLUMN n INTEGER DEFAULT 3; ALTER TABLE t ADD COLUMN s TEXT DEFAULT '[\"d\"]';
               SELECT crdt_enable('t', 'n:counter', 's:set')";
    run(&a, "INSERT INTO t VALUES ('old', 1)");
    send(&a, &b);
    run(&a, add);
    run(&a, "INSERT INTO t(id) VALUES ('new'); INSERT INTO t(id, n, s) VALUES ('none', 0, '[\"e\"]'); UPDATE t SET n = n + 10 WHERE id = 'old'");
    send(&a, &b);
    run(&b, add);
    run(&b, "UPDATE t SET n = n + 100");
    swap(&a, &b);
    for node in [&a, &b] {
        assert_eq!(
            rows(node, "SELECT id, n, s FROM t ORDER BY id"),
            ["'new', 103, '[\"d\"]'", "'none', 100, '[\"e\"]'", "'old', 113, '[\"d\"]'"]
        );
        sound(node);
    }
    same(&a, &b, "t");
}
