//! Node ids: minted, set, forked.

use crate::common::{error, open, open_file, text};
use crate::support::*;

const NOW: i64 = 1_780_000_000_000;
const MINUTE: i64 = 60_000;

#[test]
fn minted_at_random_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = open_file(&path);
    let id = text(&a, "SELECT crdt_node_id()", []);
    assert!(!id.is_empty() && id.len() <= 255 && !id.contains('~') && id != "_base", "{id}");
    assert_eq!(text(&a, "SELECT crdt_node_id()", []), id);
    run(&a, TASKS);
    a.close().unwrap();
    let a = open_file(&path);
    assert_eq!(text(&a, "SELECT crdt_node_id()", []), id);
    assert_eq!(text(&a, "SELECT crdt_pragma('node_id')", []), id);
    assert_ne!(text(&open(), "SELECT crdt_node_id()", []), id);
}

#[test]
fn set_until_changes_exist() {
    let a = open();
    for id in ["x", "é😀", "a b;'\"", &"n".repeat(255)] {
        assert_eq!(text(&a, "SELECT crdt_node_id(?1)", [id]), id);
        assert_eq!(text(&a, "SELECT crdt_node_id()", []), id);
    }
    run(&a, TASKS);
    run(&a, "SELECT crdt_node_id('before any change'); INSERT INTO tasks(id) VALUES ('t1')");
    assert!(error(&a, "SELECT crdt_node_id('after')", []).contains("crdt_fork"));
    assert_eq!(
        text(&a, "SELECT crdt_node_id('before any change')", []),
        "before any change",
        "the same id is no change"
    );
    run(&a, "DELETE FROM tasks");
    export(&a);
    error(&a, "SELECT crdt_node_id('after')", []);
}

#[test]
fn a_rollback_takes_the_id_back() {
    let a = node("a", TASKS);
    run(&a, "BEGIN; SELECT crdt_node_id('other'); INSERT INTO tasks(id, title) VALUES ('t1', 'x'); ROLLBACK");
    assert_eq!(text(&a, "SELECT crdt_node_id()", []), "a");
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    assert_eq!(since(&a, None).change("title")["node_id"], "a");
    run(&a, "BEGIN; SELECT crdt_fork(); ROLLBACK; UPDATE tasks SET title = 'y'");
    assert_eq!(since(&a, None).change("title")["node_id"], "a");
}

#[test]
fn a_fork_keeps_data_and_history() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 3, '[1]', 0)");
    run(&a, "UPDATE tasks SET title = 'unfolded'");
    let before = digest(&a, "tasks");
    let id = text(&a, "SELECT crdt_fork()", []);
    assert_ne!(id, "a");
    assert_eq!(digest(&a, "tasks"), before);
    assert!(since(&a, None).changes.iter().all(|change| change["node_id"] == "a"), "what was written stays a's");
    run(&a, "UPDATE tasks SET done = 1, priority = priority + 1");
    let page = since(&a, None);
    assert_eq!(page.change("done")["node_id"], *id);
    assert!(stamp_of(page.change("done")) > stamp_of(page.change("title")));
    send(&a, &b);
    same(&a, &b, "tasks");
    assert_eq!(rows(&b, "SELECT priority FROM tasks"), ["4"]);
}

