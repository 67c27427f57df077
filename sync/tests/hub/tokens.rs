//! Tokens: who may do what, and that nothing else shows.

use std::time::Duration;

use serde_json::{json, Value};

use crate::common::{delete, eventually, lww, ts, Hub, PATIENCE};
use crate::sse::Stream;

fn tokens() -> Value {
    json!([
        {"token": "admin", "read": ["*"], "write": ["*"]},
        {"token": "notes", "read": ["Notes"], "write": ["notes"]},
        {"token": "reader", "read": ["tasks"]},
        {"token": "mostly", "read": ["*"], "filter": {"tasks": "owner = 'ann'"}},
        // Of "ann".
        {"token_sha256": "49915e0d7d4b402e3017d010bc1c0e83cac6c797d6c16e66340fe3268693a6a1", "read": ["tasks", "notes"], "write": ["tasks"], "filter": {"tasks": "owner = 'ann'"}},
    ])
}

/// A hub with a row of ann's, one of bob's, a note and a secret.
fn hub() -> Hub {
    let mut hub = Hub::with_tokens(&tokens());
    hub.as_token("admin");
    let changes = [
        lww("tasks", "a1", "owner", 1, "x", json!("ann")),
        lww("tasks", "a1", "title", 1, "x", json!("of ann")),
        lww("tasks", "b1", "owner", 1, "x", json!("bob")),
        lww("tasks", "b1", "title", 1, "x", json!("hidden")),
        lww("notes", "n1", "body", 1, "x", json!("a note")),
        lww("secrets", "s1", "word", 1, "x", json!("hidden")),
    ];
    assert_eq!(hub.push(&changes).ok()["merged"], json!(6));
    hub
}

#[test]
fn without_a_token_nothing() {
    let mut hub = Hub::with_tokens(&tokens());
    let routes: [(&str, &str); 6] = [
        ("POST", "/sync/pull"),
        ("POST", "/sync/push"),
        ("GET", "/sync/stream"),
        ("GET", "/sync/presence?topic=x"),
        ("POST", "/sync/presence"),
        ("GET", "/sync/status"),
    ];
    for (method, path) in routes {
        let answer = hub.send(method, path, &[], b"");
        answer.error(401);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        hub.send(method, path, &[("authorization", "Basic YTpi")], b"").error(401);
    }
    for token in ["nobody", "", "admin2", "Admin"] {
        hub.as_token(token);
        hub.post("/sync/pull", &json!({})).error(401);
    }
    for path in ["/health", "/ready", "/metrics", "/"] {
        assert_eq!(hub.get(path).status, 200);
    }
}

#[test]
fn tables_outside_of_the_scope() {
    let mut hub = hub();
    hub.as_token("notes");
    for tables in [json!(["secrets"]), json!(["notes", "TASKS"]), json!(["nothing"])] {
        hub.post("/sync/pull", &json!({"tables": tables})).error(403);
    }
    for query in ["tables=secrets", "tables=notes,secrets"] {
        hub.get(&format!("/sync/stream?{query}")).error(403);
    }
    let pushed = [lww("notes", "n2", "body", 2, "y", json!("x")), lww("Secrets", "s2", "word", 2, "y", json!("x"))];
    hub.push(&pushed).error(403);
    hub.post("/sync/presence", &json!({"node_id": "y", "topic": "secrets:s1", "data": 1})).error(403);
    hub.get("/sync/presence?topic=Secrets:s1").error(403);
    let seen = hub.pull(&json!({}));
    assert!(seen.len() == 1 && seen[0]["table"] == "notes", "what names no tables gets those of the scope: {seen:?}");
    assert_eq!(hub.pull(&json!({"tables": null})).len(), 1);
    let status = hub.get("/sync/status").ok();
    assert_eq!(
        status["tables"],
        json!([{"table": "notes", "enabled": true, "records": 1, "tombstones": 0, "pending": 0}])
    );
    for key in ["peers", "log", "clock"] {
        assert_eq!(status.get(key), None, "{status}");
    }
    hub.as_token("reader");
    hub.push(&[]).error(403);
    hub.push(&[lww("tasks", "a1", "title", 9, "y", json!("x"))]).error(403);
    hub.as_token("admin");
    assert_eq!(hub.pull(&json!({})).len(), 6, "nothing of this was done");
}

