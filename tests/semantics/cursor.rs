//! Cursors: places in one database's log, by arrival, dressed as stamps.

use serde_json::{json, Value};

use crate::common::{error, text};
use crate::support::*;

#[test]
fn an_empty_database() {
    let a = node("a", TASKS);
    let page = since(&a, None);
    assert_eq!((page.changes.len(), page.more), (0, false));
    assert_eq!(serde_json::from_str::<Value>(&page.cursor).unwrap(), json!({"ts": 0, "c": 0, "node": "a~0"}));
    assert!(page.json.contains(r#""changes":[]"#), "never null");
}

#[test]
fn the_form_of_a_cursor() {
    let a = node("a", TASKS);
    take(&a, &[lww("title", (5000, 3, "x"), "late"), lww("done", (1000, 0, "y"), 1)]);
    let cursor: Value = serde_json::from_str(&since(&a, None).cursor).unwrap();
    assert_eq!((&cursor["ts"], &cursor["c"]), (&json!(5000), &json!(3)), "the latest origin stamp delivered");
    let node = cursor["node"].as_str().unwrap();
    assert!(node.starts_with("a~") && node.contains('.'), "{node}");
    assert!(node.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c)), "URL-safe: {node}");
    assert_eq!(cursor.as_object().unwrap().len(), 3);
    assert_eq!(
        serde_json::from_str::<Value>(&mark(&a)).unwrap()["node"],
        cursor["node"],
        "crdt_cursor() is the end of the log"
    );
}

#[test]
fn going_on_from_a_place() {
    let a = node("a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    let first = since(&a, None);
    let again = since(&a, Some(&first.cursor));
    assert_eq!((again.changes.len(), &again.cursor), (0, &first.cursor), "nothing new: the cursor as it was");
    run(&a, "UPDATE tasks SET done = 1");
    let second = since(&a, Some(&first.cursor));
    assert_eq!(second.fields(), ["t1.done"]);
    assert_ne!(second.cursor, first.cursor);
    assert_eq!(since(&a, Some(&first.cursor)).json, second.json, "asked again, answered alike");
    // Written twice since: once, with its present stamp and value.
    run(&a, "UPDATE tasks SET done = 2; UPDATE tasks SET done = 3");
    let third = since(&a, Some(&second.cursor));
    assert_eq!(third.change("done")["value"], 3);
}

/// An export that folds in memory ends at a delete that still holds its row's values.
#[test]
fn a_cursor_at_a_delete_that_is_not_folded() {
    for columns in ["title", &(0..20).map(|i| format!("c{i}")).collect::<Vec<_>>().join(", ")] {
        let a = node("a", &format!("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, {columns}); SELECT crdt_enable('t')"));
        run(&a, "INSERT INTO t(id) VALUES ('r1'), ('r2'), ('r3')");
        let first = since(&a, None);
        run(&a, "DELETE FROM t WHERE id = 'r2'; BEGIN");
        let second = since(&a, Some(&first.cursor));
        assert_eq!(second.fields(), ["r2._tombstone"]);
        run(&a, "COMMIT");
        let third = since(&a, Some(&second.cursor));
        assert_eq!((third.changes.len(), &third.cursor), (0, &second.cursor), "{columns}: nothing new");
    }
}

/// Who has seen a change that is stamped ahead of our clock has not seen what came after it, though that is stamped earlier.
#[test]
fn a_plain_stamp_from_a_clock_that_is_ahead() {
    let a = node("a", TASKS);
    let wall: i64 = text(&a, "SELECT unixepoch()", []).parse().unwrap();
    let ahead = (wall + 200) * 1_000_000_000 + 345_000;
    take(&a, &[lww("done", (ahead - 210_000_000_000, 0, "z"), 1)]);
    take(&a, &[lww("title", (ahead, 0, "x"), "from a clock that is ahead")]);
    let seen = json!({"ts": ahead, "c": 0, "node": "x"}).to_string();
    take(&a, &[lww("done", (ahead - 205_000_000_000, 0, "y"), 2)]);
    let rest = since(&a, Some(&seen));
    assert!(rest.fields().contains(&"t1.done".to_owned()), "{}", rest.json);
    assert_eq!(since(&a, Some(&rest.cursor)).changes.len(), 0);
}

/// A plain stamp gets everything that arrived here or was stamped after it.
#[test]
fn a_plain_stamp() {
    let a = node("a", TASKS);
    let before = now(&a);
    std::thread::sleep(std::time::Duration::from_millis(3));
    take(&a, &[lww("title", (1000, 0, "x"), "old, but arrived after it")]);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t2', 'new')");
    let plain = |ts: i64| json!({"ts": ts, "c": 0, "node": "whoever"}).to_string();
    let page = since(&a, Some(&plain(before)));
    for field in ["t1.title", "t2.title"] {
        assert!(page.fields().contains(&field.to_string()), "{field}");
    }
    assert_eq!(since(&a, Some(&plain(0))).fields(), since(&a, None).fields());
    std::thread::sleep(std::time::Duration::from_millis(3));
    let after = since(&a, Some(&plain(now(&a) + 1_000_000)));
    assert_eq!(after.changes.len(), 0, "{}", after.json);
}

/// Cursors that do not fit start from the beginning: repeats are harmless, gaps are not.
#[test]
fn cursors_that_do_not_fit() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "CREATE TABLE u(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('u'); INSERT INTO u VALUES ('u1', 1)");
    for conn in [&a, &b] {
        run(conn, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    }
    let all = since(&a, None);
    let mut wrong: Value = serde_json::from_str(&all.cursor).unwrap();
    let own = wrong["node"].as_str().unwrap().to_string();
    let (place, check) = own.split_once('.').unwrap();
    let mut spoilt: Vec<_> = [
        format!("{place}.{}", check.chars().rev().collect::<String>() + "0"),
        format!("{place}9.{check}"),
        format!("{place}."),
        place.to_string(),
        "a~".to_string(),
        "a~x.y".to_string(),
        "a~99999999999999999999.1".to_string(),
        "a~-1.1".to_string(),
        format!("b{}", &own[1..]),
    ]
    .into_iter()
    .map(|node| {
        wrong["node"] = json!(node);
        wrong.to_string()
    })
    .collect();
    spoilt.push(since(&b, None).cursor);
    spoilt.push(page(&text(&a, "SELECT crdt_changes_since(NULL, 'tasks')", [])).cursor);
    for cursor in spoilt {
        assert_eq!(since(&a, Some(&cursor)).fields(), all.fields(), "{cursor}");
    }
}

