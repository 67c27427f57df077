//! W1 to W9: what travels, and from where to go on.

use serde_json::{json, Value};

use crate::common::text;
use crate::support::*;

/// `crdt_push` with options; the answer.
fn push(conn: &rusqlite::Connection, author: &str, changes: &[Value], options: &str) -> Value {
    let request = json!({"node_id": author, "changes": changes}).to_string();
    serde_json::from_str(&text(conn, "SELECT crdt_push(?1, ?2)", [&request, options])).unwrap()
}

#[test]
fn w1_counter_operations_are_read_as_totals() {
    let [a, b] = nodes(["a", "b"], TASKS);
    for i in 0..3 {
        for _ in 0..2 {
            push(&a, "js", &[counter((1000 + i, 0, "js"), 1, 0)], r#"{"counters":"operations"}"#);
        }
    }
    assert_eq!(rows(&a, "SELECT priority FROM tasks"), ["3"]);
    send(&a, &b);
    send(&a, &b);
    assert_eq!(rows(&b, "SELECT priority FROM tasks"), ["3"]);
    same(&a, &b, "tasks");
}

#[test]
fn w2_totals_are_added_again_on_every_pull() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id, priority) VALUES ('t1', 3)");
    for _ in 0..3 {
        swap(&a, &b);
    }
    run(&b, "UPDATE tasks SET priority = priority + 1");
    for _ in 0..3 {
        swap(&a, &b);
    }
    assert_eq!(rows(&a, "SELECT priority FROM tasks"), ["4"]);
    same(&a, &b, "tasks");
}

#[test]
fn w3_set_operations_are_ignored() {
    let a = node("a", TASKS);
    let pushed = |changes: &[Value]| push(&a, "js", changes, "{}");
    pushed(&[set("add", (1000, 0, "js"), json!(["home", "x"])), set("add", (1001, 0, "js"), json!(["work"]))]);
    assert_eq!(rows(&a, "SELECT tags FROM tasks"), [r#"'["home","work","x"]'"#]);
    pushed(&[set("add", (1002, 0, "js"), json!(["shop"]))]);
    assert_eq!(rows(&a, "SELECT tags FROM tasks"), [r#"'["home","shop","work","x"]'"#], "a second push wipes nothing");
    pushed(&[set("remove", (1003, 0, "js"), json!(["x", "home"]))]);
    assert_eq!(rows(&a, "SELECT tags FROM tasks"), [r#"'["shop","work"]'"#]);
}

/// Lists are a later type: their operations are kept and passed on, byte for byte, and shown to nobody.
#[test]
fn w4_list_operations_vanish() {
    let [a, b, c] = nodes(["a", "b", "c"], TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    let body = json!({"crdt_type": "list", "list_op": {"op": "insert", "node_id": {"ts": 1000, "c": 0, "node": "js"},
                      "parent_id": {"ts": 0, "c": 0, "node": ""}, "value": "buy"}});
    let list = change("title", (1000, 0, "js"), body);
    assert_eq!(take(&a, std::slice::from_ref(&list))["pending"], 1);
    assert_eq!(rows(&a, "SELECT title FROM tasks"), ["'x'"]);
    assert!(!rows(&a, "SELECT * FROM crdt_pending()").is_empty());
    send(&a, &b);
    send(&b, &c);
    assert!(since(&c, None).changes.contains(&list), "{}", export(&c));
    same(&a, &c, "tasks");
}

#[test]
fn w5_removals_are_never_sent() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, r#"INSERT INTO tasks(id, tags) VALUES ('t1', '["x","y"]')"#);
    send(&a, &b);
    for left in [r#"["y"]"#, "[]"] {
        let before = mark(&a);
        a.execute("UPDATE tasks SET tags = ?1", [left]).unwrap();
        let page = since(&a, Some(&before));
        assert!(page.changes.iter().any(|c| c["set_op"]["op"] == "remove" && c["set_op"]["tags"].is_array()));
        merge(&b, &page.json);
        assert_eq!(rows(&b, "SELECT tags FROM tasks"), [format!("'{left}'")]);
        swap(&b, &a);
        assert_eq!(rows(&a, "SELECT tags FROM tasks"), [format!("'{left}'")], "nothing comes back");
    }
    same(&a, &b, "tasks");
}

#[test]
fn w6_what_arrives_late_is_never_delivered() {
    let [hub, b] = nodes(["hub", "b"], TASKS);
    run(&hub, "INSERT INTO tasks(id, title) VALUES ('t2', 'now')");
    let seen = since(&hub, None);
    merge(&b, &seen.json);
    // Written years ago by a node that was offline until now.
    take(&hub, &[lww("title", (1_500_000_000_000_000_000, 0, "offline"), "old")]);
    let later = since(&hub, Some(&seen.cursor));
    assert_eq!(later.fields(), ["t1.title"]);
    merge(&b, &later.json);
    same(&hub, &b, "tasks");
}

#[test]
fn w7_two_nodes_of_one_ts_and_c() {
    let hub = node("hub", TASKS);
    take(&hub, &[lww("title", (1000, 0, "b"), "from b")]);
    let seen = since(&hub, None);
    for author in ["a", "c"] {
        let pk = json!({"pk": author, "value": "same ts and c"});
        take(&hub, &[change("title", (1000, 0, author), pk)]);
    }
    assert_eq!(since(&hub, Some(&seen.cursor)).fields(), ["a.title", "c.title"]);
}

#[test]
fn w8_one_cursor_cuts_several_tables() {
    let two = "CREATE TABLE big(id INTEGER PRIMARY KEY, v); CREATE TABLE small(id INTEGER PRIMARY KEY, v);
               SELECT crdt_enable('big'); SELECT crdt_enable('small');";
    let [a, b] = nodes(["a", "b"], two);
    run(
        &a,
        "INSERT INTO big SELECT value, value FROM (WITH RECURSIVE n(value) AS
             (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 12000) SELECT value FROM n)",
    );
    run(&a, "INSERT INTO small VALUES (1, 'last')");
    let (mut cursor, mut pages) = (None::<String>, 0);
    loop {
        let answer = page(&text(&a, "SELECT crdt_changes_since(?1, NULL, 5000)", [cursor.as_deref()]));
        merge(&b, &answer.json);
        pages += 1;
        if !answer.more {
            break;
        }
        cursor = Some(answer.cursor);
    }
    assert!(pages > 1);
    same(&a, &b, "big");
    same(&a, &b, "small");
}

#[test]
fn w9_totals_of_third_parties_vanish_at_a_hub() {
    let [hub, a, b, fresh] = nodes(["hub", "a", "b", "fresh"], TASKS);
    run(&a, "INSERT INTO tasks(id, priority) VALUES ('t1', 2)");
    send(&a, &b);
    run(&b, "UPDATE tasks SET priority = priority + 3");
    send(&a, &hub);
    send(&b, &hub);
    assert_eq!(rows(&hub, "SELECT priority FROM tasks"), ["5"]);
    let page = since(&hub, None);
    let authors = page.changes.iter().filter(|c| c["crdt_type"] == "counter").map(|c| c["node_id"].to_string());
    assert_eq!(authors.collect::<Vec<_>>().len(), 2, "{}", page.json);
    merge(&fresh, &page.json);
    assert_eq!(rows(&fresh, "SELECT priority FROM tasks"), ["5"]);
    same(&hub, &fresh, "tasks");
}
