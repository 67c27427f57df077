//! What is sent of records that are inside, enter, leave, or never were there.

use crate::common::text;
use crate::support::*;
use crate::{pair, sync, OWNED};

#[test]
fn only_rows_for_which_it_holds_are_sent() {
    let [hub, peer] = pair();
    run(&hub, "INSERT INTO tasks(id, owner, title) VALUES ('t1', 'ann', 'a'), ('t2', 'bob', 'b'), ('t3', NULL, 'c')");
    let mut cursor = None;
    let page = sync(&hub, &peer, &mut cursor);
    assert!(!page.json.contains("t2") && !page.json.contains("t3"), "{}", page.json);
    assert_eq!(rows(&peer, "SELECT id, title FROM tasks"), ["'t1', 'a'"]);
    // What changed, and no more.
    run(&hub, "UPDATE tasks SET title = 'z'");
    assert_eq!(sync(&hub, &peer, &mut cursor).fields(), ["t1.title"]);
    let idle = since(&hub, cursor.as_deref());
    assert_eq!((idle.changes.len(), Some(idle.cursor)), (0, cursor));
}

#[test]
fn a_row_that_enters_comes_whole() {
    let [hub, peer] = pair();
    run(&hub, "INSERT INTO tasks VALUES ('t1', 'bob', 'a', 3, '[1]')");
    let mut cursor = None;
    assert_eq!(sync(&hub, &peer, &mut cursor).changes.len(), 0);
    run(&hub, "UPDATE tasks SET owner = 'ann'");
    assert_eq!(sync(&hub, &peer, &mut cursor).fields(), ["t1.owner", "t1.tags", "t1.title", "t1.votes"]);
    assert_eq!(table(&hub, "tasks"), table(&peer, "tasks"));
    assert_eq!(digest(&hub, "tasks"), digest(&peer, "tasks"));
}

#[test]
fn a_row_that_leaves_is_told_and_dropped_and_may_return() {
    let [hub, peer] = pair();
    run(&hub, "INSERT INTO tasks VALUES ('t1', 'ann', 'a', 3, '[1]')");
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    run(&hub, "UPDATE tasks SET owner = 'bob', title = 'secret'");
    let page = sync(&hub, &peer, &mut cursor);
    let left = page.change("_left");
    assert_eq!(page.changes.len(), 1, "{}", page.json);
    assert!(left.get("hlc").is_none() && left["knows"]["hub"]["ts"].is_i64() && !page.json.contains("secret"));
    assert_eq!(table(&peer, "tasks"), [""; 0]);
    assert_eq!(text(&peer, "SELECT count(*) FROM _crdt_clock", []), "0", "no tombstone");
    assert_eq!(since(&peer, None).changes.len(), 0, "never relayed");
    sound(&peer);
    run(&hub, "UPDATE tasks SET owner = 'ann', votes = votes + 1");
    assert_eq!(sync(&hub, &peer, &mut cursor).fields(), ["t1.owner", "t1.tags", "t1.title", "t1.votes"]);
    assert_eq!(table(&hub, "tasks"), table(&peer, "tasks"));
    assert_eq!(digest(&hub, "tasks"), digest(&peer, "tasks"));
    assert_eq!(status(&peer)["forks"], status(&hub)["forks"]);
}

#[test]
fn deletes_are_told_to_those_who_had_the_record() {
    let [hub, peer] = pair();
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'ann'), ('t2', 'bob'), ('t3', 'ann')");
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    run(&hub, "UPDATE tasks SET owner = 'bob' WHERE id = 't3'; DELETE FROM tasks; INSERT INTO tasks(id, owner) VALUES ('t4', 'ann')");
    run(&hub, "DELETE FROM tasks WHERE id = 't4'");
    assert_eq!(sync(&hub, &peer, &mut cursor).fields(), ["t1._tombstone", "t3._tombstone"]);
    assert_eq!(table(&peer, "tasks"), [""; 0]);
    // A new peer learns of nothing.
    assert_eq!(since(&hub, None).changes.len(), 0);
    // Inserted again: whole.
    run(&hub, "INSERT INTO tasks VALUES ('t1', 'ann', 'back', 7, '[2]')");
    sync(&hub, &peer, &mut cursor);
    assert_eq!(table(&hub, "tasks"), table(&peer, "tasks"));
    assert_eq!(digest(&hub, "tasks"), digest(&peer, "tasks"));
}

