//! Every route, and every error that a client can cause.

use std::io::Write;

use crate::common::{self, delete, gzip, lww, Hub};
use serde_json::json;

#[test]
fn push_then_pull() {
    let hub = Hub::start(&[]);
    let pushed = hub.push(&[lww("tasks", "t1", "title", 1, "a", json!("Milk")), json!({"table": "tasks"})]).ok();
    assert_eq!((&pushed["merged"], &pushed["rejected"][0]["index"]), (&json!(1), &json!(1)), "{pushed}");
    let answer = hub.post("/sync/pull", &json!({"tables": ["tasks"], "node_id": "b"})).ok();
    assert_eq!(answer["changes"][0]["value"], json!("Milk"));
    let again =
        hub.post("/sync/pull", &json!({"tables": ["tasks"], "since": answer["latest_hlc"], "node_id": "b"})).ok();
    assert_eq!(again["changes"], json!([]), "never null");
    assert_eq!(again["latest_hlc"], answer["latest_hlc"]);
    let title: String = hub.database().query_row("SELECT title FROM tasks", [], |row| row.get(0)).unwrap();
    assert_eq!(title, "Milk");
    hub.push(&[delete("tasks", "t1", 2, "a")]).ok();
    assert_eq!(hub.database().query_row("SELECT count(*) FROM tasks", [], |row| row.get(0)), Ok(0));
}

#[test]
fn requests_that_are_wrong() {
    let hub = Hub::start(&[]);
    let json = [("content-type", "application/json")];
    let post = |path: &str, body: &[u8]| hub.send("POST", path, &json, body);
    for (path, body) in [
        ("/sync/pull", &b""[..]),
        ("/sync/pull", b"[]"),
        ("/sync/pull", b"{\"tables\":7}"),
        ("/sync/pull", b"{\"tables\":[\"nothing\"]}"),
        ("/sync/pull", b"{\"since\":{\"ts\":-1,\"c\":0}}"),
        ("/sync/pull", b"{\"node_id\":\"\"}"),
        ("/sync/pull", b"\xff"),
        ("/sync/push", b"{"),
        ("/sync/push", b"{\"changes\":7}"),
        ("/sync/push", b"{\"counters\":\"some\",\"changes\":[]}"),
        ("/sync/presence", b"{}"),
        ("/sync/presence", b"{\"node_id\":\"a\"}"),
        ("/sync/presence", b"{\"topic\":\"a\",\"data\":1}"),
        ("/sync/ops/pull", b"{}"), // operations need a node_id
    ] {
        let error = post(path, body).error(400);
        assert!(error.len() > 5, "{path}: {error}");
    }
    hub.get("/sync/presence").error(400);
    hub.get("/sync/stream?tables=nothing").error(400);
    // This client takes gzip, and has to understand errors too.
    let twice = hub.get("/sync/presence?topic=a&topic=b").error(400);
    assert!(twice.contains("duplicate field `topic`"), "{twice}");
    hub.get("/sync/nothing").error(404);
    hub.get("/nothing").error(404);
    for (method, path) in
        [("GET", "/sync/push"), ("GET", "/sync/pull"), ("POST", "/sync/stream"), ("DELETE", "/sync/presence")]
    {
        let answer = hub.send(method, path, &[], b"");
        answer.error(405);
        assert!(!answer.header("allow").is_empty());
    }
    hub.send("POST", "/sync/push", &[("content-type", "text/plain")], b"{}").error(415);
    let encoded = [("content-type", "application/json"), ("content-encoding", "compress")];
    hub.send("POST", "/sync/push", &encoded, b"{}").error(415);
    hub.send("POST", "/sync/push", &[], b"{\"changes\":[]}").ok();
    assert_eq!(hub.pull(&json!({})).len(), 0, "nothing of this was taken");
}

/// Whatever page a user looks at could write into a hub on his machine.
#[test]
fn pages_of_other_origins_do_not_write_without_a_token() {
    let evil = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    let push = |hub: &Hub, headers: &[(&str, &str)]| hub.send("POST", "/sync/push", headers, b"{\"changes\":[]}");
    let hub = Hub::start(&["--cors", "https://app.example"]);
    assert!(push(&hub, &evil).error(403).contains("--cors"));
    push(&hub, &[("origin", "https://app.example"), ("sec-fetch-site", "cross-site")]).ok();
    push(&hub, &[("origin", hub.root())]).ok();
    push(&hub, &[]).ok();
    let mut guarded = Hub::with_tokens(&json!([{"token": "a", "read": ["*"], "write": ["*"]}]));
    push(guarded.as_token("a"), &evil).ok();
}

