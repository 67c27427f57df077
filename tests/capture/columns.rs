//! Only columns whose value really changed are stamped: by type and bytes, whatever the collation says.

use super::follow::{changed, follow};
use crate::support::*;

#[test]
fn what_counts_as_a_change() {
    // Declared type, before, after, changed.
    let cases = [
        ("TEXT COLLATE NOCASE", "'Bob'", "'bob'", true),
        ("TEXT COLLATE NOCASE", "'Bob'", "'Bob'", false),
        ("TEXT COLLATE RTRIM", "'a '", "'a'", true),
        ("", "1", "1.0", true),
        ("", "1", "1", false),
        ("", "1", "'1'", true),
        ("", "NULL", "NULL", false),
        ("", "NULL", "0", true),
        ("", "''", "NULL", true),
        ("", "''", "x''", true),
        ("", "'a'", "x'61'", true),
        ("", "'a'", "'a' || char(0)", true),
        ("", "0.0", "-0.0", false),
        ("", "0", "0.0", true),
        ("", "9e999", "-9e999", true),
        ("", "9007199254740993", "9007199254740992.0", true),
        ("", "0.1", "0.1", false),
        ("", "0.3", "0.1 + 0.2", true),
        ("INTEGER", "1", "1.0", false),
        ("INTEGER", "1", "'1'", false),
        ("INTEGER", "1", "1.5", true),
        ("INTEGER", "'a'", "'A'", true),
        ("REAL", "1", "1.0", false),
        ("REAL", "0.0", "-0.0", false),
        ("REAL", "9007199254740993", "9007199254740992.0", false),
        ("NUMERIC", "1", "1.0", false),
        ("NUMERIC", "1", "'1e0'", false),
        ("TEXT", "1", "'1'", false),
        ("TEXT", "1", "1.0", true),
        ("TEXT", "x'61'", "'a'", true),
        ("BLOB", "x'00'", "x'0000'", true),
        ("BLOB", "1", "1.0", true),
        ("BOOLEAN", "1", "true", false),
        ("BOOLEAN", "1", "2", true),
        ("JSON", "'{\"a\":1}'", "'{\"a\": 1}'", true),
    ];
    for (declared, old, new, is_changed) in cases {
        let setup = format!(
            "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, c {declared}, other DEFAULT 5); SELECT crdt_enable('t')"
        );
        let before = format!("INSERT INTO t(id, c) VALUES ('1', {old})");
        let fields = changed(&setup, &before, &format!("UPDATE t SET c = {new}, other = 5"));
        assert_eq!(fields, if is_changed { vec!["1.c"] } else { vec![] }, "{declared}: {old} to {new}");
    }
}

/// Stamps of columns that an UPDATE leaves alone stay as they were.
#[test]
fn an_unchanged_column_keeps_its_stamp() {
    let a = node("a", TASKS);
    run(&a, "INSERT INTO tasks(id, title, done) VALUES ('t1', 'x', 0)");
    let before = since(&a, None);
    run(&a, "UPDATE tasks SET title = 'y', done = 0");
    let after = since(&a, None);
    assert_eq!(after.change("done"), before.change("done"));
    assert!(stamp_of(after.change("title")) > stamp_of(before.change("title")));
    assert_eq!(after.change("title")["value"], "y");
}

/// A table whose updates were logged as flags, in columns where it has words of a mask later on.
#[test]
fn columns_that_become_many() {
    for width in [5, 12] {
        let names: Vec<_> = (0..width).map(|i| format!("c{i}")).collect();
        let ddl = format!("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, {})", names.join(", "));
        let [a, b] = nodes(["a", "b"], &format!("{ddl}; SELECT crdt_enable('t')"));
        run(&a, "INSERT INTO t(id) VALUES ('1')");
        let cursor = since(&a, None).cursor;
        run(&a, "UPDATE t SET c0 = 1, c4 = 2");
        for node in [&a, &b] {
            (width..70).for_each(|i| run(node, &format!("ALTER TABLE t ADD COLUMN c{i}")));
            run(node, "SELECT crdt_enable('t')");
        }
        assert_eq!(since(&a, Some(&cursor)).fields(), ["1.c0", "1.c4"], "width {width}");
        run(&a, "UPDATE t SET c3 = 3, c66 = 4");
        assert_eq!(since(&a, Some(&cursor)).fields(), ["1.c0", "1.c3", "1.c4", "1.c66"], "width {width}");
        send(&a, &b);
        same(&a, &b, "t");
    }
}

/// Tables whose updates are logged as flags, as a mask, and as masks of more than one word.
#[test]
fn many_columns() {
    for width in [3, 4, 6, 7, 8, 9, 15, 16, 17, 61, 62, 63, 64, 70, 124, 125, 130, 200] {
        let names: Vec<_> = (0..width).map(|i| format!("c{i}")).collect();
        let ddl = format!("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, {})", names.join(", "));
        let [a, b] = nodes(["a", "b"], &format!("{ddl}; SELECT crdt_enable('t')"));
        run(&a, "INSERT INTO t(id) VALUES ('1'), ('2')");
        let mut cursor = since(&a, None).cursor;
        let mut check = |columns: &[usize]| {
            let sets: Vec<_> = columns.iter().map(|i| format!("c{i} = coalesce(c{i}, 0) + 1")).collect();
            run(&a, &format!("UPDATE t SET {} WHERE id = '1'", sets.join(", ")));
            let page = since(&a, Some(&cursor));
            let mut expected: Vec<_> = columns.iter().map(|i| format!("1.c{i}")).collect();
            expected.sort();
            expected.dedup();
            assert_eq!(page.fields(), expected, "width {width}");
            cursor = page.cursor;
        };
        (0..width).filter(|i| *i < 2 || *i > 58).for_each(|i| check(&[i]));
        check(&[0, width - 1]);
        check(&[1, 60.min(width - 1), width / 2, width - 2]);
        check(&(0..width).collect::<Vec<_>>());
        let all: Vec<_> = names.iter().map(|name| format!("{name} = {name}")).collect();
        run(&a, &format!("UPDATE t SET {}", all.join(", ")));
        assert_eq!(since(&a, Some(&cursor)).changes.len(), 0);
        send(&a, &b);
        same(&a, &b, "t");
    }
    let wide: Vec<_> = (0..70).map(|i| if i == 66 { "c66 DEFAULT '[]'".into() } else { format!("c{i}") }).collect();
    let ddl = format!("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, {})", wide.join(", "));
    let steps = [
        "INSERT INTO t(id, c3, c69) VALUES ('1', 1, 2)",
        "UPDATE t SET c69 = 3, c62 = 4, c0 = 5",
        "REPLACE INTO t(id, c63) VALUES ('1', 6)",
        "UPDATE t SET id = '2', c64 = 7",
        "DELETE FROM t; INSERT INTO t(id, c1) VALUES ('1', 9)",
    ];
    follow(&ddl, "SELECT crdt_enable('t', 'c5:counter', 'c66:set')", &steps);
}
