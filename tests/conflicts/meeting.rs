//! What is a conflict and what is not: as the answer counts it, and as the log lists it.

use rusqlite::Connection;
use serde_json::{json, Value};

use crate::support::*;

const TABLE: &str = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w, n INTEGER, s TEXT);
    SELECT crdt_enable('t', 'n:counter', 's:set');";

fn set(conn: &Connection, value: &str) {
    conn.execute("UPDATE t SET v = ?1", [value]).unwrap();
}

/// Sends all; the conflicts counted, which are the rows that the log gained.
#[track_caller]
fn met(from: &Connection, to: &Connection) -> u64 {
    met_in(to, &export(from))
}

#[track_caller]
fn met_in(to: &Connection, json: &str) -> u64 {
    let logged = || rows(to, "SELECT count(*) FROM crdt_conflicts()")[0].parse::<u64>().unwrap();
    let before = logged();
    let counted = merge(to, json)["conflicts"].as_u64().unwrap();
    assert_eq!(logged() - before, counted, "one row for each conflict counted");
    counted
}

fn log(conn: &Connection) -> Vec<String> {
    rows(conn, "SELECT field, written, won, local_value, incoming_value FROM crdt_conflicts()")
}

/// Nodes that share one row.
fn sharing<const N: usize>(names: [&str; N]) -> [Connection; N] {
    let all = nodes(names, TABLE);
    run(&all[0], "INSERT INTO t VALUES ('1', 'first', 'w', 5, '[\"x\"]')");
    for other in &all[1..] {
        assert_eq!(met(&all[0], other), 0);
    }
    all
}

#[test]
fn both_sides_list_it() {
    let [a, b] = sharing(["a", "b"]);
    set(&a, "from a");
    set(&b, "from b");
    let (to_b, to_a) = (export(&a), export(&b));
    assert_eq!((met_in(&b, &to_b), met_in(&a, &to_a)), (1, 1));
    assert_eq!(log(&a), ["'v', NULL, 'incoming', 'from a', 'from b'"]);
    assert_eq!(log(&b), ["'v', NULL, 'local', 'from b', 'from a'"]);
    same(&a, &b, "t");
    // Nothing more, however often it goes round.
    for _ in 0..3 {
        assert_eq!((met(&a, &b), met(&b, &a), met_in(&b, &to_b), met_in(&a, &to_a)), (0, 0, 0, 0));
    }
}

#[test]
fn succession_is_none_however_long_and_whoever_carries_it() {
    let [a, b, c, d] = sharing(["a", "b", "c", "d"]);
    for i in 0..5 {
        set(&a, &format!("a{i}"));
    }
    // Several by one author; then by others in turn; d gets only the last.
    assert_eq!(met(&a, &b), 0);
    set(&b, "b");
    set(&b, "b again");
    assert_eq!(met(&b, &c), 0);
    set(&c, "c");
    assert_eq!((met(&c, &d), met(&c, &a), met(&c, &b)), (0, 0, 0));
    set(&d, "d");
    assert_eq!((met(&d, &a), met(&a, &b), met(&b, &c)), (0, 0, 0));
    same(&a, &d, "t");
}

#[test]
fn a_write_that_was_overwritten_twice_before_it_was_sent() {
    let [a, b] = sharing(["a", "b"]);
    set(&a, "from a");
    for i in 0..3 {
        set(&b, &format!("b{i}"));
    }
    // What b's last write overwrote is later than a's: but b had not seen a's.
    assert_eq!((met(&b, &a), log(&a)), (1, vec!["'v', NULL, 'incoming', 'from a', 'b2'".to_string()]));
}

#[test]
fn a_write_that_several_have_written_over_meanwhile() {
    let [a, b, c] = sharing(["a", "b", "c"]);
    set(&a, "offline");
    set(&b, "b");
    met(&b, &c);
    set(&c, "c, after b");
    let from_a = export(&a);
    assert_eq!(met(&c, &a), 1, "c had seen b's write, not a's");
    assert_eq!(met_in(&c, &from_a), 1);
    assert_eq!(met(&c, &b), 0, "c had seen b's, and nothing of a's comes along");
}

#[test]
fn a_conflict_that_was_settled_is_none_for_a_third() {
    let [a, b, c] = sharing(["a", "b", "c"]);
    set(&a, "a");
    set(&b, "b");
    assert_eq!((met(&a, &b), met(&b, &c)), (1, 0));
    set(&b, "both seen");
    assert_eq!((met(&b, &a), met(&b, &c)), (0, 0));
    assert_eq!(met(&a, &c), 0);
}

