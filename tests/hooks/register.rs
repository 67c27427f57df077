//! Registering hooks: what is checked, what is answered, what replaces what.

use serde_json::{json, Value};

use crate::common::{error, open, open_file, text};
use crate::support::*;
use crate::{hook, refusal};

const PASS: &str = "SELECT :change";

#[test]
fn answers() {
    let a = node("a", TASKS);
    run(&a, "CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, body); SELECT crdt_enable('notes')");
    assert_eq!(
        hook(&a, "h", "before_inbound", PASS),
        json!({"name": "h", "event": "before_inbound", "table_glob": "*", "tables": ["tasks", "notes"], "replaced": false})
    );
    let again = text(&a, "SELECT crdt_hook('h', 'after_inbound', ' SELECT 1 ', 'T*')", []);
    assert_eq!(
        serde_json::from_str::<Value>(&again).unwrap(),
        json!({"name": "h", "event": "after_inbound", "table_glob": "T*", "tables": ["tasks"], "replaced": true})
    );
    let listed = json!({"name": "h", "event": "after_inbound", "table_glob": "T*", "sql": "SELECT 1"});
    assert_eq!(status(&a)["hooks"], json!([listed]));
    let removed = text(&a, "SELECT crdt_unhook('h')", []);
    assert_eq!(serde_json::from_str::<Value>(&removed).unwrap(), listed);
    assert_eq!(status(&a)["hooks"], json!([]));
}

/// It may be the first thing that is asked of a database.
#[test]
fn first_of_all() {
    let a = open();
    assert_eq!(hook(&a, "h", "before_outbound", PASS)["tables"], json!([]));
    run(&a, TASKS);
    assert_eq!(status(&a)["hooks"][0]["name"], "h");
}

