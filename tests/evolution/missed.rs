//! What the triggers missed: a row that went or came back meanwhile, told by cursor.

use rusqlite::Connection;

use crate::support::*;

const CREATE: &str =
    "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, state TEXT DEFAULT 'open', n INTEGER DEFAULT 0, title TEXT)";

/// Sends what is new since `cursor`, and moves it.
fn tell(from: &Connection, to: &Connection, cursor: &mut Option<String>) {
    let page = since(from, cursor.as_deref());
    merge(to, &page.json);
    *cursor = Some(page.cursor);
}

/// Values that nobody can know any more are not the columns' defaults: a revival shows and sends what peers have.
#[test]
fn values_that_went_with_their_row() {
    let rebuilt = "BEGIN; CREATE TABLE t2(id TEXT PRIMARY KEY NOT NULL, state TEXT DEFAULT 'open', n INTEGER DEFAULT 0, title TEXT);
        INSERT INTO t2 SELECT * FROM t WHERE id <> 'k'; DROP TABLE t; ALTER TABLE t2 RENAME TO t; COMMIT";
    let replaced = "CREATE UNIQUE INDEX one ON t(title); INSERT OR REPLACE INTO t VALUES ('other', 'x', 1, 'tea')";
    for missed in [rebuilt, replaced] {
        let [a, b] = nodes(["a", "b"], &format!("{CREATE}; SELECT crdt_enable('t')"));
        let (mut there, mut back) = (None, None);
        run(&a, "INSERT INTO t VALUES ('k', 'closed', -7, 'tea')");
        tell(&a, &b, &mut there);
        tell(&b, &a, &mut back);
        run(&a, missed);
        run(&a, "SELECT crdt_enable('t')");
        assert_eq!(rows(&a, "SELECT * FROM t WHERE id = 'k'"), Vec::<String>::new());
        std::thread::sleep(std::time::Duration::from_millis(5));
        run(&b, "UPDATE t SET title = 'green tea' WHERE id = 'k'");
        for _ in 0..2 {
            tell(&b, &a, &mut back);
            tell(&a, &b, &mut there);
        }
        assert_eq!(rows(&a, "SELECT * FROM t WHERE id = 'k'"), ["'k', 'closed', -7, 'green tea'"], "{missed}");
        same(&a, &b, "t");
    }
}

/// A record that was deleted and has no other values than the node that found it so gets them from who has.
#[test]
fn a_row_that_went_is_the_same_record_everywhere() {
    let [a, b, c] = nodes(["a", "b", "c"], &format!("{CREATE}; SELECT crdt_enable('t')"));
    run(&a, "INSERT INTO t VALUES ('k', 'closed', -7, 'tea')");
    send(&a, &b);
    run(&a, &format!("ALTER TABLE t RENAME TO old; DROP TABLE old; {CREATE}; SELECT crdt_enable('t')"));
    for _ in 0..2 {
        swap(&a, &b);
        swap(&b, &c);
        swap(&c, &a);
    }
    same(&a, &b, "t");
    same(&b, &c, "t");
}

/// A peer may have nothing but the delete: a row that came back is told whole.
#[test]
fn rows_that_came_back_while_disabled() {
    for (columns, fields, values) in [
        ("", "", "'k'"),
        (", v INTEGER", ", 'v:counter'", "'k', 5"),
        (", g TEXT", ", 'g:set'", "'k', '[\"e\"]'"),
        (", a TEXT, v INTEGER, g TEXT", ", 'v:counter', 'g:set'", "'k', 'x', 5, '[\"e\"]'"),
    ] {
        let enable = format!("SELECT crdt_enable('t'{fields})");
        let [a, b] = nodes(["a", "b"], &format!("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL{columns}); {enable}"));
        let mut there = None;
        run(&a, &format!("INSERT INTO t VALUES ({values}); DELETE FROM t"));
        tell(&a, &b, &mut there);
        run(&b, "SELECT crdt_pragma('tombstone_ttl', '0'), crdt_cleanup_tombstones()");
        run(&a, &format!("SELECT crdt_disable('t'); INSERT INTO t VALUES ({values}); {enable}"));
        tell(&a, &b, &mut there);
        assert_eq!(rows(&b, "SELECT * FROM t"), [values], "{columns}");
        same(&a, &b, "t");
    }
}

