//! Filters for each peer, lists of keys and fields, and who cannot write.

use rusqlite::{Connection, OpenFlags};
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

use crate::common::{error, load, open_file, text};
use crate::support::*;
use crate::{pair, sync, OWNED};

/// Pulls with a filter that the server gives.
#[track_caller]
fn pull(hub: &Connection, cursor: Option<&str>, filter: Value) -> Page {
    let since: Value = cursor.map_or(Value::Null, |json| serde_json::from_str(json).unwrap());
    let request = json!({"node_id": "p", "since": since}).to_string();
    page(&text(hub, "SELECT crdt_pull(?1, ?2)", [request, json!({"filter": filter}).to_string()]))
}

#[test]
fn each_peer_has_its_own() {
    let hub = node("hub", OWNED);
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'ann'), ('t2', 'bob'), ('t3', 'ann')");
    let ann = pull(&hub, None, json!({"tasks": "owner = 'ann'"}));
    let bob = pull(&hub, None, json!({"tasks": "owner = 'bob'"}));
    assert!(ann.json.contains("\"t1\"") && !ann.json.contains("\"t2\""));
    assert!(bob.json.contains("\"t2\"") && !bob.json.contains("\"t1\""));
    run(&hub, "UPDATE tasks SET owner = 'bob' WHERE id = 't1'");
    assert_eq!(pull(&hub, Some(&ann.cursor), json!({"tasks": "owner = 'ann'"})).fields(), ["t1._left"]);
    let more = pull(&hub, Some(&bob.cursor), json!({"tasks": "owner = 'bob'"}));
    assert_eq!(more.fields(), ["t1.owner", "t1.title", "t1.votes"]);
    assert_eq!(more.cursor, pull(&hub, Some(&more.cursor), json!({"tasks": "owner = 'bob'"})).cursor);
    assert!(rows(&hub, "SELECT node_id, lag FROM crdt_peers()")[0].starts_with("'p', 0"));
    // Without one: everything. With another peer's: what it has and may not have is told.
    assert_eq!(pull(&hub, Some(&more.cursor), json!({})).json.matches("\"owner\"").count(), 3);
    let changed = pull(&hub, Some(&more.cursor), json!({"tasks": "owner = 'ann'"}));
    assert!(changed.fields().starts_with(&["t1._left".to_owned(), "t2._left".to_owned()]), "{:?}", changed.fields());
}