#[test]
fn bodies_have_a_limit_also_compressed_ones() {
    let hub = Hub::start(&["--max-body", "100000"]);
    let large = json!({"changes": [], "x": "y".repeat(200_000)}).to_string();
    let error = hub.send("POST", "/sync/push", &[("content-type", "application/json")], large.as_bytes()).error(413);
    assert!(error.contains("100000"), "{error}");
    for _ in 0..20 {
        // Whoever sends much learns why it is refused, and goes on with the same connection.
        let huge = vec![b' '; 20 << 20];
        hub.send("POST", "/sync/push", &[("content-type", "application/json")], &huge).error(413);
        hub.send("POST", "/sync/push", &[("content-type", "text/plain")], &huge).error(415);
    }
    let bomb = gzip(&vec![b' '; 200 << 20]);
    assert!(bomb.len() > 100_000 || bomb.len() < 300_000);
    let encoded = [("content-type", "application/json"), ("content-encoding", "gzip")];
    hub.send("POST", "/sync/push", &encoded, &gzip(large.as_bytes())).error(413);
    hub.send("POST", "/sync/push", &encoded, &bomb).error(413);
    let small = json!({"changes": [lww("tasks", "t1", "title", 1, "a", json!("x"))]}).to_string();
    assert_eq!(hub.send("POST", "/sync/push", &encoded, &gzip(small.as_bytes())).ok()["merged"], json!(1));
    hub.send("POST", "/sync/push", &encoded, b"not gzip").error(400);
    assert_eq!(hub.pull(&json!({})).len(), 1);
}