/// A restored backup is another log: what follows the old place in it was never delivered.
#[test]
fn a_cursor_from_after_the_backup() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let a = file_node(&path, "a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    export(&a);
    let backup = folder.path().join("backup.db");
    std::fs::copy(&path, &backup).unwrap();
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t2', 'lost by the restore')");
    let cursor = since(&a, None).cursor;
    let restored = crate::common::open_file(&backup);
    std::thread::sleep(std::time::Duration::from_millis(3));
    run(&restored, "INSERT INTO tasks(id, title) VALUES ('t3', 'new')");
    assert!(since(&restored, Some(&cursor)).fields().contains(&"t3.title".to_string()));
}

#[test]
fn tables_choose() {
    let a = node("a", TASKS);
    run(&a, "CREATE TABLE u(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('u'); INSERT INTO u VALUES ('u1', 1)");
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    let ask = |cursor: Option<&str>, tables: &str| {
        page(&text(&a, "SELECT crdt_changes_since(?1, ?2)", [cursor, Some(tables)]))
    };
    for (tables, holds) in [("u", "u1"), ("[\"u\"]", "u1"), ("tasks", "t1"), ("[\"tasks\",\"tasks\"]", "t1")] {
        let page = ask(None, tables);
        assert!(
            !page.changes.is_empty() && page.changes.iter().all(|change| change["pk"] == holds),
            "{tables}: {}",
            page.json
        );
    }
    let both = ask(None, "[\"tasks\",\"u\"]");
    assert_eq!(both.fields(), since(&a, None).fields());
    assert_eq!(ask(None, "[]").changes.len(), 0);
    let place = ask(None, "u").cursor;
    run(&a, "UPDATE tasks SET done = 1");
    let moved = ask(Some(&place), "u");
    assert_eq!(moved.changes.len(), 0);
    run(&a, "UPDATE u SET v = 2");
    assert_eq!(ask(Some(&moved.cursor), "u").fields(), ["u1.v"]);
    assert!(error(&a, "SELECT crdt_changes_since(NULL, 'nothing')", []).contains("nothing"));
}