/// A cursor from before the first filter has nothing in it that is secret: of what was there then, whoever makes one up must learn nothing.
#[test]
fn a_cursor_that_is_made_up_tells_no_keys() {
    let hub = node("hub", OWNED);
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('secret', 'bob')");
    let early = since(&hub, None).cursor;
    let filter = json!({"tasks": "owner = 'ann'"});
    assert!(pull(&hub, None, filter.clone()).fields().is_empty());
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('mine', 'ann')");
    pull(&hub, None, filter.clone());
    let (seq, t, m, at, key): (i64, i64, i64, f64, String) = hub
        .query_row("SELECT seq, t, m, at, k0 FROM _crdt_log ORDER BY seq DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })
        .unwrap();
    let mut hash = Sha256::new();
    for part in [&b"hub"[..], b"*", &seq.to_le_bytes()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(t.to_le_bytes());
    hash.update(m.to_le_bytes());
    hash.update(at.to_bits().to_le_bytes());
    hash.update(key);
    let check: String = hash.finalize()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let made_up = json!({"ts": 1, "c": 0, "node": format!("hub~{seq}.{check}")}).to_string();
    let told = pull(&hub, Some(&made_up), filter.clone());
    assert!(!told.json.contains("secret"), "{}", told.json);
    // Who did have everything is told what he has to let go of.
    assert!(pull(&hub, Some(&early), filter).fields().contains(&"secret._left".to_owned()));
}

#[test]
fn both_filters_must_hold() {
    let hub = node("hub", OWNED);
    run(&hub, "SELECT crdt_filter('tasks', 'votes > 0 OR votes < -9')");
    run(&hub, "INSERT INTO tasks(id, owner, votes) VALUES ('t1', 'ann', 1), ('t2', 'ann', 0), ('t3', 'bob', 1)");
    let page = pull(&hub, None, json!({"tasks": "owner = 'ann' OR owner = 'eve'"}));
    assert!(page.json.contains("\"t1\"") && !page.json.contains("\"t2\"") && !page.json.contains("\"t3\""));
    run(&hub, "UPDATE tasks SET votes = 0 WHERE id = 't1'");
    assert_eq!(
        pull(&hub, Some(&page.cursor), json!({"tasks": "owner = 'ann' OR owner = 'eve'"})).fields(),
        ["t1._left"]
    );
}

#[test]
fn the_request_itself_carries_no_sql() {
    let hub = node("hub", OWNED);
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'ann')");
    let request = json!({"filter": {"tasks": "owner = 'bob'", "pk_filter": null}}).to_string();
    assert!(text(&hub, "SELECT crdt_pull(?1)", [request]).contains("t1"), "unknown keys are ignored");
    for (options, says) in [
        (json!({"filter": {"none": "1"}}), "not enabled"),
        (json!({"filter": {"tasks": "1) OR (1"}}), "parenthesis"),
        (json!({"filter": {"tasks": "nothing"}}), "nothing"),
        (json!({"filter": {"tasks": 1}}), "options"),
        (json!({"filters": {}}), "options"),
        (json!([]), "options"),
    ] {
        let told = error(&hub, "SELECT crdt_pull('{}', ?1)", [options.to_string()]);
        assert!(told.starts_with("crdt_pull: ") && told.contains(says), "{options}: {told}");
    }
    assert!(error(&hub, "SELECT crdt_pull('{}', '{}', 1)", []).contains("called as"));
    assert!(text(&hub, "SELECT crdt_pull('{}', NULL)", []).contains("t1"));
}

/// Deletes and records that left pass a list of fields, and no list of keys that does not name them.
#[test]
fn lists_of_keys_and_fields() {
    let hub = node("hub", OWNED);
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'ann'), ('t2', 'ann'), ('t3', 'ann'), ('t4', 'ann')");
    let ask = |since: &Value, lists: Value| {
        let request = json!({"since": since, "filter": lists}).to_string();
        page(&text(
            &hub,
            "SELECT crdt_pull(?1, ?2)",
            [request, json!({"filter": {"tasks": "owner = 'ann'"}}).to_string()],
        ))
    };
    let cursor = |page: &Page| serde_json::from_str::<Value>(&page.cursor).unwrap();
    let (keys, fields) = (json!({"pk_filter": ["t1", "t3"]}), json!({"field_filter": ["title"]}));
    let (by_key, by_field) = (ask(&Value::Null, keys.clone()), ask(&Value::Null, fields.clone()));
    assert_eq!(by_field.fields(), ["t1.title", "t2.title", "t3.title", "t4.title"]);
    run(&hub, "DELETE FROM tasks WHERE id IN ('t1', 't2'); UPDATE tasks SET owner = 'bob'");
    assert_eq!(ask(&cursor(&by_key), keys).fields(), ["t1._tombstone", "t3._left"]);
    assert_eq!(ask(&cursor(&by_field), fields).fields(), ["t1._tombstone", "t2._tombstone", "t3._left", "t4._left"]);
}

/// In a transaction and beside a writer nothing is noted: what changed since waits, and nothing is lost.
#[test]
fn who_cannot_write_now_sends_what_is_settled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let hub = file_node(&path, "hub", OWNED);
    run(&hub, "PRAGMA journal_mode = WAL; SELECT crdt_filter('tasks', 'owner = ''ann''')");
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'ann'), ('t2', 'ann')");
    let first = since(&hub, None);
    run(&hub, "UPDATE tasks SET owner = 'bob' WHERE id = 't1'; INSERT INTO tasks(id, owner) VALUES ('t3', 'ann')");
    let other = open_file(&path);
    other.busy_timeout(std::time::Duration::ZERO).unwrap();
    run(&hub, "BEGIN IMMEDIATE");
    assert_eq!(since(&other, Some(&first.cursor)).changes.len(), 0);
    assert!(!since(&other, None).json.contains("\"t3\""));
    assert!(!since(&other, None).json.contains("\"t1\""), "its row is another by now");
    let fresh = "SELECT crdt_pull('{}', '{\"filter\":{\"tasks\":\"owner = ''bob''\"}}')";
    let told = error(&other, fresh, []);
    assert!(told.contains("try again"), "{told}");
    run(&hub, "COMMIT; BEGIN");
    assert_eq!(since(&hub, Some(&first.cursor)).cursor, first.cursor);
    assert!(error(&hub, fresh, []).contains("outside"));
    run(&hub, "COMMIT");
    let second = since(&other, Some(&first.cursor));
    assert_eq!(second.fields(), ["t1._left", "t3.owner", "t3.title", "t3.votes"]);
}