#[test]
fn a_change_that_cannot_be_read_is_rejected_alone() {
    let mut hub = hub();
    hub.as_token("notes");
    let twice = r#"{"table":"notes","table":"secrets","pk":"s1","field":"word","crdt_type":"lww","hlc":{"ts":9,"c":0,"node":"y"},"node_id":"y","value":1}"#;
    let body = format!(
        r#"{{"changes":[{twice},7,["notes","n1"],{{"pk":"s1"}},{}]}}"#,
        lww("notes", "n3", "body", 2, "y", json!("good"))
    );
    let answer = hub.send("POST", "/sync/push", &[], body.as_bytes()).ok();
    let rejected: Vec<&Value> = answer["rejected"].as_array().unwrap().iter().map(|r| &r["index"]).collect();
    assert_eq!(
        (&answer["merged"], rejected),
        (&json!(1), vec![&json!(0), &json!(1), &json!(2), &json!(3)]),
        "{answer}"
    );
    hub.as_token("admin");
    let secrets = hub.pull(&json!({"tables": ["secrets"]}));
    assert!(secrets.len() == 1 && secrets[0]["value"] == "hidden");
}

#[test]
fn rows_outside_of_the_filter_do_not_show() {
    let mut hub = hub();
    hub.as_token("ann");
    let seen = hub.pull(&json!({"node_id": "phone"}));
    assert_eq!(seen.len(), 3, "{seen:?}");
    let mut stream = Stream::open(&hub, "node_id=phone&tables=tasks");
    let first = stream.next();
    assert!(first.changes().iter().all(|change| change["pk"] == "a1"), "{first:?}");
    // Presence at bob's row, and bob's writes.
    hub.get("/sync/presence?topic=tasks:b1").error(403);
    hub.get("/sync/presence?topic=tasks").error(403);
    hub.get("/sync/presence?topic=tasks:none").error(403);
    hub.post("/sync/presence", &json!({"node_id": "x", "topic": "tasks:b1", "data": 1})).error(403);
    hub.get("/sync/presence?topic=tasks:a1").ok();
    hub.get("/sync/presence?topic=lobby").ok();
    let status = hub.get("/sync/status").ok();
    assert_eq!(status["tables"][0], json!({"table": "tasks", "enabled": true}), "numbers tell of rows too");
    hub.as_token("admin");
    hub.post("/sync/presence", &json!({"node_id": "x", "topic": "tasks:b1", "data": "hidden"})).ok();
    hub.push(&[lww("tasks", "b1", "title", 2, "x", json!("hidden too")), delete("tasks", "b2", 2, "x")]).ok();
    hub.push(&[lww("secrets", "s1", "word", 2, "x", json!("hidden too"))]).ok();
    assert!(stream.is_quiet(Duration::from_millis(300)), "nothing of bob's");
    // A row that leaves is told as such, without a value; one that enters comes whole.
    hub.push(&[
        lww("tasks", "a1", "owner", 3, "x", json!("bob")),
        lww("tasks", "a1", "title", 3, "x", json!("hidden")),
    ])
    .ok();
    let left = stream.next().changes();
    assert!(left.len() == 1 && left[0]["field"] == "_left" && left[0]["pk"] == "a1", "{left:?}");
    assert!(!left[0].to_string().contains("hidden"), "{left:?}");
    hub.push(&[lww("tasks", "b1", "owner", 4, "x", json!("ann"))]).ok();
    let entered = stream.next().changes();
    assert!(entered.iter().any(|change| change["value"] == "hidden too"), "{entered:?}");
}