/// The latest changes of a chain, each alone, in every order: none is a conflict.
#[test]
fn order_makes_no_conflict() {
    let [a, b, c] = sharing(["a", "b", "c"]);
    let mut writes = vec![page(&export(&a)).change("v").clone()];
    for (from, to, value) in [(&a, &b, "2"), (&b, &c, "3"), (&c, &a, "4")] {
        set(from, value);
        writes.push(page(&export(from)).change("v").clone());
        send(from, to);
    }
    for order in orders(writes.len()) {
        let fresh = node("d", TABLE);
        for i in order {
            assert_eq!(met_in(&fresh, &json!([writes[i]]).to_string()), 0);
        }
    }
}

fn orders(n: usize) -> Vec<Vec<usize>> {
    match n {
        0 => vec![Vec::new()],
        _ => orders(n - 1).iter().flat_map(|order| (0..n).map(move |at| inserted(order, at, n - 1))).collect(),
    }
}

fn inserted(order: &[usize], at: usize, item: usize) -> Vec<usize> {
    let mut order = order.to_vec();
    order.insert(at, item);
    order
}

#[test]
fn a_replay_is_never_told_twice_by_whatever_way() {
    let [a, b, c] = sharing(["a", "b", "c"]);
    let mut sent = Vec::new();
    for (node, value) in [(&a, "a"), (&b, "b"), (&c, "c")] {
        set(node, value);
        sent.push(export(node));
    }
    let hub = node("hub", TABLE);
    let first: u64 = sent.iter().map(|json| met_in(&hub, json)).sum();
    assert_eq!(first, 2);
    for _ in 0..2 {
        for json in sent.iter().chain(sent.iter().rev()) {
            assert_eq!(met_in(&hub, json), 0);
        }
    }
    // Nor with the log off or emptied: it is not by the log that they are known.
    let off = node("off", TABLE);
    run(&off, "SELECT crdt_pragma('conflict_log', 0)");
    let count = |json: &String| merge(&off, json)["conflicts"].as_u64().unwrap();
    assert_eq!(sent.iter().map(count).sum::<u64>(), 2);
    assert_eq!(sent.iter().chain(sent.iter().rev()).map(count).sum::<u64>(), 0);
    assert_eq!(rows(&off, "SELECT count(*) FROM crdt_conflicts()"), ["0"]);
}

#[test]
fn a_delete_against_a_write() {
    // The delete is later: it wins, and each side tells of it.
    let [a, b] = sharing(["a", "b"]);
    set(&a, "edited");
    std::thread::sleep(std::time::Duration::from_millis(3));
    run(&b, "DELETE FROM t");
    let (to_b, to_a) = (export(&a), export(&b));
    assert_eq!((met_in(&b, &to_b), met_in(&a, &to_a)), (1, 1));
    assert_eq!(log(&a), ["'_tombstone', 'v', 'incoming', 'edited', NULL"]);
    assert_eq!(log(&b), ["'_tombstone', 'v', 'local', NULL, 'edited'"]);
    assert_eq!((met_in(&b, &to_b), met_in(&a, &to_a), met(&a, &b), met(&b, &a)), (0, 0, 0, 0));
    assert_eq!(table(&a, "t"), [""; 0]);
    same(&a, &b, "t");
}

#[test]
fn a_write_against_a_delete_that_it_undoes() {
    let [a, b] = sharing(["a", "b"]);
    run(&b, "DELETE FROM t");
    std::thread::sleep(std::time::Duration::from_millis(3));
    set(&a, "edited");
    let (to_b, to_a) = (export(&a), export(&b));
    assert_eq!((met_in(&b, &to_b), met_in(&a, &to_a)), (1, 1));
    assert_eq!(log(&a), ["'_tombstone', 'v', 'local', 'edited', NULL"]);
    assert_eq!(log(&b), ["'_tombstone', 'v', 'incoming', NULL, 'edited'"]);
    assert_eq!((met_in(&b, &to_b), met_in(&a, &to_a), met(&a, &b), met(&b, &a)), (0, 0, 0, 0));
    same(&a, &b, "t");
}

