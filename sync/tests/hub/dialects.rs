//! Grove's clients as they are: the wire as each of them speaks it.

use serde_json::{json, Value};

use crate::common::{lww, ts, Hub, PATIENCE};
use crate::sse::Stream;

const GO: [(&str, &str); 2] = [("user-agent", "Go-http-client/1.1"), ("content-type", "application/json")];

fn post(hub: &Hub, headers: &[(&str, &str)], path: &str, body: &Value) -> Value {
    hub.send("POST", path, headers, body.to_string().as_bytes()).ok()
}

/// One round of the Go Syncer: pull since the cursor, push what is stamped after it, move to `latest_hlc`.
#[test]
fn the_go_syncer() {
    let hub = Hub::start(&[]);
    hub.push(&[lww("tasks", "t1", "title", 1, "hub", json!("Milk & <more>"))]).ok();
    let zero = json!({"ts": 0, "c": 0, "node": ""});
    let pull = json!({"tables": ["tasks", "notes"], "since": zero, "node_id": "go-edge"});
    let answer = post(&hub, &GO, "/sync/pull", &pull);
    assert_eq!(answer["changes"].as_array().unwrap().len(), 1);
    // Go's decoder wants these types.
    for change in answer["changes"].as_array().unwrap() {
        assert!(change["hlc"]["ts"].is_i64() && change["hlc"]["c"].is_u64() && change["hlc"]["node"].is_string());
    }
    // What Go writes out: zero structs, running totals, no set_op that it would read, a delete without a type.
    let hlc = |step: i64| json!({"ts": ts(step) + 77, "c": 1, "node": "go-edge"});
    let push = json!({"node_id": "go-edge", "changes": [
        {"table": "tasks", "pk": "t1", "field": "title", "crdt_type": "lww", "hlc": hlc(5), "node_id": "go-edge", "value": "Oat"},
        {"table": "tasks", "pk": "t1", "field": "votes", "crdt_type": "counter", "hlc": hlc(6), "node_id": "go-edge", "counter_delta": {"inc": 7, "dec": 2}},
        {"table": "tasks", "pk": "t1", "field": "tags", "crdt_type": "set", "hlc": hlc(7), "node_id": "go-edge", "value": ["home"], "set_op": {"op": "add", "elements": ["home"]}},
        {"table": "tasks", "pk": "t2", "field": "_tombstone", "crdt_type": "", "hlc": hlc(8), "node_id": "go-edge", "tombstone": true},
    ]});
    for _ in 0..2 {
        let answer = post(&hub, &GO, "/sync/push", &push);
        assert!(answer["merged"].is_i64() && answer["latest_hlc"]["ts"].is_i64(), "{answer}");
    }
    let row: (String, i64, String) = hub
        .database()
        .query_row("SELECT title, votes, tags FROM tasks", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    assert_eq!(row, ("Oat".to_owned(), 5, "[\"home\"]".to_owned()));
    let next = post(
        &hub,
        &GO,
        "/sync/pull",
        &json!({"tables": ["tasks", "notes"], "since": answer["latest_hlc"], "node_id": "go-edge"}),
    );
    let nanoseconds = next["changes"].as_array().unwrap().iter().any(|c| c["hlc"]["ts"] == json!(ts(5) + 77));
    assert!(nanoseconds, "every digit comes back: {next}");
    let after = post(
        &hub,
        &GO,
        "/sync/pull",
        &json!({"tables": ["tasks", "notes"], "since": next["latest_hlc"], "node_id": "go-edge"}),
    );
    assert_eq!((&after["changes"], &after["latest_hlc"]), (&json!([]), &next["latest_hlc"]));
    let of_go = post(
        &hub,
        &GO,
        "/sync/pull",
        &json!({"tables": ["tasks"], "since": zero, "filter": {"pk_filter": ["t1"], "field_filter": ["title"]}}),
    );
    assert_eq!(of_go["changes"].as_array().unwrap().len(), 1);
}

/// The Go stream reconnects with the latest stamp seen, unescaped, and reads lines of up to 64 KiB.
#[test]
fn the_go_stream() {
    let hub = Hub::start(&[]);
    let changes: Vec<Value> =
        (0..300).map(|i| lww("notes", &format!("n{i}"), "body", i, "a b", json!("x".repeat(1000)))).collect();
    hub.push(&changes).ok();
    let mut stream =
        Stream::open_with(&hub, "tables=notes,tasks&since_ts=0&since_count=0&since_node=&node_id=go-edge", &GO);
    let mut got = Vec::new();
    while got.len() < 300 {
        let event = stream.next();
        assert!(event.data.len() < 64 * 1024 - 6);
        got.extend(event.changes());
    }
    let last = got.iter().map(|change| change["hlc"]["ts"].as_i64().unwrap()).max().unwrap();
    drop(stream);
    let mut again = Stream::open_with(
        &hub,
        &format!("tables=notes&since_ts={last}&since_count=0&since_node=a b").replace(' ', "%20"),
        &GO,
    );
    hub.push(&[lww("notes", "n1", "body", 999, "late", json!("new"))]).ok();
    let seen = std::iter::from_fn(|| Some(again.next().changes())).flatten().find(|change| change["value"] == "new");
    assert!(seen.is_some());
    // A change that no such line carries ends the stream before it; a pull has it.
    hub.push(&[lww("notes", "long", "body", 1000, "a", json!("y".repeat(70_000)))]).ok();
    assert!(again.ends_within(PATIENCE));
    let mut other = Stream::open(&hub, "tables=notes");
    let carried = std::iter::from_fn(|| Some(other.next().changes())).flatten().find(|change| change["pk"] == "long");
    assert!(carried.is_some(), "others get it");
}

/// The TypeScript client: absent keys, operations, `""` for the field of a delete, `null` for no presence.
#[test]
fn the_typescript_client() {
    let hub = Hub::start(&[]);
    let headers = [("content-type", "application/json"), ("x-grove-counters", "operations"), ("user-agent", "node")];
    let ms = |step: i64| json!({"ts": 1_695_208_132_000_000_000_i64 + step * 1_000_000, "c": 0, "node": "web-1"});
    let push = json!({"node_id": "web-1", "changes": [
        {"table": "tasks", "pk": "t1", "field": "title", "crdt_type": "lww", "hlc": ms(1), "node_id": "web-1", "value": "Milk"},
        {"table": "tasks", "pk": "t1", "field": "votes", "crdt_type": "counter", "hlc": ms(2), "node_id": "web-1", "counter_delta": {"inc": 1, "dec": 0}},
        {"table": "tasks", "pk": "t1", "field": "votes", "crdt_type": "counter", "hlc": ms(3), "node_id": "web-1", "counter_delta": {"inc": 1, "dec": 0}},
        {"table": "tasks", "pk": "t1", "field": "tags", "crdt_type": "set", "hlc": ms(4), "node_id": "web-1", "set_op": {"op": "add", "elements": ["home", "work"]}},
        {"table": "tasks", "pk": "t1", "field": "tags", "crdt_type": "set", "hlc": ms(5), "node_id": "web-1", "set_op": {"op": "remove", "elements": ["work"]}},
        {"table": "notes", "pk": "n1", "field": "", "crdt_type": "lww", "hlc": ms(6), "node_id": "web-1", "tombstone": true},
    ]});
    assert_eq!(post(&hub, &headers, "/sync/push", &push)["rejected"], json!([]));
    let row: (i64, String) =
        hub.database().query_row("SELECT votes, tags FROM tasks", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(row, (2, "[\"home\"]".to_owned()));
    let pulled = post(&hub, &headers, "/sync/pull", &json!({"tables": ["tasks"], "node_id": "web-1"}));
    let own = pulled["changes"].as_array().unwrap().iter().filter(|change| change["field"] == "votes").count();
    assert_eq!(own, 0, "it has counted its own");
    let mut stream = Stream::open_with(&hub, "tables=tasks&node_id=web-1", &headers);
    assert!(stream.next().changes().iter().all(|change| change["field"] != "votes"));
    // Every own stamp is exact in JavaScript.
    hub.database().execute("UPDATE tasks SET title = 'Oat'", []).unwrap();
    let event = stream.next();
    let stamp = event.changes()[0]["hlc"]["ts"].as_i64().unwrap();
    assert_eq!((stamp as f64).to_string(), stamp.to_string());
    let update = json!({"node_id": "web-1", "topic": "tasks:t1", "data": {"cursor": {"x": 1}}});
    assert_eq!(post(&hub, &headers, "/sync/presence", &update)["type"], json!("join"));
    let leave = json!({"node_id": "web-1", "topic": "tasks:t1", "data": null});
    assert_eq!(post(&hub, &headers, "/sync/presence", &leave)["type"], json!("leave"));
}

/// It streams without saying who it is: whose counter parts to leave out is not known then.
#[test]
fn the_typescript_stream_has_no_node() {
    let hub = Hub::start(&[]);
    let vote = |node: &str| {
        json!({"node_id": node, "changes": [
            {"table": "tasks", "pk": "t1", "field": "votes", "crdt_type": "counter", "hlc": {"ts": ts(1), "c": 0, "node": node}, "node_id": node, "counter_delta": {"inc": 1, "dec": 0}},
            lww("tasks", "t1", "title", 1, node, json!(node)),
        ]})
    };
    hub.post("/sync/ops/push", &vote("web-1")).ok();
    let fields = |stream: &mut Stream| -> Vec<Value> {
        stream.next().changes().iter().map(|change| change["field"].clone()).collect()
    };
    let mut by_mount = Stream::open_at(&hub, "/sync/ops/stream?tables=tasks", &[]);
    let mut by_header = Stream::open_with(&hub, "tables=tasks", &[("x-grove-counters", "operations")]);
    for stream in [&mut by_mount, &mut by_header] {
        assert_eq!((stream.status, fields(stream)), (200, vec![json!("title")]));
    }
    hub.post("/sync/ops/push", &vote("web-2")).ok();
    for stream in [&mut by_mount, &mut by_header] {
        assert_eq!(fields(stream), [json!("title")], "later pages too");
    }
    let pulled = hub.post("/sync/ops/pull", &json!({"tables": ["tasks"], "node_id": "web-1"})).ok();
    let votes: Vec<&Value> = pulled["changes"].as_array().unwrap().iter().filter(|c| c["field"] == "votes").collect();
    assert!(votes.len() == 1 && votes[0]["node_id"] == "web-2", "a pull brings the others': {pulled}");
}
