//! W10 to W21: exchanges that fail half way, relays, requests that mean harm.

use serde_json::{json, Value};

use crate::common::{error, open_file, text};
use crate::support::*;

/// `crdt_push`; the answer.
fn push(conn: &rusqlite::Connection, author: &str, changes: &[Value]) -> Value {
    let request = json!({"node_id": author, "changes": changes}).to_string();
    serde_json::from_str(&text(conn, "SELECT crdt_push(?1)", [&request])).unwrap()
}

/// `crdt_pull`; the answer.
fn pull(conn: &rusqlite::Connection, request: Value) -> Page {
    page(&text(conn, "SELECT crdt_pull(?1)", [request.to_string()]))
}

/// One cursor for both directions must not skip local changes: another database's cursor starts from the beginning.
#[test]
fn w10_the_remote_cursor_chooses_local_changes() {
    let [a, hub] = nodes(["a", "hub"], TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('mine', 'not pushed yet')");
    std::thread::sleep(std::time::Duration::from_millis(2));
    run(&hub, "INSERT INTO tasks(id, title) VALUES ('theirs', 'x')");
    let pulled = pull(&hub, json!({"tables": ["tasks"], "node_id": "a"}));
    merge(&a, &pulled.json);
    assert!(since(&a, Some(&pulled.cursor)).fields().contains(&"mine.title".to_string()));
}

#[test]
fn w11_local_writes_lie_below_a_remote_clock() {
    let a = node("a", TASKS);
    let ahead = now(&a) + 250_000_000_000;
    take(&a, &[lww("title", (ahead, 0, "fast"), "x")]);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('mine', 'written after it')");
    let plain = json!({"ts": ahead, "c": 0, "node": "fast"}).to_string();
    assert!(since(&a, Some(&plain)).fields().contains(&"mine.title".to_string()));
}

#[test]
fn w12_a_record_that_fails_to_merge_is_skipped_for_good() {
    let strict = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, n CHECK (n > 0)); SELECT crdt_enable('t')";
    let loose = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, n); SELECT crdt_enable('t')";
    let (a, b, c) = (node("a", loose), node("b", strict), node("c", loose));
    run(&a, "INSERT INTO t VALUES ('good', 1), ('bad', -1), ('fine', 2)");
    let answer = send(&a, &b);
    assert!(answer["pending"].as_i64().unwrap() > 0, "{answer}");
    assert_eq!(rows(&b, "SELECT id FROM t ORDER BY id"), ["'fine'", "'good'"]);
    assert!(rows(&b, "SELECT * FROM crdt_pending()").iter().any(|row| row.contains("bad") && row.contains("CHECK")));
    send(&b, &c);
    same(&a, &c, "t");
    assert_eq!(digest(&a, "t"), digest(&b, "t"), "pending values count");
}

#[test]
fn w13_only_own_changes_are_passed_on() {
    let [a, b, c] = nodes(["a", "b", "c"], TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 1, '[1]', 0), ('t2', 'y', 2, '[2]', 1)");
    send(&a, &b);
    let relayed = since(&b, None);
    assert_eq!(merge(&c, &relayed.json)["merged"], relayed.changes.len());
    run(&a, "DELETE FROM tasks WHERE id = 't2'; UPDATE tasks SET tags = '[]'");
    send(&a, &b);
    merge(&c, &since(&b, Some(&relayed.cursor)).json);
    same(&a, &c, "tasks");
}

#[test]
fn w14_conflicts_are_always_zero() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    assert_eq!(send(&a, &b)["conflicts"], 0);
    for (node, title) in [(&a, "from a"), (&b, "from b")] {
        node.execute("UPDATE tasks SET title = ?1", [title]).unwrap();
    }
    assert_eq!(send(&a, &b)["conflicts"], 1);
}

#[test]
fn w15_the_echo_of_ones_own_changes_does_harm() {
    let [a, hub] = nodes(["a", "hub"], TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 3, '[1,2]', 0); UPDATE tasks SET priority = 1, tags = '[2]'");
    send(&a, &hub);
    let before = mark(&a);
    let answer = merge(&a, &pull(&hub, json!({"tables": ["tasks"], "node_id": "a"})).json);
    assert_eq!((&answer["merged"], &answer["conflicts"]), (&json!(0), &json!(0)), "{answer}");
    assert_eq!(since(&a, Some(&before)).changes.len(), 0);
    assert_eq!(table(&a, "tasks"), ["'t1', 'x', 1, '[2]', 0"]);
    same(&a, &hub, "tasks");
}

#[test]
fn w16_cursors_die_with_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    let cursor = since(&a, None).cursor;
    a.close().unwrap();
    let a = open_file(&path);
    assert_eq!(since(&a, Some(&cursor)).changes.len(), 0);
    run(&a, "UPDATE tasks SET title = 'y'");
    assert_eq!(since(&a, Some(&cursor)).fields(), ["t1.title"]);
}