#[test]
fn a_delete_of_what_was_seen_and_an_edit_of_what_was_deleted_are_none() {
    let [a, b, c] = sharing(["a", "b", "c"]);
    set(&b, "b");
    run(&b, "UPDATE t SET n = n + 1, s = '[\"y\"]'");
    assert_eq!((met(&b, &a), met(&b, &c)), (0, 0));
    run(&a, "DELETE FROM t");
    assert_eq!((met(&a, &b), met(&a, &c)), (0, 0), "a had seen all that it deleted");
    run(&b, "INSERT INTO t VALUES ('1', 'again', 'w', 1, '[]')");
    run(&b, "UPDATE t SET w = 'more', n = 9");
    assert_eq!((met(&b, &c), met(&b, &a)), (0, 0), "b had seen the delete");
    same(&a, &b, "t");
}

/// The same changes one by one, in whatever order they come.
#[test]
fn a_life_after_a_delete_in_any_order() {
    let [a, b] = sharing(["a", "b"]);
    let mut life = vec![page(&export(&a)).change("v").clone()];
    run(&a, "DELETE FROM t");
    life.push(page(&export(&a)).change("_tombstone").clone());
    met(&a, &b);
    run(&b, "INSERT INTO t(id, v) VALUES ('1', 'again')");
    life.push(page(&export(&b)).change("v").clone());
    set(&b, "and again");
    life.push(page(&export(&b)).change("v").clone());
    for order in orders(life.len()) {
        let fresh = node("d", TABLE);
        for &i in &order {
            assert_eq!(met_in(&fresh, &json!([life[i]]).to_string()), 0, "{order:?} at {i}");
        }
    }
}

#[test]
fn counters_and_sets_meet_only_deletes() {
    let [a, b] = sharing(["a", "b"]);
    for node in [&a, &b] {
        run(node, "UPDATE t SET n = n + 1, s = json_insert(s, '$[#]', hex(randomblob(4)))");
    }
    assert_eq!((met(&a, &b), met(&b, &a)), (0, 0));
    run(&a, "UPDATE t SET n = n + 1");
    std::thread::sleep(std::time::Duration::from_millis(3));
    run(&b, "DELETE FROM t");
    assert_eq!(met(&b, &a), 1);
    assert_eq!(log(&a), ["'_tombstone', 'n', 'incoming', NULL, NULL"]);
}

#[test]
fn rows_from_before_crdt_enable_conflict_with_nothing() {
    let create = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); INSERT INTO t VALUES ('1', 'shipped');";
    let [a, b] = nodes(["a", "b"], create);
    run(&b, "UPDATE t SET v = 'other'");
    for node in [&a, &b] {
        run(node, "SELECT crdt_enable('t')");
    }
    run(&a, "UPDATE t SET v = 'mine'");
    assert_eq!((met(&a, &b), met(&b, &a)), (0, 0));
}

/// One key written on two nodes: every field that both wrote.
#[test]
fn two_inserts_of_one_key() {
    let [a, b] = nodes(["a", "b"], TABLE);
    for (node, value) in [(&a, "a"), (&b, "b")] {
        node.execute("INSERT INTO t VALUES ('1', ?1, ?1, 1, '[]')", [value]).unwrap();
    }
    assert_eq!((met(&a, &b), met(&b, &a)), (2, 2));
    assert_eq!(rows(&b, "SELECT field FROM crdt_conflicts()"), ["'v'", "'w'"]);
}

/// Peers that tell nothing: an author has seen its own writes, and of others' none.
#[test]
fn plain_changes_of_other_peers() {
    let a = node("a", TASKS);
    let count = |changes: &[Value]| met_in(&a, &json!(changes).to_string());
    assert_eq!(count(&[lww("title", (1000, 0, "x"), "1")]), 0);
    assert_eq!(count(&[lww("title", (2000, 0, "x"), "2")]), 0, "its own");
    assert_eq!(count(&[lww("title", (3000, 0, "y"), "3")]), 1);
    assert_eq!(count(&[lww("title", (1500, 0, "x"), "late")]), 0, "known to have been replaced by its author");
    assert_eq!(count(&[tombstone((4000, 0, "z"))]), 0, "a delete that tells nothing has seen what is older");
    assert_eq!(count(&[lww("done", (3500, 0, "x"), 1)]), 1);
    assert_eq!(count(&[lww("title", (5000, 0, "x"), "back")]), 1, "may be one, as far as it tells: counted once");
}
