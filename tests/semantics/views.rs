//! What can be SELECTed: the view of each table, and the table-valued functions.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use serde_json::{json, Value};

use crate::support::*;

fn columns(conn: &rusqlite::Connection, sql: &str) -> Vec<String> {
    conn.prepare(sql).unwrap().column_names().into_iter().map(str::to_string).collect()
}

fn filled() -> rusqlite::Connection {
    let a = node("a", TASKS);
    take(
        &a,
        &[
            lww("title", (1000, 2, "x"), "Hi"),
            counter((1000, 0, "x"), 5, 2),
            counter((1001, 0, "y"), 1, 0),
            set("add", (1000, 1, "x"), json!(["e"])),
            change("title", (1000, 0, "x"), json!({"pk": "t2", "value": "gone"})),
            change("_tombstone", (2000, 0, "y"), json!({"pk": "t2", "crdt_type": "", "tombstone": true})),
        ],
    );
    a
}

#[test]
fn the_view_has_groves_columns() {
    let a = filled();
    let expected = ["pk_hash", "field_name", "hlc_ts", "hlc_counter", "node_id", "tombstone", "crdt_state"];
    assert_eq!(columns(&a, "SELECT * FROM _tasks_crdt"), expected);
    assert_eq!(rows(&a, "SELECT type FROM sqlite_schema WHERE name = '_tasks_crdt'"), ["'view'"]);
    let line = |field: &str| {
        rows(&a, &format!("SELECT pk_hash, hlc_ts, hlc_counter, node_id, tombstone FROM _tasks_crdt WHERE pk_hash = 't1' AND field_name = '{field}' ORDER BY node_id"))
    };
    assert_eq!(line("title"), ["'t1', 1000, 2, 'x', 0"]);
    assert_eq!(line("priority"), ["'t1', 1000, 0, 'x', 0", "'t1', 1001, 0, 'y', 0"], "one row a field and node");
    assert_eq!(line("tags"), ["'t1', 1000, 1, 'x', 0"]);
    assert_eq!(rows(&a, "SELECT hlc_ts, node_id, tombstone, crdt_state FROM _tasks_crdt WHERE pk_hash = 't2' AND field_name = '_tombstone'"), ["2000, 'y', 1, NULL"]);
}

#[test]
fn the_states_in_the_view() {
    let a = filled();
    let state = |field: &str, node: &str| -> Value {
        let sql = format!(
            "SELECT crdt_state FROM _tasks_crdt WHERE pk_hash = 't1' AND field_name = '{field}' AND node_id = '{node}'"
        );
        serde_json::from_str(rows(&a, &sql)[0].trim_matches('\'')).unwrap()
    };
    let title = state("title", "x");
    assert_eq!((&title["type"], &title["value"], &title["node_id"]), (&json!("lww"), &json!("Hi"), &json!("x")));
    assert_eq!(title["hlc"], json!({"ts": 1000, "c": 2, "node": "x"}));
    let part = state("priority", "x");
    assert_eq!(
        (&part["type"], &part["counter_state"]),
        (&json!("counter"), &json!({"inc": {"x": 5}, "dec": {"x": 2}}))
    );
    let tags = state("tags", "x");
    assert_eq!(tags["type"], "set");
    assert!(tags.to_string().contains("e"));
}

/// The view shows the log's tail as well, and joins like any table.
#[test]
fn the_view_shows_the_tail() {
    let a = filled();
    run(&a, "UPDATE tasks SET title = 'in the tail'; INSERT INTO tasks(id) VALUES ('t3')");
    let joined = "SELECT t.id, v.field_name FROM tasks t JOIN _tasks_crdt v ON v.pk_hash = t.id WHERE v.node_id = 'a' AND v.field_name = 'title' ORDER BY 1";
    assert_eq!(rows(&a, joined), ["'t1', 'title'", "'t3', 'title'"]);
    assert!(rows(&a, "SELECT crdt_state FROM _tasks_crdt WHERE pk_hash = 't1' AND field_name = 'title'")[0]
        .contains("in the tail"));
    for sql in [
        "INSERT INTO _tasks_crdt(pk_hash) VALUES ('x')",
        "UPDATE _tasks_crdt SET node_id = 'x'",
        "DELETE FROM _tasks_crdt",
    ] {
        assert!(try_run(&a, sql).is_err(), "{sql}");
    }
}

