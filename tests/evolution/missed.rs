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
