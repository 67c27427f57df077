//! What a limited token could learn by ways around its scope.

use std::time::{Duration, SystemTime};

use serde_json::{json, Value};

use crate::common::{eventually, lww, quickest, Hub};
use crate::edge;
use crate::sse::Stream;

/// A cursor of nobody's, that lies ahead of everything.
fn now() -> Value {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    json!({"ts": since.as_nanos() as u64, "c": 0, "node": ""})
}

/// A push's answer can have a cursor, with which its owner is taken for one that has seen every row.
#[test]
fn a_push_gives_a_cursor_only_to_who_may_read_everything() {
    let mut hub = Hub::with_tokens(&json!([
        {"token": "admin", "read": ["*"], "write": ["*"]},
        {"token": "filtered", "read": ["tasks"], "write": ["tasks"], "filter": {"tasks": "owner = 'ann'"}},
        {"token": "filtered writer", "read": ["*"], "write": ["*"], "filter": {"tasks": "owner = 'ann'"}},
        {"token": "reads one", "read": ["tasks"], "write": ["*"]},
        {"token": "reads none", "write": ["tasks"]},
    ]));
    hub.as_token("admin");
    let of = |pk: &str, owner: &str| lww("tasks", pk, "owner", 1, "x", json!(owner));
    hub.push(&[of("a1", "ann"), of("bobs-key", "bob"), lww("secrets", "s1", "word", 1, "x", json!("hidden"))]).ok();
    let push =
        |hub: &Hub, table: &str| hub.post("/sync/push", &json!({"changes": [], "tables": [table], "since": now()}));
    assert!(push(&hub, "tasks").ok()["cursor"].is_object());
    for token in ["filtered", "filtered writer", "reads one", "reads none"] {
        hub.as_token(token);
        for table in ["tasks", "secrets", "nothing"] {
            let answer = push(&hub, table);
            assert_eq!(answer.status, 200, "{token}: whether {table} is enabled does not show: {}", answer.body);
            let answer = answer.ok();
            assert_eq!(answer.get("cursor"), None, "{token}, {table}: {answer}");
        }
    }
    // With a cursor of somebody else's, too, the filter holds.
    hub.as_token("admin");
    let everything = hub.post("/sync/pull", &json!({"tables": ["tasks"]})).ok()["latest_hlc"].clone();
    hub.as_token("filtered");
    for request in [json!({"tables": ["tasks"]}), json!({"tables": ["tasks"], "since": everything})] {
        let seen = hub.pull(&request);
        assert!(seen.iter().all(|change| change["value"] != "bob"), "{seen:?}");
    }
}

/// Tables are enabled while a client asks for them again and again.
#[test]
fn a_table_that_has_just_been_enabled_has_its_filter() {
    const TABLES: usize = 12;
    let names: Vec<String> = (0..TABLES).map(|i| format!("later{i}")).collect();
    let filter: serde_json::Map<String, Value> =
        names.iter().map(|name| (name.clone(), json!("owner = 'ann'"))).collect();
    let mut hub = Hub::with_tokens(&json!([{"token": "ann", "read": names, "filter": filter}]));
    hub.as_token("ann");
    let conn = edge::open(&hub.path());
    for name in &names {
        conn.execute_batch(&format!(
            "CREATE TABLE {name}(id TEXT PRIMARY KEY NOT NULL, owner TEXT);
             INSERT INTO {name} VALUES ('a', 'ann'), ('b', 'bob');"
        ))
        .unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| loop {
                    let mut stream = Stream::open(&hub, &format!("tables={name}"));
                    if stream.status == 200 {
                        let first = stream.next().data;
                        assert!(first.contains("ann") && !first.contains("bob"), "{first}");
                        return;
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(30));
            conn.query_row("SELECT crdt_enable(?1)", [name], |_| Ok(())).unwrap();
        });
    }
}

/// What is stamped too far ahead waits, with nobody to judge it later: a limited token may not leave such a thing behind, also
/// where it comes to the place of one that the same push lets go.
#[test]
fn what_waits_for_its_time_is_judged() {
    let hub = Hub::with_tokens(&json!([
        {"token": "admin", "read": ["*"], "write": ["*"]},
        {"token": "ann", "read": ["tasks"], "write": ["tasks"], "filter": {"tasks": "owner = 'ann'"}},
    ]));
    let admin = [("authorization", "Bearer admin")];
    let ann = [("authorization", "Bearer ann")];
    let push = |who: &[(&str, &str)], change: &Value| {
        hub.send("POST", "/sync/push", who, json!({"changes": [change]}).to_string().as_bytes())
    };
    push(&admin, &lww("tasks", "a1", "owner", 1, "x", json!("ann"))).ok();
    let waiting =
        || -> i64 { hub.database().query_row("SELECT count(*) FROM _crdt_future", [], |row| row.get(0)).unwrap() };
    let later = |mut change: Value| {
        change["hlc"]["ts"] = json!(4_000_000_000_000_000_000_i64);
        change
    };
    let given_away = later(lww("tasks", "a1", "owner", 1, "y", json!("bob")));
    push(&ann, &given_away).error(403);
    push(&admin, &later(lww("tasks", "a1", "title", 1, "z", json!("due")))).ok();
    let due = "UPDATE _crdt_future SET ts = 1700000000000002000, change = replace(change, '4000000000000000000', '1700000000000002000')";
    assert_eq!(hub.database().execute(due, []), Ok(1));
    push(&ann, &given_away).error(403);
    assert_eq!(waiting(), 1, "all of it was rolled back");
    push(&ann, &lww("tasks", "a1", "title", 3, "y", json!("good"))).ok();
    assert_eq!(waiting(), 0);
}

