//! Hooks on the way out: all three exports, the cursor, a database that cannot be written.

use rusqlite::{Connection, OpenFlags};
use serde_json::{json, Value};

use crate::common::{error, load, text};
use crate::hook;
use crate::support::*;

/// What the three ways out give, each as `pk.field` in order.
fn ways_out(conn: &Connection) -> [Vec<String>; 3] {
    let pulled = page(&text(conn, "SELECT crdt_pull('{}')", []));
    let mut rows = rows(conn, "SELECT DISTINCT pk || '.' || field FROM crdt_changes(NULL, NULL) ORDER BY 1");
    rows.iter_mut().for_each(|row| *row = row.trim_matches('\'').to_owned());
    [since(conn, None).fields(), pulled.fields(), rows]
}

#[test]
fn skipping_on_every_way_out() {
    let a = node("a", TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 3, '[1]', 0), ('t2', 'y', 0, '[]', 1), ('t3', 'z', 0, '[]', 1); DELETE FROM tasks WHERE id = 't3'");
    let all = ways_out(&a);
    hook(&a, "h", "before_outbound", "SELECT :change WHERE :pk <> 't2' AND :field <> 'done'");
    for (got, all) in ways_out(&a).iter().zip(&all) {
        let kept = |field: &&String| !field.starts_with("t2.") && !field.ends_with(".done");
        assert_eq!(got, &all.iter().filter(kept).cloned().collect::<Vec<_>>());
        assert!(got.contains(&"t3._tombstone".to_owned()));
    }
    text(&a, "SELECT crdt_unhook('h')", []);
    assert_eq!(ways_out(&a), all);
}

/// That a row left a filter is no change of it: a hook that knows nothing of that keeps it from nobody.
#[test]
fn rows_that_leave_a_filter_are_told_of_unasked() {
    let [a, b] = nodes(["a", "b"], TASKS);
    text(&a, "SELECT crdt_filter('tasks', 'done = 0')", []);
    hook(&a, "h", "before_outbound", "SELECT :change WHERE :field IN ('title', 'done')");
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    let first = since(&a, None);
    merge(&b, &first.json);
    run(&a, "UPDATE tasks SET done = 1 WHERE id = 't1'");
    let second = since(&a, Some(&first.cursor));
    assert_eq!(second.fields(), ["t1._left"]);
    merge(&b, &second.json);
    assert_eq!(rows(&b, "SELECT id FROM tasks"), ["'t2'"]);
}

#[test]
fn altering_on_every_way_out() {
    let a = node("a", TASKS);
    run(&a, "INSERT INTO tasks(id, title, priority) VALUES ('t1', 'secret', 3)");
    hook(
        &a,
        "mask",
        "before_outbound",
        "SELECT CASE :field WHEN 'title' THEN json_set(:change, '$.value', '***') ELSE :change END",
    );
    let pulled = page(&text(&a, "SELECT crdt_pull('{}')", []));
    for page in [since(&a, None), pulled] {
        assert_eq!((&page.change("title")["value"], &page.change("title")["altered"]), (&json!("***"), &json!(true)));
        assert_eq!(page.change("done").get("altered"), None);
    }
    assert_eq!(
        rows(&a, "SELECT value, json_extract(change, '$.altered') FROM crdt_changes(NULL, NULL) WHERE field = 'title'"),
        ["'***', 1"]
    );
    assert_eq!(text(&a, "SELECT title FROM tasks", []), "secret");
    // What comes back under the same stamp does not hurt.
    let b = node("b", TASKS);
    send(&a, &b);
    assert_eq!(text(&b, "SELECT title FROM tasks", []), "***");
    assert_eq!(send(&b, &a)["merged"], 0);
    assert_eq!(text(&a, "SELECT title FROM tasks", []), "secret");
    sound(&b);
}

