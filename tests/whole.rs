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
    let values =
        ["'x'", "NULL", "'[1]'", "'a\"b\\c'", "'\u{1}'", "'7'", "x'00ff'", "1.5", "'{\"k\": 1}'", "'{\"k\":1}'"];
    for i in 0..60 {
        let (key, value) = (i * 37 % 61, values[i % values.len()]);
        run(a, &format!("INSERT INTO tasks VALUES ('k{key}', {value}, {i}, {}, {value})", i % 3));
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
