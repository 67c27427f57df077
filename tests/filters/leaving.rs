//! `_left` at the receiver: what it drops, what it keeps, what becomes of rows that cannot go.

use serde_json::{json, Value};

use crate::common::text;
use crate::support::*;
use crate::{pair, sync, OWNED};

fn left(body: Value) -> Value {
    let mut record = json!({"table": "tasks", "pk": "t1", "field": "_left", "crdt_type": ""});
    record.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    record
}

fn records(conn: &rusqlite::Connection) -> String {
    text(conn, "SELECT (SELECT count(*) FROM _crdt_clock) || (SELECT count(*) FROM _crdt_parts) || (SELECT count(*) FROM tasks)", [])
}

#[test]
fn it_is_known_by_its_name_and_repeats() {
    let peer = node("peer", OWNED);
    let unknown = take(&peer, &[left(json!({}))]);
    assert_eq!((&unknown["merged"], &unknown["unchanged"]), (&json!(0), &json!(1)));
    take(&peer, &[lww("title", (5, 0, "x"), "a"), lww("owner", (5, 0, "x"), "ann")]);
    let long: Vec<String> = (0..300).map(|i| format!("element {i}")).collect();
    take(&peer, &[set("add", (6, 0, "x"), json!(long))]);
    run(
        &peer,
        "CREATE TABLE audit(x); CREATE TRIGGER gone AFTER DELETE ON tasks BEGIN INSERT INTO audit VALUES (old.id); END",
    );
    let end = text(&peer, "SELECT max(seq) FROM _crdt_log", []);
    // No stamp is needed, and none looked at.
    let dropped = take(&peer, &[left(json!({"hlc": {"ts": -1, "c": 0, "node": ""}, "node_id": "q"}))]);
    assert_eq!((&dropped["merged"], &dropped["unchanged"]), (&json!(1), &json!(0)));
    assert_eq!(records(&peer), "000");
    assert_eq!(rows(&peer, "SELECT x FROM audit"), ["'t1'"], "the application's triggers see it");
    assert_eq!(text(&peer, "SELECT max(seq) FROM _crdt_log", []), end, "neither logged nor relayed");
    assert_eq!(take(&peer, &[left(json!({}))])["unchanged"], 1);
    assert_eq!(since(&peer, None).changes.len(), 0);
    sound(&peer);
    // Taken anew.
    take(&peer, &[lww("title", (5, 0, "x"), "a")]);
    assert_eq!(rows(&peer, "SELECT title FROM tasks"), ["'a'"]);
    assert_eq!(since(&peer, None).fields(), ["t1.title"]);
}

#[test]
fn it_is_checked_like_any_change() {
    let peer = node("peer", OWNED);
    run(&peer, "INSERT INTO tasks(id) VALUES ('t1')");
    export(&peer);
    let before = contents(&peer);
    for bad in [
        left(json!({"knows": 1})),
        left(json!({"knows": {"": {"ts": 1, "c": 0}}})),
        left(json!({"knows": {"a": {"ts": "x", "c": 0}}})),
        left(json!({"knows": {}, "stamps": {"title": {"ts": -1, "c": 0, "node": "a"}}})),
        left(json!({"table": "nothing"})),
        left(json!({"pk": 7})),
    ] {
        let json = json!([bad]).to_string();
        crate::common::error(&peer, "SELECT crdt_merge(?1)", [&json]);
        let pushed = text(&peer, "SELECT crdt_push(?1)", [json!({"changes": [bad]}).to_string()]);
        assert!(pushed.contains("\"index\":0"), "{pushed}");
    }
    assert_eq!(contents(&peer), before);
    let pushed = text(&peer, "SELECT crdt_push(?1)", [json!({"changes": [left(json!({}))]}).to_string()]);
    assert!(pushed.contains("\"merged\":0") && pushed.contains("stays here"), "{pushed}");
    assert_eq!(contents(&peer), before, "a peer that pushes takes no rows away");
    take(&peer, &[left(json!({}))]);
    assert_eq!(records(&peer), "000");
}

