//! SQL, quotes and NUL in names: refused as unknown where they name nothing, taken as plain names where they name something.

use rusqlite::types::Value as Sql;
use serde_json::json;

use super::target::Target;
use crate::common::text;
use crate::support::*;

const NAMES: [&str; 12] = [
    "x'); DROP TABLE tasks; --",
    "tasks; DROP TABLE tasks",
    "tasks\"; DELETE FROM tasks; --",
    "tasks' OR '1'='1",
    "\"tasks\"",
    "[tasks]",
    "`tasks`",
    "tasks--",
    "main.tasks",
    "tasks\0",
    "tasks\0'; DROP TABLE tasks; --",
    "\u{202e}tasks\n",
];

#[test]
fn sql_in_names_of_nothing() {
    let mut target = Target::new();
    for name in NAMES {
        let value = [Sql::Text(name.to_string())];
        for function in ["enable", "schema", "disable", "digest", "cleanup_tombstones", "pragma"] {
            target.refuses(&format!("crdt_{function}"), &format!("SELECT crdt_{function}(?1)"), &value);
        }
        for function in ["inspect", "state"] {
            target.refuses(&format!("crdt_{function}"), &format!("SELECT crdt_{function}(?1, 't1')"), &value);
        }
        target.refuses("crdt_enable", "SELECT crdt_enable('plain', ?1 || ':counter')", &value);
        target.refuses("crdt_enable", "SELECT crdt_enable('plain', 'v:' || ?1)", &value);
        target.refuses("crdt_changes_since", "SELECT crdt_changes_since(NULL, ?1)", &value);
        target.refuses("crdt_changes_since", "SELECT crdt_changes_since(NULL, json_array(?1))", &value);
        target.refuses("crdt_fields", "SELECT * FROM crdt_fields(?1)", &value);
        let change = change("title", (1000, 0, "x"), json!({"table": name, "value": 1}));
        target.refuses("crdt_merge", "SELECT crdt_merge(?1)", &[Sql::Text(json!([change]).to_string())]);
    }
    target.finish(150);
}

/// The same texts as keys, fields, nodes and values are data.
#[test]
fn sql_in_data_is_data() {
    let [a, b] = nodes(["a", "b"], TASKS);
    for (i, name) in NAMES.iter().enumerate() {
        let ts = 1000 + i as i64;
        take(&a, &[change("title", (ts, 0, name), json!({"pk": name, "value": name}))]);
        take(
            &a,
            &[change(
                "tags",
                (ts, 1, "x"),
                json!({"pk": name, "crdt_type": "set", "set_op": {"op": "add", "elements": [name]}}),
            )],
        );
        take(&a, &[change(name, (ts, 2, "x"), json!({"pk": name, "value": 1}))]);
        let _ = try_run(&a, &format!("SELECT crdt_inspect('tasks', '{}')", name.replace('\'', "''")));
    }
    send(&a, &b);
    same(&a, &b, "tasks");
    assert!(table(&a, "tasks").len() >= NAMES.len() - 2, "a key with NUL is written as an array");
    for name in NAMES.iter().filter(|name| !name.contains('\0')) {
        assert_eq!(rows_with(&b, "SELECT title FROM tasks WHERE id = ?1", [name]), [format!("'{name}'")]);
    }
}

/// Tables and columns that really have such names.
#[test]
fn sql_in_names_of_tables_and_columns() {
    for name in NAMES.iter().filter(|name| !name.contains('\0')) {
        let ddl = format!(
            "CREATE TABLE {0}({1} TEXT PRIMARY KEY NOT NULL, {2}, {3}, {4})",
            quote(name),
            quote(&format!("{name} key")),
            quote(&format!("{name} v")),
            quote(&format!("{name} n")),
            quote(&format!("{name} s"))
        );
        let open = |node_name| {
            let conn = node(node_name, &ddl);
            text(&conn, "SELECT crdt_enable(?1, ?1 || ' n:counter', ?1 || ' s:set')", [name]);
            conn
        };
        let [a, b] = ["a", "b"].map(open);
        let quoted = quote(name);
        run(&a, &format!("INSERT INTO {quoted} VALUES ('k', 'v', 1, '[1]'), ('l', 'w', 2, '[2]')"));
        run(
            &a,
            &format!(
                "UPDATE {quoted} SET {} = 'u'; DELETE FROM {quoted} WHERE {} = 'l'",
                quote(&format!("{name} v")),
                quote(&format!("{name} key"))
            ),
        );
        send(&a, &b);
        same(&a, &b, name);
        assert_eq!(table(&b, name), ["'k', 'u', 1, '[1]'"]);
        let view = format!(
            "SELECT count(*) FROM {} WHERE pk_hash = 'k' AND field_name LIKE '% v'",
            quote(&format!("_{name}_crdt"))
        );
        assert_eq!(rows(&a, &view), ["1"]);
        text(&a, "SELECT crdt_disable(?1, 'purge')", [name]);
    }
}

/// What a message tells the user to run is SQL with the name quoted.
#[test]
fn advice_can_be_pasted() {
    let a = node("a", "");
    let message = crate::common::error(&a, "SELECT crdt_digest(?1)", ["it's"]);
    assert!(!message.contains("crdt_enable('it's')"), "{message}");
}
