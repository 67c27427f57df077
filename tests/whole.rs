//! Whole rows under one stamp, and long payloads: what is merged many rows at a time, or part by part, comes to what any other
//! merge comes to.

#[path = "common/mod.rs"]
mod common;
mod support;

use rusqlite::config::DbConfig;
use rusqlite::Connection;
use support::*;

const TABLES: &str = "
    CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, size INTEGER, done BOOLEAN, body JSON, CHECK (size < 1000));
    SELECT crdt_enable('tasks');";

/// Sixty rows of `a`: many values, keys that come in no order.
fn sixty(a: &Connection) {
    sixty_with(a, "");
}

/// The same, with values of further columns.
fn sixty_with(a: &Connection, more: &str) {
    let values =
        ["'x'", "NULL", "'[1]'", "'a\"b\\c'", "'\u{1}'", "'7'", "x'00ff'", "1.5", "'{\"k\": 1}'", "'{\"k\":1}'"];
    for i in 0..60 {
        let (key, value) = (i * 37 % 61, values[i % values.len()]);
        run(a, &format!("INSERT INTO tasks VALUES ('k{key}', {value}, {i}, {}, {value}{more})", i % 3));
    }
}

fn merge(conn: &Connection, json: &str) -> String {
    let answer = common::text(conn, "SELECT crdt_merge(?1)", [json]);
    answer.split(",\"latest_hlc\"").next().unwrap_or_default().to_owned()
}

/// Each change by itself, the last first: the long way.
fn one_by_one(conn: &Connection, json: &str) {
    let changes: serde_json::Value = serde_json::from_str(json).unwrap();
    for change in changes["changes"].as_array().unwrap().iter().rev() {
        merge(conn, &format!("[{change}]"));
    }
}

#[test]
fn a_first_merge_comes_to_what_single_changes_come_to() {
    let [a, b, c] = ["a", "b", "c"].map(|name| node(name, TABLES));
    sixty(&a);
    let json = export(&a);
    assert_eq!(merge(&b, &json), "{\"merged\":240,\"unchanged\":0,\"conflicts\":0,\"pending\":0");
    one_by_one(&c, &json);
    same(&a, &b, "tasks");
    same(&b, &c, "tasks");
    assert_eq!(merge(&b, &json), "{\"merged\":0,\"unchanged\":240,\"conflicts\":0,\"pending\":0");
    // It is passed on.
    assert_eq!(page(&export(&b)).changes.len(), 240);
    sound(&b);
}

#[test]
fn rows_between_those_that_are_known() {
    let [a, b, c] = ["a", "b", "c"].map(|name| node(name, TABLES));
    sixty(&a);
    merge(&b, &export(&a));
    run(&a, "UPDATE tasks SET title = 'later' WHERE size % 7 = 0; DELETE FROM tasks WHERE size % 11 = 0");
    run(&b, "UPDATE tasks SET title = 'mine' WHERE size % 5 = 0; DELETE FROM tasks WHERE size % 13 = 0");
    run(&b, "INSERT INTO tasks SELECT id || 'x', title, size, done, body FROM tasks");
    let (from_a, from_b) = (export(&a), export(&b));
    for to in [&a, &b, &c] {
        merge(to, &from_a);
        merge(to, &from_b);
    }
    same(&a, &b, "tasks");
    same(&a, &c, "tasks");
    sound(&c);
}

#[test]
fn a_row_that_the_table_refuses_waits_and_the_others_do_not() {
    let [a, b] = [node("a", &TABLES.replace("size < 1000", "1")), node("b", TABLES)];
    sixty(&a);
    run(&a, "UPDATE tasks SET size = 5000 WHERE id = 'k7'; INSERT INTO tasks(id, size) VALUES ('k7x', 6000)");
    let answer = merge(&b, &export(&a));
    assert!(answer.ends_with("\"pending\":8"), "{answer}");
    assert_eq!(rows(&b, "SELECT pk FROM crdt_pending() ORDER BY 1"), ["'k7'", "'k7x'"]);
    assert_eq!(table(&b, "tasks").len(), 59);
    sound(&b);
}

