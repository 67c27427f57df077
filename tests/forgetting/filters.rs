//! Filters that are set, changed, lifted after pruning: each peer is still told of what it may hold no more.

use rusqlite::Connection;

use crate::common::text;
use crate::support::*;

const OWNED: &str = "
    CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, owner TEXT, title TEXT, votes INTEGER DEFAULT 0);
    SELECT crdt_enable('tasks', 'votes:counter');";

fn sync(from: &Connection, to: &Connection, cursor: &mut Option<String>) -> Page {
    let page = since(from, cursor.as_deref());
    merge(to, &page.json);
    *cursor = Some(page.cursor.clone());
    page
}

fn held(conn: &Connection) -> Vec<String> {
    rows(conn, "SELECT id || ' ' || owner FROM tasks ORDER BY 1")
}

/// A peer that had the whole table; then its records were written again, pruned, and a filter set.
#[test]
fn set_after_pruning() {
    for again in [
        "UPDATE tasks SET title = 'again'",
        "INSERT OR REPLACE INTO tasks(id, owner, title) SELECT id, owner, 'again' FROM tasks",
        "UPDATE tasks SET title = 'again'; UPDATE tasks SET votes = 1; UPDATE tasks SET title = 'more', owner = owner || ''",
    ] {
        let [hub, peer] = nodes(["hub", "peer"], OWNED);
        run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'ann'), ('t2', 'bob'), ('t3', 'bob')");
        let mut cursor = None;
        sync(&hub, &peer, &mut cursor);
        run(&hub, again);
        export(&hub);
        text(&hub, "SELECT crdt_cleanup_tombstones()", []);
        run(&hub, "SELECT crdt_filter('tasks', 'owner = ''ann''')");
        sync(&hub, &peer, &mut cursor);
        assert_eq!(held(&peer), ["'t1 ann'"], "{again}");
        assert_eq!(sync(&hub, &peer, &mut cursor).changes.len(), 0);
    }
}

/// The same, pruned after the filter was set.
#[test]
fn set_before_pruning() {
    let [hub, peer] = nodes(["hub", "peer"], OWNED);
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'ann'), ('t2', 'bob'), ('t3', 'bob')");
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    run(&hub, "SELECT crdt_filter('tasks', 'owner = ''ann''')");
    export(&hub);
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('s1', 'bob')");
    run(&hub, "INSERT OR REPLACE INTO tasks(id, owner, title) SELECT id, owner, 'again' FROM tasks");
    export(&hub);
    text(&hub, "SELECT crdt_cleanup_tombstones()", []);
    let page = sync(&hub, &peer, &mut cursor);
    assert_eq!(held(&peer), ["'t1 ann'"]);
    assert!(!page.json.contains("s1"), "it never had that one: {}", page.json);
}

/// Records entered by rows of the log that are pruned since. Who comes page by page, so that some begin between that row and
/// the next of a record, gets the record whole, as do those who were away.
#[test]
fn entered_before_pruning() {
    let [hub, away, new] = nodes(["hub", "away", "new"], OWNED);
    run(&hub, "SELECT crdt_filter('tasks', 'owner <> ''draft''')");
    let mut of_away = None;
    for id in 0..60 {
        run(&hub, &format!("INSERT INTO tasks(id, owner, title, votes) VALUES ('t{id:02}', 'draft', 'title', 1)"));
    }
    sync(&hub, &away, &mut of_away);
    // Rows that a peer has not passed do not become one.
    text(&hub, r#"SELECT crdt_pull('{"node_id":"away"}')"#, []);
    for owner in ["ann", "bob", "eve"] {
        run(&hub, &format!("UPDATE tasks SET owner = '{owner}'"));
        export(&hub);
    }
    text(&hub, "SELECT crdt_cleanup_tombstones()", []);
    run(&hub, "UPDATE tasks SET owner = 'ann' WHERE id > 't30'");
    for (peer, mut cursor) in [(&new, None), (&away, of_away)] {
        loop {
            let page = page(&text(&hub, "SELECT crdt_changes_since(?1, NULL, 7)", [&cursor]));
            merge(peer, &page.json);
            cursor = Some(page.cursor);
            if !page.more {
                break;
            }
        }
        assert_eq!(table(peer, "tasks"), table(&hub, "tasks"));
    }
}

/// Changed and lifted.
#[test]
fn changed_and_lifted() {
    let [hub, peer] = nodes(["hub", "peer"], OWNED);
    run(&hub, "SELECT crdt_filter('tasks', 'owner = ''ann''')");
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'ann'), ('t2', 'bob'), ('t3', 'ann'), ('t4', 'eve')");
    let mut cursor = None;
    let step = |sql: &str, cursor: &mut Option<String>, want: &[&str]| {
        run(&hub, sql);
        export(&hub);
        text(&hub, "SELECT crdt_cleanup_tombstones()", []);
        sync(&hub, &peer, cursor);
        let want: Vec<String> = want.iter().map(|row| format!("'{row}'")).collect();
        assert_eq!(held(&peer), want, "{sql}");
        assert_eq!(sync(&hub, &peer, cursor).changes.len(), 0, "{sql}");
    };
    step("SELECT 1", &mut cursor, &["t1 ann", "t3 ann"]);
    step("UPDATE tasks SET title = 'b'; UPDATE tasks SET owner = 'bob' WHERE id = 't1'", &mut cursor, &["t3 ann"]);
    step("INSERT OR REPLACE INTO tasks(id, owner) SELECT id, owner FROM tasks; SELECT crdt_filter('tasks', 'owner = ''bob''')", &mut cursor, &["t1 bob", "t2 bob"]);
    step(
        "UPDATE tasks SET title = 'c'; SELECT crdt_filter('tasks', NULL)",
        &mut cursor,
        &["t1 bob", "t2 bob", "t3 ann", "t4 eve"],
    );
    step("INSERT OR REPLACE INTO tasks(id, owner) SELECT id, owner FROM tasks; SELECT crdt_filter('tasks', 'owner = ''eve''')", &mut cursor, &["t4 eve"]);
}