#[test]
fn aborting() {
    let a = node("a", TASKS);
    run(&a, "INSERT INTO tasks(id) VALUES ('t1')");
    export(&a);
    let before = contents(&a);
    hook(&a, "h", "before_outbound", "SELECT 'nothing leaves'");
    for sql in ["SELECT crdt_changes_since(NULL)", "SELECT crdt_pull('{}')", "SELECT * FROM crdt_changes(NULL, NULL)"] {
        let message = error(&a, sql, []);
        assert!(message.contains("hook 'h': it gave 'nothing leaves'"), "{sql}: {message}");
        assert!(a.is_autocommit());
    }
    text(&a, "SELECT crdt_unhook('h')", []);
    let plain = |lines: Vec<String>| lines.into_iter().filter(|l| !l.starts_with("_crdt_state")).collect::<Vec<_>>();
    assert_eq!(plain(contents(&a)), plain(before));
    for sql in ["json_set(:change, '$.pk', 'x')", "json_set(:change, '$.hlc.ts', 1)", "7"] {
        hook(&a, "h", "before_outbound", &format!("SELECT {sql}"));
        assert!(error(&a, "SELECT crdt_changes_since(NULL)", []).contains("hook 'h': it "));
    }
}

/// Other hooks, another selection: a cursor from before starts from the beginning. Without hooks cursors are as ever.
#[test]
fn a_cursor_belongs_to_its_hooks() {
    let a = node("a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    let bare = [since(&a, None).cursor, mark(&a)];
    let old = [since(&a, Some(&bare[0])), since(&a, Some(&bare[1]))];
    assert!(old.iter().all(|page| page.changes.is_empty()));
    let odd = "SELECT :change WHERE :pk = 't1'";
    hook(&a, "h", "before_outbound", odd);
    for cursor in &bare {
        assert!(!since(&a, Some(cursor)).changes.is_empty(), "from the beginning");
    }
    let hooked = [since(&a, None).cursor, mark(&a)];
    for cursor in &hooked {
        let page = since(&a, Some(cursor));
        let as_json = |cursor: &str| serde_json::from_str::<Value>(cursor).unwrap();
        assert_eq!((page.changes.len(), as_json(&page.cursor)), (0, as_json(cursor)));
        let request = json!({"since": as_json(cursor)}).to_string();
        assert_eq!(page_of(&a, &request), 0);
        assert_eq!(rows_with(&a, "SELECT count(*) FROM crdt_changes(?1, NULL)", [cursor]), ["0"]);
    }
    // Hooks on the way in, the same hook under another name, and taking it away and putting it back, change nothing.
    hook(&a, "in", "before_inbound", "SELECT :change");
    text(&a, "SELECT crdt_unhook('h')", []);
    assert!(!since(&a, Some(&hooked[0])).changes.is_empty());
    hook(&a, "another", "before_outbound", odd);
    assert!(since(&a, Some(&hooked[0])).changes.is_empty());
    // Another statement, another glob, another hook besides do.
    text(&a, "SELECT crdt_hook('another', 'before_outbound', ?1, 'tasks')", [odd]);
    assert!(!since(&a, Some(&hooked[0])).changes.is_empty());
    text(&a, "SELECT crdt_unhook('another')", []);
    assert!(since(&a, Some(&bare[0])).changes.is_empty(), "without hooks as before");
    let named = text(&a, "SELECT crdt_changes_since(NULL, 'tasks')", []);
    hook(&a, "h", "before_outbound", odd);
    let again = text(&a, "SELECT crdt_changes_since(?1, 'tasks')", [page(&named).cursor]);
    assert!(!page(&again).changes.is_empty());
}

fn page_of(conn: &Connection, request: &str) -> usize {
    page(&text(conn, "SELECT crdt_pull(?1)", [request])).changes.len()
}

/// A page whose changes were all skipped still moves the cursor, and what comes later is found.
#[test]
fn skipped_pages_move_the_cursor() {
    let a = node("a", TASKS);
    hook(&a, "h", "before_outbound", "SELECT :change WHERE :pk LIKE 'keep%'");
    run(&a, "INSERT INTO tasks(id) VALUES ('keep0')");
    let start = since(&a, None).cursor;
    run(&a, "INSERT INTO tasks(id) VALUES ('t1'), ('t2'), ('t3')");
    let limited = page(&text(&a, "SELECT crdt_changes_since(?1, NULL, 1)", [&start]));
    assert_eq!((limited.changes.len(), limited.more), (0, false));
    assert_ne!(limited.cursor, start);
    assert_eq!(since(&a, Some(&limited.cursor)).cursor, limited.cursor);
    run(&a, "INSERT INTO tasks(id) VALUES ('t4'), ('keep1'), ('t5'), ('keep2'), ('t6')");
    let mut cursor = limited.cursor;
    let mut keys = Vec::new();
    for _ in 0..5 {
        let page = page(&text(&a, "SELECT crdt_changes_since(?1, NULL, 1)", [&cursor]));
        keys.extend(page.fields().iter().map(|field| field[..5].to_owned()));
        cursor = page.cursor;
        if !page.more {
            break;
        }
    }
    keys.dedup();
    assert_eq!(keys, ["keep1", "keep2"]);
    // Row by row, too: the cursor beside the last row is past what was skipped before it.
    let last = rows(&a, "SELECT DISTINCT cursor FROM crdt_changes(NULL, NULL) WHERE pk = 'keep2'").pop().unwrap();
    assert!(since(&a, Some(last.trim_matches('\''))).changes.is_empty());
}

/// Nothing is shown of what is skipped: the stamp in the cursor is of what was sent.
#[test]
fn a_cursor_tells_nothing_of_what_was_skipped() {
    let a = node("a", TASKS);
    hook(&a, "h", "before_outbound", "SELECT :change WHERE :node_id = 'x'");
    take(&a, &[lww("title", (5, 0, "x"), 1), change("title", (7000, 0, "y"), json!({"pk": "t2", "value": 2}))]);
    assert_eq!(serde_json::from_str::<Value>(&since(&a, None).cursor).unwrap()["ts"], 5);
}

/// Where nothing can be written the log's tail is folded in memory, and hooks see what they would see.
#[test]
fn on_a_read_only_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    let lookup = "SELECT json_set(:change, '$.value', :value || (SELECT count(*) FROM tasks)) WHERE :field = 'title' AND json_extract(crdt_state(:table, :pk), '$.fields.title.value') <> 'y'";
    hook(&a, "h", "before_outbound", lookup);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t3', 'z')"); // not folded
    let reader = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    load(&reader).unwrap();
    let read = |conn: &Connection| rows(conn, "SELECT pk, value FROM crdt_changes(NULL, NULL) ORDER BY 1");
    assert_eq!(read(&reader), ["'t1', 'x3'", "'t3', 'z3'"]);
    assert_eq!(since(&reader, None).fields(), ["t1.title", "t3.title"]);
    // The same with the write lock in other hands, and inside a transaction.
    let other = crate::common::open_file(&path);
    run(&other, "BEGIN IMMEDIATE");
    assert_eq!(since(&a, None).fields(), ["t1.title", "t3.title"]);
    run(&other, "ROLLBACK");
    run(&a, "BEGIN");
    assert_eq!(read(&a), ["'t1', 'x3'", "'t3', 'z3'"]);
    run(&a, "COMMIT");
    assert_eq!(read(&a), ["'t1', 'x3'", "'t3', 'z3'"]);
}

/// A pull's own filter and the hooks both hold.
#[test]
fn with_a_filter() {
    let a = node("a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    hook(&a, "h", "before_outbound", "SELECT :change WHERE :field <> 'done'");
    let ask = |filter: Value| page(&text(&a, "SELECT crdt_pull(?1)", [json!({"filter": filter}).to_string()])).fields();
    assert_eq!(ask(json!({"pk_filter": ["t1"], "field_filter": ["title", "done"]})), ["t1.title"]);
}

/// Thousands of records in batches of the table-valued function and over several pages.
#[test]
fn many_records() {
    let a = node("a", TASKS);
    run(&a, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO tasks(id, title) SELECT i, 'x' FROM n");
    hook(&a, "h", "before_outbound", "SELECT :change WHERE :pk % 100 = 0 AND :field = 'title'");
    assert_eq!(rows(&a, "SELECT count(*), max(CAST(pk AS INTEGER)) FROM crdt_changes(NULL, NULL)"), ["50, 5000"]);
    assert_eq!(since(&a, None).changes.len(), 50);
}
