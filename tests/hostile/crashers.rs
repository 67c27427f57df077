//! What the fuzz targets and the corpus have found, each under its own name: these made the library fail once.

use serde_json::json;

use super::world::{ask, World, TABLES};
use crate::common::text;
use crate::support::*;

fn stored(field: &str, ty: &str, value: i64) -> serde_json::Value {
    change(field, (1000, 0, "x"), json!({"crdt_type": ty, "value": value}))
}

/// A change of the type that stands for columns that are not tracked was kept where nobody could read it: from then on no
/// export and no merge of that record succeeded.
#[test]
fn a_change_of_type_none_blocks_no_export() {
    let world = World::new();
    let target = world.copy();
    let json = json!([stored("title", "none", 1)]).to_string();
    let message = target.ask("SELECT crdt_merge(?1)", &[&json]).unwrap_err();
    assert!(message.contains("'none'"), "{message}");
    let pushed = target.ask("SELECT crdt_push(?1)", &[&format!("{{\"node_id\":\"x\",\"changes\":{json}}}")]).unwrap();
    assert!(pushed.contains("\"rejected\":[{\"index\":0"), "{pushed}");
    target.travels();
}

/// Two changes of an unknown type under one stamp: each node kept the one that came to it first.
#[test]
fn twins_of_an_unknown_type_converge() {
    let [a, b] = nodes(["a", "b"], TASKS);
    take(&a, &[stored("title", "text", 1)]);
    take(&b, &[stored("title", "text", 2)]);
    swap(&a, &b);
    same(&a, &b, "tasks");
    assert_eq!(take(&a, &[stored("title", "text", 1)])["merged"], 0);
    assert_eq!(since(&a, None).change("title")["value"], 2);
}

/// Removes of many elements that name many adds: their product was kept, gigabytes of it.
#[test]
fn a_remove_asks_for_no_more_memory_than_it_has_bytes() {
    let a = node("a", TASKS);
    let elements: Vec<_> = (0..20_000).collect();
    let tags: Vec<_> = (0..20_000).map(|i| json!({"ts": 1, "c": 0, "node": format!("n{i}")})).collect();
    let remove = |elements: &[i32], tags: &[serde_json::Value]| {
        change(
            "tags",
            (1000, 0, "x"),
            json!({"crdt_type": "set", "set_op": {"op": "remove", "elements": elements, "tags": tags}}),
        )
    };
    let message = ask(&a, "SELECT crdt_merge(?1)", &[&json!([remove(&elements, &tags)]).to_string()]).unwrap_err();
    assert!(message.contains("one change for each element"), "{message}");
    take(&a, &[remove(&elements[..1], &tags), remove(&elements, &tags[..1])]);
    sound(&a);
}

/// A clock at the end of time in a tampered file: the drift was computed with an overflow.
#[test]
fn a_clock_at_the_end_of_time_has_a_status() {
    for ts in [i64::MAX, i64::MIN] {
        let a = node("a", TABLES);
        run(&a, &format!("UPDATE _crdt_state SET ts = {ts}"));
        ask(&a, "SELECT crdt_status()", &[]).unwrap();
    }
}

/// What pruning says it kept decided how often it went through the log.
#[test]
fn pruning_goes_through_the_log_that_is_there() {
    let a = node("a", TABLES);
    run(&a, "INSERT INTO _crdt_horizon(one, pruned, kept) VALUES (1, -9223372036854775808, 9223372036854775807)");
    run(&a, "INSERT INTO tasks(id) VALUES ('t1')");
    sound(&a);
}

/// What a rollback takes back stayed in the connection: the log grew without an end.
#[test]
fn rows_that_were_rolled_back_put_no_pruning_off() {
    let a = node("a", TABLES);
    run(&a, "INSERT INTO tasks(id) VALUES ('t1')");
    let rows: Vec<String> = (0..6_000).map(|i| format!("('row {i}')")).collect();
    run(&a, &format!("BEGIN; INSERT INTO tasks(id) VALUES {}", rows.join(",")));
    ask(&a, "SELECT crdt_merge('[]')", &[]).unwrap();
    run(&a, "ROLLBACK");
    for round in 0..8 {
        let updates = (0..500).map(|i| format!("UPDATE tasks SET title = '{round} {i}' WHERE id = 't1';"));
        run(&a, &format!("BEGIN; {} COMMIT", updates.collect::<String>()));
        ask(&a, "SELECT crdt_digest('tasks')", &[]).unwrap();
    }
    let rows: i64 = a.query_row("SELECT count(*) FROM _crdt_log", [], |row| row.get(0)).unwrap();
    assert!(rows < 1_100, "{rows}");
    sound(&a);
}

/// A format that there has never been was upgraded from, step by step.
#[test]
fn a_format_below_all_formats_is_refused() {
    for format in [i64::MIN, -1, 0] {
        let a = node("a", TABLES);
        run(
            &a,
            &format!(
                "UPDATE _crdt_pragma SET value = {format} WHERE name = 'format'; UPDATE _crdt_state SET token = 1"
            ),
        );
        let message = ask(&a, "SELECT crdt_status()", &[]).unwrap_err();
        assert!(message.contains("never been"), "{message}");
    }
}

/// Generations, numbers of fields and bits at the end of their range.
#[test]
fn fields_at_the_end_of_their_numbers() {
    for sql in [
        "UPDATE _crdt_table SET gen = 4294967295",
        "INSERT INTO _crdt_field(t, f, name, type) VALUES (1, 4294967295, 'last', 'lww')",
        "UPDATE _crdt_field SET bit = 4294967295",
    ] {
        let a = node("a", TABLES);
        run(&a, &format!("{sql}; UPDATE _crdt_state SET token = 1; ALTER TABLE tasks ADD COLUMN more"));
        let _ = ask(&a, "SELECT crdt_enable('tasks')", &[]);
        run(&a, "INSERT INTO tasks(id) VALUES ('t1')");
        assert_eq!(text(&a, "SELECT count(*) FROM tasks", []), "1");
    }
}