#[test]
fn what_is_broken_at_the_end_undoes_all_and_is_named() {
    let [a, b] = ["a", "b"].map(|name| node(name, TABLES));
    sixty(&a);
    let json = export(&a);
    let before = contents(&b);
    for (broken, says) in [
        (json.replacen("],\"latest_hlc\"", ",1],\"latest_hlc\"", 1), "change 240"),
        (json.replacen("],\"latest_hlc\"", ",],\"latest_hlc\"", 1), "JSON"),
        (json.replacen("],\"latest_hlc\"", "],\"changes\":[],\"latest_hlc\"", 1), "duplicate field"),
        (json.replacen("\"k36\"", "\"k36\",\"tombstone\":true", 1), "change"),
        (json.clone() + "x", "JSON"),
        (json[..json.len() - 1].to_owned(), "JSON"),
    ] {
        let error = b.query_row("SELECT crdt_merge(?1)", [&broken], |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert_eq!(contents(&b), before);
    }
}

#[test]
fn changes_of_ones_own_come_back_unharmed() {
    let [a, b] = ["a", "b"].map(|name| node(name, TABLES));
    sixty(&a);
    merge(&b, &export(&a));
    run(&b, "UPDATE tasks SET title = 'b' WHERE size % 2 = 0");
    assert!(merge(&a, &export(&b)).contains("\"merged\":30,\"unchanged\":210"));
    assert_eq!(common::text(&a, "SELECT crdt_node_id()", []), "a");
    same(&a, &b, "tasks");
}

#[test]
fn triggers_that_the_host_has_switched_off_stay_off() {
    let [a, b] = ["a", "b"].map(|name| node(name, TABLES));
    sixty(&a);
    b.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    merge(&b, &export(&a));
    assert!(!b.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER).unwrap());
    b.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true).unwrap();
    same(&a, &b, "tasks");
    run(&b, "INSERT INTO tasks(id) VALUES ('new')");
    assert_eq!(page(&export(&b)).changes.len(), 244);
}

#[test]
fn tables_wider_than_a_batch() {
    let columns = (0..80).map(|i| format!("c{i} DEFAULT {i}")).collect::<Vec<_>>().join(", ");
    let ddl = format!("CREATE TABLE wide(id INTEGER PRIMARY KEY, {columns}); SELECT crdt_enable('wide');");
    let [a, b] = ["a", "b"].map(|name| node(name, &ddl));
    run(&a, "INSERT INTO wide(id) VALUES (-5), (1), (9223372036854775807), (3), (4), (7)");
    merge(&b, &export(&a));
    same(&a, &b, "wide");
}

#[test]
fn rows_that_are_known_but_for_a_value_or_a_stamp() {
    let a = node("a", TABLES);
    sixty(&a);
    let json = export(&a);
    let ts = page(&json).changes[0]["hlc"]["ts"].to_string();
    for other in [
        json.replace("\"value\":\"7\"", "\"value\":\"8\""),
        json.replace(&format!("{ts},\"c\":0,"), &format!("{ts},\"c\":700,")),
    ] {
        assert_ne!(other, json);
        let [b, c] = ["b", "c"].map(|name| node(name, TABLES));
        merge(&b, &json);
        let answer = merge(&b, &other);
        assert!(!answer.starts_with("{\"merged\":0,"), "{answer}");
        one_by_one(&c, &json);
        one_by_one(&c, &other);
        same(&b, &c, "tasks");
    }
}

/// The same payload as we spell it ourselves, in both forms.
fn in_both_forms(conn: &Connection, json: &str) -> [String; 2] {
    ["grove", "compact"].map(|form| common::text(conn, "SELECT crdt_convert(?1, ?2)", [json, form]))
}

fn payload(changes: &[serde_json::Value]) -> String {
    serde_json::json!({"changes": changes, "has_more": false}).to_string()
}

#[test]
fn records_that_stand_in_a_payload_again_and_again() {
    let [a, c] = ["a", "c"].map(|name| node(name, TABLES));
    sixty(&a);
    run(&a, "UPDATE tasks SET title = 'later' WHERE size % 3 = 0; DELETE FROM tasks WHERE size % 7 = 0");
    let mut changes = page(&export(&a)).changes;
    one_by_one(&c, &payload(&changes));
    changes.sort_by_key(|change| change["field"].to_string());
    for json in in_both_forms(&a, &payload(&changes)) {
        let b = node("b", TABLES);
        merge(&b, &json);
        merge(&b, &json);
        same(&b, &c, "tasks");
        sound(&b);
    }
}

#[test]
fn stamps_from_too_far_ahead_wait() {
    let a = node("a", TABLES);
    sixty(&a);
    let mut changes = page(&export(&a)).changes;
    let late = changes.iter_mut().filter(|change| change["pk"] == "k7" && change["field"] == "title");
    late.for_each(|change| change["hlc"]["ts"] = (change["hlc"]["ts"].as_i64().unwrap() + 3_600_000_000_000).into());
    for json in in_both_forms(&a, &payload(&changes)) {
        let b = node("b", TABLES);
        assert_eq!(merge(&b, &json), "{\"merged\":240,\"unchanged\":0,\"conflicts\":0,\"pending\":1");
        assert_eq!(rows(&b, "SELECT count(*), max(change ->> 'pk') FROM _crdt_future"), ["1, 'k7'"]);
        assert_eq!(rows(&b, "SELECT count(*) FROM tasks WHERE title IS NULL AND id = 'k7'"), ["1"]);
        sound(&b);
    }
}

