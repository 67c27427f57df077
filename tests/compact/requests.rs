//! The form in pulls and pushes.

use serde_json::{json, Value};

use super::{answer, compact, grove};
use crate::common::{error, text};
use crate::support::*;

const PULL: &str = "SELECT crdt_pull(?1, ?2)";

fn hub() -> rusqlite::Connection {
    let hub = node("hub", TASKS);
    run(&hub, "INSERT INTO tasks VALUES ('t1', 'x', 3, '[1,2]', 0), ('t2', NULL, 0, '[]', 1)");
    hub
}

#[test]
fn a_pull_is_asked_for_it_in_its_request_or_in_the_options() {
    let hub = hub();
    let plain = text(&hub, PULL, ("{}", None::<&str>));
    let compact = r#"{"format":"compact"}"#;
    for (request, options) in [("{}", Some(compact)), (compact, None), (compact, Some(compact))] {
        let json = text(&hub, PULL, (request, options));
        assert!(json.starts_with(r#"{"format":"compact""#), "{json}");
        assert_eq!(grove(&hub, &json), plain);
    }
    assert!(error(&hub, PULL, (compact, r#"{"format":"grove"}"#)).contains("give it once"));
    assert!(error(&hub, PULL, (r#"{"format":"tiny"}"#, "{}")).contains("grove, compact"));
}

#[test]
fn filters_of_a_pull() {
    let hub = hub();
    run(&hub, "UPDATE tasks SET priority = 7, title = 'z'");
    for request in [
        json!({"filter": {"pk_filter": ["t1"]}}),
        json!({"filter": {"field_filter": ["priority", "done"]}}),
        json!({"counters": "operations", "node_id": "hub"}),
    ] {
        let ask = |options: &str| text(&hub, PULL, (request.to_string(), options));
        assert_eq!(grove(&hub, &ask(r#"{"format":"compact"}"#)), ask("{}"), "{request}");
    }
}

fn push(hub: &rusqlite::Connection, request: &str) -> Value {
    answer(hub, "SELECT crdt_push(?1)", [request])
}

/// The same request in either form has the same answer, but for the clock, and refuses the same changes.
#[test]
fn a_push_refuses_bad_changes_alone() {
    let good = hub();
    let mut changes = since(&good, None).changes;
    changes.insert(2, change("priority", (5, 0, "x"), json!({"crdt_type": "counter", "counter_delta": {"inc": 1}})));
    changes.insert(3, json!({"table": "unknown", "pk": "1", "field": "x", "crdt_type": "lww", "hlc": {"ts": 5, "c": 0, "node": "x"}, "value": 1}));
    changes.insert(4, lww("title", (6, 0, "x"), "a".repeat(3000)));
    changes.insert(5, json!({"table": "tasks", "pk": "t1", "field": "_left", "crdt_type": ""}));
    let request = json!({"node_id": "x", "changes": changes}).to_string();
    let told = |json: &str| {
        let to = node("to", TASKS);
        run(&to, "SELECT crdt_pragma('max_value_bytes', '2000'); SELECT crdt_pragma('max_push_changes', '10')");
        let mut told = push(&to, json);
        told.as_object_mut().unwrap().remove("latest_hlc");
        (told, text(&to, "SELECT crdt_digest('tasks', 'full')", []))
    };
    let compact = text(&good, "SELECT crdt_convert(?1, 'compact')", [&request]);
    assert!(compact.starts_with(r#"{"format":"compact","#), "{compact}");
    assert_eq!(told(&compact), told(&request));
    let rejected: Vec<_> =
        told(&compact).0["rejected"].as_array().unwrap().iter().map(|r| r["index"].clone()).collect();
    assert_eq!(json!(rejected[..3]), json!([3, 4, 5]));
    assert!(rejected.len() > 3, "the last ones are beyond the bound");
}

#[test]
fn counters_of_a_push_may_be_operations() {
    let to = node("to", TASKS);
    let one = json!({"node_id": "x", "changes": [counter((5, 0, "x"), 1, 0)]});
    let json = text(&to, "SELECT crdt_convert(?1, 'compact')", [one.to_string()]);
    let operations = "SELECT crdt_push(?1, '{\"counters\":\"operations\"}')";
    for _ in 0..2 {
        answer(&to, operations, [&json]);
    }
    answer(&to, operations, [json.replace(",0,5,0,", ",0,6,0,")]);
    assert_eq!(rows(&to, "SELECT priority FROM tasks"), ["2"]);
    assert!(compact(&to, None).contains("\"operation\":true"));
}

#[test]
fn what_cannot_be_read_refuses_the_push() {
    let hub = hub();
    let before = contents(&hub);
    for (changes, why) in
        [("[[0]]", "no item before"), ("[1]", "an array"), ("7", "an array of items"), ("[[\"node\"]]", "a node id")]
    {
        let message = error(&hub, "SELECT crdt_push(?1)", [format!(r#"{{"format":"compact","changes":{changes}}}"#)]);
        assert!(message.starts_with("crdt_push: ") && message.contains(why), "{message}");
    }
    assert!(error(&hub, "SELECT crdt_push('{\"format\":\"tiny\",\"changes\":[]}')", []).contains("grove, compact"));
    assert_eq!(contents(&hub), before);
}