/// A change without a stamp is refused as before; a column named `_left` cannot be enabled.
#[test]
fn the_name_is_taken() {
    let peer = node("peer", OWNED);
    let bare = json!([{"table": "tasks", "pk": "t1", "field": "title", "crdt_type": "lww", "value": 1}]).to_string();
    assert!(crate::common::error(&peer, "SELECT crdt_merge(?1)", [bare]).contains("hlc"));
    run(&peer, "CREATE TABLE odd(id TEXT PRIMARY KEY NOT NULL, _left)");
    assert!(crate::common::error(&peer, "SELECT crdt_enable('odd')", []).contains("_left"));
}

/// What the peer wrote and has not sent is never lost; when the sender knows it, it tells once more.
#[test]
fn unsent_writes_stay_until_the_sender_knows_them() {
    for write in [
        "UPDATE tasks SET title = 'mine'",
        "UPDATE tasks SET votes = votes + 1",
        "UPDATE tasks SET tags = '[\"mine\"]'",
        "DELETE FROM tasks",
    ] {
        let [hub, peer] = pair();
        run(&hub, "INSERT INTO tasks VALUES ('t1', 'ann', 'a', 3, '[1]')");
        let mut cursor = None;
        sync(&hub, &peer, &mut cursor);
        run(&peer, write);
        run(&hub, "UPDATE tasks SET owner = 'bob'");
        let page = sync(&hub, &peer, &mut cursor);
        assert_eq!(page.fields(), ["t1._left"]);
        assert_ne!(text(&peer, "SELECT count(*) FROM _crdt_clock", []), "0", "{write}: kept");
        send(&peer, &hub);
        sync(&hub, &peer, &mut cursor);
        assert_eq!(rows(&peer, "SELECT id FROM tasks"), [""; 0], "{write}");
        assert_eq!(since(&hub, cursor.as_deref()).changes.len(), 0);
        sound(&peer);
        sound(&hub);
    }
}

/// A write that loses at the sender anyway changes nothing there: it keeps no row for ever.
#[test]
fn a_write_that_loses_holds_nothing_back() {
    let [hub, peer] = pair();
    run(&hub, "INSERT INTO tasks VALUES ('t1', 'ann', 'a', 3, '[1]')");
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    run(&peer, "UPDATE tasks SET title = 'mine'");
    text(&peer, "SELECT crdt_changes_since(NULL)", []);
    run(&hub, "SELECT crdt_pragma('max_drift', '1d')");
    let later = now(&hub) + 1_000_000_000;
    take(&hub, &[lww("title", (later, 0, "z"), "later"), lww("owner", (later, 0, "z"), "bob")]);
    sync(&hub, &peer, &mut cursor);
    assert_eq!(records(&peer), "000");
}

/// A record that was forgotten and made anew: what the peer still has of the earlier life's counters and sets is over, and
/// keeps no row for ever; what is later than that is kept until the sender knows it.
#[test]
fn what_an_earlier_life_counted_holds_nothing_back() {
    for write in ["", "UPDATE tasks SET votes = votes + 1", "UPDATE tasks SET tags = '[1, 2]'"] {
        let [hub, peer] = pair();
        let other = node("other", OWNED);
        run(&hub, "INSERT INTO tasks VALUES ('t1', 'ann', 'a', 3, '[1]')");
        let mut cursor = None;
        sync(&hub, &peer, &mut cursor);
        send(&hub, &other);
        run(&other, "SELECT crdt_pragma('tombstone_ttl', '0s'); DELETE FROM tasks; SELECT crdt_cleanup_tombstones()");
        run(&other, "INSERT INTO tasks VALUES ('t1', 'bob', 'b', 1, '[2]')");
        send(&other, &hub);
        run(&peer, write);
        assert_eq!(sync(&hub, &peer, &mut cursor).fields(), ["t1._left"]);
        assert_eq!(records(&peer) == "000", write.is_empty(), "{write}");
        send(&peer, &hub);
        sync(&hub, &peer, &mut cursor);
        assert_eq!(records(&peer), "000", "{write}");
        sound(&peer);
        sound(&hub);
    }
}

