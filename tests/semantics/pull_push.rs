//! A sync endpoint in two calls: Grove's requests in, its answers out.

use serde_json::{json, Value};

use crate::common::text;
use crate::support::*;

fn pull(conn: &rusqlite::Connection, request: &Value) -> Page {
    page(&text(conn, "SELECT crdt_pull(?1)", [request.to_string()]))
}

fn push(conn: &rusqlite::Connection, request: &Value) -> Value {
    serde_json::from_str(&text(conn, "SELECT crdt_push(?1)", [request.to_string()])).unwrap()
}

fn cursor(page: &Page) -> Value {
    serde_json::from_str(&page.cursor).unwrap()
}

#[test]
fn a_round_through_a_hub() {
    let [hub, a, b] = nodes(["hub", "a", "b"], TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 3, '[1]', 0)");
    let pushed = push(&hub, &json!({"node_id": "a", "changes": since(&a, None).changes}));
    assert_eq!(pushed["merged"], since(&a, None).changes.len());
    assert_eq!(pushed["rejected"], json!([]));
    assert!(pushed["latest_hlc"]["ts"].is_i64(), "{pushed}");
    let first = pull(&hub, &json!({"tables": ["tasks"], "node_id": "b"}));
    merge(&b, &first.json);
    same(&a, &b, "tasks");
    run(&b, "UPDATE tasks SET title = 'from b'");
    push(&hub, &json!({"node_id": "b", "changes": since(&b, Some(&mark(&a))).changes}));
    let second = pull(&hub, &json!({"tables": ["tasks"], "node_id": "b", "since": cursor(&first)}));
    assert_eq!(second.fields(), ["t1.title"], "the caller's own changes too");
    let third = pull(&hub, &json!({"tables": ["tasks"], "node_id": "b", "since": cursor(&second)}));
    assert_eq!((third.changes.len(), &third.cursor), (0, &second.cursor));
}

