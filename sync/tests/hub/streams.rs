//! Streams: what they bring, in what time, and from where they go on.

use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{json, Value};

use crate::common::{eventually, lww, quickest, Hub, PATIENCE};
use crate::sse::{open_raw, Stream};

fn note(i: i64, body: &str) -> Value {
    lww("notes", &format!("n{i}"), "body", i, "a", json!(body))
}

#[test]
fn the_first_batch_comes_at_once_and_the_rest_by_itself() {
    let hub = Hub::start(&[]);
    hub.push(&[note(1, "old")]).ok();
    let asked = Instant::now();
    let mut stream = Stream::open(&hub, "tables=notes");
    assert!(stream.head.contains("content-type: text/event-stream"), "{}", stream.head);
    let event = stream.next();
    assert_eq!((event.name.as_str(), event.changes().len()), ("changes", 1));
    assert!(event.at - asked < Duration::from_secs(10), "before a comment would come");
    assert!(stream.is_quiet(Duration::from_millis(200)));
    hub.push(&[note(2, "new")]).ok();
    assert_eq!(stream.next().changes()[0]["pk"], json!("n2"));
    hub.database().execute("INSERT INTO notes VALUES ('local', 'by another process')", []).unwrap();
    assert_eq!(stream.next().changes()[0]["pk"], json!("local"));
    hub.push(&[lww("tasks", "t1", "title", 1, "a", json!("x"))]).ok();
    assert!(stream.is_quiet(Duration::from_millis(200)), "another table");
    hub.get("/sync/stream?tables=nothing").error(400);
}

#[test]
fn a_stream_goes_on_where_the_last_one_ended() {
    let hub = Hub::start(&[]);
    let changes: Vec<Value> = (0..500).map(|i| note(i, &"x".repeat(300))).collect();
    hub.push(&changes).ok();
    let mut stream = Stream::open(&hub, "");
    let (mut got, mut events, mut id) = (0, 0, None);
    while got < 500 {
        let event = stream.next();
        got += event.changes().len();
        events += 1;
        assert_eq!(event.id.is_some(), got == 500, "the last event of the page has the id");
        id = event.id;
    }
    assert!(events > 2);
    drop(stream);
    hub.push(&[note(900, "new")]).ok();
    let id = id.unwrap();
    let mut again = Stream::open_with(&hub, "", &[("last-event-id", &id)]);
    assert_eq!(again.next().changes().len(), 1);
    let cursor = hub.post("/sync/pull", &json!({})).ok()["latest_hlc"].clone();
    let query =
        format!("since_ts={}&since_c={}&since_node={}", cursor["ts"], cursor["c"], cursor["node"].as_str().unwrap());
    let mut other = Stream::open(&hub, &query);
    assert!(other.is_quiet(Duration::from_millis(200)), "nothing after a pull's cursor");
    hub.push(&[note(901, "newer")]).ok();
    assert_eq!(other.next().changes()[0]["pk"], json!("n901"));
    assert_eq!(again.next().changes()[0]["pk"], json!("n901"));
}

#[test]
fn a_local_commit_is_an_event_within_moments() {
    let hub = Hub::start(&[]);
    let mut stream = Stream::open(&hub, "tables=notes");
    let writer = hub.database();
    let mut took: Vec<Duration> = (0..60)
        .map(|i| {
            writer.execute("INSERT INTO notes VALUES (?1, 'x')", [format!("n{i}")]).unwrap();
            let committed = Instant::now();
            let event = stream.next();
            event.at.saturating_duration_since(committed)
        })
        .collect();
    took.sort_unstable();
    println!("local commit to event: median {:?}, longest {:?}", took[30], took[59]);
    assert!(took[10] < Duration::from_millis(50), "{took:?}");
}

#[test]
fn streams_at_the_same_place_share_their_exports() {
    let hub = Hub::start(&[]);
    hub.push(&[note(1, "x")]).ok();
    let mut streams: Vec<Stream> = (0..40).map(|_| Stream::open(&hub, "tables=notes")).collect();
    for stream in &mut streams {
        stream.next();
    }
    let before = hub.metric("grove_stream_exports_total");
    for i in 10..20 {
        hub.push(&[note(i, "y")]).ok();
        for stream in &mut streams {
            assert_eq!(stream.next().changes()[0]["pk"], json!(format!("n{i}")));
        }
    }
    let exports = hub.metric("grove_stream_exports_total") - before;
    assert!(exports < 100.0, "{exports} exports for 10 commits and 40 streams");
    assert_eq!(hub.metric("grove_streams_open"), 40.0);
    drop(streams);
    eventually("closed streams are noticed", || hub.metric("grove_streams_open") == 0.0);
}