#[test]
fn counters_and_sets_decide_too() {
    let [hub, peer] = nodes(["hub", "peer"], OWNED);
    run(&hub, "SELECT crdt_filter('tasks', 'votes > 2 AND tags LIKE ''%\"red\"%''')");
    run(&hub, "INSERT INTO tasks VALUES ('t1', 'a', 'a', 2, '[\"red\"]'), ('t2', 'b', 'b', 5, '[]')");
    let mut cursor = None;
    assert_eq!(sync(&hub, &peer, &mut cursor).changes.len(), 0);
    run(&hub, "UPDATE tasks SET votes = votes + 1; UPDATE tasks SET tags = '[\"red\"]' WHERE id = 't2'");
    sync(&hub, &peer, &mut cursor);
    assert_eq!(table(&hub, "tasks"), table(&peer, "tasks"));
    // By a merge.
    let other = node("other", OWNED);
    merge(&other, &text(&peer, "SELECT crdt_changes_since(NULL)", []));
    run(&other, "UPDATE tasks SET votes = votes - 10 WHERE id = 't2'");
    send(&other, &hub);
    assert_eq!(sync(&hub, &peer, &mut cursor).fields(), ["t2._left"]);
    assert_eq!(rows(&peer, "SELECT id FROM tasks"), ["'t1'"]);
}

/// Entering, leaving, entering again between two pulls, and pages between them.
#[test]
fn pages_split_nothing() {
    let [hub, peer] = pair();
    for i in 0..6 {
        run(&hub, &format!("INSERT INTO tasks VALUES ('t{i}', 'ann', 'a', {i}, '[]'), ('u{i}', 'bob', 'b', 1, '[]')"));
    }
    run(&hub, "UPDATE tasks SET owner = 'ann' WHERE id = 'u0'; UPDATE tasks SET owner = 'bob' WHERE id = 't5'");
    let mut cursor: Option<String> = None;
    let mut step = |between: &str| {
        let page = page(&text(&hub, "SELECT crdt_changes_since(?1, NULL, 1)", [cursor.as_deref()]));
        merge(&peer, &page.json);
        cursor = Some(page.cursor);
        run(&hub, between);
        page.more
    };
    step("UPDATE tasks SET owner = 'bob' WHERE id IN ('t0', 't3')");
    step("UPDATE tasks SET owner = 'ann' WHERE id = 't3'; UPDATE tasks SET title = 'later' WHERE id = 't1'");
    step("UPDATE tasks SET owner = 'bob' WHERE id = 't4'");
    while step("") {}
    let wanted = rows(&hub, "SELECT * FROM tasks WHERE owner = 'ann' ORDER BY id");
    assert_eq!(rows(&peer, "SELECT * FROM tasks ORDER BY id"), wanted);
}

#[test]
fn rows_from_before_enable_and_table_valued_changes() {
    let hub = node(
        "hub",
        "CREATE TABLE tasks(id INTEGER PRIMARY KEY, owner TEXT); INSERT INTO tasks VALUES (1, 'ann'), (2, 'bob')",
    );
    run(&hub, "SELECT crdt_enable('tasks'); SELECT crdt_filter('tasks', 'owner = ''ann''')");
    assert_eq!(rows(&hub, "SELECT pk, field, value FROM crdt_changes(NULL)"), ["'1', 'owner', 'ann'"]);
    let last = text(&hub, "SELECT cursor FROM crdt_changes(NULL) ORDER BY rowid DESC LIMIT 1", []);
    run(&hub, "UPDATE tasks SET owner = 'bob'");
    let told = rows_with(&hub, "SELECT pk, field, hlc_ts, node_id, tombstone FROM crdt_changes(?1)", [&last]);
    assert_eq!(told, ["'1', '_left', NULL, NULL, 0"]);
}

#[test]
fn a_cursor_of_the_log_end_and_plain_stamps() {
    let [hub, peer] = pair();
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'ann'), ('t2', 'bob')");
    let mut cursor = Some(mark(&hub));
    run(&hub, "UPDATE tasks SET title = 'x'");
    assert_eq!(sync(&hub, &peer, &mut cursor).fields(), ["t1.title"]);
    let plain = r#"{"ts":1,"c":0,"node":"x"}"#;
    let page = since(&hub, Some(plain));
    assert!(page.fields().contains(&"t1.title".to_owned()) && !page.json.contains("t2"), "{}", page.json);
    run(&hub, "UPDATE tasks SET owner = 'bob'");
    assert_eq!(since(&hub, Some(plain)).fields(), ["t1._left"]);
}
