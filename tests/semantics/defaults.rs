//! What is no counter or set: as a column's default, and as a value.

use serde_json::Value;

use crate::common::text;
use crate::support::{node, rows, run, sound, try_run};

fn warnings(ddl: &str, types: &str) -> Vec<String> {
    let conn = node("a", &format!("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, {ddl})"));
    assert!(text(&conn, &format!("SELECT crdt_schema('t', {types})"), []).contains("CREATE TRIGGER"));
    let answer: Value = serde_json::from_str(&text(&conn, &format!("SELECT crdt_enable('t', {types})"), [])).unwrap();
    let all = answer["warnings"].as_array().unwrap().iter().map(|w| w.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    // What is warned of is what is refused.
    let inserted = try_run(&conn, "INSERT INTO t(id) VALUES ('1')");
    assert_eq!(inserted.is_err(), !all.is_empty(), "{ddl}: {all:?}, {inserted:?}");
    if let Err(e) = inserted {
        assert!(e.starts_with("crdt: t.") || e == "malformed JSON", "{e}");
    }
    sound(&conn);
    all
}

#[test]
fn defaults_that_are_no_counter_or_set_are_told_of() {
    for ddl in [
        "n INTEGER DEFAULT 0",
        "n INTEGER DEFAULT '7'",
        "n DEFAULT NULL",
        "n",
        "n INT DEFAULT (1 + 1)",
        "n INT DEFAULT 2.0",
    ] {
        assert_eq!(warnings(ddl, "'n:counter'"), [""; 0], "{ddl}");
    }
    for ddl in ["n INTEGER DEFAULT 'x'", "n DEFAULT '7'", "n NUMERIC DEFAULT 0.5", "n DEFAULT CURRENT_TIMESTAMP"] {
        let all = warnings(ddl, "'n:counter'");
        assert!(all.len() == 1 && all[0].contains("'n'") && all[0].contains("DEFAULT 0"), "{ddl}: {all:?}");
    }
    for ddl in [
        "s TEXT DEFAULT '[]'",
        "s DEFAULT '[\"a\"]'",
        "s TEXT",
        "s TEXT DEFAULT (json_array('a'))",
        "s TEXT DEFAULT ' [] '",
    ] {
        assert_eq!(warnings(ddl, "'s:set'"), [""; 0], "{ddl}");
    }
    for ddl in [
        "s TEXT NOT NULL DEFAULT ''",
        "s TEXT DEFAULT 'red'",
        "s TEXT DEFAULT '{}'",
        "s TEXT DEFAULT '[1'",
        "s DEFAULT 0",
        "s TEXT DEFAULT 0",
        "s DEFAULT x'5b5d'",
    ] {
        let all = warnings(ddl, "'s:set'");
        assert!(all.len() == 1 && all[0].contains("'s'") && all[0].contains("DEFAULT '[]'"), "{ddl}: {all:?}");
    }
}

#[test]
fn what_is_no_array_is_refused_with_a_sentence() {
    for collation in ["", "COLLATE NOCASE", "COLLATE RTRIM"] {
        let a = node(
            "a",
            &format!(
                "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, s TEXT {collation}); SELECT crdt_enable('t', 's:set');
                 INSERT INTO t VALUES ('0', '[]')"
            ),
        );
        for bad in ["", "red", "a,b", "\"a\"", "1", "-1", "true", "null", "{}", "]", "\\", "^", "~", "!", ".", "Z"] {
            for sql in ["INSERT INTO t(id, s) VALUES ('1', '{}')", "UPDATE t SET s = '{}'"] {
                let sql = sql.replace("{}", bad);
                assert_eq!(try_run(&a, &sql).unwrap_err(), "crdt: t.s is a set; write a JSON array or NULL", "{bad}");
            }
        }
        for (i, good) in ["[]", " [\"a\"]", "\n\t[\"a\"]", "\r[]", "[[]]"].iter().enumerate() {
            run(&a, &format!("INSERT INTO t VALUES ('good {i}', '{good}')"));
        }
        let sets = ["'[\"a\"]'", "'[\"a\"]'", "'[[]]'", "'[]'", "'[]'", "'[]'"];
        text(&a, "SELECT crdt_digest('t')", []);
        assert_eq!(rows(&a, "SELECT s FROM t ORDER BY 1"), sets, "{collation}");
        sound(&a);
    }
}