/// Keys, fields and nodes that only a peer can have thought of, the key also as the last of a page of 500 records.
#[test]
fn the_view_shows_any_text() {
    let a = node("a", TASKS);
    let odd = ["b\0c", "b\u{1}", "\u{1a}0\u{1a}1\u{1a}", "q\"\\/\u{1}\u{1f}\u{2028}\u{fffe}😀"];
    let mut keys: Vec<String> = (0..498).map(|i| format!("a{i}")).collect();
    keys.extend(odd.map(str::to_owned));
    let title = |pk: &String| change("title", (1000, 0, "x"), json!({"pk": pk, "value": 1}));
    take(&a, &keys.iter().map(title).collect::<Vec<_>>());
    take(&a, &[change("f\0g", (1000, 0, "n\u{1a}\0"), json!({"pk": "a0", "node_id": "n\u{1a}\0", "value": 1}))]);
    keys.sort_unstable();
    let shown = |what: &str, condition: &str| -> Vec<String> {
        let sql = format!("SELECT {what} FROM _tasks_crdt WHERE {condition} ORDER BY 1");
        let mut stmt = a.prepare(&sql).unwrap();
        let all = stmt.query_map([], |row| row.get(0)).unwrap();
        all.map(Result::unwrap).collect()
    };
    assert_eq!(shown("pk_hash", "field_name = 'title'"), keys);
    assert_eq!(shown("field_name || node_id", "node_id <> 'x' AND pk_hash = 'a0'"), ["f\0gn\u{1a}\0"]);
}

