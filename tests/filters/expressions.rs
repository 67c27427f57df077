//! `crdt_filter(table, expression)`: what it takes, refuses, tells.

use crate::common::{error, text};
use crate::support::*;
use crate::{pair, sync, OWNED};

#[test]
fn set_told_lifted() {
    let hub = node("hub", OWNED);
    assert_eq!(text(&hub, "SELECT crdt_filter('tasks')", []), "");
    assert_eq!(text(&hub, "SELECT crdt_filter('tasks', 'owner = ''ann''')", []), "owner = 'ann'");
    assert_eq!(text(&hub, "SELECT crdt_filter('TASKS')", []), "owner = 'ann'");
    assert_eq!(text(&hub, "SELECT crdt_filter('tasks', 'votes > 1')", []), "votes > 1");
    assert_eq!(text(&hub, "SELECT crdt_filter('tasks')", []), "votes > 1");
    assert_eq!(text(&hub, "SELECT crdt_filter('tasks', NULL)", []), "");
    assert_eq!(text(&hub, "SELECT crdt_filter('tasks')", []), "");
    assert_eq!(rows(&hub, "SELECT count(*) FROM _crdt_filter WHERE own"), ["0"]);
}

#[test]
fn what_is_no_expression_over_the_row_is_refused() {
    let hub = node("hub", OWNED);
    run(&hub, "CREATE TABLE other(x); SELECT crdt_filter('tasks', 'owner = ''ann''')");
    let before = contents(&hub);
    for (bad, says) in [
        ("", "empty"),
        ("1; DROP TABLE tasks", "';'"),
        ("1) OR (1", "parenthesis"),
        ("owner = 'x' -- y", "comment"),
        ("owner = ?1", "parameter"),
        ("owner IN (SELECT x FROM other)", "sub-select"),
        ("owner IN other", "IN"),
        ("owner = \"ann\"", "single quotes"),
        ("nothing = 1", "nothing"),
        ("random() > 0", "non-deterministic"),
        ("owner > date('now')", "by itself"),
        ("owner = CURRENT_TIMESTAMP", "by itself"),
        ("count(*) > 1", "aggregate"),
        ("row_number() OVER () = 1", "window"),
        ("owner = ", "syntax"),
        ("crdt_now() > ''", "crdt_now"),
        ("other.x = 1", "other.x"),
    ] {
        let told = error(&hub, "SELECT crdt_filter('tasks', ?1)", [bad]);
        assert!(told.starts_with("crdt_filter: ") && told.contains(says), "{bad}: {told}");
    }
    for (sql, says) in [
        ("SELECT crdt_filter()", "called as"),
        ("SELECT crdt_filter('none')", "not enabled"),
        ("SELECT crdt_filter('other', '1')", "not enabled"),
        ("SELECT crdt_filter('tasks', 1)", "TEXT"),
        ("SELECT crdt_filter(NULL)", "TEXT"),
        ("SELECT crdt_filter('tasks', '1', 2)", "called as"),
    ] {
        let told = error(&hub, sql, []);
        assert!(told.contains(says), "{sql}: {told}");
    }
    assert_eq!(contents(&hub), before, "nothing changed");
}

/// A column that is not tracked changes without a word: it decides nothing.
#[test]
fn only_tracked_columns() {
    let hub = node(
        "hub",
        "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, owner TEXT, local TEXT, g AS (upper(owner)));
        SELECT crdt_enable('tasks', 'local:none')",
    );
    for expr in ["local = 'x'", "g = 'X'", "rowid = 1", "\"local\" = 'x'"] {
        let told = error(&hub, "SELECT crdt_filter('tasks', ?1)", [expr]);
        assert!(told.contains("tracked"), "{expr}: {told}");
    }
    run(&hub, "SELECT crdt_filter('tasks', 'tasks.owner = ''ann'' AND \"id\" <> ''t9''')");
}

