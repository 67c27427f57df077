//! 0.0 and -0.0 are one key to SQLite, and so to us.

use rusqlite::Connection;
use serde_json::{json, Value};

use crate::common::text;
use crate::support::*;

fn keys(conn: &Connection) -> Vec<String> {
    rows(conn, "SELECT DISTINCT pk FROM crdt_changes(NULL)")
}

#[test]
fn a_zero_deleted_and_a_negative_one_inserted_are_one_record() {
    for (ddl, one, two, key) in [
        ("k PRIMARY KEY NOT NULL, v", "0.0", "-0.0", "[0.0]"),
        ("k PRIMARY KEY NOT NULL, v", "-0.0", "0.0", "[0.0]"),
        ("k REAL PRIMARY KEY NOT NULL, v", "0.0", "-0.0", "[0.0]"),
        ("k, l TEXT, v, PRIMARY KEY (k, l)", "0.0, '-0.0'", "-0.0, '-0.0'", "[0.0,\"-0.0\"]"),
    ] {
        for tail in ["", " WITHOUT ROWID"] {
            let [a, b] = nodes(["a", "b"], &format!("CREATE TABLE t({ddl}){tail}; SELECT crdt_enable('t')"));
            run(&a, &format!("INSERT INTO t VALUES ({one}, 'first')"));
            send(&a, &b);
            run(&a, &format!("DELETE FROM t; INSERT INTO t VALUES ({two}, 'second')"));
            assert_eq!(keys(&a), [format!("'{key}'")], "{ddl}");
            send(&a, &b);
            assert_eq!(rows(&b, "SELECT v FROM t"), ["'second'"], "{ddl}");
            assert_eq!(rows(&b, "SELECT count(*) FROM crdt_pending()"), ["0"]);
            run(&b, "UPDATE t SET v = 'third'");
            send(&b, &a);
            assert_eq!(rows(&a, "SELECT v FROM t"), ["'third'"], "{ddl}");
            for conn in [&a, &b] {
                sound(conn);
                assert_eq!(
                    text(conn, "SELECT crdt_digest('t', 'full')", []),
                    text(&a, "SELECT crdt_digest('t', 'full')", [])
                );
            }
        }
    }
}

/// Peers that take them for two send both.
#[test]
fn a_key_from_a_peer_that_tells_them_apart() {
    let ddl = "CREATE TABLE t(k PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t')";
    let change = |pk: &str, ts: i64, v: &str| json!({"table": "t", "pk": pk, "field": "v", "crdt_type": "lww", "hlc": {"ts": ts, "c": 0, "node": "x"}, "value": v});
    let both = [change("[-0.0]", 2000, "later"), change("[0.0]", 1000, "earlier")];
    let payload = json!({ "changes": both }).to_string();
    let compact = |conn: &Connection| text(conn, "SELECT crdt_convert(?1, 'compact')", [payload.as_str()]);
    let filler: Vec<Value> = (1..200).map(|i| change(&format!("[{i}]"), 1000 + i, "x")).collect();
    let long = json!({ "changes": both.iter().chain(&filler).collect::<Vec<_>>() }).to_string();
    for how in 0..4 {
        let a = node("a", ddl);
        match how {
            0 => drop(merge(&a, &payload)),
            1 => drop(merge(&a, &compact(&a))),
            2 => drop(merge(&a, &long)),
            _ => both.iter().rev().for_each(|change| drop(take(&a, std::slice::from_ref(change)))),
        }
        assert_eq!(rows(&a, "SELECT quote(k), v FROM t WHERE k = 0"), ["'0.0', 'later'"], "{how}");
        assert_eq!(rows(&a, "SELECT count(*) FROM crdt_pending()"), ["0"]);
        for pk in ["[0.0]", "[-0.0]"] {
            let state = text(&a, "SELECT crdt_state('t', ?1)", [pk]);
            assert!(state.contains("later"), "{state}");
            let pulled =
                text(&a, "SELECT crdt_pull(json_object('filter', json_object('pk_filter', json_array(?1))))", [pk]);
            assert_eq!(page(&pulled).fields(), ["[0.0].v"], "{pk}");
        }
        sound(&a);
    }
}
