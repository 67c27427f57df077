//! `crdt_changes` in several windows: everything is told, and each row's cursor is a place to go on from.

use crate::support::*;

/// More records than are gathered at a time.
const ROWS: usize = 9_000;

const SETUP: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); SELECT crdt_enable('t')";

#[test]
fn a_stream_of_many_records_is_complete() {
    let [a, b, c] = nodes(["a", "b", "c"], SETUP);
    run(
        &a,
        &format!(
            "WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < {ROWS})
             INSERT INTO t SELECT i, 'a' || i, 'b' || i FROM i; UPDATE t SET b = 'later' WHERE id % 3 = 0"
        ),
    );
    let all = "SELECT json_group_array(json(change)) FROM crdt_changes(NULL)";
    merge(&b, &crate::common::text(&a, all, []));
    same(&a, &b, "t");
    // From somewhere in the third window: no more than what comes after it, and with what came before it all of it.
    let mut rows = a.prepare("SELECT change, cursor FROM crdt_changes(NULL)").unwrap();
    let mut rows = rows.query([]).unwrap();
    let (mut before, mut cursor) = (Vec::new(), String::new());
    while before.len() < 2 * 8_500 {
        let row = rows.next().unwrap().unwrap();
        before.push(row.get::<_, String>(0).unwrap());
        cursor = row.get(1).unwrap();
    }
    drop(rows);
    merge(&c, &format!("[{}]", before.join(",")));
    let rest = since(&a, Some(&cursor));
    assert!(!rest.changes.is_empty() && rest.changes.len() < ROWS, "{}", rest.changes.len());
    take(&c, &rest.changes);
    same(&a, &c, "t");
}

/// A cursor that a stream hands out after epitaphs were dropped is as old as the stream: who began before them may have missed
/// deletes.
#[test]
fn a_stream_is_as_old_as_its_beginning() {
    let a = node("a", &format!("{SETUP}; SELECT crdt_pragma('tombstone_ttl', '0s')"));
    run(&a, "INSERT INTO t VALUES (1, 'gone', 1), (2, 'kept', 2), (3, 'too', 3)");
    let peer = mark(&a);
    run(&a, "UPDATE t SET a = 'more' WHERE id = 2; UPDATE t SET a = 'more' WHERE id = 3; DELETE FROM t WHERE id = 1");
    mark(&a);
    let mut stmt = a.prepare("SELECT cursor FROM crdt_changes(?1)").unwrap();
    let mut rows = stmt.query([&peer]).unwrap();
    rows.next().unwrap().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(5));
    run(&a, "SELECT crdt_cleanup_tombstones('t'); SELECT crdt_cleanup_tombstones('t', 'epitaphs')");
    let cursor: String = rows.next().unwrap().unwrap().get(0).unwrap();
    drop(rows);
    let answer = crate::common::text(&a, "SELECT crdt_changes_since(?1)", [&cursor]);
    assert!(answer.contains("\"resync\":true"), "{answer}");
}

/// As `crdt_changes_since`: what a rollback would take back is not handed out, at its beginning or later.
#[test]
fn not_in_a_transaction_that_has_written() {
    let [a] = nodes(["a"], TASKS);
    run(&a, "INSERT INTO tasks(id) VALUES ('t1')");
    run(&a, "BEGIN; INSERT INTO tasks(id) VALUES ('t2')");
    for sql in ["SELECT change FROM crdt_changes(NULL)", "SELECT crdt_changes_since(NULL)"] {
        let refused = crate::common::error(&a, sql, []);
        assert!(refused.contains("commit first"), "{sql}: {refused}");
    }
    run(&a, "ROLLBACK; BEGIN");
    assert_eq!(rows(&a, "SELECT DISTINCT pk FROM crdt_changes(NULL)"), ["'t1'"]);
    run(&a, "COMMIT");
}