/// `limit` counts changes; a page never splits a record; pages in sequence are the whole.
#[test]
fn pages() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(
        &a,
        "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
             INSERT INTO tasks SELECT 't' || i, i, i, json_array(i, 'e'), i FROM n",
    );
    run(&a, "DELETE FROM tasks WHERE done % 5 = 0; UPDATE tasks SET tags = '[1]' WHERE done % 3 = 0");
    let all = since(&a, None);
    for limit in [1i64, 2, 7, 50, 100_000] {
        let (mut cursor, mut seen) = (None::<String>, Vec::new());
        loop {
            let page = page(&text(&a, "SELECT crdt_changes_since(?1, NULL, ?2)", rusqlite::params![cursor, limit]));
            assert!(!page.changes.is_empty());
            assert!((page.changes.len() as i64) < limit + 20, "{} changes at limit {limit}", page.changes.len());
            let mut here: Vec<_> = page.changes.iter().map(|c| c["pk"].to_string()).collect();
            here.dedup();
            let count = here.len();
            here.sort();
            here.dedup();
            assert_eq!(here.len(), count, "a record's changes stand together");
            seen.extend(page.changes.iter().map(Value::to_string));
            merge(&b, &page.json);
            cursor = Some(page.cursor);
            if !page.more {
                break;
            }
        }
        let mut whole: Vec<_> = all.changes.iter().map(Value::to_string).collect();
        whole.sort();
        seen.sort();
        seen.dedup();
        assert_eq!(seen, whole, "limit {limit}");
        same(&a, &b, "tasks");
    }
}

#[test]
fn pages_by_bytes() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "SELECT crdt_pragma('page_bytes', 100000)");
    run(
        &a,
        "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
             INSERT INTO tasks(id, title) SELECT 't' || i, hex(zeroblob(10000)) FROM n",
    );
    let (mut cursor, mut pages) = (None, 0);
    loop {
        let page = since(&a, cursor.as_deref());
        assert!(page.json.len() < 150_000, "{}", page.json.len());
        merge(&b, &page.json);
        pages += 1;
        cursor = Some(page.cursor);
        if !page.more {
            break;
        }
    }
    assert!(pages >= 5, "{pages}");
    same(&a, &b, "tasks");
}

/// What is written while someone reads page after page is delivered too.
#[test]
fn writes_between_pages() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30) INSERT INTO tasks(id, title) SELECT i, i FROM n");
    let mut cursor: Option<String> = None;
    for round in 0.. {
        let page = page(&text(&a, "SELECT crdt_changes_since(?1, NULL, 13)", [&cursor]));
        merge(&b, &page.json);
        cursor = Some(page.cursor);
        if round < 12 {
            run(
                &a,
                &format!("UPDATE tasks SET title = 'round {round}' WHERE id IN ('{}', '{}')", round + 1, 30 - round),
            );
            run(&a, &format!("DELETE FROM tasks WHERE id = '{}'", 2 * round + 3));
        } else if !page.more {
            break;
        }
    }
    same(&a, &b, "tasks");
}

/// Inside a transaction that has written, a rollback would take back what was sent.
#[test]
fn an_error_inside_a_transaction_that_has_written() {
    let a = node("a", TASKS);
    let calls = [
        "crdt_changes_since(NULL)",
        "crdt_cursor()",
        "crdt_now()",
        "crdt_pull('{\"tables\":[\"tasks\"],\"node_id\":\"b\"}')",
    ];
    for call in calls {
        for begin in ["BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT s"] {
            run(&a, begin);
            run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'not yet')");
            let message = error(&a, &format!("SELECT {call}"), []);
            let function = call.split('(').next().unwrap();
            assert!(message.contains(function) && message.contains("transaction"), "{message}");
            assert_eq!(rows(&a, "SELECT title FROM tasks"), ["'not yet'"], "the transaction goes on");
            run(&a, if begin.starts_with('S') { "ROLLBACK TO s; RELEASE s" } else { "ROLLBACK" });
        }
        run(&a, "BEGIN; SELECT * FROM tasks");
        run(&a, &format!("SELECT {call}; COMMIT"));
    }
}

/// Sequences are never reused, also across disable, purge and enable.
#[test]
fn sequences_are_never_reused() {
    let a = node("a", TASKS);
    let mut latest = 0;
    for round in 0..3 {
        run(&a, &format!("INSERT INTO tasks(id, title) VALUES ('r{round}', 'x')"));
        let cursor: Value = serde_json::from_str(&since(&a, None).cursor).unwrap();
        let node = cursor["node"].as_str().unwrap();
        let digits = node.split('~').nth(1).unwrap().split('.').next().unwrap();
        let sequence = i64::from_str_radix(digits, 36).unwrap();
        assert!(sequence > latest, "{node}");
        latest = sequence;
        run(&a, if round == 0 { "SELECT crdt_disable('tasks')" } else { "SELECT crdt_disable('tasks', 'purge')" });
        run(&a, "SELECT crdt_enable('tasks', 'priority:counter', 'tags:set')");
    }
}