#[test]
fn a_hook_that_is_not_there() {
    let a = node("a", TASKS);
    assert!(error(&a, "SELECT crdt_unhook('x')", []).contains("there are: none"));
    hook(&a, "one", "before_inbound", PASS);
    hook(&a, "it's", "before_inbound", PASS);
    let message = error(&a, "SELECT crdt_unhook('One')", []);
    for part in ["crdt_unhook", "'One'", "'one'", "it's"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn statements_that_cannot_be() {
    let a = node("a", TASKS);
    for (event, sql, part) in [
        ("before_inbound", "", "one statement"),
        ("before_inbound", "-- nothing", "one statement"),
        ("before_inbound", "SELECT :change; SELECT :change", "one statement"),
        ("after_inbound", "DELETE FROM tasks; DELETE FROM tasks", "one statement"),
        ("before_inbound", "SELEC :change", "SELEC"),
        ("before_inbound", "SELECT :change FROM nowhere", "nowhere"),
        ("before_inbound", "SELECT :changes", ":changes"),
        ("before_inbound", "SELECT ?1", "?1"),
        ("before_inbound", "SELECT ?", ":change, :table, :pk, :field, :crdt_type, :node_id, :value"),
        ("before_inbound", "SELECT @change", "@change"),
        ("after_inbound", "DELETE FROM tasks WHERE id = $pk", "$pk"),
        ("before_inbound", "SELECT :change, 1", "not 2"),
        ("before_inbound", "DELETE FROM tasks", "SELECT"),
        ("before_outbound", "DELETE FROM tasks RETURNING :change", "SELECT"),
        ("before_outbound", "PRAGMA user_version", "SELECT"),
        ("before_outbound", "EXPLAIN SELECT 1", "SELECT"),
        ("before_inbound", "SELECT RAISE(ABORT, 'no')", "says why"),
        ("after_inbound", "COMMIT", "COMMIT"),
        ("after_inbound", "/* well */ rollback", "ROLLBACK"),
        ("after_inbound", "SAVEPOINT x", "SAVEPOINT"),
        ("after_inbound", "VACUUM", "VACUUM"),
        ("after_inbound", "PRAGMA journal_mode = DELETE", "PRAGMA"),
        ("after_inbound", "ATTACH ':memory:' AS x", "ATTACH"),
        ("inbound", PASS, "before_inbound, after_inbound, before_outbound"),
        ("BEFORE_INBOUND", PASS, "BEFORE_INBOUND"),
    ] {
        let message = refusal(&a, event, sql);
        assert!(message.starts_with("crdt_hook: ") && message.contains(part), "{sql}: {message}");
    }
    assert_eq!(status(&a)["hooks"], json!([]));
}

#[test]
fn statements_that_can_be() {
    let a = node("a", TASKS);
    for (event, sql) in [
        ("before_inbound", "-- all\n SELECT :change; -- and that is it\n"),
        ("before_inbound", "WITH c(x) AS (SELECT :change) SELECT x FROM c WHERE :pk <> :field"),
        ("before_outbound", "VALUES (:change)"),
        ("before_outbound", "SELECT NULL"),
        ("after_inbound", "SELECT 1, 2"),
        ("after_inbound", "INSERT INTO tasks(id) VALUES (:node_id) ON CONFLICT DO NOTHING RETURNING id"),
        ("after_inbound", "CREATE TABLE IF NOT EXISTS x(y)"),
    ] {
        hook(&a, "h", event, sql);
    }
}

/// Names and globs are as they are: nothing in them is SQL.
#[test]
fn odd_names_and_globs() {
    let a = node("a", "");
    run(&a, "CREATE TABLE \"it's [a] \"\"t\"\"\"(id TEXT PRIMARY KEY NOT NULL, v)");
    text(&a, "SELECT crdt_enable(?1)", ["it's [a] \"t\""]);
    let name = "'); DROP TABLE x; --\n😀";
    let answer = text(&a, "SELECT crdt_hook(?1, 'before_outbound', 'SELECT NULL', 'IT''S [[]A] *')", [name]);
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["tables"], json!(["it's [a] \"t\""]));
    run(&a, "INSERT INTO \"it's [a] \"\"t\"\"\" VALUES ('k', 1)");
    assert_eq!(since(&a, None).changes.len(), 0);
    text(&a, "SELECT crdt_unhook(?1)", [name]);
    assert_eq!(since(&a, None).changes.len(), 1);
}

/// A hook that is replaced keeps its place; one that is taken away and comes back is the last.
#[test]
fn order_and_replacing() {
    let a = node("a", TASKS);
    let append = |letter: &str| {
        format!("SELECT CASE WHEN :field = 'title' THEN json_set(:change, '$.value', :value || '{letter}') ELSE :change END")
    };
    for letter in ["a", "b", "c"] {
        hook(&a, letter, "before_inbound", &append(letter));
    }
    let title = |ts: i64| {
        take(&a, &[lww("title", (ts, 0, "x"), "_")]);
        text(&a, "SELECT title FROM tasks", [])
    };
    assert_eq!(title(1), "_abc");
    hook(&a, "a", "before_inbound", &append("A"));
    assert_eq!(title(2), "_Abc");
    text(&a, "SELECT crdt_unhook('b')", []);
    hook(&a, "b", "before_inbound", &append("B"));
    assert_eq!(title(3), "_AcB");
    // Another event in its place.
    hook(&a, "a", "before_outbound", &append("-"));
    assert_eq!(title(4), "_cB");
    assert_eq!(since(&a, None).change("title")["value"], "_cB-");
}

/// Hooks belong to the database: other connections have them, and see when they change.
#[test]
fn other_connections() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let one = file_node(&path, "a", TASKS);
    let two = open_file(&path);
    take(&two, &[lww("title", (1, 0, "x"), "one")]);
    hook(&one, "none", "before_inbound", "SELECT NULL");
    assert_eq!(take(&two, &[lww("title", (2, 0, "x"), "two")])["skipped"], 1);
    text(&one, "SELECT crdt_unhook('none')", []);
    take(&two, &[lww("title", (3, 0, "x"), "three")]);
    assert_eq!(table(&two, "tasks")[0].split(", ").nth(1), Some("'three'"));
}

#[test]
fn a_rollback_takes_a_hook_back() {
    let a = node("a", TASKS);
    run(&a, "BEGIN; SELECT crdt_hook('none', 'before_inbound', 'SELECT NULL')");
    assert_eq!(take(&a, &[lww("title", (1, 0, "x"), 1)])["skipped"], 1);
    run(&a, "ROLLBACK");
    assert_eq!(take(&a, &[lww("title", (1, 0, "x"), 1)])["merged"], 1);
    assert_eq!(status(&a)["hooks"], json!([]));
}

/// A database from before there were hooks gets its table with the first one.
#[test]
fn an_older_database() {
    let a = node("a", TASKS);
    run(&a, "DROP TABLE _crdt_hook");
    take(&a, &[lww("title", (1, 0, "x"), 1)]);
    assert_eq!(status(&a)["hooks"], json!([]));
    hook(&a, "none", "before_outbound", "SELECT NULL");
    assert_eq!(since(&a, None).changes.len(), 0);
    sound(&a);
}
