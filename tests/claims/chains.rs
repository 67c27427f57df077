//! Tables that refer to themselves: what a merge of rows does that come in any order.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use rusqlite::Connection;

use crate::support::{export, merge, nodes, rows, run, same, send, sound, table};

/// Rows that refer to others by their numbers.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// Each to the one before it.
    Chain,
    /// Each to the one at half its number.
    Tree,
}

fn ddl(column: &str) -> String {
    format!(
        "PRAGMA foreign_keys = ON;
         CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, up {column}, v); CREATE INDEX t_up ON t(up); SELECT crdt_enable('t');"
    )
}

/// Writes `count` rows whose keys fall, or are shuffled; `name` makes the key of the SQL expression for its number.
fn plant(node: &Connection, form: Form, count: u32, falling: bool) {
    let key = |i: &str| match falling {
        true => format!("printf('k%08d', 100000 - ({i}))"),
        false => format!("printf('k%08d', ({i}) * 7919 % 100003)"),
    };
    let up = match form {
        Form::Chain => key("i - 1"),
        Form::Tree => key("i / 2"),
    };
    let row = key("i");
    run(
        node,
        &format!(
            "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
             INSERT INTO t SELECT {row}, CASE WHEN i > 1 THEN {up} END, i FROM n"
        ),
    );
}

/// What SQLite does for one merge of `json`, in hundreds of steps of its machine.
fn steps(node: &Connection, json: &str) -> u32 {
    let done = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&done);
    let handler = move || {
        count.fetch_add(1, Ordering::Relaxed);
        false
    };
    node.progress_handler(100, Some(handler)).unwrap();
    merge(node, json);
    node.progress_handler(0, None::<fn() -> bool>).unwrap();
    done.load(Ordering::Relaxed)
}

/// What SQLite does grows with the rows, not with their square: as they come, and as they go.
#[test]
fn a_merge_of_rows_that_refer_to_each_other() {
    for (form, falling) in [Form::Chain, Form::Tree].into_iter().flat_map(|form| [(form, true), (form, false)]) {
        let work = |count: u32| {
            let [a, b] = nodes(["a", "b"], &ddl("TEXT REFERENCES t(id)"));
            plant(&a, form, count, falling);
            let come = steps(&b, &export(&a));
            assert_eq!(rows(&b, "SELECT count(*) FROM t"), [count.to_string()]);
            run(&a, "PRAGMA defer_foreign_keys = ON; BEGIN; PRAGMA defer_foreign_keys = ON; DELETE FROM t; COMMIT");
            let go = steps(&b, &export(&a));
            assert_eq!(rows(&b, "SELECT count(*) FROM t"), ["0"]);
            assert_eq!(rows(&b, "SELECT count(*) FROM crdt_pending()"), ["0"]);
            (come, go)
        };
        let (few, many) = (work(150), work(300));
        let grows = |few: u32, many: u32| few > 10 && many < 5 * few / 2;
        assert!(grows(few.0, many.0) && grows(few.1, many.1), "{form:?} {falling}: {few:?}, of twice as many {many:?}");
    }
}

/// The same where the rows' own values tell no order: other rows are spelled like the parents.
#[test]
fn a_merge_of_rows_whose_parents_are_not_told_at_once() {
    let work = |count: u32| {
        let [a, b] = nodes(["a", "b"], &ddl("TEXT REFERENCES t(id)"));
        plant(&a, Form::Chain, count, true);
        run(
            &a,
            "INSERT INTO t SELECT upper(id), upper(up), v FROM t ORDER BY v; UPDATE t SET up = NULL WHERE id GLOB 'k*'",
        );
        let steps = steps(&b, &export(&a));
        assert_eq!(table(&a, "t"), table(&b, "t"));
        assert_eq!(rows(&b, "SELECT count(*) FROM t"), [(2 * count).to_string()]);
        steps
    };
    let (few, many) = (work(150), work(300));
    assert!(few > 10 && many < 5 * few / 2, "{few}, of twice as many {many}");
}

/// Rows under one whose parent is missing wait with it, and come with it.
#[test]
fn a_chain_that_hangs_from_nothing_waits() {
    let [a, b] = nodes(["a", "b"], &ddl("TEXT REFERENCES t(id)"));
    run(&b, "INSERT INTO t VALUES ('top', NULL, 0)");
    run(&a, "INSERT INTO t VALUES ('top', NULL, 0)");
    plant(&a, Form::Chain, 40, true);
    run(&a, "UPDATE t SET up = 'top' WHERE v = 1");
    run(&b, "DELETE FROM t");
    send(&b, &a);
    assert_eq!(table(&a, "t").len(), 0);
    send(&a, &b);
    assert_eq!(table(&b, "t").len(), 0);
    for node in [&a, &b] {
        assert_eq!(rows(node, "SELECT count(*) FROM crdt_pending()"), ["40"]);
        sound(node);
    }
    same(&a, &b, "t");
    run(&a, "INSERT INTO t VALUES ('top', NULL, 1)");
    send(&a, &b);
    for node in [&a, &b] {
        assert_eq!(table(node, "t").len(), 41);
        sound(node);
    }
    same(&a, &b, "t");
}
