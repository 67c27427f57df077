//! A column that changes its type: lww, counter, set, none, and back.

use rusqlite::Connection;
use serde_json::json;

use crate::common::text;
use crate::support::*;

fn start() -> [Connection; 3] {
    nodes(
        ["a", "b", "c"],
        "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w); CREATE TABLE other(id TEXT PRIMARY KEY NOT NULL, v);
         SELECT crdt_enable('t', 'v:counter'), crdt_enable('other');",
    )
}

fn retype(conn: &Connection, ty: &str) {
    run(conn, &format!("SELECT crdt_enable('t', 'v:{ty}')"));
    sound(conn);
}

fn pending(conn: &Connection) -> String {
    text(conn, "SELECT count(*) FROM crdt_pending()", [])
}

/// The values stay as they are through all types, on nodes that do the same, and nothing is pending.
#[test]
fn through_all_types_and_back() {
    let [a, b, c] = start();
    run(&a, "INSERT INTO t VALUES ('1', 5, 'w'), ('2', NULL, 'w')");
    send(&a, &b);
    run(&b, "UPDATE t SET v = v + 2 WHERE id = '1'");
    swap(&a, &b);
    for (ty, value) in [
        ("lww", "7"),
        ("counter", "8"),
        ("none", "8"),
        ("counter", "8"),
        ("lww", "'[\"x\",\"y\"]'"),
        ("set", "'[\"x\",\"z\"]'"),
        ("lww", "'[\"z\"]'"),
        ("set", "'[\"z\"]'"),
        ("none", "3"),
        ("lww", "3"),
        ("counter", "3"),
    ] {
        for conn in [&a, &b] {
            retype(conn, ty);
        }
        if ty == "set" {
            // What was taken out while it was no set is removed by a local write of each.
            swap(&a, &b);
        }
        same(&a, &b, "t");
        assert_eq!((pending(&a), pending(&b)), ("0".to_string(), "0".to_string()), "as {ty}");
        run(&a, &format!("UPDATE t SET v = {value} WHERE id = '1'"));
        if ty == "none" {
            run(&b, &format!("UPDATE t SET v = {value} WHERE id = '1'"));
            for conn in [&a, &b] {
                run(conn, "UPDATE t SET v = NULL WHERE id = '2'");
            }
        }
        swap(&a, &b);
        assert_eq!(rows(&b, "SELECT v FROM t WHERE id = '1'"), [value], "as {ty}");
        same(&a, &b, "t");
    }
    run(&c, "SELECT crdt_enable('t', 'v:counter')");
    send(&a, &c);
    assert_eq!(table(&c, "t"), table(&a, "t"));
    assert_eq!(digest(&c, "t"), digest(&a, "t"), "a node that comes late");
    assert_eq!([&a, &b, &c].map(|conn| status(conn)["forks"].clone()), [0, 0, 0]);
}

/// One retypes before the other. What the other writes meanwhile waits, is listed, and counts when the type is the same again.
#[test]
fn what_comes_in_the_old_type_waits() {
    let [a, b, c] = start();
    run(&a, "INSERT INTO t VALUES ('1', 5, 'w'), ('2', 1, 'w')");
    send(&a, &b);
    retype(&a, "lww");
    run(&b, "UPDATE t SET v = v + 100 WHERE id = '1'");
    send(&b, &a);
    assert_eq!(
        rows(&a, "SELECT pk, field, reason FROM crdt_pending()"),
        ["'1', 'v', 'the column is lww here and counter at b'"]
    );
    run(&a, "UPDATE t SET v = 6 WHERE id = '1'");
    assert_eq!(rows(&a, "SELECT v FROM t ORDER BY id"), ["6", "1"]);
    // It is passed on.
    send(&a, &c);
    assert_eq!(rows(&c, "SELECT v FROM t ORDER BY id"), ["105", "1"]);
    // Back: what was shown, what was written here, what came meanwhile: each once.
    retype(&a, "counter");
    assert_eq!(rows(&a, "SELECT v FROM t ORDER BY id"), ["106", "1"]);
    assert_eq!(pending(&a), "0");
    swap(&a, &b);
    assert_eq!(rows(&b, "SELECT v FROM t ORDER BY id"), ["106", "1"]);
    swap(&a, &b);
    // b keeps the lww that a had meanwhile, as a does.
    assert_eq!(digest(&a, "t"), digest(&b, "t"));
    assert_eq!(rows(&a, "SELECT v FROM t ORDER BY id"), rows(&b, "SELECT v FROM t ORDER BY id"));
}