/// Rows that wait show what was before: to disable and enable their table is no write.
#[test]
fn what_waits_is_not_undone() {
    let create = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, n INTEGER DEFAULT 0, g TEXT DEFAULT '[]', w);
        CREATE TRIGGER no BEFORE UPDATE ON t WHEN new.v > 10 AND old.v < 10 BEGIN SELECT RAISE(ABORT, 'too much'); END;
        CREATE TRIGGER kept BEFORE DELETE ON t WHEN old.w = 'kept' BEGIN SELECT RAISE(ABORT, 'kept'); END";
    let enable = "SELECT crdt_enable('t', 'n:counter', 'g:set')";
    // Written while disabled, and what of that is told then.
    for (meanwhile, told, shown) in [
        ("", "", ["'k', 5, 1, '[\"a\"]', 'w'", "'d', 5, 1, '[]', 'kept'"]),
        ("UPDATE t SET w = 'x' WHERE id = 'k'", "k.w", ["'k', 5, 1, '[\"a\"]', 'x'", "'d', 5, 1, '[]', 'kept'"]),
        ("UPDATE t SET n = n + 3 WHERE id = 'k'", "k.n", ["'k', 5, 4, '[\"a\"]', 'w'", "'d', 5, 1, '[]', 'kept'"]),
        (
            "UPDATE t SET g = '[\"a\",\"c\"]' WHERE id = 'k'",
            "k.g",
            ["'k', 5, 1, '[\"a\",\"c\"]', 'w'", "'d', 5, 1, '[]', 'kept'"],
        ),
    ] {
        let a = node("a", &format!("{create}; {enable}"));
        let b = node("b", &format!("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, n INTEGER, g TEXT, w); {enable}"));
        run(&a, "INSERT INTO t VALUES ('k', 5, 1, '[\"a\"]', 'w'), ('d', 5, 1, '[]', 'kept')");
        swap(&a, &b);
        run(&b, "UPDATE t SET v = 20, n = 10, g = '[\"a\",\"b\"]' WHERE id = 'k'; DELETE FROM t WHERE id = 'd'");
        send(&b, &a);
        assert_eq!(rows(&a, "SELECT pk, reason FROM crdt_pending() ORDER BY pk"), ["'d', 'kept'", "'k', 'too much'"]);
        let mut place = Some(mark(&a));
        run(&a, &format!("SELECT crdt_disable('t'); {meanwhile}; {enable}"));
        let fields = since(&a, place.as_deref()).fields();
        assert_eq!(fields, if told.is_empty() { vec![] } else { vec![told] }, "{meanwhile}");
        assert_eq!(rows(&a, "SELECT * FROM t ORDER BY id DESC"), shown, "{meanwhile}");
        tell(&a, &b, &mut place);
        run(&a, "DROP TRIGGER no; DROP TRIGGER kept; SELECT crdt_retry()");
        swap(&a, &b);
        same(&a, &b, "t");
        assert_eq!(rows(&a, "SELECT id, v FROM t"), ["'k', 20"], "{meanwhile}");
        let left = "SELECT count(*) FROM _crdt_pragma WHERE name GLOB 'stood*'";
        assert_eq!(rows(&a, left), ["0"]);
    }
}

/// A write to what waits, with its table disabled, is a write: it is the last one.
#[test]
fn what_waits_and_is_written_while_disabled() {
    let trigger =
        "CREATE TRIGGER no BEFORE UPDATE ON t WHEN new.v > 10 AND old.v < 10 BEGIN SELECT RAISE(ABORT, 'no'); END";
    for (meanwhile, end) in [("UPDATE t SET v = 7", vec!["'k', 7"]), ("DELETE FROM t", vec![])] {
        let [a, b] = nodes(["a", "b"], "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t')");
        run(&a, &format!("{trigger}; INSERT INTO t VALUES ('k', 5)"));
        swap(&a, &b);
        run(&b, "UPDATE t SET v = 20");
        send(&b, &a);
        run(&a, &format!("SELECT crdt_disable('t'); {meanwhile}; SELECT crdt_enable('t')"));
        swap(&a, &b);
        same(&a, &b, "t");
        assert_eq!(rows(&b, "SELECT id, v FROM t"), end, "{meanwhile}");
    }
}

/// Peers spell values as the column does not hold them: as long as it holds the same, nobody has written it.
#[test]
fn values_in_their_authors_spelling() {
    let [a, b] = nodes(
        ["a", "b"],
        "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v TEXT, n INTEGER, r REAL); SELECT crdt_enable('t')",
    );
    let at = |field: &str, value: &str| {
        format!(
            r#"{{"table":"t","pk":"k","field":"{field}","crdt_type":"lww","hlc":{{"ts":9000,"c":0,"node":"go"}},"value":{value}}}"#
        )
    };
    let all = [at("v", r#""R\u0026D""#), at("n", r#""12""#), at("r", "1e2")].join(",");
    for conn in [&a, &b] {
        merge(conn, &format!("[{all}]"));
    }
    run(&b, "UPDATE t SET v = 'edited'");
    let place = mark(&a);
    for _ in 0..2 {
        run(&a, "SELECT crdt_disable('t'); SELECT crdt_enable('t')");
        assert_eq!(since(&a, Some(&place)).changes.len(), 0);
    }
    assert!(since(&a, None).json.contains(r#""R\u0026D""#));
    run(&a, "SELECT crdt_disable('t'); UPDATE t SET r = 100.5; SELECT crdt_enable('t')");
    assert_eq!(since(&a, Some(&place)).fields(), ["k.r"]);
    swap(&a, &b);
    same(&a, &b, "t");
    assert_eq!(rows(&b, "SELECT * FROM t"), ["'k', 'edited', 12, 100.5"]);
}
