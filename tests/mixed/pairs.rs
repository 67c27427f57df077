//! Two features at a time.

use serde_json::json;

use crate::common::text;
use crate::support::*;

fn one(conn: &rusqlite::Connection, sql: &str) -> String {
    text(conn, sql, [])
}

/// Filter, column renamed: an error until it is set anew, and then nobody has what is outside.
#[test]
fn a_filter_over_a_column_that_is_renamed() {
    let [hub, peer] = nodes(["hub", "peer"], TASKS);
    run(&hub, "SELECT crdt_filter('tasks', 'done = 0'); INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    let first = since(&hub, None);
    merge(&peer, &first.json);
    run(&hub, "ALTER TABLE tasks RENAME COLUMN done TO ready; SELECT crdt_enable('tasks'); UPDATE tasks SET ready = 1 WHERE id = 't1'");
    let refused = crate::common::error(&hub, "SELECT crdt_changes_since(NULL)", []);
    assert!(refused.contains("set it anew with crdt_filter"), "{refused}");
    // What others send is merged all the same, and nothing else is in the way.
    take(&hub, &[lww("title", (i64::MAX / 2, 0, "z"), "far")]);
    one(&hub, "SELECT crdt_digest('tasks') || crdt_status() || crdt_retry() || crdt_cleanup_tombstones()");
    sound(&hub);
    run(&hub, "SELECT crdt_filter('tasks', 'ready = 0')");
    let page = since(&hub, Some(&first.cursor));
    merge(&peer, &page.json);
    assert_eq!(rows(&peer, "SELECT id FROM tasks"), ["'t2'"], "{}", page.json);
}

/// What a record leaves is told under the names of the past too: a replica whose column has another name still lets go.
#[test]
fn records_leave_whatever_their_columns_are_called() {
    for hub_renames in [true, false] {
        let [hub, peer] = nodes(["hub", "peer"], TASKS);
        run(&hub, "SELECT crdt_filter('tasks', 'done = 0'); INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
        let first = since(&hub, None);
        merge(&peer, &first.json);
        let (renames, other) = if hub_renames { (&hub, &peer) } else { (&peer, &hub) };
        run(renames, "ALTER TABLE tasks RENAME COLUMN title TO name; SELECT crdt_enable('tasks')");
        let (name, title) = if hub_renames { ("name", "title") } else { ("title", "name") };
        let _ = other;
        // A write of a third node, which loses at the hub and so is not known there.
        let old = lww(title, (1_500_000_000_000_000_000, 0, "z"), "late");
        take(&peer, &[old]);
        run(&peer, &format!("UPDATE tasks SET {title} = 'peer'"));
        std::thread::sleep(std::time::Duration::from_millis(5));
        run(&hub, &format!("UPDATE tasks SET {name} = 'hub', done = 1"));
        let page = since(&hub, Some(&first.cursor));
        merge(&peer, &page.json);
        assert_eq!(rows(&peer, "SELECT id FROM tasks"), [""; 0], "{hub_renames}: {}", page.json);
        sound(&peer);
    }
}

/// A change that waits for its time belongs to a record that has left since: it does not bring it back.
#[test]
fn what_waits_for_its_time_leaves_with_its_record() {
    let [hub, peer] = nodes(["hub", "peer"], TASKS);
    run(&hub, "SELECT crdt_filter('tasks', 'done = 0')");
    let ahead = status(&hub)["clock"]["ts"].as_i64().unwrap_or(0).max(now(&peer)) + 600_000_000_000;
    run(&hub, "SELECT crdt_pragma('max_drift', '1h'); SELECT crdt_pragma('max_drift')");
    take(
        &hub,
        &[lww("title", (5, 0, "x"), "a"), lww("title", (ahead, 0, "x"), "later"), lww("done", (ahead, 1, "x"), 0)],
    );
    let first = since(&hub, None);
    merge(&peer, &first.json);
    assert_eq!(rows(&peer, "SELECT count(*) FROM _crdt_future"), ["2"]);
    take(&hub, &[lww("done", (ahead, 2, "x"), 1)]);
    merge(&peer, &since(&hub, Some(&first.cursor)).json);
    assert_eq!(rows(&peer, "SELECT count(*) FROM _crdt_future"), ["0"]);
    run(&peer, "SELECT crdt_pragma('max_drift', '1h'); SELECT crdt_retry(); SELECT crdt_changes_since(NULL)");
    assert_eq!(rows(&peer, "SELECT id FROM tasks"), [""; 0]);
    sound(&peer);
}

/// A hook on the way out that alters the column that the filter uses: the filter looks at the row, the peer gets the
/// altered value, and is still told when the row leaves.
#[test]
fn a_hook_that_alters_what_the_filter_uses() {
    let [hub, peer] = nodes(["hub", "peer"], TASKS);
    run(&hub, "SELECT crdt_filter('tasks', 'done = 0'); INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    let hook = "SELECT CASE :field WHEN 'done' THEN json_set(:change, '$.value', 7) ELSE :change END";
    text(&hub, "SELECT crdt_hook('h', 'before_outbound', ?1)", [hook]);
    let first = since(&hub, None);
    merge(&peer, &first.json);
    assert_eq!(rows(&peer, "SELECT id, done FROM tasks"), ["'t1', 7", "'t2', 7"]);
    run(&hub, "UPDATE tasks SET done = 1 WHERE id = 't1'");
    let page = since(&hub, Some(&first.cursor));
    assert_eq!(page.fields(), ["t1._left"]);
    merge(&peer, &page.json);
    assert_eq!(rows(&peer, "SELECT id, done FROM tasks"), ["'t2', 7"]);
    sound(&peer);
}

/// A hook on the way out may leave out that a record left: it sees it as a change of its own.
#[test]
fn hooks_see_records_that_leave() {
    let hub = node("hub", TASKS);
    run(&hub, "SELECT crdt_filter('tasks', 'done = 0'); INSERT INTO tasks(id) VALUES ('t1')");
    let hook = "SELECT :change WHERE :field <> ''";
    text(&hub, "SELECT crdt_hook('h', 'before_outbound', ?1)", [hook]);
    let first = since(&hub, None);
    run(&hub, "UPDATE tasks SET done = 1");
    assert_eq!(since(&hub, Some(&first.cursor)).fields(), ["t1._left"]);
    let peer = node("peer", TASKS);
    text(&peer, "SELECT crdt_hook('h', 'before_inbound', 'SELECT :change')", []);
    text(&peer, "SELECT crdt_hook('i', 'after_inbound', 'SELECT 1')", []);
    merge(&peer, &first.json);
    merge(&peer, &since(&hub, Some(&first.cursor)).json);
    assert_eq!(rows(&peer, "SELECT id FROM tasks"), [""; 0]);
}

/// A record that left goes from the conflict log too: its values are no longer this replica's to see.
#[test]
fn conflicts_leave_with_their_record() {
    let peer = node("peer", TASKS);
    run(&peer, "INSERT INTO tasks(id, title) VALUES ('t1', 'mine'), ('t2', 'other')");
    let met = |pk: &str| change("title", (now(&peer), 0, "x"), json!({"pk": pk, "value": "theirs"}));
    take(&peer, &[met("t1"), met("t2")]);
    assert_eq!(rows(&peer, "SELECT pk FROM crdt_conflicts()"), ["'t1'", "'t2'"]);
    take(&peer, &[change("_left", (0, 0, "x"), json!({"crdt_type": ""}))]);
    assert_eq!(rows(&peer, "SELECT pk FROM crdt_conflicts()"), ["'t2'"]);
}

/// `_left` of records that wait: for a parent, for a rival to go, and of the parent itself.
#[test]
fn records_that_wait_leave() {
    let sql = "PRAGMA foreign_keys = ON; CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL, x);
        CREATE TABLE c(id TEXT PRIMARY KEY NOT NULL, p TEXT REFERENCES p(id) ON DELETE CASCADE, u UNIQUE);
        SELECT crdt_enable('p'); SELECT crdt_enable('c')";
    let a = node("a", sql);
    let of = |table: &str, pk: &str, field: &str, ts: i64, value: &str| {
        change(field, (ts, 0, "x"), json!({"table": table, "pk": pk, "value": value}))
    };
    let left = |table: &str, pk: &str| change("_left", (0, 0, "x"), json!({"table": table, "pk": pk, "crdt_type": ""}));
    take(
        &a,
        &[
            of("c", "c1", "p", 5, "p1"),
            of("c", "c1", "u", 5, "u"),
            of("c", "c2", "u", 6, "u"),
            of("p", "p2", "x", 5, ""),
        ],
    );
    // c1 waits for p1; c2 is younger and waits for c1's claim, which c1 keeps.
    assert_eq!(rows(&a, "SELECT pk FROM crdt_pending() ORDER BY 1"), ["'c1'", "'c2'"]);
    take(&a, &[left("c", "c1")]);
    assert_eq!(
        (rows(&a, "SELECT pk FROM crdt_pending()"), rows(&a, "SELECT id FROM c")),
        (vec![], vec!["'c2'".to_string()])
    );
    take(&a, &[of("c", "c2", "p", 7, "p2")]);
    take(&a, &[left("p", "p2")]);
    // Its parent left: the child waits, with all it had.
    assert_eq!(rows(&a, "SELECT pk FROM crdt_pending()"), ["'c2'"]);
    sound(&a);
    take(&a, &[left("c", "c2")]);
    assert_eq!(rows(&a, "SELECT pk FROM crdt_pending()"), [""; 0]);
    assert_eq!(rows(&a, "SELECT count(*) FROM _crdt_clock"), ["0"]);
    sound(&a);
}

/// Altered values in the conflict log; what comes again is neither a conflict nor altered again.
#[test]
fn altered_values_meet_others_once() {
    let a = node("a", TASKS);
    run(&a, "CREATE TABLE asked(x)");
    let hook = "SELECT CASE :field WHEN 'title' THEN json_set(:change, '$.value', :value || '!') ELSE :change END";
    text(&a, "SELECT crdt_hook('h', 'before_inbound', ?1)", [hook]);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'mine')");
    let (older, newer) = (lww("title", (5, 0, "x"), "old"), lww("title", (now(&a), 0, "y"), "new"));
    for _ in 0..3 {
        take(&a, std::slice::from_ref(&older));
        take(&a, std::slice::from_ref(&newer));
        take(&a, &[newer.clone(), older.clone()]);
    }
    assert_eq!(
        rows(&a, "SELECT won, local_value, incoming_value FROM crdt_conflicts()"),
        ["'local', 'mine', 'old'", "'incoming', 'mine', 'new!'"]
    );
    assert_eq!(rows(&a, "SELECT title FROM tasks"), ["'new!'"]);
    sound(&a);
}

/// A column that a unique index needs cannot be dropped; without the index it goes, and who waited for it is shown.
#[test]
fn a_dropped_column_under_a_unique_index() {
    let sql = "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, code TEXT); CREATE UNIQUE INDEX codes ON tasks(code); SELECT crdt_enable('tasks')";
    let [a, b] = nodes(["a", "b"], sql);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 'k')");
    run(&b, "INSERT INTO tasks VALUES ('t2', 'y', 'k')");
    swap(&a, &b);
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_pending()"), ["1"]);
    let before = contents(&a);
    let refused = crate::common::error(&a, "SELECT crdt_alter('tasks', 'DROP COLUMN code')", []);
    assert!(refused.contains("codes"), "{refused}");
    assert_eq!(contents(&a), before);
    for conn in [&a, &b] {
        run(conn, "DROP INDEX codes; SELECT crdt_alter('tasks', 'DROP COLUMN code')");
        assert_eq!(rows(conn, "SELECT id FROM tasks ORDER BY id"), ["'t1'", "'t2'"]);
        assert_eq!(rows(conn, "SELECT * FROM crdt_pending() WHERE field IS NULL"), [""; 0]);
    }
    swap(&a, &b);
    swap(&a, &b);
    same(&a, &b, "tasks");
}

/// A purge takes all that stands for a table along, and a table of that name begins anew.
#[test]
fn a_purge_leaves_nothing() {
    let a = node("a", TASKS);
    text(&a, "SELECT crdt_hook('h', 'before_outbound', 'SELECT :change', 'tasks')", []);
    run(&a, "SELECT crdt_filter('tasks', 'done = 0'); INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    let first = text(&a, "SELECT crdt_pull('{\"node_id\":\"p\"}')", []);
    let cursor = page(&first).cursor;
    text(&a, "SELECT crdt_pull(json_object('node_id', 'p', 'since', json(?1)))", [cursor.as_str()]);
    take(
        &a,
        &[lww("title", (now(&a), 0, "x"), "met"), change("_left", (0, 0, "x"), json!({"crdt_type": "", "pk": "t2"}))],
    );
    run(&a, "ALTER TABLE tasks RENAME COLUMN title TO name; SELECT crdt_enable('tasks')");
    run(&a, "SELECT crdt_disable('tasks', 'purge')");
    for table in rows(&a, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB '_crdt_*'") {
        let table = table.trim_matches('\'');
        let has_t = rows(&a, &format!("SELECT 1 FROM pragma_table_info('{table}') WHERE name = 't'"));
        if !has_t.is_empty() {
            assert_eq!(rows(&a, &format!("SELECT count(*) FROM {table} WHERE t > 0")), ["0"], "{table}");
        }
    }
    assert_eq!(rows(&a, "SELECT count(*) FROM _crdt_inside"), ["0"]);
    run(&a, "SELECT crdt_enable('tasks', 'priority:counter', 'tags:set')");
    sound(&a);
    assert_eq!(since(&a, Some(&cursor)).fields(), ["t1.done", "t1.name", "t1.priority"], "from the beginning");
    run(&a, "UPDATE tasks SET name = 'again'");
    let fresh = node("fresh", &TASKS.replace("title", "name"));
    send(&a, &fresh);
    same(&a, &fresh, "tasks");
    assert_eq!(status(&a)["forks"], 0);
}

/// A table that was renamed is known under its new name at once, also for its purge after it was disabled.
#[test]
fn a_renamed_table_is_disabled_and_purged() {
    for purge_at_once in [true, false] {
        let a = node("a", TASKS);
        run(&a, "INSERT INTO tasks(id) VALUES ('t1'); ALTER TABLE tasks RENAME TO jobs");
        if !purge_at_once {
            run(&a, "SELECT crdt_disable('jobs')");
        }
        run(&a, "SELECT crdt_disable('jobs', 'purge')");
        assert_eq!(rows(&a, "SELECT count(*) FROM _crdt_table"), ["0"]);
        run(&a, "SELECT crdt_enable('jobs', 'priority:counter', 'tags:set')");
        sound(&a);
    }
}

/// A fork keeps what is known of conflicts; cursors and filters of before start over, and nothing is lost.
#[test]
fn a_fork_with_filters_and_conflicts() {
    let [hub, peer] = nodes(["hub", "peer"], TASKS);
    run(&hub, "SELECT crdt_filter('tasks', 'done = 0'); INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    take(&hub, &[lww("title", (now(&hub), 0, "x"), "met")]);
    let pull =
        |since: &str| page(&text(&hub, "SELECT crdt_pull(json_object('node_id', 'peer', 'since', json(?1)))", [since]));
    let first = pull("null");
    merge(&peer, &first.json);
    let before = rows(&hub, "SELECT * FROM crdt_conflicts()");
    run(&hub, "SELECT crdt_fork()");
    assert_eq!(rows(&hub, "SELECT * FROM crdt_conflicts()"), before);
    run(&hub, "UPDATE tasks SET done = 1 WHERE id = 't1'; UPDATE tasks SET title = 'z' WHERE id = 't2'");
    let page = pull(&first.cursor);
    merge(&peer, &page.json);
    assert_eq!(rows(&peer, "SELECT id, title FROM tasks"), ["'t2', 'z'"], "{}", page.json);
    assert!(pull(&page.cursor).changes.is_empty());
    sound(&hub);
    sound(&peer);
}

/// Each function may be the first that meets a database of the first format.
#[test]
fn a_database_of_the_first_format_takes_each_new_call() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/format1.db");
    let name = |path: &std::path::Path| {
        let conn = crate::common::open_file(path);
        one(&conn, "SELECT name FROM _crdt_table WHERE enabled ORDER BY t LIMIT 1")
    };
    let path = dir.path().join("first.db");
    std::fs::copy(fixture, &path).unwrap();
    let table = name(&path);
    let column = one(
        &crate::common::open_file(&path),
        &format!("SELECT name FROM pragma_table_info('{table}') WHERE pk = 0 LIMIT 1"),
    );
    let calls = [
        format!("SELECT crdt_filter('{table}', '\"{column}\" IS NOT NULL'); SELECT crdt_changes_since(NULL)"),
        format!("SELECT crdt_pull('{{\"node_id\":\"p\"}}', '{{\"filter\":{{\"{table}\":\"1\"}}}}')"),
        "SELECT crdt_hook('h', 'after_inbound', 'SELECT 1'); SELECT crdt_merge('[]'); SELECT crdt_unhook('h')"
            .to_owned(),
        "SELECT * FROM crdt_conflicts()".to_owned(),
        "SELECT crdt_retry()".to_owned(),
        format!("SELECT crdt_alter('{table}', 'RENAME COLUMN \"{column}\" TO renamed')"),
        format!("SELECT crdt_alter('{table}', 'DROP COLUMN \"{column}\"')"),
        format!("SELECT crdt_alter('{table}', 'ADD COLUMN late DEFAULT 1')"),
        "SELECT crdt_cleanup_tombstones(); SELECT crdt_cleanup_tombstones(NULL, 'epitaphs')".to_owned(),
        "SELECT crdt_fork()".to_owned(),
        format!(
            "SELECT crdt_merge('[{{\"table\":\"{table}\",\"pk\":\"none\",\"field\":\"_left\",\"crdt_type\":\"\"}}]')"
        ),
        format!("SELECT crdt_disable('{table}', 'purge'); SELECT crdt_enable('{table}')"),
        "SELECT crdt_pragma('conflict_log', 5)".to_owned(),
    ];
    for (i, call) in calls.iter().enumerate() {
        let path = dir.path().join(format!("{i}.db"));
        std::fs::copy(fixture, &path).unwrap();
        let conn = crate::common::open_file(&path);
        run(&conn, call);
        sound(&conn);
        assert_eq!(one(&conn, "SELECT crdt_pragma('format')"), "3", "{call}");
        export(&conn);
    }
}

/// What was kept under a new name meets what was written under the old one when the column is renamed here too: a conflict as
/// any other, under the column's name, and told of once.
#[test]
fn conflicts_of_a_column_that_peers_renamed_before() {
    let a = node("a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'mine')");
    let theirs = [lww("name", (now(&a), 0, "x"), "x"), lww("name", (now(&a), 0, "y"), "y")];
    take(&a, &theirs);
    assert_eq!(rows(&a, "SELECT field, incoming_value FROM crdt_conflicts()"), ["'name', 'y'"]);
    run(&a, "ALTER TABLE tasks RENAME COLUMN title TO name; SELECT crdt_enable('tasks')");
    let listed = ["'name', 'x', 'y'", "'name', 'mine', 'y'"];
    let list = "SELECT field, local_value, incoming_value FROM crdt_conflicts()";
    assert_eq!(rows(&a, list), listed);
    assert_eq!(rows(&a, "SELECT name FROM tasks"), ["'y'"]);
    take(&a, &theirs);
    assert_eq!(rows(&a, list), listed);
    run(&a, "UPDATE tasks SET name = 'seen both'");
    assert_eq!(send(&a, &node("b", &TASKS.replace("title", "name")))["conflicts"], 0);
}

/// A column that is dropped takes its values along, also those of records whose rows are not shown; what peers write in it
/// afterwards is kept, also while the table is disabled for a while.
#[test]
fn a_dropped_column_of_rows_that_are_not_shown() {
    let sql =
        "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT UNIQUE, gone TEXT); SELECT crdt_enable('tasks')";
    let [a, b] = nodes(["a", "b"], sql);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'k', 'g1'), ('t3', 'z', 'g3'); DELETE FROM tasks WHERE id = 't3'");
    run(&b, "INSERT INTO tasks VALUES ('t2', 'k', 'g2')");
    swap(&a, &b);
    for conn in [&a, &b] {
        run(conn, "SELECT crdt_alter('tasks', 'DROP COLUMN gone')");
        assert!(!export(conn).contains("gone"), "{}", export(conn));
        assert_eq!(rows(conn, "SELECT pk, field FROM crdt_pending()"), ["'t2', NULL"]);
    }
    same(&a, &b, "tasks");
    take(&a, &[lww("gone", (now(&a), 0, "x"), "late")]);
    run(&a, "SELECT crdt_disable('tasks'); SELECT crdt_enable('tasks')");
    assert!(export(&a).contains("late"));
    send(&a, &b);
    same(&a, &b, "tasks");
}