/// What an unfiltered peer has to give up is noted: until that can be done, it is told of nothing.
#[test]
fn a_new_filter_waits_for_the_lock_too() {
    let hub = node("hub", OWNED);
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'bob')");
    let before = since(&hub, None).cursor;
    run(&hub, "SELECT crdt_filter('tasks', 'owner = ''ann'''); BEGIN");
    assert!(error(&hub, "SELECT crdt_changes_since(?1)", [&before]).contains("outside"));
    run(&hub, "COMMIT");
    assert_eq!(since(&hub, Some(&before)).fields(), ["t1._left"]);
}

/// On a read-only database the filter is evaluated without a note of it.
#[test]
fn a_read_only_database_filters_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let hub = file_node(&path, "hub", OWNED);
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'ann'), ('t2', 'bob'); SELECT crdt_filter('tasks', 'owner = ''ann''')");
    let noted = since(&hub, None);
    run(&hub, "UPDATE tasks SET owner = 'bob' WHERE id = 't1'; INSERT INTO tasks(id, owner) VALUES ('t3', 'ann'), ('t4', 'bob')");
    let reader = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    load(&reader).unwrap();
    let mut cursor: Option<String> = None;
    let mut names = Vec::new();
    loop {
        let page = page(&text(&reader, "SELECT crdt_changes_since(?1, NULL, 1)", [cursor.as_deref()]));
        names.extend(page.fields());
        cursor = Some(page.cursor);
        if !page.more {
            break;
        }
    }
    assert_eq!(names, ["t3.owner", "t3.title", "t3.votes"]);
    let told = since(&reader, Some(&noted.cursor));
    assert_eq!(told.fields(), ["t1._left", "t3.owner", "t3.title", "t3.votes"]);
    let fresh = text(&reader, "SELECT crdt_pull('{}', '{\"filter\":{\"tasks\":\"id = ''t3''\"}}')", []);
    assert!(fresh.contains("\"t3\"") && !fresh.contains("\"t1\""), "{fresh}");
    // Where it can be noted again, its cursor is not taken for more than it is.
    let again = since(&hub, Some(&told.cursor));
    assert!(again.fields().contains(&"t3.owner".to_owned()) && !again.json.contains("t4"), "{}", again.json);
}

/// Filters that nobody used for longer than the TTL are forgotten by the cleanup; the database's own never.
#[test]
fn unused_filters_are_forgotten() {
    let day = 86_400_000;
    clock::set(1_700_000_000_000);
    let hub = named(clock::open(":memory:"), "hub", OWNED);
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'ann'); SELECT crdt_filter('tasks', 'owner = ''ann''')");
    let page = pull(&hub, None, json!({"tasks": "votes = 0"}));
    assert_eq!(rows(&hub, "SELECT count(*) FROM _crdt_filter WHERE f > 0"), ["2"]);
    clock::set(1_700_000_000_000 + 5 * day);
    pull(&hub, Some(&page.cursor), json!({"tasks": "votes = 0"}));
    clock::set(1_700_000_000_000 + 10 * day);
    run(&hub, "SELECT crdt_cleanup_tombstones()");
    assert_eq!(rows(&hub, "SELECT count(*) FROM _crdt_filter WHERE f > 0"), ["2"], "used within the TTL");
    clock::set(1_700_000_000_000 + 20 * day);
    run(&hub, "SELECT crdt_cleanup_tombstones()");
    assert_eq!(rows(&hub, "SELECT f FROM _crdt_filter WHERE f > 0"), ["1"]);
    assert_eq!(rows(&hub, "SELECT DISTINCT f FROM _crdt_inside"), ["1"]);
    // Its number is not given again; a cursor that names it starts from the beginning.
    let again = pull(&hub, Some(&page.cursor), json!({"tasks": "votes = 0"}));
    assert_eq!(again.fields(), ["t1.owner", "t1.title", "t1.votes"]);
    assert_eq!(rows(&hub, "SELECT f FROM _crdt_filter WHERE f > 0"), ["1", "3"]);
}