/// What was shown before is nothing to go on from where the record was forgotten and made anew since.
#[test]
fn what_was_shown_of_a_forgotten_record() {
    let [a, b, _] = start();
    run(&a, "INSERT INTO t VALUES ('1', 5, 'w')");
    send(&a, &b);
    retype(&a, "lww");
    run(&b, "UPDATE t SET v = v + 100");
    send(&b, &a);
    run(&a, "SELECT crdt_pragma('tombstone_ttl', 0); DELETE FROM t; SELECT crdt_cleanup_tombstones()");
    run(&a, "INSERT INTO t VALUES ('1', 10, 'w')");
    send(&a, &b);
    run(&b, "UPDATE t SET v = coalesce(v, 0) + 2");
    send(&b, &a);
    retype(&a, "counter");
    assert_eq!(rows(&a, "SELECT v FROM t"), ["12"]);
    run(&a, "UPDATE t SET v = v + 1");
    swap(&a, &b);
    assert_eq!(rows(&b, "SELECT v FROM t"), ["13"]);
    assert_eq!(digest(&a, "t"), digest(&b, "t"));
}

/// Where a peer has another type for a column, its own shows, also where the column was of the peer's type once.
#[test]
fn the_state_is_of_the_local_type() {
    for was in [&["counter"][..], &["lww", "counter"]] {
        let [a, _, _] = start();
        for ty in was {
            retype(&a, ty);
        }
        run(&a, "INSERT INTO t VALUES ('1', 5, 'w')");
        let of_peer = json!({"table": "t", "pk": "1", "field": "v", "crdt_type": "lww", "hlc": {"ts": 1, "c": 0, "node": "x"}, "node_id": "x", "value": 99});
        take(&a, &[of_peer]);
        let state: serde_json::Value = serde_json::from_str(&text(&a, "SELECT crdt_state('t', '1')", [])).unwrap();
        assert_eq!(state["fields"]["v"]["type"], "counter", "{state}");
    }
}

/// The same for sets: gained, lost, and come meanwhile.
#[test]
fn a_set_that_was_something_else_for_a_while() {
    let [a, b, _] = start();
    for conn in [&a, &b] {
        run(conn, "UPDATE t SET v = NULL; SELECT crdt_enable('t', 'v:set')");
    }
    run(&a, "INSERT INTO t VALUES ('1', '[\"keep\",\"lose\"]', 'w')");
    send(&a, &b);
    retype(&a, "lww");
    run(&a, "UPDATE t SET v = '[\"gain\",\"keep\"]'");
    run(&b, "UPDATE t SET v = '[\"came\",\"keep\",\"lose\"]'");
    send(&b, &a);
    retype(&a, "set");
    let merged = ["'[\"came\",\"gain\",\"keep\"]'"];
    assert_eq!(rows(&a, "SELECT v FROM t"), merged);
    swap(&a, &b);
    assert_eq!(rows(&b, "SELECT v FROM t"), merged);
    swap(&a, &b);
    assert_eq!(digest(&a, "t"), digest(&b, "t"));
    assert_eq!((pending(&a), rows(&a, "SELECT v FROM t")), ("0".to_string(), merged.map(str::to_string).to_vec()));
}

