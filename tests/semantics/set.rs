//! Sets: a JSON array of unique elements; add wins over a concurrent remove.

use serde_json::json;

use crate::support::*;

fn tags(conn: &rusqlite::Connection) -> String {
    rows(conn, "SELECT tags FROM tasks WHERE id = 't1'")[0].trim_matches('\'').to_string()
}

fn write(conn: &rusqlite::Connection, tags: &str) {
    conn.execute(
        "INSERT INTO tasks(id, tags) VALUES ('t1', ?1) ON CONFLICT(id) DO UPDATE SET tags = excluded.tags",
        [tags],
    )
    .unwrap();
}

#[test]
fn concurrent_adds_are_united() {
    let [a, b] = nodes(["a", "b"], TASKS);
    write(&a, r#"["base"]"#);
    send(&a, &b);
    write(&a, r#"["base","from a"]"#);
    write(&b, r#"["base","from b"]"#);
    swap(&a, &b);
    assert_eq!(tags(&a), r#"["base","from a","from b"]"#);
    same(&a, &b, "tasks");
}

#[test]
fn add_wins_over_a_concurrent_remove() {
    let [a, b, c] = nodes(["a", "b", "c"], TASKS);
    write(&a, r#"["x","y"]"#);
    send(&a, &b);
    write(&a, r#"["y"]"#);
    write(&b, r#"["y"]"#);
    write(&b, r#"["x","y"]"#); // removed and added anew: a has not seen that add
    swap(&a, &b);
    send(&a, &c);
    for node in [&a, &b, &c] {
        assert_eq!(tags(node), r#"["x","y"]"#);
    }
    same(&a, &b, "tasks");
    same(&a, &c, "tasks");
    // A remove that has seen every add stands.
    write(&a, r#"["y"]"#);
    send(&a, &b);
    assert_eq!(tags(&b), r#"["y"]"#);
}

#[test]
fn both_remove() {
    let [a, b] = nodes(["a", "b"], TASKS);
    write(&a, "[1,2,3]");
    send(&a, &b);
    write(&a, "[3]");
    write(&b, "[1]");
    swap(&a, &b);
    assert_eq!(tags(&a), "[]");
    same(&a, &b, "tasks");
}

#[test]
fn null_is_the_empty_set() {
    let [a, b] = nodes(["a", "b"], TASKS);
    write(&a, r#"["x"]"#);
    send(&a, &b);
    run(&a, "UPDATE tasks SET tags = NULL");
    send(&a, &b);
    assert!(["[]", "NULL"].contains(&tags(&b).as_str()), "{}", tags(&b));
    assert_eq!(digest(&a, "tasks"), digest(&b, "tasks"));
    let cursor = since(&a, None).cursor;
    run(&a, "UPDATE tasks SET tags = '[]'");
    assert_eq!(since(&a, Some(&cursor)).changes.len(), 0, "the same set");
    write(&b, r#"["y"]"#);
    swap(&a, &b);
    assert_eq!(tags(&a), r#"["y"]"#);
}

/// A wire remove that names no tags: its meaning is fixed where it arrives first, and travels on with its tags.
#[test]
fn a_remove_without_tags_is_fixed_at_its_receiver() {
    let [a, b, c] = nodes(["a", "b", "c"], TASKS);
    let (old, new) = (set("add", (1000, 0, "x"), json!(["e"])), set("add", (2000, 0, "y"), json!(["e"])));
    take(
        &a,
        &[old.clone(), set("add", (1500, 0, "x"), json!(["stays"])), set("remove", (3000, 0, "js"), json!(["e"]))],
    );
    assert_eq!(tags(&a), r#"["stays"]"#);
    let removes: Vec<_> = since(&a, None).changes.into_iter().filter(|c| c["set_op"]["op"] == "remove").collect();
    assert_eq!(removes.len(), 1);
    assert_eq!(
        removes[0]["set_op"],
        json!({"op": "remove", "elements": ["e"], "tags": [{"ts": 1000, "c": 0, "node": "x"}]})
    );
    assert_eq!(
        (&removes[0]["hlc"], &removes[0]["node_id"]),
        (&json!({"ts": 3000, "c": 0, "node": "js"}), &json!("js")),
        "keeps its stamp and author"
    );
    // Another node's add, which a did not know: it survives everywhere, in any order.
    take(&b, &[new, old]);
    send(&a, &b);
    assert_eq!(tags(&b), r#"["e","stays"]"#);
    send(&b, &c);
    send(&b, &a);
    same(&a, &b, "tasks");
    same(&a, &c, "tasks");
}

#[test]
fn removes_before_their_adds() {
    let tagged = |tag| {
        let op = json!({"op": "remove", "elements": ["e"], "tags": [{"ts": tag, "c": 0, "node": "x"}]});
        change("tags", (3000, 0, "z"), json!({"crdt_type": "set", "set_op": op}))
    };
    let changes =
        [set("add", (1000, 0, "x"), json!(["e", "f"])), tagged(1000), set("add", (2000, 0, "x"), json!(["g"]))];
    for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0], [1, 2, 0]] {
        let a = node("a", TASKS);
        order.iter().for_each(|i| drop(take(&a, std::slice::from_ref(&changes[*i]))));
        assert_eq!(tags(&a), r#"["f","g"]"#, "{order:?}");
    }
}

/// Adding and removing the same element for ever does not grow the state.
#[test]
fn dead_tags_do_not_pile_up() {
    let [a, b] = nodes(["a", "b"], TASKS);
    for _ in 0..50 {
        write(&a, r#"["x"]"#);
        write(&a, "[]");
        export(&a);
    }
    write(&a, r#"["x"]"#);
    let count = since(&a, None).changes.iter().filter(|change| change["crdt_type"] == "set").count();
    assert!(count <= 3, "{count} changes for one element");
    assert!(rows(&a, "SELECT count(*) FROM _tasks_crdt WHERE field_name = 'tags'")[0].parse::<i64>().unwrap() <= 2);
    send(&a, &b);
    same(&a, &b, "tasks");
}

/// A set exports its latest operation's stamp even when the pairs alone do not show it.
#[test]
fn an_emptied_set_still_tells_its_stamp() {
    let [a, b, c] = nodes(["a", "b", "c"], TASKS);
    run(&a, "INSERT INTO tasks(id, tags) VALUES ('t1', '[1]')");
    send(&a, &b);
    std::thread::sleep(std::time::Duration::from_millis(2));
    run(&b, "DELETE FROM tasks");
    std::thread::sleep(std::time::Duration::from_millis(2));
    run(&a, "UPDATE tasks SET tags = '[]'"); // later than the delete: the row lives
    swap(&a, &b);
    send(&b, &c);
    for node in [&a, &b, &c] {
        assert_eq!(table(node, "tasks").len(), 1);
        assert_eq!(tags(node), "[]");
    }
    same(&a, &c, "tasks");
}

#[test]
fn columns_become_canonical() {
    // What is written, what the fold makes of it.
    let cases = [
        (r#"["b","a"]"#, r#"["a","b"]"#),
        (r#"[ "a" , "a" ]"#, r#"["a"]"#),
        (r#"["\u0061\/","\u00e9"]"#, r#"["a/","é"]"#),
        (r#"[1.0,1,1e0,10e-1]"#, "[1]"),
        (r#"[0.10,1.5e3,-0]"#, "[0,0.1,1500]"),
        (r#"[10,9,"1"]"#, r#"["1",10,9]"#),
        (r#"[{"b":1,"a":{"d":2,"c":3.0}}]"#, r#"[{"a":{"c":3,"d":2},"b":1}]"#),
        (r#"[[2,1],[ ],null,true,false]"#, "[[2,1],[],false,null,true]"),
        (r#"[9223372036854775807,-9223372036854775808]"#, "[-9223372036854775808,9223372036854775807]"),
        (r#"["\"\\\n\t\u0001"]"#, r#"["\"\\\n\t\u0001"]"#),
        ("[\"😀\",\"\u{fffd}\"]", "[\"\u{fffd}\",\"😀\"]"),
        ("[]", "[]"),
        (" [ ] ", "[]"),
    ];
    for (written, canonical) in cases {
        let [a, b] = nodes(["a", "b"], TASKS);
        write(&a, written);
        let cursor = since(&a, None).cursor;
        assert_eq!(tags(&a), canonical, "{written}");
        assert_eq!(since(&a, Some(&cursor)).changes.len(), 0, "rewriting is no change");
        write(&a, written);
        assert_eq!(since(&a, Some(&cursor)).changes.len(), 0, "nor is the same set in another spelling: {written}");
        send(&a, &b);
        same(&a, &b, "tasks");
    }
}
