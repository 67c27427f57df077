//! Databases whose encoding has no form for every text.

use serde_json::{json, Value};

use crate::common::{open, text};
use crate::support::*;

/// A node whose database has this encoding.
fn encoded(encoding: &str, sql: &str) -> rusqlite::Connection {
    let conn = open();
    run(&conn, &format!("PRAGMA encoding = '{encoding}'"));
    named(conn, "u", sql)
}

/// Merges changes given as a BLOB: a TEXT with such texts in it goes through the database's encoding first.
fn feed(conn: &rusqlite::Connection, changes: &[Value]) -> Value {
    let json = json!(changes).to_string().into_bytes();
    serde_json::from_str(&text(conn, "SELECT crdt_merge(?1)", [json])).unwrap()
}

/// Texts that UTF-16 has no form for.
fn odd_texts() -> [Value; 4] {
    [
        json!("a\u{ffff}b"),
        json!("\u{fffe}"),
        json!({"$text": "61ff62"}),
        json!({"$text": "00ed a0 80".replace(' ', "")}),
    ]
}

#[test]
fn utf_16_keeps_values_that_its_cells_cannot_hold() {
    for encoding in ["UTF-8", "UTF-16le", "UTF-16be"] {
        for trigger in [
            "",
            "CREATE TABLE seen(x); CREATE TRIGGER other AFTER UPDATE ON tasks BEGIN INSERT INTO seen VALUES (1); END",
        ] {
            for (i, value) in odd_texts().into_iter().enumerate() {
                let (u, fresh) = (encoded(encoding, &format!("{TASKS}{trigger}")), node("fresh", TASKS));
                let first = lww("title", (5 + i as i64, 0, "x"), value.clone());
                assert_eq!(feed(&u, std::slice::from_ref(&first))["merged"], 1);
                assert_eq!(since(&u, None).change("title")["value"], value, "{encoding}");
                assert_eq!(feed(&u, &[first])["unchanged"], 1);
                // Other writes of the row, a delete and a revival leave it as it is.
                feed(&u, &[lww("done", (6, 0, "y"), 1)]);
                run(&u, "UPDATE tasks SET priority = 3");
                sound(&u);
                assert_eq!(since(&u, None).change("title")["value"], value, "{encoding}");
                send(&u, &fresh);
                same(&fresh, &fresh, "tasks");
                assert_eq!(digest(&u, "tasks"), digest(&fresh, "tasks"), "{encoding} {value}");
                run(&u, "DELETE FROM tasks");
                sound(&u);
                assert_eq!(since(&u, None).change("title")["value"], value, "{encoding}");
                feed(&u, &[lww("done", (i64::MAX / 2, 0, "y"), 1)]);
                sound(&u);
            }
        }
    }
}

#[test]
fn utf_16_with_keys_and_elements() {
    for encoding in ["UTF-8", "UTF-16le", "UTF-16be"] {
        let (u, fresh) = (encoded(encoding, TASKS), node("fresh", TASKS));
        let mut changes =
            vec![lww("title", (5, 0, "x"), "plain"), set("add", (5, 0, "x"), json!(["a\u{ffff}", "é", "a\u{fffd}"]))];
        let many: Vec<String> = (0..200).map(|i| format!("{i}\u{ffff}")).collect();
        changes.push(change(
            "tags",
            (6, 0, "x"),
            json!({"pk": "t2", "crdt_type": "set", "set_op": {"op": "add", "elements": many}}),
        ));
        for (i, pk) in [json!("k\u{fffd}"), json!("[{\"$text\":\"6bff\"}]")].into_iter().enumerate() {
            changes.push(change("title", (7, 0, "x"), json!({"pk": pk, "value": i})));
        }
        feed(&u, &changes);
        feed(&fresh, &changes);
        sound(&u);
        assert_eq!(digest(&u, "tasks"), digest(&fresh, "tasks"), "{encoding}");
        let sent = since(&u, None);
        assert_eq!(sent.fields(), since(&fresh, None).fields(), "{encoding}");
        assert_eq!(feed(&fresh, &sent.changes)["merged"], 0, "{encoding}");
        assert_eq!(feed(&u, &since(&fresh, None).changes)["merged"], 0, "{encoding}");
    }
}

#[test]
fn utf_16_finds_records_whose_keys_it_orders_otherwise() {
    // Under UTF-16 these stand in another order than under UTF-8.
    let letters = ["a", "b", "\u{ff}", "\u{101}", "\u{161}", "\u{4e00}", "\u{e000}", "\u{1f600}"];
    let keys: Vec<String> = letters.iter().flat_map(|a| letters.iter().map(move |b| format!("{a}{b}"))).collect();
    let writes = |ts: i64, value: i64, keys: &[String]| -> Vec<Value> {
        keys.iter().map(|pk| change("done", (ts, 0, "x"), json!({"pk": pk, "value": value}))).collect()
    };
    for encoding in ["UTF-8", "UTF-16le", "UTF-16be"] {
        let u = encoded(encoding, TASKS);
        assert_eq!(feed(&u, &writes(5, 1, &keys))["merged"], 64, "{encoding}");
        run(&u, "UPDATE tasks SET done = 2");
        sound(&u);
        let early = feed(&u, &writes(6, 3, &keys));
        assert_eq!((&early["merged"], &early["conflicts"]), (&json!(0), &json!(64)), "{encoding}");
        assert_eq!(text(&u, "SELECT CAST(count(*) AS TEXT) FROM tasks WHERE done = 2", []), "64", "{encoding}");
        sound(&u);
    }
}