#[test]
fn presence_comes_to_all_that_should_hear_of_it() {
    let hub = Hub::start(&["--presence-ttl", "8"]);
    let mut tasks = Stream::open(&hub, "tables=tasks&node_id=one");
    let mut all = Stream::open(&hub, "node_id=two");
    let mut notes = Stream::open(&hub, "tables=notes");
    let mut topic = Stream::open(&hub, "topics=tasks:9,lobby");
    let set = |node: &str, topic: &str, data: Value| {
        hub.post("/sync/presence", &json!({"node_id": node, "topic": topic, "data": data})).ok();
    };
    set("phone", "tasks:1", json!({"name": "Ann"}));
    let expected = json!({"type": "join", "node_id": "phone", "topic": "tasks:1", "data": {"name": "Ann"}});
    for stream in [&mut tasks, &mut all] {
        let event = stream.next();
        assert_eq!((event.name.as_str(), event.json()), ("presence", expected.clone()));
    }
    set("phone", "tasks:1", json!({"name": "Bea"}));
    for stream in [&mut tasks, &mut all] {
        assert_eq!(stream.next().json()["type"], json!("update"));
    }
    set("phone", "lobby", json!(1));
    for stream in [&mut tasks, &mut all, &mut notes, &mut topic] {
        assert_eq!(stream.next().json()["topic"], json!("lobby"), "a topic of no table");
    }
    assert!(notes.is_quiet(Duration::from_millis(100)) && topic.is_quiet(Duration::from_millis(10)));
    // Who is not heard of leaves.
    let left = |stream: &mut Stream| {
        let event = stream.next().json();
        assert_eq!((&event["type"], &event["node_id"]), (&json!("leave"), &json!("phone")), "{event}");
    };
    left(&mut notes);
    left(&mut topic);
    for stream in [&mut tasks, &mut all] {
        left(stream);
        left(stream);
    }
    // With its last stream a node leaves at once.
    set("one", "tasks:1", json!(1));
    assert_eq!(all.next().json()["type"], json!("join"));
    drop(tasks);
    let event = all.next_within(Duration::from_secs(4)).expect("before its time is over").json();
    assert_eq!((&event["type"], &event["node_id"]), (&json!("leave"), &json!("one")));
}

#[test]
fn a_client_that_reads_nothing_holds_nobody() {
    let hub = Hub::start(&[]);
    let changes: Vec<Value> = (0..2000).map(|i| note(i, &"x".repeat(4000))).collect();
    for part in changes.chunks(500) {
        hub.push(part).ok();
    }
    let idle: Vec<_> = (0..20).map(|i| open_raw(&hub, &format!("/sync/stream?node_id=idle{i}"), &[])).collect();
    let half = open_raw(&hub, "/sync/pull", &[("content-length", "100")]);
    std::thread::sleep(Duration::from_millis(300));
    let mut stream = Stream::open(&hub, "tables=tasks");
    let took = quickest(20, |i| {
        hub.push(&[lww("tasks", &format!("t{i}"), "title", i as i64, "a", json!("x"))]).ok();
        stream.next();
    });
    assert!(took < Duration::from_secs(2), "{took:?}");
    drop((idle, half));
}

#[test]
fn a_stop_ends_streams_and_lets_requests_end() {
    let mut hub = Hub::start(&[]);
    let mut stream = Stream::open(&hub, "");
    let stopped = Instant::now();
    hub.signal("-TERM");
    assert!(stream.ends_within(PATIENCE));
    assert_eq!(hub.ended(), Some(0));
    assert!(stopped.elapsed() < PATIENCE);
    assert!(!hub.folder.path().join("app.db-wal").exists(), "closed in order");
    hub.restart(&[]);
    assert_eq!(hub.get("/ready").status, 200);
}

#[test]
fn idle_streams_get_comments() {
    let hub = Hub::start(&[]);
    let mut socket = open_raw(&hub, "/sync/stream", &[]);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut seen, mut part) = (String::new(), [0; 1000]);
    while !seen.contains(": keep-alive\n") {
        let n = socket.read(&mut part).expect("a comment");
        seen.push_str(&String::from_utf8_lossy(&part[..n]));
    }
}

#[test]
fn news_are_told_without_the_changes() {
    let hub = Hub::start(&[]);
    hub.push(&[note(1, "old")]).ok();
    let mut from_now = Stream::open(&hub, "tables=notes&news=1");
    let cursor = hub.post("/sync/pull", &json!({"tables": ["notes"]})).ok()["latest_hlc"].clone();
    let place =
        format!("since_ts={}&since_c={}&since_node={}", cursor["ts"], cursor["c"], cursor["node"].as_str().unwrap());
    let mut from_there = Stream::open(&hub, &format!("tables=notes&news=1&{place}"));
    hub.push(&[lww("tasks", "t1", "title", 1, "a", json!("x"))]).ok();
    assert!(from_now.is_quiet(Duration::from_millis(200)) && from_there.is_quiet(Duration::ZERO), "nothing of theirs");
    hub.push(&[note(2, "new"), note(3, "new")]).ok();
    for stream in [&mut from_now, &mut from_there] {
        let event = stream.next();
        assert_eq!((event.name.as_str(), event.json()), ("news", json!({"changes": 2})));
        assert!(event.id.is_some());
    }
    // What was there before, for one that says from where.
    assert_eq!(Stream::open(&hub, "news=1&since_ts=1").next().json(), json!({"changes": 4}));
}