/// Writes made while the clock was ahead wait at every peer. A fork makes them anew, of the new node and of now.
#[test]
fn a_fork_brings_writes_back_from_the_future() {
    const DAY: i64 = 86_400_000;
    clock::set(NOW);
    let [a, peer, bystander] = ["a", "peer", "bystander"].map(|name| named(clock::open(":memory:"), name, TASKS));
    let first = "INSERT INTO tasks(id, title, priority, tags) VALUES ('t1', 'x', 1, '[\"p\"]'), ('t2', 'x', 0, '[]'), ('t3', 'x', 0, '[]')";
    run(&peer, first);
    send(&peer, &a);
    clock::set(NOW + 2 * DAY);
    run(
        &a,
        "UPDATE tasks SET title = 'ahead', priority = 5, tags = '[\"q\"]' WHERE id = 't1';
         DELETE FROM tasks WHERE id = 't2'; INSERT INTO tasks VALUES ('t4', 'new', 7, '[\"r\"]', 1); SELECT crdt_digest('tasks')",
    );
    let meant = table(&a, "tasks");
    clock::set(NOW + 1_000);
    send(&a, &bystander);
    assert_eq!(rows(&bystander, "SELECT count(DISTINCT pk) FROM crdt_pending()"), ["3"], "they wait");

    run(&a, "SELECT crdt_fork()");
    assert!(now(&a) < (NOW + DAY) * 1_000_000, "the clock is back");
    assert_eq!(table(&a, "tasks"), meant, "nothing is lost here");
    send(&a, &peer);
    same(&a, &peer, "tasks");
    assert_eq!(rows(&peer, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    assert_eq!(rows(&peer, "SELECT count(*) FROM crdt_conflicts()"), ["0"], "it had seen what it overwrote");
    run(&peer, "UPDATE tasks SET title = 'later', priority = priority + 1, tags = '[]' WHERE id = 't1'");
    swap(&a, &peer);
    same(&a, &peer, "tasks");
    assert_eq!(rows(&a, "SELECT title, priority, tags FROM tasks WHERE id = 't1'"), ["'later', 6, '[]'"]);
}

/// A node that forks after it has run each of `steps` with a clock so many minutes ahead, and a peer that it has sent all to.
fn forked(steps: &[(i64, &str)]) -> [rusqlite::Connection; 2] {
    clock::set(NOW);
    let [a, peer] = ["a", "peer"].map(|name| named(clock::open(":memory:"), name, TASKS));
    for (ahead, step) in steps {
        clock::set(NOW + ahead * MINUTE);
        run(&a, step);
        digest(&a, "tasks");
        if *ahead < 5 {
            send(&a, &peer);
        }
    }
    clock::set(NOW + 1_000);
    let meant = table(&a, "tasks");
    run(&a, "SELECT crdt_fork()");
    assert_eq!(table(&a, "tasks"), meant, "nothing is lost here");
    sound(&a);
    send(&a, &peer);
    assert_eq!(rows(&peer, "SELECT count(*) FROM crdt_pending()"), ["0"], "nothing waits");
    assert_eq!(
        rows(&peer, "SELECT * FROM crdt_conflicts()"),
        Vec::<String>::new(),
        "what it wrote anew knows what was before"
    );
    same(&a, &peer, "tasks");
    [a, peer]
}

/// What is written anew does not come before what it followed on, also where that was not so far ahead as to be written anew.
#[test]
fn a_fork_keeps_the_order_of_writes_from_the_future() {
    let [a, peer] = forked(&[(4, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')"), (30, "DELETE FROM tasks")]);
    assert_eq!(table(&peer, "tasks"), Vec::<String>::new(), "what was deleted stays deleted");
    assert!(now(&a) >= (NOW + 4 * MINUTE) * 1_000_000, "the clock is not behind what was written");
    let [_, peer] = forked(&[
        (4, "INSERT INTO tasks(id, tags) VALUES ('t1', '[\"e\",\"f\"]')"),
        (30, "UPDATE tasks SET tags = '[\"f\"]'"),
    ]);
    assert_eq!(rows(&peer, "SELECT tags FROM tasks"), ["'[\"f\"]'"]);
    let write = "UPDATE tasks SET title = 'y', priority = 5";
    let [_, peer] =
        forked(&[(4, "INSERT INTO tasks VALUES ('t1', 'x', 3, '[1]', 0)"), (30, write), (31, "DELETE FROM tasks")]);
    assert_eq!(table(&peer, "tasks"), Vec::<String>::new());
    let [_, peer] = forked(&[
        (30, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'x')"),
        (31, "DELETE FROM tasks; INSERT INTO tasks(id, title) VALUES ('t1', 'y'); UPDATE tasks SET title = 'z'"),
        (32, "DELETE FROM tasks; INSERT INTO tasks(id, title) VALUES ('t2', 'y')"),
    ]);
    assert_eq!(rows(&peer, "SELECT id, title FROM tasks"), ["'t2', 'y'"]);
}

/// Where counts began anew in the future is put right with them, and so is what was forgotten before.
#[test]
fn a_fork_brings_new_lives_back_from_the_future() {
    let insert = "INSERT INTO tasks(id, priority, tags) VALUES ('t1', 7, '[\"b\"]')";
    let again = format!("DELETE FROM tasks; {insert}");
    let [_, peer] = forked(&[(30, "INSERT INTO tasks(id, priority) VALUES ('t1', 5)"), (30, &again)]);
    assert_eq!(rows(&peer, "SELECT priority, tags FROM tasks"), ["7, '[\"b\"]'"]);
    let [a, peer] = forked(&[
        (30, "INSERT INTO tasks(id, priority, tags) VALUES ('t1', 5, '[\"a\"]'); DELETE FROM tasks"),
        (31, "SELECT crdt_pragma('tombstone_ttl', '1s'), crdt_cleanup_tombstones()"),
        (32, insert),
    ]);
    assert_eq!(rows(&peer, "SELECT priority, tags FROM tasks"), ["7, '[\"b\"]'"]);
    run(&peer, "UPDATE tasks SET priority = priority + 1, tags = '[]'");
    swap(&a, &peer);
    same(&a, &peer, "tasks");
    assert_eq!(rows(&a, "SELECT priority, tags FROM tasks"), ["8, '[]'"]);
}

/// What a peer deleted, or took from a set, having seen it, is not written anew: that would come after the delete, and back.
#[test]
fn a_fork_brings_nothing_back_that_peers_removed() {
    clock::set(NOW);
    let [a, peer, third] = ["a", "peer", "third"].map(|name| named(clock::open(":memory:"), name, TASKS));
    for node in [&peer, &third] {
        run(node, "SELECT crdt_pragma('max_drift', '1d')");
    }
    clock::set(NOW + 60 * MINUTE);
    run(&a, "INSERT INTO tasks(id, title, priority, tags) VALUES ('t1', 'x', 5, '[\"p\"]'), ('t2', 'y', 0, '[\"p\",\"q\"]')");
    digest(&a, "tasks");
    clock::set(NOW + 1_000);
    send(&a, &peer);
    run(&peer, "DELETE FROM tasks WHERE id = 't1'; UPDATE tasks SET tags = '[\"q\"]' WHERE id = 't2'");
    send(&peer, &third);
    clock::set(NOW + 61 * MINUTE);
    send(&peer, &a);
    clock::set(NOW + 2_000);
    run(&a, "SELECT crdt_fork()");
    sound(&a);
    run(&a, "UPDATE tasks SET title = 'z'");
    send(&a, &peer);
    send(&a, &third);
    clock::set(NOW + 62 * MINUTE); // the time of what they had from the future
    for node in [&peer, &third] {
        send(node, &a);
        same(&a, node, "tasks");
        assert_eq!(rows(node, "SELECT id, title, tags FROM tasks"), ["'t2', 'z', '[\"q\"]'"]);
    }
}

/// What is written anew keeps its place among what a peer wrote still further ahead, which stays.
#[test]
fn a_fork_puts_nothing_after_what_followed_it() {
    clock::set(NOW);
    let [a, peer, third] = ["a", "peer", "third"].map(|name| named(clock::open(":memory:"), name, TASKS));
    for node in [&peer, &third] {
        run(node, "SELECT crdt_pragma('max_drift', '1d')");
    }
    run(&a, "INSERT INTO tasks(id, title, priority) VALUES ('t1', 'first', 1), ('t2', 'first', 1)");
    clock::set(NOW + 60 * MINUTE);
    run(&a, "DELETE FROM tasks WHERE id = 't1'; UPDATE tasks SET title = 'ahead', priority = 2 WHERE id = 't2'");
    digest(&a, "tasks");
    clock::set(NOW + 1_000);
    send(&a, &peer);
    clock::set(NOW + 120 * MINUTE);
    run(&peer, "INSERT INTO tasks(id, title, priority) VALUES ('t1', 'again', 5); UPDATE tasks SET title = 'after' WHERE id = 't2'");
    send(&peer, &a);
    let meant = table(&a, "tasks");
    clock::set(NOW + 2_000);
    run(&a, "SELECT crdt_fork()");
    sound(&a);
    assert_eq!(table(&a, "tasks"), meant, "nothing is lost here");
    let waiting = named(clock::open(":memory:"), "waiting", TASKS);
    send(&a, &waiting);
    assert_eq!(
        rows(&waiting, "SELECT id, title, priority FROM tasks"),
        ["'t2', NULL, 2"],
        "what is of now; the peer's title is not"
    );
    send(&a, &third);
    clock::set(NOW + 121 * MINUTE); // the time of all of them
    for _ in 0..2 {
        [&peer, &third, &waiting].into_iter().for_each(|node| swap(&a, node));
    }
    for node in [&a, &peer, &waiting] {
        same(node, &third, "tasks");
        assert_eq!(table(node, "tasks"), meant);
    }
}

/// A clock that a fork brought back is not moved on again by stamps that `crdt_now` gave out before.
#[test]
fn a_fork_forgets_stamps_given_out_in_the_future() {
    clock::set(NOW + 60 * MINUTE);
    let a = named(clock::open(":memory:"), "a", TASKS);
    run(&a, "INSERT INTO tasks(id) VALUES ('t1'); SELECT crdt_now()");
    clock::set(NOW);
    run(&a, "SELECT crdt_fork(); SELECT crdt_now()");
    assert!(now(&a) < (NOW + MINUTE) * 1_000_000);
}

/// Who takes an id under which a peer has written would have its own writes taken for what is known.
#[test]
fn the_id_of_a_peer_is_refused() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id) VALUES ('t1')");
    send(&a, &b);
    run(&b, "UPDATE tasks SET priority = priority + 3");
    let c = node("c", TASKS);
    send(&b, &c);
    for id in ["a", "b"] {
        let message = error(&c, "SELECT crdt_node_id(?1)", [id]);
        assert!(message.contains("has written changes that are here") && message.contains("another id"), "{message}");
    }
    for id in ["d", "c", "d"] {
        assert_eq!(text(&c, "SELECT crdt_node_id(?1)", [id]), id, "one that it had itself");
    }
}

/// The fold spells the sets of such rows anew: that is no change of this node's.
#[test]
fn rows_from_before_are_no_changes() {
    for cell in ["'[2, 1]'", "NULL", "'[1]'"] {
        let a = open();
        run(&a, &format!("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, s, n); INSERT INTO t VALUES ('a', {cell}, 1)"));
        run(&a, "SELECT crdt_enable('t', 's:set', 'n:counter')");
        assert_eq!(text(&a, "SELECT crdt_node_id('ann')", []), "ann", "{cell}");
        run(&a, "UPDATE t SET n = n + 1");
        assert!(error(&a, "SELECT crdt_node_id('bob')", []).contains("crdt_fork"), "{cell}");
    }
}