/// The same of what waits for its time: it would bring the row back.
#[test]
fn what_an_earlier_life_counted_waits_no_more() {
    let peer = node("peer", OWNED);
    let late = now(&peer) + 3_600_000_000_000;
    let votes = json!({"crdt_type": "counter", "counter_delta": {"inc": 1, "dec": 0}});
    let changes = [change("votes", (late, 0, "x"), votes.clone()), change("votes", (late, 2, "x"), votes)];
    take(&peer, &changes);
    assert_eq!(text(&peer, "SELECT count(*) FROM _crdt_future", []), "2");
    take(&peer, &[left(json!({"knows": {}, "forgotten": {"ts": late, "c": 1, "node": "z"}}))]);
    assert_eq!(rows(&peer, "SELECT json_extract(change, '$.hlc.c') FROM _crdt_future"), ["2"]);
    sound(&peer);
}

#[test]
fn its_place_in_a_payload_counts() {
    let peer = node("peer", OWNED);
    let (title, owner) = (lww("title", (5, 0, "x"), "a"), lww("owner", (6, 0, "x"), "ann"));
    let knows = left(json!({"knows": {"x": {"ts": 6, "c": 0}}}));
    take(&peer, &[title.clone(), owner.clone(), knows.clone()]);
    assert_eq!(records(&peer), "000", "it came, and it left");
    take(&peer, std::slice::from_ref(&owner));
    take(&peer, &[knows.clone(), title.clone()]);
    assert_eq!(rows(&peer, "SELECT title FROM tasks"), ["'a'"], "it left, and it came anew");
    assert_eq!(since(&peer, None).fields(), ["t1.title"]);
    let newer = lww("title", (9, 0, "x"), "newer");
    take(&peer, &[newer, knows]);
    assert_eq!(rows(&peer, "SELECT title FROM tasks"), ["'newer'"], "the sender did not know that");
    sound(&peer);
}

/// What was ours may come back, and counts on: neither a copied file nor a lost vote.
#[test]
fn own_writes_come_back() {
    let [hub, peer] = pair();
    run(&peer, "INSERT INTO tasks VALUES ('t1', 'ann', 'mine', 5, '[\"mine\"]')");
    send(&peer, &hub);
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    run(&hub, "UPDATE tasks SET owner = 'bob'");
    sync(&hub, &peer, &mut cursor);
    assert_eq!(records(&peer), "000");
    run(&hub, "UPDATE tasks SET owner = 'ann'");
    sync(&hub, &peer, &mut cursor);
    assert_eq!(status(&peer)["forks"], 0);
    assert_eq!(text(&peer, "SELECT crdt_node_id()", []), "peer");
    run(&peer, "UPDATE tasks SET votes = votes + 1");
    send(&peer, &hub);
    assert_eq!(table(&hub, "tasks"), table(&peer, "tasks"));
    // Inserted here while it is away: its votes start anew, and none is swallowed by the totals from before.
    run(&hub, "UPDATE tasks SET owner = 'bob'");
    sync(&hub, &peer, &mut cursor);
    run(&peer, "INSERT INTO tasks VALUES ('t1', 'ann', 'again', 2, '[]')");
    send(&peer, &hub);
    sync(&hub, &peer, &mut cursor);
    assert_eq!(rows(&hub, "SELECT votes FROM tasks"), ["2"]);
    assert_eq!(digest(&hub, "tasks"), digest(&peer, "tasks"));
    assert_eq!(status(&peer)["forks"], 0);
}

/// What was ours may come back from another peer, as it once was: it counts on from there, and is no copied file.
#[test]
fn own_totals_that_come_back_older() {
    let [hub, peer] = pair();
    let third = node("third", OWNED);
    run(&peer, "INSERT INTO tasks VALUES ('t1', 'ann', 'mine', 4, '[]')");
    send(&peer, &third);
    run(&peer, "UPDATE tasks SET votes = votes + 1");
    send(&peer, &hub);
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    run(&hub, "UPDATE tasks SET owner = 'bob'");
    sync(&hub, &peer, &mut cursor);
    assert_eq!(records(&peer), "000");
    send(&third, &peer);
    assert_eq!(rows(&peer, "SELECT votes FROM tasks"), ["4"], "as the third has it");
    run(&peer, "UPDATE tasks SET votes = votes - 2");
    send(&peer, &hub);
    run(&hub, "UPDATE tasks SET owner = 'ann'");
    sync(&hub, &peer, &mut cursor);
    for node in [&hub, &peer] {
        assert_eq!(rows(node, "SELECT votes FROM tasks"), ["2"]);
    }
    assert_eq!(digest(&hub, "tasks"), digest(&peer, "tasks"));
    assert_eq!(status(&peer)["forks"], 0);
}

