//! M1, M2, M7 to M9: the merge itself.

use serde_json::{json, Value};

use crate::common::text;
use crate::support::*;

/// Merges the changes one by one, in this order and in the opposite one; both nodes.
fn both_orders(changes: &[Value]) -> [rusqlite::Connection; 2] {
    let [a, b] = nodes(["a", "b"], TASKS);
    changes.iter().for_each(|change| drop(take(&a, std::slice::from_ref(change))));
    changes.iter().rev().for_each(|change| drop(take(&b, std::slice::from_ref(change))));
    same(&a, &b, "tasks");
    [a, b]
}

#[test]
fn m1_equal_stamps_with_different_values_depend_on_the_order() {
    // From the least to the greatest: by type, then by bytes.
    let values = [json!(null), json!(-1), json!(7), json!(2.5), json!("a"), json!("b"), json!({"$blob": "00"})];
    for pair in values.windows(2) {
        let at = |value: &Value| lww("title", (1000, 0, "x"), value.clone());
        let [a, _] = both_orders(&[at(&pair[0]), at(&pair[1])]);
        assert_eq!(since(&a, None).change("title")["value"], pair[1]);
        assert!(status(&a).to_string().contains('1'));
    }
}

#[test]
fn m2_a_field_that_changes_its_type_is_an_error() {
    let typed = [
        lww("title", (1000, 0, "x"), "text"),
        change("title", (2000, 0, "y"), json!({"crdt_type": "counter", "counter_delta": {"inc": 3, "dec": 0}})),
        change("title", (3000, 0, "z"), json!({"crdt_type": "set", "set_op": {"op": "add", "elements": ["e"]}})),
        counter((1000, 0, "x"), 2, 0),
        change("priority", (4000, 0, "y"), json!({"value": "text"})),
    ];
    let [a, b] = both_orders(&typed);
    // The local type shows; the others wait, and travel on.
    assert_eq!(rows(&a, "SELECT title, priority FROM tasks"), ["'text', 2"]);
    assert!(!rows(&a, "SELECT * FROM crdt_pending()").is_empty());
    let c = node("c", TASKS);
    send(&b, &c);
    same(&b, &c, "tasks");
    assert_eq!(since(&c, None).changes.iter().filter(|change| change["field"] == "title").count(), 3);
}

#[test]
fn m7_the_identity_of_an_element_is_its_json_text() {
    let spelled = [
        json!(["a<b", 1, {"x": 1, "y": [2]}]).to_string(),
        r#"["a\u003cb", 1.0, {"y":[2.0],"x":1e0}]"#.to_string(),
        r#"[ "\u0061\u003Cb" ,10e-1, { "y" : [ 2 ], "x" : 1 } ]"#.to_string(),
    ];
    let [a, b] = nodes(["a", "b"], TASKS);
    for (i, elements) in spelled.iter().enumerate() {
        let template = set("add", (1000 + i as i64, 0, "js"), json!(["HERE"])).to_string();
        merge(&a, &format!("[{}]", template.replace("[\"HERE\"]", elements)));
        b.execute("INSERT OR REPLACE INTO tasks(id, tags) VALUES ('t1', ?1)", [elements]).unwrap();
    }
    assert_eq!(rows(&a, "SELECT tags FROM tasks"), [r#"'["a<b",1,{"x":1,"y":[2]}]'"#]);
    swap(&a, &b);
    same(&a, &b, "tasks");
    assert_eq!(rows(&b, "SELECT json_array_length(tags) FROM tasks"), ["3"]);
}

#[test]
fn m8_removing_one_element_of_an_add_removes_all() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, r#"INSERT INTO tasks(id, tags) VALUES ('t1', '["x","y","z"]')"#);
    send(&a, &b);
    run(&b, r#"UPDATE tasks SET tags = '["x","z"]'"#);
    send(&b, &a);
    assert_eq!(rows(&a, "SELECT tags FROM tasks"), [r#"'["x","z"]'"#]);
    take(&a, &[set("add", (1000, 0, "js"), json!(["p", "q"])), set("remove", (1001, 0, "js"), json!(["p"]))]);
    assert_eq!(rows(&a, "SELECT tags FROM tasks"), [r#"'["q","x","z"]'"#]);
}

#[test]
fn m9_a_table_with_a_tombstone_cannot_be_pulled() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', NULL, NULL, NULL, NULL), ('t2', 'y', 1, '[1]', 0); DELETE FROM tasks WHERE id = 't1'");
    let pulled = text(&a, "SELECT crdt_pull('{\"tables\":[\"tasks\"],\"node_id\":\"b\"}')", []);
    merge(&b, &pulled);
    same(&a, &b, "tasks");
    let view =
        "SELECT field_name, tombstone, crdt_state FROM _tasks_crdt WHERE pk_hash = 't1' AND field_name = '_tombstone'";
    assert_eq!(rows(&a, view), ["'_tombstone', 1, NULL"]);
    assert!(text(&a, "SELECT crdt_inspect('tasks', 't1')", []).contains("[TOMBSTONED]"));
}