#[test]
fn a_table_that_was_disabled_does_not_lose_its_filter() {
    let mut hub = hub();
    hub.as_token("mostly");
    assert_eq!(hub.pull(&json!({})).len(), 4, "but for two of bob's");
    hub.kill();
    std::fs::write(hub.folder.path().join("schema.sql"), "SELECT crdt_disable('tasks')").unwrap();
    let file = hub.folder.path().join("tokens.json").to_str().unwrap().to_owned();
    hub.restart(&["--token-file", &file]);
    assert!(hub.pull(&json!({})).iter().all(|change| change["table"] != "tasks"));
    let mut stream = Stream::open(&hub, "");
    assert!(stream.next().changes().iter().all(|change| change["table"] != "tasks"));
}

/// A change under the hub's own id that it never made has it take another one, and all peers exchange everything again: that is for those
/// who bring back what a restored hub has lost, not for a token with limits.
#[test]
fn a_token_with_limits_cannot_make_the_hub_another() {
    let mut hub = hub();
    let id = |hub: &Hub| hub.get("/sync/status").ok()["node"].as_str().unwrap().to_owned();
    let (me, cursor) = (id(&hub), hub.post("/sync/pull", &json!({})).ok()["latest_hlc"].clone());
    let forged = |pk: &str| lww("notes", pk, "body", 2, &me, json!("forged"));
    hub.as_token("notes");
    let error = hub.push(&[forged("n7")]).error(403);
    assert!(error.contains("n7") && error.contains("is said to have made"), "{error}");
    let own = lww("notes", "n8", "body", 2, "y", json!("own"));
    let answer = hub.push(&[own, forged("n9")]).ok();
    assert_eq!((&answer["merged"], rejected(&answer)), (&json!(1), vec![1]));
    hub.as_token("admin");
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(id(&hub), me);
    let next = hub.post("/sync/pull", &json!({"since": cursor})).ok();
    assert_eq!((next["changes"].as_array().unwrap().len(), next.get("resync")), (1, None));
    // Those may who may write everything.
    assert_eq!(hub.push(&[forged("n9")]).ok()["merged"], json!(1));
    std::thread::sleep(Duration::from_millis(1100));
    assert_ne!(id(&hub), me);
}

#[test]
fn pushes_outside_of_the_filter() {
    let mut hub = hub();
    hub.push(&[lww("tasks", "b9", "owner", 1, "x", json!("bob")), delete("tasks", "b9", 2, "x")]).ok();
    let everything = hub.pull(&json!({}));
    hub.as_token("ann");
    let far = ts(0) + 2_000_000_000_000_000_000;
    let mut later = lww("tasks", "a1", "owner", 1, "y", json!("bob"));
    later["hlc"]["ts"] = json!(far);
    for (what, changes) in [
        ("bob's row", vec![lww("tasks", "b1", "title", 5, "y", json!("x"))]),
        ("bob's row made ann's", vec![lww("tasks", "b1", "owner", 5, "y", json!("ann"))]),
        ("bob's row deleted", vec![delete("tasks", "b1", 5, "y")]),
        ("a row given away", vec![lww("tasks", "a1", "owner", 5, "y", json!("bob"))]),
        ("a new row of bob's", vec![lww("tasks", "new", "owner", 5, "y", json!("bob"))]),
        ("a new row of nobody's", vec![lww("tasks", "new", "title", 5, "y", json!("x"))]),
        ("bob's deleted row brought back", vec![lww("tasks", "b9", "owner", 5, "y", json!("ann"))]),
        ("a row given away later", vec![later]),
    ] {
        for answer in [hub.push(&changes), hub.post("/sync/push", &compact(&changes))] {
            assert_eq!((answer.status, rejected(&answer.json())), (403, vec![0]), "{what}: {}", answer.body);
        }
    }
    for good in [
        vec![lww("tasks", "a1", "title", 6, "y", json!("changed"))],
        vec![lww("tasks", "a2", "owner", 6, "y", json!("ann")), lww("tasks", "a2", "title", 6, "y", json!("new"))],
        vec![delete("tasks", "a2", 7, "y")],
        vec![delete("tasks", "unheard", 7, "y")],
    ] {
        assert!(hub.push(&good).ok()["merged"].as_i64() > Some(0), "{good:?}");
    }
    let kept: Vec<Value> = hub.pull(&json!({}));
    assert!(kept.iter().any(|change| change["value"] == "changed"));
    hub.as_token("admin");
    let now = hub.pull(&json!({}));
    for change in everything.iter().filter(|change| change["pk"] != "a1") {
        assert!(now.contains(change), "nothing of bob's has changed: {change}");
    }
}

