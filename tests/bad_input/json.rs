//! Bad JSON for the functions that take JSON.

use rusqlite::types::Value as Sql;
use serde_json::json;

use super::target::Target;
use crate::support::*;

/// A good change, to be spoilt.
fn good() -> String {
    lww("title", (1000, 0, "x"), "v").to_string()
}

/// Texts that are no changes, one a line.
const NOT_CHANGES: &str = r#"{
[
]
[{]
[{}]
[[]]
[null]
[1]
["x"]
[true]
{}
{"changes":{}}
{"changes":1}
{"changes":"[]"}
{"changes":[{}]}
{"changes":[]
[],
[] []
null
true
1
"text"
[1e999]
NaN
[NaN]
[Infinity]
[-]
['x']
[{"table":"tasks"}]
[["tasks","t1","title","lww",[1000,0,"x"],"x",1]]
[{"table":"tasks","pk":"t1","field":"title","crdt_type":"lww","hlc":[1000,0,"x"],"value":1}]
[{"table":"tasks","pk":"t1","field":"title"}]
[{"table":"tasks","pk":"t1","field":"title","crdt_type":"lww","value":1}]
[{"table":"tasks","table":"tasks"}]
// comment
[/**/]
[01]
["\ud800"]
["\x"]"#;

/// What of the good change becomes what: from => to.
const SPOILT: &str = r#"
"ts":1000 => "ts":-1
"ts":1000 => "ts":-9223372036854775808
"ts":1000 => "ts":9223372036854775808
"ts":1000 => "ts":1e30
"ts":1000 => "ts":1000.5
"ts":1000 => "ts":"1000"
"ts":1000 => "ts":null
"ts":1000 => "ts":NaN
"ts":1000 => "ts":-0.0
"ts":1000 => "t":1000
"ts":1000 => "ts":1,"ts":2
"c":0 => "c":-1
"c":0 => "c":4294967296
"c":0 => "c":1e3
"c":0 => "c":"0"
"c":0 => "c":null
"c":0 => "d":0
"node":"x" => "node":""
"node":"x" => "node":7
"node":"x" => "node":null
"node":"x" => "node":"y"
"node":"x" => "nod":"x"
"node_id":"x" => "node_id":"y"
"node_id":"x" => "node_id":7
"pk":"t1" => "pk":1
"pk":"t1" => "pk":null
"pk":"t1" => "pk":["t1"]
"pk":"t1" => "p":"t1"
"table":"tasks" => "table":""
"table":"tasks" => "table":null
"table":"tasks" => "table":1
"table":"tasks" => "table":"nothing"
"table":"tasks" => "table":"plain"
"table":"tasks" => "table":"sqlite_schema"
"table":"tasks" => "table":"_crdt_log"
"table":"tasks" => "table":"_tasks_crdt"
"table":"tasks" => "table":"tasks\u0000"
"table":"tasks" => "table":"main.tasks"
"table":"tasks" => "table":"x'); DROP TABLE tasks; --"
"field":"title" => "field":null
"field":"title" => "field":1
"field":"title" => "f":"title"
"crdt_type":"lww" => "crdt_type":7
"crdt_type":"lww" => "crdt_type":null
"crdt_type":"lww" => "crdt_type":"counter"
"crdt_type":"lww" => "crdt_type":"set"
"crdt_type":"lww" => "crdt_type":"counter","counter_delta":null
"crdt_type":"lww" => "crdt_type":"counter","counter_delta":7
"crdt_type":"lww" => "crdt_type":"counter","counter_delta":{"inc":1.5,"dec":0}
"crdt_type":"lww" => "crdt_type":"counter","counter_delta":{"inc":-1,"dec":0}
"crdt_type":"lww" => "crdt_type":"counter","counter_delta":{"inc":"1","dec":0}
"crdt_type":"lww" => "crdt_type":"counter","counter_delta":{"inc":1e999,"dec":0}
"crdt_type":"lww" => "crdt_type":"counter","counter_delta":{"inc":999999999999999999999999999999999999999999,"dec":0}
"crdt_type":"lww" => "crdt_type":"set","set_op":null
"crdt_type":"lww" => "crdt_type":"set","set_op":[]
"crdt_type":"lww" => "crdt_type":"set","set_op":{"op":"add"}
"crdt_type":"lww" => "crdt_type":"set","set_op":{"elements":[]}
"crdt_type":"lww" => "crdt_type":"set","set_op":{"op":"move","elements":[]}
"crdt_type":"lww" => "crdt_type":"set","set_op":{"op":"add","elements":7}
"crdt_type":"lww" => "crdt_type":"set","set_op":{"op":"add","elements":{}}
"crdt_type":"lww" => "crdt_type":"set","set_op":{"op":"add","elements":"[]"}
"crdt_type":"lww" => "crdt_type":"set","set_op":{"op":"add","elements":[1e999]}
"crdt_type":"lww" => "crdt_type":"set","set_op":{"op":"remove","elements":["e"],"tags":7}
"crdt_type":"lww" => "crdt_type":"set","set_op":{"op":"remove","elements":["e"],"tags":[{"ts":-1,"c":0,"node":"x"}]}
"value":"v" => "value":"v","tombstone":"yes"
"value":"v" => "value":"v","tombstone":1
"value":"v" => "value":"v","prev":7
"value":"v" => "value":"v","seen":7
"value":"v" => "value":"v","seen":[7]
"value":"v" => "value":"v","seen":[{"ts":-1,"c":0,"node":"x"}]
"value":"v" => "value":"v","seen":[{"ts":1,"c":0,"node":""}]
"value":"v" => "value":1e999
"value":"v" => "value":-1e999
"value":"v" => "value":NaN
"value":"v" => "value":{"$blob":"0"}
"value":"v" => "value":{"$blob":"xy"}
"value":"v" => "value":{"$real":"NaN"}
"value":"v" => "value":"\ud800"
"value":"v" => "value":"#;

/// Requests that are none, for pull and push alike, one a line.
const NOT_REQUESTS: &str = r#"
{
[]
null
7
"x"
NaN
{"node_id":7}
{"node_id":"a","changes":7,"tables":7}
{"node_id":"a","changes":{},"tables":{}}
{"node_id":"a","changes":"[]","tables":"[]"}
{"node_id":"a","changes":[],"tables":[7]}x
{"node_id":["a"],"changes":[],"tables":[]}
{"node_id":"","changes":[],"tables":[]} trailing"#;

/// Cursors that are none, one a line.
const NOT_CURSORS: &str = r#"
{
[]
7
"x"
{}
{"ts":0}
{"ts":-1,"c":0,"node":"a"}
{"ts":0,"c":-1,"node":"a"}
{"ts":0,"c":4294967296,"node":"a"}
{"ts":9223372036854775808,"c":0,"node":"a"}
{"ts":"0","c":0,"node":"a"}
{"ts":0,"c":0,"node":7}
{"ts":1e400,"c":0,"node":"a"}
{"ts":0.5,"c":0,"node":"a"}
nonsense"#;

fn text(text: impl Into<String>) -> Sql {
    Sql::Text(text.into())
}

#[test]
fn changes_that_are_none() {
    let mut target = Target::new();
    for json in NOT_CHANGES.lines() {
        target.refuses("crdt_merge", "SELECT crdt_merge(?1)", &[text(json)]);
        target.refuses("crdt_merge", "SELECT crdt_merge(?1)", &[Sql::Blob(json.as_bytes().to_vec())]);
    }
    for json in ["", " ", "\0", "[]\0", "\u{feff}[]"] {
        target.refuses("crdt_merge", "SELECT crdt_merge(?1)", &[text(json)]);
    }
    for bytes in [b"\xff".to_vec(), b"[\"\xff\"]".to_vec(), Vec::new(), vec![0; 1000]] {
        target.refuses("crdt_merge", "SELECT crdt_merge(?1)", &[Sql::Blob(bytes.clone())]);
    }
    target.refuses("crdt_merge", "SELECT crdt_merge(CAST(?1 AS TEXT))", &[Sql::Blob(b"[\"\xff\"]".to_vec())]);
    target.finish(80);
}

#[test]
fn one_spoilt_change_among_good_ones() {
    let mut target = Target::new();
    for line in SPOILT.lines().skip(1) {
        let (from, to) = line.split_once(" =>").unwrap();
        let good = good();
        assert!(good.contains(from), "{from}");
        let bad = good.replace(from, to.trim());
        let other = change("done", (2000, 0, "x"), json!({"pk": "t3", "value": 1}));
        for batch in
            [format!("[{bad}]"), format!("[{other},{bad},{other}]"), format!("{{\"changes\":[{other},{bad}]}}")]
        {
            target.refuses("crdt_merge", "SELECT crdt_merge(?1)", &[text(batch)]);
        }
    }
    target.finish(200);
}

/// The same changes pushed: each is refused alone with a reason, and changes nothing of the user's.
#[test]
fn one_spoilt_change_is_refused_alone_by_push() {
    let target = Target::new();
    let before = table(&target.conn, "tasks");
    let digest_before = digest(&target.conn, "tasks");
    for line in SPOILT.lines().skip(1) {
        let (from, to) = line.split_once(" =>").unwrap();
        let bad = good().replace(from, to.trim());
        let request = format!("{{\"node_id\":\"x\",\"changes\":[{bad}]}}");
        match target.call("SELECT crdt_push(?1)", &[text(&request)]) {
            Ok(answer) => {
                let answer: serde_json::Value = serde_json::from_str(answer[0].trim_matches('\'')).unwrap();
                assert_eq!(
                    (&answer["merged"], answer["rejected"].as_array().map(Vec::len)),
                    (&json!(0), Some(1)),
                    "{request}"
                );
                assert_eq!(answer["rejected"][0]["index"], 0);
            }
            // No JSON at all: the whole request is refused.
            Err(message) => {
                let json = serde_json::from_str::<serde::de::IgnoredAny>(&request);
                assert!(json.is_err() && message.contains("crdt_push"), "{message}: {request}");
            }
        }
        assert_eq!(
            (table(&target.conn, "tasks"), digest(&target.conn, "tasks")),
            (before.clone(), digest_before.clone())
        );
    }
    target.finish(0);
}

#[test]
fn requests_and_cursors_that_are_none() {
    let mut target = Target::new();
    for json in NOT_REQUESTS.lines().skip(1) {
        target.refuses("crdt_pull", "SELECT crdt_pull(?1)", &[text(json)]);
        target.refuses("crdt_push", "SELECT crdt_push(?1)", &[text(json)]);
    }
    for json in NOT_CURSORS.lines().skip(1) {
        target.refuses("crdt_changes_since", "SELECT crdt_changes_since(?1)", &[text(json)]);
        target.refuses("crdt_changes", "SELECT * FROM crdt_changes(?1, NULL)", &[text(json)]);
        let request = format!("{{\"tables\":[\"tasks\"],\"node_id\":\"b\",\"since\":{json}}}");
        target.refuses("crdt_pull", "SELECT crdt_pull(?1)", &[text(request)]);
    }
    for options in ["{", "[]", "7", "\"x\"", r#"{"format":"xml"}"#, r#"{"format":7}"#] {
        target.refuses("crdt_changes_since", "SELECT crdt_changes_since(NULL, NULL, NULL, ?1)", &[text(options)]);
    }
    for options in ["{", "[]", "7", "\"x\"", r#"{"counters":"sums"}"#, r#"{"counters":7}"#] {
        let request = r#"{"node_id":"x","changes":[]}"#;
        target.refuses("crdt_push", "SELECT crdt_push(?1, ?2)", &[text(request), text(options)]);
        target.refuses("crdt_pull", "SELECT crdt_pull(?1, ?2)", &[text(request), text(options)]);
    }
    for request in [r#""node_id":"x","counters":"sums""#, r#""node_id":"x","counters":7"#, r#""counters":"operations""#]
    {
        let request = format!("{{{request},\"changes\":[]}}");
        target.refuses("crdt_pull", "SELECT crdt_pull(?1)", &[text(request.clone())]);
        if request.contains("node_id") {
            target.refuses("crdt_push", "SELECT crdt_push(?1)", &[text(request)]);
        }
    }
    for function in ["crdt_pull", "crdt_push"] {
        let two = [r#"{"node_id":"x","changes":[],"counters":"totals"}"#, r#"{"counters":"operations"}"#].map(text);
        target.refuses(function, &format!("SELECT {function}(?1, ?2)"), &two);
    }
    for tables in ["nothing", "[", "[7]", "{}", r#"["tasks","nothing"]"#, "plain", "7", ""] {
        target.refuses("crdt_changes_since", "SELECT crdt_changes_since(NULL, ?1)", &[text(tables)]);
    }
    target.finish(80);
}

#[test]
fn hostile_sizes_and_nesting() {
    let mut target = Target::new();
    let deep = |open: &str, close: &str, n: usize| open.repeat(n) + &close.repeat(n);
    let with = |key: &str, value: &str| good().replace(&format!("\"{key}\":"), &format!("\"{key}\":{value},\"x\":"));
    let mega = format!("\"{}\"", "n".repeat(1 << 20));
    let mut payloads = vec![
        deep("[", "]", 100_000),
        deep("[", "", 100_000),
        deep("{\"a\":", "}", 100_000),
        deep("{\"changes\":[", "]}", 50_000),
        format!("[{}]", good().replace("\"v\"", &deep("[", "]", 100_000))),
        format!("[{}]", good().replace("\"v\"", &deep("{\"a\":", "", 100_000))),
        format!(
            "[{}]",
            set("add", (1000, 0, "x"), json!(["HERE"])).to_string().replace("\"HERE\"", &deep("[", "]", 100_000))
        ),
        format!("[{}", format!("{},", good()).repeat(5_000)),
        format!("[{}]", vec!["7"; 10_000].join(",")),
        format!("[{}]", vec!["[]"; 10_000].join(",")),
        "[".to_string() + &" ".repeat(1 << 20),
        "1".repeat(1 << 20),
        format!("[{}]", good().replace("1000", &"9".repeat(1 << 16))),
        mega.clone(),
    ];
    payloads.extend(["table", "node_id", "hlc"].map(|key| format!("[{}]", with(key, &mega))));
    payloads.push(format!("[{}]", good().replace("\"x\"", &mega)));
    payloads.push(format!("[{}]", good().replace("\"x\"", &format!("\"{}\"", "n".repeat(256)))));
    for payload in payloads {
        target.refuses("crdt_merge", "SELECT crdt_merge(?1)", &[text(payload.clone())]);
        // Push refuses single changes, and pull reads no changes: those payloads are for merge alone.
        if !payload.contains("\"pk\"") && !payload.starts_with("{\"changes") {
            target.refuses("crdt_push", "SELECT crdt_push(?1)", &[text(payload.clone())]);
            target.refuses("crdt_pull", "SELECT crdt_pull(?1)", &[text(payload.clone())]);
            target.refuses("crdt_changes_since", "SELECT crdt_changes_since(?1)", &[text(payload)]);
        }
    }
    target.finish(40);
}
