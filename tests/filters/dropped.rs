//! A record leaves a filter while hub and peer have other columns.

use rusqlite::Connection;

use crate::support::*;
use crate::sync;

/// Rows of an owner, with a column to be dropped.
const TASKS: &str = "
    CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, owner TEXT, title TEXT, gone TEXT);
    SELECT crdt_enable('tasks');";
const DROP: &str = "SELECT crdt_alter('tasks', 'DROP COLUMN gone')";

/// A hub that sends Ann's rows, with one of them, and a peer that has dropped a column.
fn pair() -> [Connection; 2] {
    let [hub, peer] = nodes(["hub", "peer"], TASKS);
    run(&hub, "SELECT crdt_filter('tasks', 'owner = ''ann'''); INSERT INTO tasks VALUES ('t1', 'ann', 'a', 'g')");
    run(&peer, DROP);
    [hub, peer]
}

/// Others give the row another title and another owner, later than all that was there.
fn moved(hub: &Connection) {
    take(hub, &[lww("title", (now(hub), 0, "x"), "later")]);
    take(hub, &[lww("owner", (now(hub), 0, "y"), "bob")]);
}

#[track_caller]
fn has_let_go(peer: &Connection) {
    assert_eq!(rows(peer, "SELECT id FROM tasks"), [""; 0]);
    assert_eq!(rows(peer, "SELECT count(*) FROM _crdt_clock"), ["0"]);
    sound(peer);
}

/// The peer keeps a value of a column that it dropped before; the hub dropped it after.
#[test]
fn a_value_of_a_column_that_the_hub_dropped_too() {
    let [hub, peer] = pair();
    run(&hub, "UPDATE tasks SET gone = 'h'");
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    assert_eq!(rows(&peer, "SELECT field FROM crdt_pending()"), ["'gone'"]);
    run(&hub, DROP);
    moved(&hub);
    sync(&hub, &peer, &mut cursor);
    has_let_go(&peer);
    sound(&hub);
}

/// What it keeps was written over at the hub before that dropped the column, and nobody told it.
#[test]
fn a_value_that_was_written_over_before_the_column_was_dropped() {
    let [hub, peer] = pair();
    take(&hub, &[lww("gone", (now(&hub), 0, "z"), "z")]);
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    run(&hub, "UPDATE tasks SET gone = 'h'");
    run(&hub, DROP);
    moved(&hub);
    sync(&hub, &peer, &mut cursor);
    has_let_go(&peer);
}

/// The hub has had a column of that name again since.
#[test]
fn a_value_of_a_column_that_was_dropped_and_made_again() {
    let [hub, peer] = pair();
    run(&hub, "UPDATE tasks SET gone = 'h'");
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    run(&hub, DROP);
    run(&hub, "SELECT crdt_alter('tasks', 'ADD COLUMN gone TEXT')");
    moved(&hub);
    sync(&hub, &peer, &mut cursor);
    has_let_go(&peer);
}

/// The hub has the column under another type: what it was told of before is known there all the same.
#[test]
fn a_value_of_a_column_that_got_another_type() {
    let [hub, peer] = nodes(["hub", "peer"], &TASKS.replace("gone TEXT", "gone INTEGER"));
    run(&hub, "SELECT crdt_filter('tasks', 'owner = ''ann'''); INSERT INTO tasks VALUES ('t1', 'ann', 'a', 1)");
    run(&hub, "UPDATE tasks SET gone = 2");
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    run(&hub, "SELECT crdt_enable('tasks', 'gone:counter')");
    moved(&hub);
    sync(&hub, &peer, &mut cursor);
    has_let_go(&peer);
}

/// What the hub has never seen stays, until it has.
#[test]
fn a_value_that_the_hub_has_not_seen_stays() {
    let [hub, peer] = pair();
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    run(&hub, DROP);
    take(&peer, &[lww("gone", (now(&peer), 0, "z"), "unseen")]);
    moved(&hub);
    sync(&hub, &peer, &mut cursor);
    assert_eq!(rows(&peer, "SELECT id FROM tasks"), ["'t1'"]);
    send(&peer, &hub);
    sync(&hub, &peer, &mut cursor);
    has_let_go(&peer);
}

/// The peer's own write keeps the row, and goes with its column before the hub has it: the hub does not tell again.
#[test]
fn a_write_that_goes_with_its_column_unsent() {
    let [hub, peer] = nodes(["hub", "peer"], TASKS);
    run(&hub, "SELECT crdt_filter('tasks', 'owner = ''ann'''); INSERT INTO tasks VALUES ('t1', 'ann', 'a', 'g')");
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    run(&peer, "UPDATE tasks SET gone = 'mine'");
    moved(&hub);
    sync(&hub, &peer, &mut cursor);
    assert_eq!(rows(&peer, "SELECT gone FROM tasks"), ["'mine'"]);
    run(&peer, "ALTER TABLE tasks RENAME TO jobs; SELECT crdt_enable('jobs')");
    assert_eq!(rows(&peer, "SELECT gone FROM jobs"), ["'mine'"]);
    run(&peer, "ALTER TABLE jobs RENAME TO tasks; SELECT crdt_enable('tasks')");
    run(&peer, DROP);
    has_let_go(&peer);
    assert_eq!(rows(&peer, "SELECT count(*) FROM _crdt_stays"), ["0"]);
}

/// The row is inside again before the column goes, by a write or by another filter: it stays.
#[test]
fn a_row_that_is_inside_again_stays() {
    for again in ["UPDATE tasks SET owner = 'ann'", "SELECT crdt_filter('tasks', 'owner IS NOT NULL')"] {
        let [hub, peer] = nodes(["hub", "peer"], TASKS);
        run(&hub, "SELECT crdt_filter('tasks', 'owner = ''ann'''); INSERT INTO tasks VALUES ('t1', 'ann', 'a', 'g')");
        let mut cursor = None;
        sync(&hub, &peer, &mut cursor);
        run(&peer, "UPDATE tasks SET gone = 'mine'");
        moved(&hub);
        sync(&hub, &peer, &mut cursor);
        assert_eq!(rows(&peer, "SELECT count(*) FROM _crdt_stays"), ["1"]);
        run(&hub, again);
        sync(&hub, &peer, &mut cursor);
        run(&peer, DROP);
        assert_eq!(rows(&peer, "SELECT title FROM tasks"), ["'later'"], "{again}");
        assert_eq!(rows(&peer, "SELECT count(*) FROM _crdt_stays"), ["0"]);
        sound(&peer);
    }
}
