//! Calls from within a hook: refused, and nothing is broken by them.

use serde_json::json;

use crate::common::{error, text};
use crate::support::*;
use crate::{hook, merge_error};

const REFUSED: &[&str] = &[
    "crdt_merge('[]')",
    "crdt_push('{}')",
    "crdt_pull('{}')",
    "crdt_changes_since(NULL)",
    "crdt_convert('[]', 'compact')",
    "crdt_cursor()",
    "crdt_now()",
    "crdt_digest('tasks')",
    "crdt_status()",
    "crdt_check()",
    "crdt_enable('tasks')",
    "crdt_disable('tasks')",
    "crdt_schema('tasks')",
    "crdt_fork()",
    "crdt_node_id('new')",
    "crdt_pragma('max_drift', 1)",
    "crdt_pragma('hlc')",
    "crdt_cleanup_tombstones()",
    "crdt_hook('x', 'before_inbound', 'SELECT 1')",
    "crdt_unhook('h')",
    "(SELECT count(*) FROM crdt_changes(NULL, NULL))",
    "(SELECT count(*) FROM crdt_tables())",
    "(SELECT count(*) FROM crdt_fields('tasks'))",
    "(SELECT count(*) FROM crdt_peers())",
    "(SELECT count(*) FROM crdt_pending())",
];

#[test]
fn refused_on_every_event() {
    let a = node("a", TASKS);
    run(&a, "CREATE TABLE notes(v); INSERT INTO tasks(id, title) VALUES ('t0', 'x')");
    let changes = [lww("title", (1, 0, "x"), "t")];
    for call in REFUSED {
        let name = call.trim_start_matches("(SELECT count(*) FROM ").split('(').next().unwrap();
        for (event, sql) in [
            ("before_inbound", format!("SELECT :change WHERE {call} IS NOT NULL")),
            ("after_inbound", format!("INSERT INTO notes SELECT {call}")),
            ("after_inbound", format!("SELECT {call}")),
            ("before_outbound", format!("SELECT :change WHERE {call} IS NOT NULL")),
        ] {
            hook(&a, "h", event, &sql);
            let before = contents(&a);
            let messages = match event {
                "before_outbound" => [
                    error(&a, "SELECT crdt_changes_since(NULL)", []),
                    error(&a, "SELECT * FROM crdt_changes(NULL, NULL)", []),
                ],
                _ => [merge_error(&a, &changes), merge_error(&a, &changes)],
            };
            for message in messages {
                assert!(
                    message.contains("hook 'h': ") && message.contains(&format!("{name} cannot be called")),
                    "{sql}: {message}"
                );
            }
            assert!(a.is_autocommit());
            let now = contents(&a);
            assert!(now == before || event == "before_outbound", "{sql}");
        }
    }
    text(&a, "SELECT crdt_unhook('h')", []);
    take(&a, &changes);
    assert_eq!(text(&a, "SELECT title FROM tasks WHERE id = 't1'", []), "t");
    sound(&a);
}

/// What only looks at one record may be called; it sees the state as it is then.
#[test]
fn allowed() {
    let a = node("a", TASKS);
    run(&a, "CREATE TABLE seen(event, title, version, node, shown)");
    take(&a, &[lww("title", (1, 0, "x"), "old")]);
    let state = "json_extract(crdt_state(:table, :pk), '$.fields.title.value')";
    hook(
        &a,
        "in",
        "before_inbound",
        &format!("SELECT :change WHERE {state} = 'old' AND crdt_inspect(:table, :pk) LIKE '%old%'"),
    );
    let row = "(SELECT count(*) FROM _tasks_crdt WHERE field_name = 'title')";
    hook(
        &a,
        "after",
        "after_inbound",
        &format!("INSERT INTO seen SELECT 'after', {state}, crdt_version(), crdt_node_id(), {row}"),
    );
    let answer = take(&a, &[lww("title", (2, 0, "x"), "new")]);
    assert_eq!(answer["merged"], 1);
    assert_eq!(rows(&a, "SELECT event, title, node, shown FROM seen"), ["'after', 'new', 'a', 1"]);
    assert_eq!(take(&a, &[lww("title", (3, 0, "x"), "third")])["skipped"], 1);
    hook(&a, "out", "before_outbound", &format!("SELECT :change WHERE {state} = 'new'"));
    assert!(!since(&a, None).changes.is_empty());
    run(&a, "UPDATE tasks SET title = 'unfolded'; BEGIN");
    assert!(rows(&a, "SELECT * FROM crdt_changes(NULL, NULL)").is_empty());
    run(&a, "COMMIT");
    assert!(since(&a, None).changes.is_empty());
    sound(&a);
}

