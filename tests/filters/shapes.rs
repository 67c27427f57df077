//! Tables of every shape, rows that are not shown, disabling and purging.

use crate::common::text;
use crate::support::*;
use crate::{pair, sync, OWNED};

#[test]
fn keys_of_every_shape() {
    for (create, key) in [
        ("CREATE TABLE \"my \"\"t\"(id INTEGER PRIMARY KEY, own TEXT, v)", "1"),
        ("CREATE TABLE \"my \"\"t\"(id INT PRIMARY KEY NOT NULL, own TEXT, v)", "1"),
        ("CREATE TABLE \"my \"\"t\"(id TEXT PRIMARY KEY NOT NULL COLLATE NOCASE, own TEXT, v)", "'K'"),
        ("CREATE TABLE \"my \"\"t\"(id PRIMARY KEY NOT NULL, own TEXT, v)", "x'00ff'"),
        ("CREATE TABLE \"my \"\"t\"(id REAL PRIMARY KEY NOT NULL, own TEXT, v) WITHOUT ROWID", "1.5"),
        ("CREATE TABLE \"my \"\"t\"(id TEXT NOT NULL, own TEXT, v, PRIMARY KEY (own, id))", "'k'"),
        ("CREATE TABLE \"my \"\"t\"(id INTEGER, own TEXT, v, PRIMARY KEY (id)) WITHOUT ROWID", "7"),
    ] {
        let set_up = format!("{create}; SELECT crdt_enable('my \"t')");
        let [hub, peer] = nodes(["hub", "peer"], &set_up);
        run(&hub, "SELECT crdt_filter('my \"t', '\"my \"\"t\".own = ''ann''')");
        let mut cursor = None;
        let mut step = |sql: String| {
            run(&hub, &sql);
            let page = sync(&hub, &peer, &mut cursor);
            let wanted = rows(&hub, "SELECT * FROM \"my \"\"t\" WHERE own = 'ann'");
            assert_eq!(rows(&peer, "SELECT * FROM \"my \"\"t\""), wanted, "{create}: {sql}: {}", page.json);
            sound(&peer);
            page
        };
        step(format!("INSERT INTO \"my \"\"t\" VALUES ({key}, 'ann', 1)"));
        step("UPDATE \"my \"\"t\" SET own = 'bob'".to_owned());
        assert_eq!(step("UPDATE \"my \"\"t\" SET v = 2".to_owned()).json.matches("\"value\"").count(), 0);
        step("UPDATE \"my \"\"t\" SET own = 'ann'".to_owned());
        step("DELETE FROM \"my \"\"t\"".to_owned());
    }
}

/// A REPLACE that removes another row, keys that change.
#[test]
fn replaced_and_renamed_rows() {
    let [hub, peer] = nodes(
        ["hub", "peer"],
        "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, owner TEXT, u TEXT UNIQUE);
        SELECT crdt_enable('tasks')",
    );
    run(&hub, "SELECT crdt_filter('tasks', 'owner = ''ann'''); INSERT INTO tasks VALUES ('t1', 'ann', 'x'), ('t2', 'bob', 'y')");
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    run(&hub, "INSERT OR REPLACE INTO tasks VALUES ('t3', 'bob', 'x')");
    assert_eq!(sync(&hub, &peer, &mut cursor).fields(), ["t1._tombstone"]);
    run(&hub, "INSERT INTO tasks VALUES ('t4', 'ann', 'z')");
    sync(&hub, &peer, &mut cursor);
    run(&hub, "UPDATE tasks SET id = 't5' WHERE id = 't4'; UPDATE tasks SET id = 't6' WHERE id = 't2'");
    assert_eq!(sync(&hub, &peer, &mut cursor).fields(), ["t4._tombstone", "t5.owner", "t5.u"]);
    assert_eq!(rows(&peer, "SELECT id FROM tasks"), ["'t5'"]);
}