/// A renamed column that changes its type at once.
#[test]
fn renamed_and_retyped() {
    let [a, b, _] = start();
    run(&a, "INSERT INTO t VALUES ('1', 5, 'w')");
    send(&a, &b);
    for conn in [&a, &b] {
        run(conn, "ALTER TABLE t RENAME COLUMN v TO vv; SELECT crdt_enable('t', 'vv:lww')");
        assert_eq!(pending(conn), "0");
    }
    same(&a, &b, "t");
    run(&a, "UPDATE t SET vv = 'text'");
    send(&a, &b);
    assert_eq!(table(&b, "t"), ["'1', 'text', 'w'"]);
    same(&a, &b, "t");
}

/// Rows that are not of the new type: refused, and nothing changes.
#[test]
fn values_that_do_not_fit_the_new_type() {
    let [a, ..] = start();
    run(&a, "INSERT INTO t VALUES ('1', 5, 'text')");
    export(&a);
    let before = contents(&a);
    for ty in ["counter", "set"] {
        assert!(crate::common::error(&a, &format!("SELECT crdt_enable('t', 'w:{ty}')"), []).contains("'w' has values"));
        assert_eq!(contents(&a), before);
    }
    run(&a, "UPDATE t SET v = v + 1, w = 'on'; INSERT INTO other VALUES ('1', 1)");
    assert_eq!(since(&a, None).fields(), ["1.v", "1.w"]);
}

/// A set that comes back after its row was deleted does not bring the row back.
#[test]
fn a_set_that_comes_back_revives_no_row() {
    let a = node(
        "a",
        "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, s TEXT DEFAULT '[]'); SELECT crdt_enable('t', 's:set')",
    );
    run(
        &a,
        "INSERT INTO t VALUES ('1', '[7]'); SELECT crdt_enable('t', 's:lww'); UPDATE t SET s = '[2]'; DELETE FROM t",
    );
    run(&a, "SELECT crdt_enable('t', 's:set')");
    assert_eq!(rows(&a, "SELECT * FROM t"), [""; 0]);
    sound(&a);
}

/// The log of a database whose tables have one value column and no counter is no wider than they need.
#[test]
fn a_column_that_was_not_tracked_in_a_narrow_log() {
    for [first, then] in [["none", "lww"], ["lww", "none"]] {
        let a = node(
            "a",
            &format!("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t', 'v:{first}')"),
        );
        run(&a, &format!("INSERT INTO t VALUES ('1', 'x'); SELECT crdt_enable('t', 'v:{then}')"));
        run(&a, "SELECT crdt_enable('t', 'v:lww')");
        sound(&a);
        assert_eq!(since(&a, None).change("v")["value"], "x", "{first}, {then}");
    }
}

/// Elements that came before the column was a set are their authors': to take them out there takes them out here.
#[test]
fn elements_that_came_before_the_type() {
    for cell in ["", " DEFAULT '[]'", " DEFAULT '[ ]'", " DEFAULT '[\"z\"]'"] {
        let ddl = format!("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, s TEXT{cell});");
        let a = node("a", &format!("{ddl} SELECT crdt_enable('t', 's:set')"));
        let b = node("b", &format!("{ddl} SELECT crdt_enable('t')"));
        run(&a, "INSERT INTO t VALUES ('k', '[\"y\"]')");
        let place = mark(&a);
        send(&a, &b);
        run(&b, "SELECT crdt_enable('t', 's:set')");
        let place_b = mark(&b);
        run(&a, "UPDATE t SET s = '[]'");
        merge(&b, &since(&a, Some(&place)).json);
        assert_eq!(since(&b, Some(&place_b)).fields(), ["k.s"], "{cell}: what came is passed on, and nothing besides");
        send(&b, &a);
        same(&a, &b, "t");
        assert!(!rows(&b, "SELECT s FROM t").concat().contains('y'), "{cell}");
        sound(&b);
    }
}