/// Others' changes that wait are not read for it.
#[test]
fn what_others_have_put_aside_costs_a_limited_push_little() {
    let mut hub = Hub::with_tokens(&json!([
        {"token": "admin", "read": ["*"], "write": ["*"]},
        {"token": "ann", "read": ["tasks"], "write": ["tasks"], "filter": {"tasks": "owner = 'ann'"}},
    ]));
    hub.as_token("admin").push(&[lww("tasks", "a1", "owner", 1, "x", json!("ann"))]).ok();
    let waiting = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
        INSERT INTO _crdt_future(ts, change, since) SELECT 4000000000000000000 + i, '{\"table\":\"notes\",\"pk\":\"' || i || '\"}', 0 FROM n";
    hub.database().execute(waiting, []).unwrap();
    let mut of = |token: &str| {
        hub.as_token(token);
        quickest(5, |i| drop(hub.push(&[lww("tasks", "a1", "title", i as i64, token, json!("x"))]).ok()))
    };
    let (any, limited) = (of("admin"), of("ann"));
    assert!(limited < any * 2 + Duration::from_millis(20), "{limited:?} beside {any:?}");
}

/// Who is where belongs to the token that told it.
#[test]
fn presence_is_of_its_token() {
    let hub = Hub::with_tokens(&json!([
        {"token": "bob", "read": ["secrets"]},
        {"token": "ann", "read": ["tasks"]},
        {"token": "none"},
    ]));
    let of = |token: &str| format!("Bearer {token}");
    let tell = |token: &str, topic: &str, node: &str, data: Value| {
        let body = json!({"node_id": node, "topic": topic, "data": data}).to_string();
        hub.send("POST", "/sync/presence", &[("authorization", &of(token))], body.as_bytes())
    };
    let there = |topic: &str| {
        let answer = hub.send("GET", &format!("/sync/presence?topic={topic}"), &[("authorization", &of("bob"))], b"");
        answer.ok()["states"].as_array().unwrap().len()
    };
    tell("bob", "secrets:1", "bobs", json!(1)).ok();
    tell("bob", "lobby", "bobs", json!(1)).ok();
    let stream = Stream::open_with(&hub, "node_id=bobs", &[("authorization", &of("ann"))]);
    drop(stream);
    let streams = || hub.metric("grove_streams_open");
    eventually("the stream has ended", || streams() == 0.0);
    tell("ann", "lobby", "bobs", json!(2)).error(403);
    tell("ann", "lobby", "bobs", Value::Null).error(403);
    assert_eq!((there("secrets:1"), there("lobby")), (1, 1), "another token's stream takes nothing along");
    let filled = (0..10_000).take_while(|i| tell("none", "x", &i.to_string(), json!(1)).status == 200).count();
    assert_eq!(filled, 5_000, "half is left to others");
    tell("bob", "x", "another", json!(1)).ok();
    drop(Stream::open_with(&hub, "node_id=bobs", &[("authorization", &of("bob"))]));
    eventually("its own does", || there("secrets:1") + there("lobby") == 0);
}

/// A token that only reads writes no end of node ids.
#[test]
fn one_token_has_so_many_node_ids() {
    let hub = Hub::with_tokens(&json!([{"token": "reader", "read": ["tasks"]}, {"token": "other", "read": ["tasks"]}]));
    let pull = |token: &str, node: &str| {
        let headers = [("authorization", &*format!("Bearer {token}"))];
        hub.send("POST", "/sync/pull", &headers, json!({ "node_id": node }).to_string().as_bytes()).ok();
    };
    std::thread::scope(|scope| {
        for part in 0..4 {
            scope.spawn(move || (0..2_600).for_each(|i| pull("reader", &format!("{part}-{i}"))));
        }
    });
    let noted =
        || -> i64 { hub.database().query_row("SELECT count(*) FROM _crdt_peers", [], |row| row.get(0)).unwrap() };
    assert!(noted() > 9_000 && noted() <= 10_000, "{}", noted());
    let before = noted();
    pull("other", "another");
    assert_eq!(noted(), before + 1);
}