#[test]
fn w17_one_bad_record_stops_a_push_for_ever() {
    let a = node("a", TASKS);
    let bad = [
        lww("title", (-1, 0, "js"), "negative"),
        change("priority", (1000, 0, "js"), json!({"crdt_type": "counter", "counter_delta": {"inc": 1.5, "dec": 0}})),
        change("title", (1000, 0, "js"), json!({"node_id": "someone else", "value": 1})),
        change("title", (1000, 0, "js"), json!({"table": "nowhere", "value": 1})),
        json!(7),
    ];
    let mut changes = vec![lww("title", (1000, 0, "js"), "first")];
    changes.extend(bad.clone());
    changes.push(lww("done", (1001, 0, "js"), 1));
    let answer = push(&a, "js", &changes);
    let rejected = answer["rejected"].as_array().unwrap();
    let indexes: Vec<_> = rejected.iter().map(|entry| entry["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, (1..=bad.len() as u64).collect::<Vec<_>>(), "{answer}");
    assert!(rejected.iter().all(|entry| !entry["reason"].as_str().unwrap().is_empty()));
    assert_eq!(answer["merged"], 2);
    assert_eq!(rows(&a, "SELECT title, done FROM tasks"), ["'first', 1"]);
    // A field that changes its type is no bad record.
    let answer = push(&a, "js", &[change("priority", (1002, 0, "js"), json!({"value": "lww here"}))]);
    assert_eq!(answer["rejected"], json!([]), "{answer}");
}

#[test]
fn w18_concurrent_pushes_of_one_field_lose_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let hub = file_node(&path, "hub", &format!("PRAGMA journal_mode = WAL; {TASKS}"));
    std::thread::scope(|scope| {
        for author in ["x", "y", "z"] {
            let path = &path;
            scope.spawn(move || {
                let conn = open_file(path);
                run(&conn, "PRAGMA busy_timeout = 30000");
                for i in 1..=20 {
                    let answer = push(&conn, author, &[counter((1000 + i, 0, author), i, 0)]);
                    assert_eq!(answer["rejected"], json!([]));
                }
            });
        }
    });
    assert_eq!(rows(&hub, "SELECT priority FROM tasks"), ["60"]);
}

#[test]
fn w19_names_reach_sql_unchecked() {
    let a = node(
        "a",
        &format!("{TASKS} CREATE TABLE secret(id TEXT PRIMARY KEY, v); INSERT INTO secret VALUES ('k', 's3cret');"),
    );
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    export(&a);
    let before = users(contents(&a));
    for name in
        ["secret", "sqlite_schema", "_crdt_pragma", "tasks; DROP TABLE tasks; --", "tasks\" UNION SELECT 1 --", "x'"]
    {
        let request = json!({"tables": [name], "node_id": "js"});
        let pulled = a.query_row("SELECT crdt_pull(?1)", [request.to_string()], |row| row.get::<_, String>(0));
        assert!(!pulled.is_ok_and(|answer| answer.contains("s3cret") || answer.contains("\"pk\"")), "{name}");
        let quoted = json!([name]).to_string();
        let listed = a.query_row("SELECT crdt_changes_since(NULL, ?1)", [&quoted], |row| row.get::<_, String>(0));
        assert!(!listed.is_ok_and(|answer| answer.contains("s3cret") || answer.contains("\"pk\"")), "{name}");
        let pushed = push(&a, "js", &[change("v", (1000, 0, "js"), json!({"table": name, "value": 1}))]);
        assert_eq!(pushed["rejected"].as_array().unwrap().len(), 1, "{pushed}");
        for sql in ["SELECT crdt_digest(?1)", "SELECT crdt_inspect(?1, 'k')", "SELECT crdt_cleanup_tombstones(?1)"] {
            error(&a, sql, [name]);
        }
    }
    assert_eq!(users(contents(&a)), before);
}

/// Lines of the schema and the user's tables.
fn users(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().filter(|line| !line.starts_with("_crdt")).collect()
}

#[test]
fn w20_offline_work_is_refused_for_its_age() {
    let a = node("a", TASKS);
    let answer = push(&a, "offline", &[lww("title", (1, 0, "offline"), "from 1970")]);
    assert_eq!((&answer["merged"], &answer["rejected"]), (&json!(1), &json!([])));
    take(&a, &[lww("done", (0, 0, "offline"), 1)]);
    assert_eq!(rows(&a, "SELECT title, done FROM tasks"), ["'from 1970', 1"]);
}

#[test]
fn w21_a_field_filter_drops_deletes() {
    let [hub, b] = nodes(["hub", "b"], TASKS);
    run(&hub, "INSERT INTO tasks(id, title, done) VALUES ('t1', 'x', 1), ('t2', 'y', 1)");
    let request = |since: Value| json!({"tables": ["tasks"], "node_id": "b", "since": since, "filter": {"field_filter": ["title"]}});
    let first = pull(&hub, request(Value::Null));
    assert!(first.fields().contains(&"t1.title".to_string()) && !first.fields().contains(&"t1.done".to_string()));
    merge(&b, &first.json);
    run(&hub, "DELETE FROM tasks WHERE id = 't1'; UPDATE tasks SET done = 2");
    let second = pull(&hub, request(serde_json::from_str(&first.cursor).unwrap()));
    assert!(second.fields().contains(&"t1._tombstone".to_string()), "{}", second.json);
    merge(&b, &second.json);
    assert_eq!(rows(&b, "SELECT id, title FROM tasks"), ["'t2', 'y'"]);
    // A page whose changes were all filtered out still moves the cursor.
    run(&hub, "UPDATE tasks SET done = 3");
    let third = pull(&hub, request(serde_json::from_str(&second.cursor).unwrap()));
    assert_eq!(third.changes.len(), 0);
    assert_ne!(third.cursor, second.cursor);
    // Without the filter the cursor does not fit: everything comes, nothing is missing.
    let rest = since(&hub, Some(&third.cursor));
    assert!(rest.fields().contains(&"t2.done".to_string()));
}
