//! An export reads clocks and rows of many records ahead, in the order in which they are stored. `crdt_changes` looks each record up
//! by itself: both tell the same, in the same order.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::common::text;
use crate::support::*;

/// Keys of all kinds, in columns of all kinds, in tables of all kinds.
const TABLES: [(&str, &str); 10] = [
    ("plain", "(id TEXT PRIMARY KEY NOT NULL, x, y)"),
    ("folded", "(id TEXT PRIMARY KEY COLLATE NOCASE NOT NULL, x, y)"),
    ("index_folded", "(id TEXT NOT NULL, x, y, PRIMARY KEY (id COLLATE NOCASE))"),
    ("ordered", "(id TEXT PRIMARY KEY NOT NULL, x, y) WITHOUT ROWID"),
    ("number", "(id INTEGER PRIMARY KEY NOT NULL, x, y)"),
    ("named", "(y, x, rowid, id TEXT PRIMARY KEY NOT NULL, c0 AS (x))"),
    ("falling", "(id TEXT NOT NULL, x, y, PRIMARY KEY (id DESC))"),
    ("loose", "(id PRIMARY KEY NOT NULL, x, y)"),
    ("two", "(id TEXT NOT NULL, k DEFAULT 7 NOT NULL, x, y, PRIMARY KEY (id, k))"),
    ("parts", "(id TEXT PRIMARY KEY NOT NULL, x INTEGER, y TEXT)"),
];

fn filled() -> rusqlite::Connection {
    let db = node("n", "");
    for (name, columns) in TABLES {
        let types = if name == "parts" { ", 'x:counter', 'y:set'" } else { "" };
        run(&db, &format!("CREATE TABLE {name}{columns}; SELECT crdt_enable('{name}'{types})"));
    }
    for (name, _) in TABLES {
        // In an order that is not that of the keys.
        for i in (0..40).map(|i| i * 17 % 40) {
            let key = match (name, i % 8) {
                ("number", _) => format!("{}", i * 3 - 20),
                (_, 0) => format!("x'0{}'", i / 8),
                (_, 1) => format!("'[\"{i}\"]'"),
                (_, 2) => format!("'é{i}\u{1f600}'"),
                (_, 3) => format!("'K{i}'"),
                (_, _) => format!("'k{i}'"),
            };
            let row = if name == "parts" { format!("{i}, '[\"e{i}\"]'") } else { format!("'x{i}', {i}") };
            run(&db, &format!("INSERT INTO {name}(id, x, y) VALUES ({key}, {row})"));
        }
    }
    db
}

/// What an export tells in both forms, and what the rows tell.
fn compare(db: &rusqlite::Connection, least: usize) {
    let all = since(db, None);
    let mut rows = db.prepare("SELECT change FROM crdt_changes(NULL, NULL)").unwrap();
    let rows: Vec<Value> = rows
        .query_map([], |row| Ok(serde_json::from_str(&row.get::<_, String>(0)?).unwrap()))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(rows.len() >= least, "{} changes", rows.len());
    assert_eq!(all.changes, rows);
    let compact = "SELECT crdt_convert(crdt_changes_since(NULL, NULL, NULL, '{\"format\":\"compact\"}'), 'grove')";
    assert_eq!(page(&text(db, compact, [])).changes, rows);
}

#[test]
fn as_inserted() {
    compare(&filled(), 800);
}

#[test]
fn after_writes_in_another_order() {
    let db = filled();
    for (name, _) in TABLES {
        if name != "parts" {
            run(&db, &format!("UPDATE {name} SET x = y WHERE y % 3 = 1; DELETE FROM {name} WHERE y % 5 = 2"));
            run(&db, &format!("UPDATE {name} SET id = 'moved' WHERE y = 4 AND typeof(id) = 'text'"));
            compare(&db, 500);
        }
    }
    run(&db, "UPDATE parts SET x = x + 1, y = json_insert(y, '$[#]', 'more'); DELETE FROM parts WHERE x % 4 = 0");
    run(&db, "INSERT INTO plain VALUES ('k5', 'back', NULL) ON CONFLICT DO UPDATE SET x = 'back'");
    compare(&db, 500);
    // Columns that come and go: rows of more than one generation.
    run(
        &db,
        "ALTER TABLE plain ADD COLUMN z DEFAULT 5; SELECT crdt_enable('plain'); UPDATE plain SET z = 6 WHERE y % 7 = 0",
    );
    run(&db, "SELECT crdt_alter('ordered', 'DROP COLUMN y')");
    compare(&db, 500);
    run(&db, "DROP TABLE number");
    compare(&db, 400);
}

#[test]
fn in_pages() {
    let db = filled();
    let whole = since(&db, None).changes;
    for bytes in [1, 700, 20_000] {
        run(&db, &format!("SELECT crdt_pragma('page_bytes', {bytes})"));
        let (mut told, mut cursor) = (Vec::new(), None);
        loop {
            let page = since(&db, cursor.as_deref());
            told.extend(page.changes);
            cursor = Some(page.cursor);
            if !page.more {
                break;
            }
        }
        assert_eq!(told, whole, "pages of {bytes} bytes");
    }
}

/// Pages of every size tell what one page tells, and `has_more` speaks of changes, not of rows of the log: neither of those of
/// another table nor of a record that was told.
#[test]
fn in_pages_of_any_size() {
    let db = node("n", "");
    run(&db, "CREATE TABLE t(id PRIMARY KEY NOT NULL, x, y); CREATE TABLE other(id PRIMARY KEY NOT NULL, z)");
    // Of its counter there is nothing to tell.
    run(&db, "CREATE TABLE sparse(id PRIMARY KEY NOT NULL, x INTEGER, y)");
    run(&db, "SELECT crdt_enable('t'), crdt_enable('other'), crdt_enable('sparse', 'x:counter')");
    let first = mark(&db);
    for i in 0..40 {
        run(&db, &format!("INSERT INTO t VALUES ({i}, 'a', {i}); INSERT INTO sparse(id, y) VALUES ({i}, 1)"));
        run(&db, &format!("UPDATE t SET x = {i} WHERE id % 7 = {i} % 7; DELETE FROM t WHERE id = {i} - 30"));
    }
    run(&db, "UPDATE t SET x = 'b' WHERE id % 3 = 1");
    // A multiple of the least that is gathered for a page.
    run(&db, "INSERT INTO sparse(id, y) VALUES (40, 1), (41, 1)");
    run(&db, "WITH i(i) AS (SELECT id FROM sparse) INSERT INTO other SELECT i, 1 FROM i");
    for (table, from) in [("t", None), ("t", Some(first.as_str())), ("sparse", None), ("other", None)] {
        let next = |from: Option<&str>, limit: Option<i64>| {
            page(&text(&db, "SELECT crdt_changes_since(?1, ?2, ?3)", rusqlite::params![from, table, limit]))
        };
        let all = next(from, None);
        assert!(!all.more);
        let all: BTreeSet<String> = all.changes.iter().map(Value::to_string).collect();
        for limit in (1..10).chain([20, 50, 100, 1_000]) {
            let (mut told, mut at) = (BTreeSet::new(), from.map(str::to_owned));
            loop {
                let page = next(at.as_deref(), Some(limit));
                assert!(!page.changes.is_empty(), "{table}: a page of {limit} after one that said has_more");
                told.extend(page.changes.iter().map(Value::to_string));
                if !page.more {
                    break;
                }
                at = Some(page.cursor);
            }
            assert_eq!(told, all, "{table}: pages of {limit}");
        }
    }
}