#[test]
fn the_changes_as_rows() {
    let a = filled();
    let expected =
        ["table", "pk", "field", "crdt_type", "hlc_ts", "hlc_c", "node_id", "value", "tombstone", "change", "cursor"];
    assert_eq!(columns(&a, "SELECT * FROM crdt_changes(NULL, NULL)"), expected);
    let mut listed: Vec<_> = rows(&a, "SELECT change FROM crdt_changes(NULL, NULL)")
        .iter()
        .map(|row| row.trim_matches('\'').to_string())
        .collect();
    let mut exported: Vec<_> = since(&a, None).changes;
    let mut parsed: Vec<Value> = listed.iter().map(|json| serde_json::from_str(json).unwrap()).collect();
    parsed.sort_by_key(Value::to_string);
    exported.sort_by_key(Value::to_string);
    assert_eq!(parsed, exported, "the same as crdt_changes_since");
    listed.dedup();
    let line = "SELECT \"table\", pk, field, crdt_type, hlc_ts, hlc_c, node_id, value, tombstone FROM crdt_changes(NULL, NULL) WHERE pk = 't1' AND field = 'title'";
    assert_eq!(rows(&a, line), [r#"'tasks', 't1', 'title', 'lww', 1000, 2, 'x', 'Hi', 0"#]);
    assert_eq!(
        rows(&a, "SELECT pk, tombstone FROM crdt_changes(NULL, 'tasks') WHERE field = '_tombstone'"),
        ["'t2', 1"]
    );
    // Without arguments, with a filter in SQL, and half read.
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_changes"), [exported.len().to_string()]);
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_changes(NULL, NULL) LIMIT 1").len(), 1);
}

/// Any row's cursor is a place to go on from, for the rows and for `crdt_changes_since`.
#[test]
fn a_cursor_in_every_row() {
    let a = node("a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y'), ('t3', 'z')");
    let last = rows(&a, "SELECT cursor FROM crdt_changes(NULL, NULL)").pop().unwrap();
    let last = last.trim_matches('\'');
    assert_eq!(rows_with(&a, "SELECT count(*) FROM crdt_changes(?1, NULL)", [last]), ["0"]);
    assert_eq!(since(&a, Some(last)).changes.len(), 0);
    let first = rows(&a, "SELECT cursor FROM crdt_changes(NULL, NULL) WHERE pk = 't1'").pop().unwrap();
    let rest = rows_with(&a, "SELECT DISTINCT pk FROM crdt_changes(?1, NULL) ORDER BY 1", [first.trim_matches('\'')]);
    assert!(rest.ends_with(&["'t2'".to_string(), "'t3'".to_string()]), "{rest:?}");
    run(&a, "UPDATE tasks SET done = 5 WHERE id = 't2'");
    assert_eq!(rows_with(&a, "SELECT pk, field FROM crdt_changes(?1, NULL)", [last]), ["'t2', 'done'"]);
}

#[test]
fn tables_and_fields() {
    let a = filled();
    run(&a, "CREATE TABLE u(id TEXT PRIMARY KEY NOT NULL, v, mine); SELECT crdt_enable('u', 'mine:none')");
    let tables = rows(&a, "SELECT * FROM crdt_tables() ORDER BY 1");
    assert_eq!(tables.len(), 2);
    assert!(tables[0].contains("'tasks'") && tables[1].contains("'u'"), "{tables:?}");
    let fields = rows(&a, "SELECT * FROM crdt_fields('tasks')");
    assert_eq!(fields.len(), 4, "{fields:?}");
    for (field, kind) in [("title", "lww"), ("priority", "counter"), ("tags", "set"), ("done", "lww")] {
        assert!(
            fields.iter().any(|row| row.contains(&format!("'{field}'")) && row.contains(&format!("'{kind}'"))),
            "{fields:?}"
        );
    }
    assert!(rows(&a, "SELECT * FROM crdt_fields('u')")
        .iter()
        .any(|row| row.contains("'mine'") && row.contains("'none'")));
    run(&a, "SELECT crdt_disable('u')");
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_peers()"), ["0"]);
}

/// A big table streams: reading one row does not read them all.
#[test]
fn a_big_table_streams() {
    let a = node("a", TASKS);
    run(&a, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO tasks(id, title) SELECT i, i FROM n");
    export(&a);
    let timed = |sql: &str| {
        let started = std::time::Instant::now();
        run(&a, sql);
        started.elapsed()
    };
    let all = timed("SELECT count(*) FROM crdt_changes(NULL, NULL)");
    let one = timed("SELECT * FROM crdt_changes(NULL, NULL) LIMIT 1");
    assert!(one * 4 < all, "one row in {one:?}, all in {all:?}");
    assert!(rows(&a, "SELECT count(DISTINCT pk_hash) FROM _tasks_crdt") == ["20000"]);
}

/// What SQLite does for a view of a table whose writes are not folded yet grows with the table, not with its square: a view cannot
/// fold, and what one page folded in memory is there for the next.
#[test]
fn a_view_of_what_is_not_folded() {
    let steps = |count: u32| {
        let a = node("a", TASKS);
        run(&a, &format!("WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) INSERT INTO tasks(id, title) SELECT i, i FROM n"));
        let done = Arc::new(AtomicU32::new(0));
        let count_them = Arc::clone(&done);
        let handler = move || {
            count_them.fetch_add(1, Ordering::Relaxed);
            false
        };
        a.progress_handler(100, Some(handler)).unwrap();
        let shown = rows(&a, "SELECT count(DISTINCT pk_hash) FROM _tasks_crdt");
        a.progress_handler(0, None::<fn() -> bool>).unwrap();
        assert_eq!(shown, [count.to_string()]);
        done.load(Ordering::Relaxed)
    };
    let (few, many) = (steps(1_000), steps(16_000));
    assert!(few > 100 && many < 24 * few, "{few} for 1,000 rows, {many} for 16,000");
}

/// Rows that come while a view is being read are shown or not, never half, and those that were there are shown once.
#[test]
fn a_view_read_while_rows_come() {
    let a = node("a", TASKS);
    run(&a, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) INSERT INTO tasks(id, title) SELECT printf('b%04d', i), i FROM n");
    let mut stmt = a.prepare("SELECT pk_hash FROM _tasks_crdt WHERE field_name = 'title'").unwrap();
    let mut shown = stmt.query([]).unwrap();
    let mut keys: Vec<String> = Vec::new();
    while let Some(row) = shown.next().unwrap() {
        keys.push(row.get(0).unwrap());
        if keys.len() == 10 {
            run(&a, "INSERT INTO tasks(id, title) VALUES ('a', 'before'), ('c', 'behind'); DELETE FROM tasks WHERE id = 'b1100'");
        }
    }
    keys.retain(|key| key.starts_with('b') && key != "b1100");
    let mut once = keys.clone();
    once.dedup();
    assert_eq!((keys.len(), once.len()), (1199, 1199));
    drop(shown);
    drop(stmt);
    assert_eq!(rows(&a, "SELECT count(DISTINCT pk_hash) FROM _tasks_crdt WHERE pk_hash IN ('a', 'c')"), ["2"]);
}

/// What was folded for one page is not shown once it was rolled back, though the log has come to the same place again.
#[test]
fn a_view_after_a_rollback() {
    let a = node("a", TASKS);
    let shown =
        || rows(&a, "SELECT pk_hash, json_extract(crdt_state, '$.value') FROM _tasks_crdt WHERE field_name = 'title'");
    run(&a, "BEGIN; INSERT INTO tasks(id, title) VALUES ('x', 'first')");
    // The first row only: the view is left before its end.
    assert_eq!(rows(&a, "SELECT pk_hash FROM _tasks_crdt LIMIT 1"), ["'x'"]);
    run(&a, "ROLLBACK; INSERT INTO tasks(id, title) VALUES ('x', 'second')");
    assert_eq!(shown(), ["'x', 'second'"]);
    assert_eq!(rows(&a, "SELECT pk_hash FROM _tasks_crdt LIMIT 1"), ["'x'"]);
    run(&a, "UPDATE tasks SET title = 'third'; BEGIN; SAVEPOINT s; DELETE FROM tasks");
    assert_eq!(rows(&a, "SELECT max(tombstone) FROM _tasks_crdt"), ["1"]);
    run(&a, "ROLLBACK TO s; COMMIT");
    assert_eq!(rows(&a, "SELECT max(tombstone) FROM _tasks_crdt"), ["0"]);
    assert_eq!(shown(), ["'x', 'third'"]);
}