/// The state with all that comes, in whatever order, while only some of it is known.
#[test]
fn the_state_that_is_coming() {
    let a = node("a", TASKS);
    take(&a, &[lww("title", (5, 0, "x"), "old"), counter((5, 0, "x"), 2, 0), set("add", (5, 0, "x"), json!([1]))]);
    // A hook cannot write: what it sees comes back in what it says.
    let coming = "crdt_state(:table, :pk, 'incoming')";
    let changes = [
        lww("done", (1, 0, "y"), 1),
        lww("title", (4, 0, "y"), "loses"),
        counter((6, 0, "y"), 3, 0),
        set("remove", (7, 0, "y"), json!([1])),
        change("title", (9, 0, "y"), json!({"pk": "t2", "value": "another record"})),
    ];
    let see = |path: &str| {
        hook(
            &a,
            "h",
            "before_inbound",
            &format!("SELECT coalesce(json_extract({coming}, '{path}'), 'nothing') WHERE :field = 'done'"),
        );
        let message = merge_error(&a, &changes);
        message.split('\'').nth(3).unwrap_or_default().to_owned()
    };
    assert_eq!(see("$.fields.title.value"), "old");
    assert_eq!(see("$.fields.nothing"), "nothing");
    assert_eq!(see("$.fields.done.hlc.node"), "y");
    hook(&a, "h", "before_inbound", &format!("SELECT 'done ' || json_extract({coming}, '$.fields.done.value') || ', votes ' || json_extract({coming}, '$.fields.priority.counter_state.inc.y') WHERE :field = 'done'"));
    assert!(merge_error(&a, &changes).contains("'done 1, votes 3'"), "{}", merge_error(&a, &changes));
    sound(&a);
}

#[test]
fn what_is_coming_is_told_only_while_it_comes() {
    let a = node("a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t0', 'x')");
    let changes = [lww("title", (1, 0, "x"), "t")];
    let coming = "crdt_state(:table, :pk, 'incoming')";
    let message = error(&a, "SELECT crdt_state('tasks', 't0', 'incoming')", []);
    assert!(message.contains("crdt_state: 'incoming'"), "{message}");
    assert!(error(&a, "SELECT crdt_state('tasks', 't0', 'now')", []).contains("'incoming'"));
    hook(&a, "before", "before_inbound", &format!("SELECT :change WHERE {coming} IS NOT NULL"));
    hook(&a, "after", "after_inbound", &format!("SELECT {coming}"));
    assert!(merge_error(&a, &changes).contains("hook 'after': crdt_state: 'incoming'"));
    text(&a, "SELECT crdt_unhook('after')", []);
    assert_eq!(take(&a, &changes)["merged"], 1);
    hook(&a, "out", "before_outbound", &format!("SELECT {coming}"));
    assert!(error(&a, "SELECT crdt_changes_since(NULL)", []).contains("hook 'out': crdt_state: 'incoming'"));
}

/// An export that feeds a statement which writes.
#[test]
fn under_a_writing_statement() {
    let a = node("a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y'); CREATE TABLE outbox(change)");
    hook(
        &a,
        "h",
        "before_outbound",
        "SELECT :change WHERE json_extract(crdt_state(:table, :pk), '$.fields.title.value') = 'x'",
    );
    run(&a, "INSERT INTO outbox SELECT change FROM crdt_changes(NULL, NULL)");
    assert_eq!(rows(&a, "SELECT DISTINCT json_extract(change, '$.pk') FROM outbox"), ["'t1'"]);
    sound(&a);
}

/// A function of the host's that comes back on the same connection.
#[test]
fn through_a_function_of_the_host() {
    use rusqlite::functions::FunctionFlags;
    let a = node("a", TASKS);
    let back = |context: &rusqlite::functions::Context<'_>| {
        // SAFETY: the connection is only used during the call, on this thread.
        let conn = unsafe { context.get_connection()? };
        conn.query_row("SELECT crdt_merge('[]')", [], |row| row.get::<_, String>(0))
    };
    a.create_scalar_function("back", 0, FunctionFlags::SQLITE_UTF8, back).unwrap();
    hook(&a, "h", "before_inbound", "SELECT :change WHERE back() IS NOT NULL");
    let message = merge_error(&a, &[lww("title", (1, 0, "x"), "t")]);
    assert!(message.contains("hook 'h'") && message.contains("crdt_merge cannot be called"), "{message}");
    assert!(text(&a, "SELECT back()", []).contains("merged"));
}