/// One bad row must not stop the rest.
#[test]
fn an_expression_that_fails_for_a_row_does_not_hold() {
    let [hub, peer] = nodes(["hub", "peer"], OWNED);
    run(&hub, "SELECT crdt_filter('tasks', 'json_extract(title, ''$.o'') = ''ann''')");
    run(&hub, r#"INSERT INTO tasks(id, title) VALUES ('t1', '{"o":"ann"}'), ('t2', 'no json'), ('t3', '{"o":"ann"}')"#);
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    assert_eq!(rows(&peer, "SELECT id FROM tasks"), ["'t1'", "'t3'"]);
    run(&hub, "UPDATE tasks SET title = 'broken' WHERE id = 't1'");
    sync(&hub, &peer, &mut cursor);
    assert_eq!(rows(&peer, "SELECT id FROM tasks"), ["'t3'"]);
}

/// A filter that no longer fits lets nothing through.
#[test]
fn a_renamed_column_is_an_error_and_no_leak() {
    let [hub, peer] = pair();
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'ann')");
    let mut cursor = None;
    sync(&hub, &peer, &mut cursor);
    run(&hub, "ALTER TABLE tasks RENAME COLUMN owner TO who; SELECT crdt_enable('tasks')");
    let told = error(&hub, "SELECT crdt_changes_since(NULL)", []);
    assert!(told.contains("crdt_filter") && told.contains("owner"), "{told}");
    run(&hub, "SELECT crdt_filter('tasks', 'who = ''ann''')");
    sync(&hub, &peer, &mut cursor);
    run(&hub, "ALTER TABLE tasks RENAME TO jobs");
    assert_eq!(text(&hub, "SELECT crdt_filter('jobs')", []), "who = 'ann'");
    assert!(since(&hub, cursor.as_deref()).changes.is_empty());
}

/// Changed and lifted filters: the peer is told of what it must give up.
#[test]
fn a_changed_filter_is_followed() {
    let [hub, peer] = nodes(["hub", "peer"], OWNED);
    run(&hub, "INSERT INTO tasks(id, owner, title) VALUES ('t1', 'ann', 'a'), ('t2', 'bob', 'b'), ('t3', 'eve', 'c')");
    let mut cursor = None;
    let mut expect = |sql: &str, condition: &str| {
        run(&hub, sql);
        let page = sync(&hub, &peer, &mut cursor);
        let wanted = rows(&hub, &format!("SELECT * FROM tasks WHERE {condition} ORDER BY id"));
        assert_eq!(rows(&peer, "SELECT * FROM tasks ORDER BY id"), wanted, "{sql}: {}", page.json);
        assert_eq!(since(&hub, cursor.as_deref()).changes.len(), 0, "{sql}");
    };
    expect("", "1");
    expect("SELECT crdt_filter('tasks', 'owner = ''ann''')", "owner = 'ann'");
    expect("SELECT crdt_filter('tasks', 'owner = ''bob''')", "owner = 'bob'");
    expect("SELECT crdt_filter('tasks', NULL)", "1");
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t4', 'eve')");
    expect("", "1");
    expect("SELECT crdt_filter('tasks', 'owner = ''bob''')", "owner = 'bob'");
    expect("SELECT crdt_filter('tasks', '0')", "0");
    expect("SELECT crdt_filter('tasks', 'owner = ''ann''')", "owner = 'ann'");
}

/// A cursor tells what its peer has. Nobody can make one up.
#[test]
fn cursors_cannot_be_made_up() {
    let hub = node("hub", OWNED);
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t0', 'ann')");
    let plain = mark(&hub);
    run(&hub, "SELECT crdt_filter('tasks', 'owner = ''ann'''); INSERT INTO tasks(id, owner) VALUES ('t1', 'bob'), ('t2', 'ann')");
    let cursor = since(&hub, None).cursor;
    assert!(!cursor.contains("ann"), "{cursor}");
    let (_, trail) = cursor.split_once(".1_s").unwrap();
    let trail = format!(".1_s{}", trail.split('"').next().unwrap());
    for other in [trail.replace(".1_", ".0_"), format!("{trail}_n1-99"), String::new()] {
        let forged = cursor.replace(&trail, &other);
        assert_ne!(forged, cursor);
        assert!(!since(&hub, Some(&forged)).json.contains("\"t1\""), "{forged}");
    }
    // One from before there were filters is good for what there was then.
    run(&hub, "UPDATE tasks SET owner = 'bob' WHERE id = 't0'");
    let page = since(&hub, Some(&plain));
    assert_eq!(page.fields(), ["t0._left", "t2.owner", "t2.title", "t2.votes"]);
}

/// A table may have a column of such a name.
#[test]
fn a_column_named_like_the_rowid() {
    let hub = node(
        "hub",
        "CREATE TABLE tasks(oid TEXT PRIMARY KEY NOT NULL, \"sel\"\"ect\" TEXT); SELECT crdt_enable('tasks')",
    );
    run(&hub, "SELECT crdt_filter('tasks', 'oid > ''a'' AND [sel\"ect] = ''x'' AND `sel\"ect` = ''x'' AND \"sel\"\"ect\" = ''x''')");
    run(&hub, "INSERT INTO tasks VALUES ('b', 'x'), ('a', 'x'), ('c', 'y')");
    assert_eq!(rows(&hub, "SELECT pk FROM crdt_changes(NULL)"), ["'b'"]);
}
