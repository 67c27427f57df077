//! D1 to D8: deletes, revivals, forgetting.

use serde_json::{json, Value};

use crate::common::text;
use crate::support::*;

/// Forgets every tombstone now.
fn forget(conn: &rusqlite::Connection) -> String {
    run(conn, "SELECT crdt_pragma('tombstone_ttl', '0s')");
    std::thread::sleep(std::time::Duration::from_millis(5));
    text(conn, "SELECT crdt_cleanup_tombstones('tasks')", [])
}

#[test]
fn d1_a_record_lives_again_after_its_tombstone_is_collected() {
    let [a, fresh] = nodes(["a", "fresh"], TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 1, '[1]', 1); DELETE FROM tasks");
    assert_eq!(forget(&a), "1");
    assert_eq!(table(&a, "tasks").len(), 0);
    send(&a, &fresh);
    assert_eq!(table(&fresh, "tasks").len(), 0);
    let values = since(&a, None).changes.into_iter().filter(|c| c["tombstone"] != true).count();
    assert_eq!(values, 0, "its values are forgotten");
    assert_eq!(forget(&a), "0", "once");
}

#[test]
fn d2_a_write_after_a_delete_stays_dead() {
    let [a, b, c] = nodes(["a", "b", "c"], TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 1, '[1]', 1)");
    send(&a, &b);
    run(&a, "DELETE FROM tasks");
    std::thread::sleep(std::time::Duration::from_millis(2));
    run(&b, "UPDATE tasks SET title = 'later' WHERE id = 't1'");
    swap(&a, &b);
    send(&a, &c);
    for node in [&a, &b, &c] {
        assert_eq!(table(node, "tasks"), ["'t1', 'later', 1, '[1]', 1"], "with all its fields");
    }
    same(&a, &b, "tasks");
    same(&a, &c, "tasks");
    run(&a, "DELETE FROM tasks; INSERT INTO tasks(id, title) VALUES ('t1', 'again')");
    send(&a, &c);
    assert_eq!(table(&c, "tasks"), ["'t1', 'again', 0, '[]', 0"]);
}

#[test]
fn d3_an_older_tombstone_moves_the_stamp_back() {
    let [a, b] = nodes(["a", "b"], TASKS);
    take(&a, &[lww("title", (1000, 0, "x"), "v"), tombstone((3000, 0, "x"))]);
    take(&a, &[tombstone((2000, 0, "x"))]);
    assert_eq!(stamp_of(since(&a, None).change("_tombstone")).0, 3000);
    take(&a, &[lww("title", (2500, 0, "y"), "between")]);
    assert_eq!(table(&a, "tasks").len(), 0);
    send(&a, &b);
    same(&a, &b, "tasks");
}

#[test]
fn d4_the_last_tombstone_read_is_shown_rather_than_the_latest() {
    let stamps = [(2000, 0, "x"), (3000, 1, "a"), (3000, 0, "z"), (1000, 0, "z")];
    for rotation in 0..stamps.len() {
        let a = node("a", TASKS);
        take(&a, &[lww("title", (500, 0, "x"), "v")]);
        for i in 0..stamps.len() {
            take(&a, &[tombstone(stamps[(i + rotation) % stamps.len()])]);
        }
        let page = since(&a, None);
        assert_eq!(stamp_of(page.change("_tombstone")), (3000, 1, "a".to_string()));
        let view = "SELECT hlc_ts, hlc_counter, node_id FROM _tasks_crdt WHERE tombstone";
        assert_eq!(rows(&a, view), ["3000, 1, 'a'"]);
    }
}

#[test]
fn d5_any_tombstone_deletes_however_old() {
    let a = node("a", TASKS);
    take(&a, &[lww("title", (2000, 0, "x"), "newer"), tombstone((1000, 0, "z"))]);
    assert_eq!(rows(&a, "SELECT title FROM tasks"), ["'newer'"]);
    for field in ["", "_tombstone"] {
        take(&a, &[change(field, (1500, 0, "z"), json!({"crdt_type": "lww", "tombstone": true}))]);
        assert_eq!(rows(&a, "SELECT title FROM tasks"), ["'newer'"]);
    }
    take(&a, &[change("", (2500, 0, "z"), json!({"crdt_type": "lww", "tombstone": true}))]);
    assert_eq!(table(&a, "tasks").len(), 0, "TypeScript's form of a delete counts as well");
}

#[test]
fn d6_the_delete_of_one_document_path_deletes_the_row() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    let far = now(&a) + 1_000_000_000;
    let body = json!({"crdt_type": "document", "tombstone": true, "value": {"path": "a.b"}});
    let path = change("title", (far, 0, "js"), body);
    take(&a, std::slice::from_ref(&path));
    assert_eq!(rows(&a, "SELECT title FROM tasks"), ["'x'"]);
    send(&a, &b);
    assert!(since(&b, None).changes.contains(&path), "kept and passed on");
    same(&a, &b, "tasks");
}

/// Every order and every grouping of these changes must come out the same.
#[test]
fn d7_deletedness_depends_on_the_grouping() {
    let changes = [
        lww("title", (1000, 0, "x"), "first"),
        tombstone((2000, 0, "y")),
        lww("done", (2000, 0, "z"), 1),
        counter((1500, 0, "x"), 4, 1),
        tombstone((2500, 0, "x")),
        set("add", (2600, 0, "y"), json!(["e"])),
    ];
    let mut outcome: Option<(Vec<String>, String)> = None;
    for order in permutations(changes.len()) {
        let a = node("a", TASKS);
        let sorted: Vec<Value> = order.iter().map(|i| changes[*i].clone()).collect();
        let (first, rest) = sorted.split_at(order[0] + 1);
        take(&a, first);
        rest.iter().for_each(|change| drop(take(&a, std::slice::from_ref(change))));
        let now = (table(&a, "tasks"), text(&a, "SELECT crdt_digest('tasks', 'full')", []));
        assert_eq!(outcome.get_or_insert_with(|| now.clone()), &now, "{order:?}");
    }
    assert_eq!(outcome.unwrap().0, [r#"'t1', 'first', 3, '["e"]', 1"#]);
}

/// Every twelfth permutation of 0..n, for speed.
fn permutations(n: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for i in 0..n {
        all = all
            .into_iter()
            .flat_map(|p: Vec<usize>| (0..=p.len()).map(move |at| [&p[..at], &[i], &p[at..]].concat()))
            .collect();
    }
    all.into_iter().step_by(12).collect()
}

#[test]
fn d8_a_peer_away_for_longer_brings_the_row_back() {
    let [a, away] = nodes(["a", "away"], TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 1, '[1]', 1), ('t2', 'y', 1, '[1]', 1)");
    send(&a, &away);
    run(&a, "DELETE FROM tasks WHERE id = 't1'");
    assert_eq!(forget(&a), "1");
    // The peer knows nothing of the delete, and sends what it has: twice, and from the beginning.
    for _ in 0..2 {
        send(&away, &a);
        assert_eq!(rows(&a, "SELECT id FROM tasks"), ["'t2'"]);
    }
    send(&a, &away);
    assert_eq!(rows(&away, "SELECT id FROM tasks"), ["'t2'"]);
    assert_eq!(digest(&a, "tasks"), digest(&away, "tasks"));
    // A record that never existed here is taken, old as its stamp is.
    take(&a, &[change("title", (1000, 0, "old"), json!({"pk": "t3", "value": "late"}))]);
    assert_eq!(rows(&a, "SELECT title FROM tasks WHERE id = 't3'"), ["'late'"]);
}