#[test]
fn answers_are_compressed_for_who_takes_that() {
    let hub = Hub::start(&[]);
    let title = json!("a title that comes again and again ".repeat(100));
    hub.push(&[lww("tasks", "t1", "title", 1, "a", title.clone())]).ok();
    for encoding in ["gzip", "zstd"] {
        let mut socket = std::net::TcpStream::connect(hub.address()).unwrap();
        let head = format!("POST /sync/pull HTTP/1.1\r\nhost: x\r\nconnection: close\r\naccept-encoding: {encoding}\r\ncontent-length: 2\r\n\r\n{{}}");
        socket.write_all(head.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut socket, &mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        assert!(text.contains(&format!("content-encoding: {encoding}")), "{text}");
        assert!(bytes.len() < 1500, "{}", bytes.len());
    }
    assert_eq!(hub.pull(&json!({}))[0]["value"], title);
}

#[test]
fn counters_by_mount_and_header() {
    let hub = Hub::start(&[]);
    let vote = |step: i64, node: &str| {
        json!({"node_id": node, "changes": [{"table": "tasks", "pk": "t1", "field": "votes", "crdt_type": "counter",
            "hlc": {"ts": common::ts(step), "c": 0, "node": node}, "node_id": node, "counter_delta": {"inc": 2, "dec": 0}}]})
    };
    let votes = || hub.database().query_row("SELECT votes FROM tasks", [], |row| row.get::<_, i64>(0)).unwrap();
    hub.push(&[lww("tasks", "t1", "title", 1, "a", json!("x"))]).ok();
    hub.post("/sync/push", &vote(1, "go")).ok();
    hub.post("/sync/push", &vote(2, "go")).ok();
    assert_eq!(votes(), 2, "running totals");
    hub.post("/sync/ops/push", &vote(1, "ts")).ok();
    hub.post("/sync/ops/push", &vote(2, "ts")).ok();
    hub.post("/sync/ops/push", &vote(2, "ts")).ok();
    assert_eq!(votes(), 6, "operations, each once");
    let header = [("content-type", "application/json"), ("x-grove-counters", "operations")];
    hub.send("POST", "/sync/push", &header, vote(3, "ts").to_string().as_bytes()).ok();
    assert_eq!(votes(), 8);
    let of_ts = |path: &str| {
        let changes = hub.post(path, &json!({"node_id": "ts"})).ok()["changes"].as_array().unwrap().clone();
        changes.iter().filter(|c| c["field"] == "votes" && c["node_id"] == "ts").count()
    };
    assert_eq!((of_ts("/sync/ops/pull"), of_ts("/sync/pull")), (0, 3));
}

#[test]
fn presence() {
    let hub = Hub::start(&["--presence-ttl", "1"]);
    let set = |body| hub.post("/sync/presence", &body).ok();
    let ann = json!({"node_id": "phone", "topic": "tasks:1", "data": {"name": "Ann"}});
    assert_eq!(
        set(ann.clone()),
        json!({"type": "join", "node_id": "phone", "topic": "tasks:1", "data": {"name": "Ann"}})
    );
    assert_eq!(set(ann)["type"], json!("update"));
    let snapshot = hub.get("/sync/presence?topic=tasks:1").ok();
    assert_eq!((&snapshot["topic"], &snapshot["states"][0]["data"]["name"]), (&json!("tasks:1"), &json!("Ann")));
    assert!(snapshot["states"][0]["expires_at"].as_str().unwrap().ends_with('Z'), "{snapshot}");
    assert_eq!(hub.get("/sync/presence?topic=tasks:2").ok(), json!({"topic": "tasks:2", "states": []}));
    common::eventually("nobody is heard of", || hub.get("/sync/presence?topic=tasks:1").ok()["states"] == json!([]));
    assert_eq!(set(json!({"node_id": "phone", "topic": "tasks:1", "data": null}))["type"], json!("leave"));
    let long = json!({"node_id": "phone", "topic": "t", "data": "x".repeat(20_000)});
    hub.post("/sync/presence", &long).error(400);
    assert_eq!(
        hub.database().query_row("SELECT count(*) FROM _crdt_log", [], |row| row.get(0)),
        Ok(0),
        "in memory only"
    );
}

#[test]
fn around_it() {
    let hub = Hub::start(&["--cors", "https://app.example"]);
    assert_eq!(hub.get("/health").ok(), json!({"status": "ok"}));
    assert_eq!(hub.get("/ready").ok(), json!({"status": "ready"}));
    hub.push(&[lww("tasks", "t1", "title", 1, "a", json!("x")), json!({})]).ok();
    hub.pull(&json!({"node_id": "b"}));
    for (name, value) in [
        ("grove_changes_pushed_total", 2.0),
        ("grove_changes_merged_total", 1.0),
        ("grove_changes_rejected_total", 1.0),
        ("grove_changes_pulled_total", 1.0),
        ("grove_commits_total", 1.0),
        ("grove_log_end", 1.0),
        ("grove_requests_total{route=\"/sync/push\",method=\"POST\",status=\"200\"}", 1.0),
        ("grove_streams_open", 0.0),
    ] {
        let text = hub.get("/metrics").body;
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        assert_eq!(line.rsplit(' ').next().unwrap().parse::<f64>().unwrap(), value, "{line}");
    }
    assert!(hub.metric("grove_database_bytes") > 4096.0);
    assert!(hub.get("/metrics").body.contains("grove_request_seconds_bucket"));
    let status = hub.get("/sync/status").ok();
    assert_eq!(status["tables"][2]["records"], json!(0));
    assert!(status["peers"].as_array().unwrap().iter().any(|peer| peer["node"] == "b"), "{status}");
    let page = hub.get("/");
    assert!(page.status == 200 && page.body.contains("content=\"/sync\""));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    for file in ["/page.js", "/page.css"] {
        assert_eq!(hub.get(file).status, 200);
    }
    for text in [page.body, hub.get("/page.js").body, hub.get("/page.css").body] {
        assert!(!text.contains("http:") && !text.contains("https:") && !text.contains("//cdn"), "no outside requests");
    }
    let allowed = hub.send(
        "OPTIONS",
        "/sync/push",
        &[("origin", "https://app.example"), ("access-control-request-method", "POST")],
        b"",
    );
    assert_eq!(allowed.header("access-control-allow-origin"), "https://app.example");
    let other = hub.send(
        "OPTIONS",
        "/sync/push",
        &[("origin", "https://other.example"), ("access-control-request-method", "POST")],
        b"",
    );
    assert_eq!(other.header("access-control-allow-origin"), "");
}

#[test]
fn other_bases() {
    let hub = Hub::start(&["--base", "/"]);
    assert_eq!(hub.post("/pull", &json!({})).ok()["changes"], json!([]));
    assert_eq!(hub.post("/ops/pull", &json!({"node_id": "a"})).ok()["changes"], json!([]));
    let hub = Hub::start(&["--base", "/a/b/"]);
    assert_eq!(hub.post("/a/b/pull", &json!({})).ok()["changes"], json!([]));
    hub.post("/sync/pull", &json!({})).error(404);
}

#[test]
fn limits_of_requests_and_streams() {
    let hub = Hub::start(&["--max-requests", "0", "--max-streams", "1"]);
    let answer = hub.post("/sync/pull", &json!({}));
    answer.error(503);
    assert!(!answer.header("retry-after").is_empty());
    let open = crate::sse::Stream::open(&hub, "");
    assert_eq!(open.status, 200);
    hub.get("/sync/stream").error(503);
    drop(open);
    common::eventually("the place is free again", || crate::sse::Stream::open(&hub, "").status == 200);
    assert_eq!(hub.get("/health").status, 200);
}