/// A client that has no place yet does not cost a look at all that was: what a clock that is ahead has written is no news either.
#[test]
fn news_begin_at_the_end_of_the_log() {
    let hub = Hub::start(&[]);
    let ahead = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(20);
    let mut written = note(1, "from a clock that is ahead");
    written["hlc"]["ts"] = json!(ahead.as_nanos() as i64 / 1000 * 1000);
    hub.push(&[written]).ok();
    let mut stream = Stream::open(&hub, "news=1");
    assert!(stream.is_quiet(Duration::from_millis(200)));
    hub.push(&[note(2, "new")]).ok();
    assert_eq!(stream.next().json(), json!({"changes": 1}));
}

/// Of a line that takes less than there is of presence, changes have half.
#[test]
fn presence_keeps_no_changes_back() {
    let hub = Hub::start(&[]);
    let socket = open_raw(&hub, "/sync/stream", &[]);
    eventually("a stream", || hub.metric("grove_streams_open") == 1.0);
    for i in 0..1500 {
        let data = json!({"node_id": format!("n{i}"), "topic": "room", "data": "y".repeat(15_000)});
        hub.post("/sync/presence", &data).ok();
    }
    hub.push(&[note(1, "new")]).ok();
    let mut told = Vec::new();
    for line in BufReader::new(socket).lines().map_while(Result::ok) {
        told.extend(line.strip_prefix("event: ").map(|name| name.to_owned()));
        if told.iter().any(|name| name == "changes") && told.last().is_some_and(|name| name == "presence") {
            return;
        }
        assert!(told.iter().filter(|name| *name == "presence").count() < 1500, "all of it came first");
    }
    panic!("the stream ended");
}

/// What a stream was asked for is kept as long as it is open.
#[test]
fn what_a_stream_is_asked_for_has_a_limit() {
    let hub = Hub::start(&[]);
    let error = hub.get(&format!("/sync/stream?topics={}", "a,".repeat(10_000))).error(414);
    assert!(error.contains("leave tables or topics out"), "{error}");
    let many = (0..1000).map(|i| format!("topic:{i}")).collect::<Vec<_>>().join(",");
    Stream::open(&hub, &format!("topics={many}"));
}

/// A place is noted when the client comes with it, not when the hub has sent so far.
#[test]
fn what_was_sent_is_not_taken_for_what_has_arrived() {
    let hub = Hub::start(&[]);
    let at = |node: &str| {
        let sql = "SELECT seq FROM _crdt_peers WHERE node = ?1";
        hub.database().query_row(sql, [node], |row| row.get::<_, i64>(0)).unwrap()
    };
    for (base, node) in [("/sync", "totals"), ("/sync/ops", "operations")] {
        let mut stream = Stream::open_at(&hub, &format!("{base}/stream?node_id={node}"), &[]);
        hub.push(&[note(1, node)]).ok();
        let id = stream.next().id.unwrap();
        hub.push(&[lww("notes", node, "body", 2, "a", json!("again"))]).ok();
        stream.next();
        assert_eq!(at(node), 0, "{base}");
        let _again = Stream::open_at(&hub, &format!("{base}/stream?node_id={node}"), &[("last-event-id", &id)]);
        assert!(at(node) > 0, "{base}");
    }
}

/// JSON as people write it by hand: the stream's lines end where they should all the same.
#[test]
fn line_ends_within_json_do_not_cut_an_event() {
    let hub = Hub::start(&[]);
    let mut stream = Stream::open(&hub, "");
    let mut record = note(1, "x");
    record["value"] = json!({"a": [1, "two\nlines"]});
    let written = serde_json::to_string_pretty(&json!({"node_id": "p", "changes": [record]})).unwrap();
    for (i, body) in [written.clone(), written.replace('\n', "\r\n"), written.replace('\n', "\r")].iter().enumerate() {
        let body = body.replace("\"n1\"", &format!("\"n{i}\""));
        hub.send("POST", "/sync/push", &[], body.as_bytes()).ok();
        let event = stream.next();
        assert_eq!(event.changes()[0]["value"], json!({"a": [1, "two\nlines"]}), "{event:?}");
        assert!(event.id.is_some());
        let data = format!("{{\"node_id\":\"p\",\"topic\":\"lobby\",\"data\":{{\n\r\"x\":\r\n\"{i}\"}}}}");
        hub.send("POST", "/sync/presence", &[], data.as_bytes()).ok();
        assert_eq!(stream.next().json()["data"], json!({"x": i.to_string()}));
    }
}