/// A record whose row waits is judged by its state, with the columns' affinity and collation.
#[test]
fn rows_that_wait_are_judged_by_their_state() {
    let sql = "PRAGMA foreign_keys = ON; CREATE TABLE lists(id TEXT PRIMARY KEY NOT NULL);
        CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, list TEXT REFERENCES lists, owner TEXT COLLATE NOCASE, n INTEGER,
                           votes INTEGER, tags TEXT);
        SELECT crdt_enable('lists'); SELECT crdt_enable('tasks', 'votes:counter', 'tags:set')";
    let [a, hub, peer] = nodes(["a", "hub", "peer"], sql);
    run(&hub, "SELECT crdt_filter('tasks', 'owner = ''ANN'' AND n = ''7'' AND votes = 2 AND tags = ''[1]''')");
    run(&a, "INSERT INTO lists VALUES ('l'); INSERT INTO tasks VALUES ('t1', 'l', 'ann', 7, 2, '[1]'), ('t2', 'l', 'bob', 7, 2, '[1]')");
    merge(&hub, &text(&a, "SELECT crdt_changes_since(NULL, 'tasks')", []));
    assert_eq!(rows(&hub, "SELECT count(*) FROM crdt_pending()"), ["2"]);
    let mut cursor = None;
    let page = sync(&hub, &peer, &mut cursor);
    assert!(page.json.contains("\"t1\"") && !page.json.contains("\"t2\""), "{}", page.json);
    // Shown at last: nothing entered or left.
    merge(&hub, &text(&a, "SELECT crdt_changes_since(NULL, 'lists')", []));
    assert_eq!(rows(&hub, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    assert!(!sync(&hub, &peer, &mut cursor).json.contains("tasks"));
    run(&hub, "UPDATE tasks SET n = 8");
    assert_eq!(sync(&hub, &peer, &mut cursor).fields(), ["t1._left"]);
}

#[test]
fn disabled_enabled_purged() {
    let [hub, peer] = pair();
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'ann'), ('t2', 'bob'), ('t3', 'ann')");
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    run(&hub, "SELECT crdt_disable('tasks'); UPDATE tasks SET owner = 'bob' WHERE id = 't1'; UPDATE tasks SET owner = 'ann' WHERE id = 't2'");
    run(&hub, "DELETE FROM tasks WHERE id = 't3'");
    assert_eq!(sync(&hub, &peer, &mut cursor).changes.len(), 0);
    run(&hub, "SELECT crdt_enable('tasks', 'votes:counter', 'tags:set')");
    let page = sync(&hub, &peer, &mut cursor);
    assert_eq!(rows(&peer, "SELECT id FROM tasks"), ["'t2'"], "{}", page.json);
    run(&hub, "SELECT crdt_disable('tasks', 'purge')");
    assert_eq!(rows(&hub, "SELECT count(*) FROM _crdt_filter WHERE f > 0"), ["0"]);
    assert_eq!(rows(&hub, "SELECT count(*) FROM _crdt_inside"), ["0"]);
    assert_eq!(since(&hub, None).changes.len(), 0);
    run(&hub, "SELECT crdt_enable('tasks')");
    assert_eq!(text(&hub, "SELECT crdt_filter('tasks')", []), "", "purged with the rest");
}

/// Without a filter nothing is written, and cursors look as they did.
#[test]
fn without_a_filter_nothing_is_done() {
    let hub = node("hub", OWNED);
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'ann')");
    let cursor = since(&hub, None).cursor;
    assert_eq!(cursor.matches('.').count(), 1, "{cursor}");
    assert_eq!(rows(&hub, "SELECT count(*) FROM _crdt_filter"), ["0"]);
}

/// A database from before there were filters is read as one without.
#[test]
fn an_older_database_has_none() {
    let hub = node("hub", OWNED);
    run(&hub, "DROP TABLE _crdt_filter; DROP TABLE _crdt_inside; DROP TABLE _crdt_left");
    run(&hub, "INSERT INTO tasks VALUES ('t1', 'ann', 'a', 1, '[1]')");
    assert_eq!(since(&hub, None).changes.len(), 4);
    assert_eq!(text(&hub, "SELECT crdt_filter('tasks')", []), "");
    sound(&hub);
    run(&hub, "SELECT crdt_disable('tasks', 'purge')");
}