/// A record whose row stands and cannot be changed is told as its state is: so that is what is judged.
#[test]
fn a_record_that_waits_behind_its_row() {
    let hub = node("hub", OWNED);
    run(
        &hub,
        "CREATE TABLE locked(v); CREATE TRIGGER lock BEFORE UPDATE ON tasks WHEN EXISTS (SELECT 1 FROM locked)
           BEGIN SELECT RAISE(ABORT, 'locked'); END;
         INSERT INTO tasks(id, owner, title) VALUES ('t1', 'ann', 'hers')",
    );
    let [anns, bobs] = ["ann", "bob"].map(|owner| json!({"tasks": format!("owner = '{owner}'")}));
    let ann = pull(&hub, None, anns.clone());
    let ts = now(&hub) + 1_000_000;
    run(&hub, "INSERT INTO locked VALUES (1)");
    take(&hub, &[lww("owner", (ts, 0, "x"), "bob"), lww("title", (ts, 0, "x"), "his")]);
    assert_eq!(rows(&hub, "SELECT owner FROM tasks"), ["'ann'"]);
    let ann = pull(&hub, Some(&ann.cursor), anns.clone());
    assert_eq!(ann.fields(), ["t1._left"]);
    let bob = pull(&hub, None, bobs);
    assert_eq!(bob.of("t1", "title")["value"], "his");
    run(&hub, "DELETE FROM locked; SELECT crdt_retry()");
    assert_eq!(rows(&hub, "SELECT owner FROM tasks"), ["'bob'"]);
    assert!(pull(&hub, Some(&ann.cursor), anns).fields().is_empty());
}

/// What is written while crdt_changes is read is judged before it is told.
#[test]
fn rows_that_leave_while_they_are_read() {
    let hub = node("hub", OWNED);
    run(
        &hub,
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
         INSERT INTO tasks(id, owner) SELECT printf('t%04d', i), 'ann' FROM n; SELECT crdt_filter('tasks', 'owner = ''ann''')",
    );
    let mut stmt = hub.prepare("SELECT pk, value FROM crdt_changes(NULL) WHERE field IN ('owner', 'title')").unwrap();
    let mut all = stmt.query([]).unwrap();
    all.next().unwrap();
    run(&hub, "UPDATE tasks SET owner = 'bob', title = 'secret' WHERE id = 't1000'");
    let (mut count, mut last) = (1, String::new());
    while let Some(row) = all.next().unwrap() {
        last = row.get(0).unwrap();
        count += 1;
        assert_ne!(row.get_ref(1).unwrap(), rusqlite::types::ValueRef::Text(b"secret"));
    }
    assert_eq!(last, "t0999", "{count}");
}

/// A filter that is in use is not forgotten, however short the time to live.
#[test]
fn a_filter_in_use_is_kept() {
    clock::set(1_780_000_000_000);
    let hub = named(clock::open(":memory:"), "hub", OWNED);
    run(&hub, "SELECT crdt_pragma('tombstone_ttl', '2s'); INSERT INTO tasks(id, owner) VALUES ('t1', 'ann')");
    let filter = json!({"tasks": "owner = 'ann'"});
    let mut ann = pull(&hub, None, filter.clone());
    for second in 1..6 {
        clock::set(1_780_000_000_000 + second * 1000);
        ann = pull(&hub, Some(&ann.cursor), filter.clone());
    }
    run(&hub, "SELECT crdt_cleanup_tombstones(); UPDATE tasks SET owner = 'bob'");
    assert_eq!(pull(&hub, Some(&ann.cursor), filter).fields(), ["t1._left"]);
}

/// A cursor does not grow with each filter that its peer ever had: of those that were forgotten there is nothing to tell.
#[test]
fn debts_of_forgotten_filters_go() {
    const DAY: i64 = 86_400_000;
    clock::set(1_780_000_000_000);
    let hub = named(clock::open(":memory:"), "hub", OWNED);
    run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'ann')");
    let (mut cursor, mut longest) = (None, 0);
    for day in 0..60 {
        clock::set(1_780_000_000_000 + day * DAY);
        let page = pull(&hub, cursor.as_deref(), json!({"tasks": format!("owner = 'ann' AND {day} = {day}")}));
        longest = longest.max(page.cursor.len());
        cursor = Some(page.cursor);
        run(&hub, "SELECT crdt_cleanup_tombstones()");
    }
    assert!(longest < 300, "{longest}");
}

/// A page was merged, and its cursor lost: the one before it is good for what has left since, or was deleted.
#[test]
fn a_cursor_comes_back_once_more() {
    for end in ["UPDATE tasks SET owner = 'bob' WHERE id = 't1'", "DELETE FROM tasks WHERE id = 't1'"] {
        let [hub, peer] = pair();
        run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t0', 'ann')");
        let mut cursor = None;
        sync(&hub, &peer, &mut cursor);
        run(&hub, "INSERT INTO tasks(id, owner) VALUES ('t1', 'ann'), ('t2', 'eve')");
        sync(&hub, &peer, &mut cursor.clone());
        run(&hub, end);
        assert_eq!(sync(&hub, &peer, &mut cursor).fields().len(), 1, "{end}");
        assert_eq!(rows(&peer, "SELECT id FROM tasks"), ["'t0'"], "{end}");
        assert_eq!(sync(&hub, &peer, &mut cursor).changes.len(), 0);
    }
}