/// A row that goes takes those along that refer to it: they wait, until they go as well.
#[test]
fn rows_that_refer_to_it_wait() {
    let sql = "PRAGMA foreign_keys = ON;
        CREATE TABLE lists(id TEXT PRIMARY KEY NOT NULL, owner TEXT);
        CREATE TABLE items(id TEXT PRIMARY KEY NOT NULL, list TEXT REFERENCES lists, owner TEXT);
        SELECT crdt_enable('lists'); SELECT crdt_enable('items');";
    let [hub, peer] = nodes(["hub", "peer"], sql);
    run(&hub, "SELECT crdt_filter('lists', 'owner = ''ann'''); SELECT crdt_filter('items', 'owner = ''ann''')");
    run(&hub, "INSERT INTO lists VALUES ('l1', 'ann'), ('l2', 'ann'); INSERT INTO items VALUES ('i1', 'l1', 'ann'), ('i2', 'l2', 'ann')");
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    // Parent and child together, the parent first.
    run(&hub, "UPDATE lists SET owner = 'bob' WHERE id = 'l2'; UPDATE items SET owner = 'bob' WHERE id = 'i2'");
    sync(&hub, &peer, &mut cursor);
    assert_eq!(rows(&peer, "SELECT id FROM lists UNION ALL SELECT id FROM items"), ["'l1'", "'i1'"]);
    run(&hub, "UPDATE lists SET owner = 'bob'");
    sync(&hub, &peer, &mut cursor);
    assert_eq!(rows(&peer, "SELECT id FROM lists UNION ALL SELECT id FROM items"), [""; 0]);
    assert!(rows(&peer, "SELECT pk, reason FROM crdt_pending()")[0].contains("'i1', 'FOREIGN KEY"));
    assert!(!since(&peer, None).json.contains("lists"), "nothing is known of it any more");
    sound(&peer);
    run(&hub, "UPDATE items SET owner = 'bob'");
    sync(&hub, &peer, &mut cursor);
    assert_eq!(rows(&peer, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    assert_eq!(rows(&peer, "SELECT count(*) FROM _crdt_clock"), ["0"]);
    sound(&peer);
}

/// A row that a table of the application's own holds waits; nothing fails.
#[test]
fn a_row_that_cannot_go_waits() {
    let sql = "PRAGMA foreign_keys = ON;
        CREATE TABLE lists(id TEXT PRIMARY KEY NOT NULL, owner TEXT);
        CREATE TABLE notes(id INTEGER PRIMARY KEY, list TEXT REFERENCES lists);
        SELECT crdt_enable('lists');";
    let [hub, peer] = nodes(["hub", "peer"], sql);
    run(&hub, "SELECT crdt_filter('lists', 'owner = ''ann'''); INSERT INTO lists VALUES ('l1', 'ann')");
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    run(&peer, "INSERT INTO notes VALUES (1, 'l1')");
    run(&hub, "UPDATE lists SET owner = 'bob'");
    let page = since(&hub, cursor.as_deref());
    let answer = merge(&peer, &page.json);
    assert_eq!(answer["pending"], 1, "{answer}");
    assert_eq!(rows(&peer, "SELECT id FROM lists"), ["'l1'"]);
    assert!(rows(&peer, "SELECT pk, reason FROM crdt_pending()")[0].contains("FOREIGN KEY"));
    assert!(!since(&peer, None).json.contains("lists"), "nothing is known of it any more");
    sound(&peer);
    run(&peer, "DELETE FROM notes; SELECT crdt_retry()");
    assert_eq!(rows(&peer, "SELECT id FROM lists"), [""; 0]);
    assert_eq!(rows(&peer, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    assert_eq!(rows(&peer, "SELECT count(*) FROM _crdt_clock"), ["0"]);
    sound(&peer);
}

/// A record without a row goes too.
#[test]
fn pending_records_are_dropped() {
    let peer = node(
        "peer",
        "PRAGMA foreign_keys = ON; CREATE TABLE owners(id TEXT PRIMARY KEY NOT NULL);
        CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT REFERENCES owners); SELECT crdt_enable('tasks')",
    );
    take(&peer, &[lww("title", (5, 0, "x"), "nobody")]);
    assert_eq!(rows(&peer, "SELECT count(*) FROM crdt_pending()"), ["1"]);
    take(&peer, &[left(json!({}))]);
    assert_eq!(rows(&peer, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    assert_eq!(records(&peer), "000");
    sound(&peer);
}

/// What a cascade takes along, and what triggers do, is put back.
#[test]
fn cascades_and_triggers_are_put_back() {
    let sql = "PRAGMA foreign_keys = ON;
        CREATE TABLE lists(id TEXT PRIMARY KEY NOT NULL, owner TEXT);
        CREATE TABLE items(id TEXT PRIMARY KEY NOT NULL, list TEXT REFERENCES lists ON DELETE CASCADE, n INTEGER);
        SELECT crdt_enable('lists'); SELECT crdt_enable('items');
        CREATE TRIGGER counting AFTER DELETE ON lists BEGIN UPDATE items SET n = n + 1; END;";
    let [hub, peer] = nodes(["hub", "peer"], sql);
    run(&hub, "SELECT crdt_filter('lists', 'owner = ''ann''')");
    run(&hub, "INSERT INTO lists VALUES ('l1', 'ann'), ('l2', 'ann'); INSERT INTO items VALUES ('i1', 'l1', 1), ('i2', 'l2', 2)");
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    let end = text(&peer, "SELECT max(seq) FROM _crdt_log", []);
    run(&hub, "UPDATE lists SET owner = 'bob' WHERE id = 'l1'");
    sync(&hub, &peer, &mut cursor);
    assert_eq!(text(&peer, "SELECT max(seq) FROM _crdt_log", []), end, "no local write");
    assert_eq!(rows(&peer, "SELECT id, n FROM items"), ["'i2', 2"]);
    assert!(rows(&peer, "SELECT pk, reason FROM crdt_pending()")[0].contains("'i1', 'FOREIGN KEY"));
    sound(&peer);
    run(&hub, "UPDATE lists SET owner = 'ann' WHERE id = 'l1'");
    sync(&hub, &peer, &mut cursor);
    assert_eq!(rows(&peer, "SELECT id, n FROM items ORDER BY id"), ["'i1', 1", "'i2', 2"]);
    assert_eq!(digest(&peer, "items"), digest(&hub, "items"));
    sound(&peer);
}

/// A trigger that refuses: the row waits, and a local write to it is a write like any.
#[test]
fn a_row_that_waits_may_be_written() {
    let [hub, peer] = pair();
    run(&hub, "INSERT INTO tasks VALUES ('t1', 'ann', 'a', 3, '[1]')");
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    run(&peer, "CREATE TRIGGER keep BEFORE DELETE ON tasks BEGIN SELECT RAISE(ABORT, 'stays'); END");
    run(&hub, "UPDATE tasks SET owner = 'bob'");
    sync(&hub, &peer, &mut cursor);
    assert!(rows(&peer, "SELECT reason FROM crdt_pending()")[0].contains("stays"));
    assert_eq!(since(&peer, None).changes.len(), 0);
    run(&peer, "UPDATE tasks SET title = 'mine', votes = votes + 1");
    send(&peer, &hub);
    assert_eq!(rows(&hub, "SELECT owner, title, votes, tags FROM tasks"), ["'bob', 'mine', 4, '[1]'"]);
    sound(&peer);
    run(&peer, "DROP TRIGGER keep");
    sync(&hub, &peer, &mut cursor);
    assert_eq!(rows(&peer, "SELECT count(*) FROM tasks"), ["0"]);
    assert_eq!(rows(&peer, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    sound(&peer);
}