/// The places of the changes that were rejected.
fn rejected(answer: &Value) -> Vec<u64> {
    answer["rejected"].as_array().unwrap().iter().map(|one| one["index"].as_u64().unwrap()).collect()
}

#[test]
fn records_outside_of_the_filter_are_rejected_alone() {
    let mut hub = hub();
    let of = |pk: &str, field: &str, value: &str| lww("tasks", pk, field, 5, "y", json!(value));
    let mut far = of("a9", "owner", "ann");
    far["hlc"]["ts"] = json!(ts(0) + 2_000_000_000_000_000_000);
    let changes = [
        of("a1", "title", "given away"),
        of("b1", "title", "another's"),
        of("a2", "owner", "ann"),
        of("a1", "owner", "bob"),
        far,
        of("a2", "title", "new"),
    ];
    hub.as_token("ann");
    for push in [json!({"changes": changes}), compact(&changes)] {
        let answer = hub.post("/sync/push", &push).ok();
        assert_eq!(rejected(&answer), [0, 1, 3, 4], "{answer}");
        let reason = |i: usize| answer["rejected"][i]["reason"].as_str().unwrap();
        assert_eq!(reason(0), reason(2), "of one record");
        assert_eq!(reason(0).replace("a1", "b1"), reason(1), "whose it is does not show");
        assert!(reason(3).contains("future"), "{answer}");
        assert_eq!(answer["merged"].as_i64().unwrap() + answer["unchanged"].as_i64().unwrap(), 2, "{answer}");
    }
    let answer = hub.push(&[changes[1].clone(), json!(7), changes[2].clone()]).ok();
    assert_eq!((rejected(&answer), &answer["unchanged"]), (vec![0, 1], &json!(1)), "beside what is rejected anyway");
    let odd = of("odd\0key", "title", "of nobody");
    assert_eq!(rejected(&hub.push(&[odd, changes[2].clone()]).ok()), [0], "a key that is none here");
    hub.as_token("admin");
    let mut values: Vec<(String, String)> = Vec::new();
    for change in hub.pull(&json!({"tables": ["tasks"]})) {
        values.push((format!("{}.{}", change["pk"], change["field"]).replace('"', ""), change["value"].to_string()));
    }
    values.sort();
    let expected = [
        ("a1.owner", "ann"),
        ("a1.title", "of ann"),
        ("a2.owner", "ann"),
        ("a2.title", "new"),
        ("b1.owner", "bob"),
        ("b1.title", "hidden"),
    ];
    assert_eq!(values, expected.map(|(name, value)| (name.to_owned(), format!("\"{value}\""))));
}

/// A push in the compact form.
fn compact(changes: &[Value]) -> Value {
    let mut items = vec![json!(["node", changes[0]["node_id"]])];
    for change in changes {
        items.push(json!(["change", change]));
    }
    json!({"format": "compact", "changes": items})
}

#[test]
fn tokens_are_read_again_and_streams_of_gone_ones_end() {
    let mut hub = hub();
    hub.as_token("notes");
    let mut stream = Stream::open(&hub, "");
    assert_eq!(stream.next().changes().len(), 1);
    let file = hub.folder.path().join("tokens.json");
    std::fs::write(&file, "rubbish").unwrap();
    hub.signal("-HUP");
    assert!(!stream.ends_within(Duration::from_millis(300)), "tokens stay as they were");
    std::fs::write(&file, json!([{"token": "new", "read": ["*"]}]).to_string()).unwrap();
    hub.signal("-HUP");
    assert!(stream.ends_within(PATIENCE));
    hub.post("/sync/pull", &json!({})).error(401);
    hub.as_token("new");
    eventually("the new one is known", || hub.post("/sync/pull", &json!({})).status == 200);
}