#[test]
fn stamps_of_ones_own_that_one_never_made_tell_of_a_copy() {
    let [a, copy] = ["a", "a"].map(|name| node(name, TABLES));
    sixty(&copy);
    for json in in_both_forms(&a, &export(&copy)) {
        let a = node("a", TABLES);
        merge(&a, &json);
        assert_ne!(common::text(&a, "SELECT crdt_node_id()", []), "a");
        sound(&a);
    }
}

#[test]
fn a_value_or_key_that_is_too_long_refuses_all() {
    let [a, b] = ["a", "b"].map(|name| node(name, TABLES));
    sixty(&a);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('a key that is long', 'a value that is rather long')");
    for setting in ["max_value_bytes", "max_key_bytes"] {
        run(&b, &format!("SELECT crdt_pragma('{setting}', '12')"));
        let before = contents(&b);
        for json in in_both_forms(&a, &export(&a)) {
            let error = b.query_row("SELECT crdt_merge(?1)", [&json], |_| Ok(())).unwrap_err().to_string();
            assert!(error.contains("change 24") && error.contains(setting), "{error}");
            assert_eq!(contents(&b), before);
        }
        run(&b, &format!("SELECT crdt_pragma('{setting}', '1000')"));
    }
}

#[test]
fn columns_that_are_not_here_and_tables_with_unique_indexes() {
    let wider = TABLES.replace("body JSON", "body JSON, extra TEXT DEFAULT 'e'");
    let unique = "CREATE TABLE names(id TEXT PRIMARY KEY NOT NULL, name TEXT UNIQUE); SELECT crdt_enable('names');";
    let a = node("a", &format!("{wider}{unique}"));
    sixty_with(&a, ", 'more'");
    run(&a, "INSERT INTO names SELECT id, title || size FROM tasks WHERE title IS NOT NULL");
    for json in in_both_forms(&a, &export(&a)) {
        let [b, c] = ["b", "c"].map(|name| node(name, &format!("{TABLES}{unique}")));
        run(&b, "INSERT INTO names VALUES ('other', 'x0'), ('another', '720')");
        c.execute_batch("INSERT INTO names VALUES ('other', 'x0'), ('another', '720')").unwrap();
        merge(&b, &json);
        one_by_one(&c, &common::text(&a, "SELECT crdt_convert(?1, 'grove')", [&json]));
        assert_eq!(table(&b, "tasks"), table(&c, "tasks"));
        assert_eq!(rows(&b, "SELECT count(*) FROM crdt_pending()"), rows(&c, "SELECT count(*) FROM crdt_pending()"));
        assert_eq!(page(&export(&b)).changes.len(), page(&export(&c)).changes.len());
        sound(&b);
    }
}

#[test]
fn what_is_no_value_is_refused_in_either_form() {
    let [a, b] = ["a", "b"].map(|name| node(name, TABLES));
    sixty(&a);
    let before = contents(&b);
    for json in in_both_forms(&a, &export(&a)) {
        for bad in ["\"\\ud800\"", "1e999", "{\"$blob\":\"0\"}"] {
            let broken = json.replacen("\"a\\\"b\\\\c\"", bad, 1);
            assert_ne!(broken, json);
            assert!(b.query_row("SELECT crdt_merge(?1)", [&broken], |_| Ok(())).is_err(), "{bad}");
            assert_eq!(contents(&b), before);
        }
    }
}

/// An INTEGER column keeps -2^63 as REAL, where it is given so: equal to the integer, and another key.
#[test]
fn a_row_whose_key_is_of_another_type_is_another_record() {
    const KEYS: &str = "CREATE TABLE t(k INT PRIMARY KEY NOT NULL, a, b); SELECT crdt_enable('t')";
    let (a, b) = (node("a", KEYS), node("b", KEYS));
    for i in [1, 0, 2, 3, 4, 5, 6, 7, 8, 9] {
        run(&a, &format!("INSERT INTO t VALUES ({} + {i}, 'int', 'int')", i64::MIN));
    }
    merge(&b, &since(&a, None).json);
    let cursor = mark(&b);
    run(&a, &format!("DELETE FROM t WHERE k = {0}; INSERT INTO t VALUES ({0}.0, 'real', 'real')", i64::MIN));
    common::text(&a, "SELECT crdt_digest('t')", []);
    run(&b, "UPDATE t SET b = 'u'");
    merge(&a, &since(&b, Some(&cursor)).json);
    let told = since(&a, None);
    let min = i64::MIN.to_string();
    let of_min = told.changes.iter().filter(|change| change["pk"] == min.as_str());
    let values: Vec<_> = of_min.filter_map(|change| change.get("value")).collect();
    assert!(values.iter().all(|value| *value != "real"), "{values:?}");
}