#[test]
fn requests_of_go_and_typescript() {
    let hub = node("hub", TASKS);
    run(&hub, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
    let all = pull(&hub, &json!({"tables": ["tasks"], "node_id": "js"}));
    // Go always sends `since`; zero means from the beginning.
    let go = pull(
        &hub,
        &json!({"tables": ["tasks"], "since": {"ts": 0, "c": 0, "node": ""}, "node_id": "go", "unknown": [1]}),
    );
    assert_eq!(go.fields(), all.fields());
    let null = pull(&hub, &json!({"tables": ["tasks"], "since": null, "node_id": "js", "filter": null}));
    assert_eq!(null.fields(), all.fields());
    assert_eq!(push(&hub, &json!({"node_id": "go", "changes": null}))["merged"], 0);
    assert_eq!(push(&hub, &json!({"node_id": "go", "changes": []}))["merged"], 0);
}

#[test]
fn filters() {
    let hub = node("hub", TASKS);
    run(
        &hub,
        "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y'), ('t3', 'z'); DELETE FROM tasks WHERE id = 't3'",
    );
    let ask = |filter: Value| pull(&hub, &json!({"tables": ["tasks"], "node_id": "b", "filter": filter})).fields();
    assert!(ask(json!({"pk_filter": ["t2"]})).iter().all(|field| field.starts_with("t2.")));
    let titles = ask(json!({"field_filter": ["title"]}));
    assert!(titles.contains(&"t1.title".to_string()) && !titles.contains(&"t1.done".to_string()));
    assert!(titles.contains(&"t3._tombstone".to_string()), "deletes pass every field filter");
    assert_eq!(ask(json!({"pk_filter": ["t1"], "field_filter": ["title"]})), ["t1.title"]);
    assert_eq!(ask(json!({})), ask(json!({"pk_filter": [], "field_filter": []})), "an empty list filters nothing");
    assert_eq!(ask(json!({"pk_filter": ["none"]})), [] as [&str; 0]);
}

/// Who has the delete must learn that the row is back, by whatever write it is.
#[test]
fn that_a_row_is_back_passes_a_filter_of_fields() {
    for (write, format) in [("done = 1", "grove"), ("priority = 2", "grove"), ("done = 1", "compact")] {
        let [hub, b, client] = nodes(["hub", "b", "client"], TASKS);
        run(&hub, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
        send(&hub, &b);
        let mut since = Value::Null;
        let mut ask = || {
            let filter = json!({"field_filter": ["title"]});
            let request =
                json!({"tables": ["tasks"], "node_id": "client", "since": since, "filter": filter, "format": format});
            let json = text(&hub, "SELECT crdt_pull(?1)", [request.to_string()]);
            merge(&client, &json);
            let page = page(&text(&hub, "SELECT crdt_convert(?1, 'grove')", [json]));
            since = cursor(&page);
            page.fields()
        };
        assert_eq!(ask(), ["t1.title", "t2.title"]);
        run(&hub, "DELETE FROM tasks WHERE id = 't1'");
        assert_eq!(ask(), ["t1._tombstone"]);
        std::thread::sleep(std::time::Duration::from_millis(2));
        run(&b, &format!("UPDATE tasks SET {write}"));
        send(&b, &hub);
        assert_eq!(ask(), ["t1._row", "t1._tombstone", "t1.title"], "nothing of t2, which was never deleted");
        assert_eq!(rows(&client, "SELECT id, title FROM tasks ORDER BY id"), ["'t1', 'x'", "'t2', 'y'"]);
        run(&hub, "UPDATE tasks SET title = 'z' WHERE id = 't1'");
        assert_eq!(ask(), ["t1._tombstone", "t1.title"], "what is wanted tells it by itself");
    }
}

#[test]
fn rejected_changes_are_named() {
    let hub = node("hub", TASKS);
    let changes = [
        lww("title", (1000, 0, "x"), "good"),
        lww("title", (-1, 0, "x"), "bad"),
        change("v", (1, 0, "x"), json!({"table": "nothing"})),
    ];
    let answer = push(&hub, &json!({"node_id": "x", "changes": changes}));
    assert_eq!(answer["merged"], 1);
    let rejected = answer["rejected"].as_array().unwrap();
    assert_eq!(rejected.iter().map(|entry| entry["index"].clone()).collect::<Vec<_>>(), [1, 2]);
    assert!(rejected[1]["reason"].as_str().unwrap().contains("nothing"));
    // A retry of the whole queue goes the same way, for ever.
    assert_eq!(push(&hub, &json!({"node_id": "x", "changes": changes}))["merged"], 0);
    assert_eq!(rows(&hub, "SELECT title FROM tasks"), ["'good'"]);
}

/// `_crdt_peers` remembers who pulled and pushed, and how far.
#[test]
fn peers_are_remembered() {
    let hub = node("hub", TASKS);
    run(&hub, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    assert_eq!(rows(&hub, "SELECT count(*) FROM crdt_peers()"), ["0"]);
    let first = pull(&hub, &json!({"tables": ["tasks"], "node_id": "b"}));
    pull(&hub, &json!({"tables": ["tasks"], "node_id": "b", "since": cursor(&first)}));
    push(&hub, &json!({"node_id": "c", "changes": []}));
    let peers = rows(&hub, "SELECT * FROM crdt_peers()");
    assert_eq!(peers.len(), 2, "{peers:?}");
    assert!(peers.iter().any(|row| row.contains("'b'")) && peers.iter().any(|row| row.contains("'c'")));
    assert!(status(&hub).to_string().contains("\"b\""), "{}", status(&hub));
}

/// Large answers come in pages here too.
#[test]
fn pulls_page_by_bytes() {
    let [hub, b] = nodes(["hub", "b"], TASKS);
    run(&hub, "SELECT crdt_pragma('page_bytes', 50000)");
    run(&hub, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30) INSERT INTO tasks(id, title) SELECT i, hex(zeroblob(4000)) FROM n");
    let mut since = Value::Null;
    for round in 1.. {
        let page = pull(&hub, &json!({"tables": ["tasks"], "node_id": "b", "since": since}));
        merge(&b, &page.json);
        since = cursor(&page);
        if !page.more {
            assert!(round > 3);
            break;
        }
    }
    same(&hub, &b, "tasks");
}

#[test]
fn a_server_says_how_much_and_whether_to_remember() {
    let hub = node("hub", TASKS);
    run(&hub, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y'), ('t3', 'z')");
    let pull = |since: &Value, options: &str| {
        let request = json!({"tables": ["tasks"], "node_id": "b", "since": since}).to_string();
        page(&text(&hub, "SELECT crdt_pull(?1, ?2)", [request.as_str(), options]))
    };
    let peers = || hub.query_row("SELECT count(*) FROM _crdt_peers", [], |row| row.get::<_, i64>(0)).unwrap();
    let (mut since, mut pages, mut changes) = (Value::Null, 0, 0);
    loop {
        let page = pull(&since, r#"{"limit":1,"remember":false}"#);
        (since, pages, changes) = (cursor(&page), pages + 1, changes + page.changes.len());
        if !page.more {
            break;
        }
    }
    assert_eq!((pages, peers()), (3, 0), "a record each");
    assert_eq!(changes, pull(&Value::Null, "{}").changes.len());
    let asked = text(&hub, "SELECT crdt_pull('{\"limit\":1}')", []);
    assert!(page(&asked).more, "by the request too");
    assert_eq!(peers(), 1);
    let short = pull(&Value::Null, r#"{"bytes":1,"remember":false}"#);
    assert!(short.more && short.changes.len() * 3 == changes, "a record at least");
    assert_eq!(pull(&Value::Null, r#"{"bytes":4294967295}"#).changes.len(), changes);
    for bad in [r#"{"bytes":0}"#, r#"{"limit":0}"#, r#"{"limit":-1}"#, r#"{"limit":1.5}"#, r#"{"remember":1}"#] {
        assert!(hub.query_row("SELECT crdt_pull('{}', ?1)", [bad], |_| Ok(())).is_err(), "{bad}");
    }
}

/// A client that asks for what it shows names other keys each time: each selection that is noted holds a row of the log.
#[test]
fn a_node_has_so_many_selections() {
    let hub = node("hub", TASKS);
    let pull = |request: Value| drop(text(&hub, "SELECT crdt_pull(?1)", [request.to_string()]));
    run(&hub, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    pull(json!({"node_id": "phone", "tables": ["tasks"]}));
    for i in 0..1010 {
        if i % 10 == 0 {
            run(&hub, &format!("UPDATE tasks SET title = {i}"));
        }
        pull(json!({"node_id": "phone", "filter": {"pk_filter": [format!("k{i}")]}}));
    }
    pull(json!({"node_id": "other"}));
    let noted = |of: &str| text(&hub, &format!("SELECT count(*) || '' FROM _crdt_acks WHERE {of}"), []);
    assert_eq!(noted("node = 'phone'"), "1000");
    assert_eq!(
        (noted("node = 'phone' AND scope = '1'"), noted("node = 'other'")),
        ("1".into(), "1".into()),
        "tables stay"
    );
}

/// Who only wants what comes from here on reads nothing of what was.
#[test]
fn a_server_may_begin_at_the_end() {
    let hub = node("hub", TASKS);
    let ask = |request: &Value, options: &str| {
        hub.query_row("SELECT crdt_pull(?1, ?2)", [&request.to_string(), options], |row| row.get::<_, String>(0))
    };
    let filter = r#"{"filter":{"tasks":"title <> 'y'"}}"#;
    for (options, at_end) in [("{}", r#"{"end":true}"#), (filter, &filter.replace("}}", "},\"end\":true}"))] {
        run(&hub, "INSERT OR REPLACE INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y')");
        let end = page(&ask(&json!({"tables": ["tasks"], "node_id": "b"}), at_end).unwrap());
        assert!(end.changes.is_empty() && !end.more, "{options}");
        let next = || page(&ask(&json!({"tables": ["tasks"], "since": cursor(&end)}), options).unwrap());
        assert!(next().changes.is_empty(), "{options}");
        run(&hub, "UPDATE tasks SET title = 'z' WHERE id = 't1'");
        assert_eq!(next().changes.len(), 1, "{options}");
    }
    assert_eq!(text(&hub, "SELECT count(*) || '' FROM _crdt_peers", []), "0", "nothing was sent");
    let place = json!({"since": {"ts": 1, "c": 0, "node": "a"}});
    assert!(ask(&place, r#"{"end":true}"#).unwrap_err().to_string().contains("leave one of them out"));
    assert_eq!(page(&text(&node("new", ""), "SELECT crdt_pull('{}', '{\"end\":true}')", [])).changes.len(), 0);
}

/// The cursor is one for all rows of the tables that the peer names: who may not see them all must not get it.
#[test]
fn a_server_withholds_the_cursor_of_a_push() {
    let hub = node("hub", TASKS);
    run(&hub, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    let since = cursor(&pull(&hub, &json!({"tables": ["tasks"]})));
    let push = json!({"node_id": "b", "tables": ["tasks"], "since": since, "changes": []}).to_string();
    let answer = |options: &str| text(&hub, "SELECT crdt_push(?1, ?2)", [push.as_str(), options]);
    assert!(answer("{}").contains("\"cursor\":{"), "{}", answer("{}"));
    assert!(!answer(r#"{"cursor":false}"#).contains("\"cursor\""));
}

/// A server may have more clients than are to be noted: each holds back forgetting.
#[test]
fn a_server_need_not_note_who_pushes() {
    let hub = node("hub", TASKS);
    let push = |who: &str, options: &str| {
        let request = json!({"node_id": who, "changes": []}).to_string();
        text(&hub, "SELECT crdt_push(?1, ?2)", [request.as_str(), options])
    };
    let noted = || text(&hub, "SELECT ifnull(group_concat(node_id), '') FROM crdt_peers()", []);
    push("a", r#"{"remember":false}"#);
    assert_eq!(noted(), "");
    push("b", "{}");
    assert_eq!(noted(), "b");
}

#[test]
fn counters_may_stay_out() {
    let hub = node("hub", TASKS);
    run(&hub, "INSERT INTO tasks(id, title, priority) VALUES ('t1', 'x', 5)");
    let kinds = |options: &str| {
        let all = page(&text(&hub, "SELECT crdt_pull('{}', ?1)", [options])).changes;
        all.iter().filter(|change| change["crdt_type"] == "counter").count()
    };
    assert_eq!((kinds("{}"), kinds(r#"{"counters":"none"}"#)), (1, 0));
}
