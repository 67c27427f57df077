//! What a client holds: bodies it does not finish, answers it does not take, streams, places at work.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::common::{eventually, gzip, lww, Answer, Hub, PATIENCE};
use crate::sse::Stream;

pub fn tokens() -> Value {
    json!([
        {"token": "a", "read": ["*"]},
        {"token": "b", "read": ["*"], "write": ["*"]},
    ])
}

/// A request of which only a part of the body is sent.
pub fn begin(hub: &Hub, path: &str, token: &str, headers: &str, length: usize, part: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(hub.address()).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {token}\r\n{headers}content-length: {length}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(part).unwrap();
    socket
}

/// The status of an answer, whose rest is not read; None while there is none.
pub fn status(socket: &mut TcpStream, within: Duration) -> Option<u16> {
    socket.set_read_timeout(Some(within)).unwrap();
    let mut head = [0; 12];
    socket.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head[9..]).unwrap().parse().ok()
}

pub fn post(hub: &Hub, token: &str, path: &str, body: &Value) -> Answer {
    let headers = [("authorization", &*format!("Bearer {token}")), ("content-type", "application/json")];
    hub.send("POST", path, &headers, body.to_string().as_bytes())
}

pub fn resident(hub: &Hub) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", hub.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// Who sends a head has not shown a token yet.
#[test]
fn heads_have_a_limit() {
    let hub = Hub::start(&[]);
    for (length, wanted) in [(20_000, 200), (200_000, 431)] {
        let mut socket = TcpStream::connect(hub.address()).unwrap();
        let head = format!("GET /health HTTP/1.1\r\nhost: hub\r\nx-long: {}\r\n\r\n", "x".repeat(length));
        // It may end the connection before all of it is sent.
        drop(socket.write_all(head.as_bytes()));
        assert_eq!(status(&mut socket, PATIENCE), Some(wanted), "{length}");
    }
}

#[test]
fn unfinished_bodies_take_no_place_at_work() {
    let hub = Hub::with_tokens_and(&tokens(), &["--max-requests", "4"]);
    let unfinished: Vec<_> =
        (0..40).map(|i| begin(&hub, ["/sync/pull", "/sync/push"][i % 2], "a", "", 99, b"{")).collect();
    std::thread::sleep(Duration::from_millis(300));
    for _ in 0..5 {
        post(&hub, "b", "/sync/pull", &json!({})).ok();
        post(&hub, "b", "/sync/push", &json!({"changes": [lww("notes", "n", "body", 1, "b", json!("x"))]})).ok();
        hub.send("GET", "/sync/status", &[("authorization", "Bearer b")], b"").ok();
    }
    drop(unfinished);
}

#[test]
fn without_a_token_no_body_is_read() {
    let hub = Hub::with_tokens(&tokens());
    let mut socket = begin(&hub, "/sync/push", "nobody", "", 1 << 20, b"{");
    assert_eq!(status(&mut socket, PATIENCE), Some(401));
}

#[test]
fn what_is_too_long_is_refused_before_it_comes() {
    let hub = Hub::with_tokens(&tokens());
    let mut socket = begin(&hub, "/sync/push", "b", "", 1 << 30, b"{");
    assert_eq!(status(&mut socket, PATIENCE), Some(413));
}

#[test]
fn all_bodies_share_one_budget() {
    const MB: usize = 1 << 20;
    let hub =
        Hub::with_tokens_and(&tokens(), &["--max-body", &(8 * MB).to_string(), "--max-bodies", &(16 * MB).to_string()]);
    let before = resident(&hub);
    // Of 7 MB each, but for the last bytes; for one of them a token has room.
    let zipped = gzip(&vec![b' '; 7 * MB]);
    let part = |token: &str| {
        begin(&hub, "/sync/pull", token, "content-encoding: gzip\r\n", zipped.len(), &zipped[..zipped.len() - 20])
    };
    let mut stalled: Vec<TcpStream> = (0..12).map(|_| part("a")).collect();
    let refused = |stalled: &mut Vec<TcpStream>| {
        stalled.iter_mut().map(|socket| status(socket, Duration::from_millis(300))).filter(|s| *s == Some(429)).count()
    };
    let waits = 12 - refused(&mut stalled);
    assert!(waits <= 2, "{waits} bodies of one token wait");
    let grown = resident(&hub).saturating_sub(before);
    assert!(grown < 48 * MB, "{} MB more", grown / MB);
    let large = json!({"changes": [], "x": "y".repeat(7 * MB)});
    post(&hub, "b", "/sync/push", &large).ok();
    drop(stalled);
    eventually("the budget is free again", || post(&hub, "a", "/sync/pull", &large).status == 200);
}

#[test]
fn streams_and_places_at_work_are_shared() {
    let hub = Hub::with_tokens_and(&tokens(), &["--max-streams", "4", "--max-requests", "4"]);
    let open = |token: &str| Stream::open_with(&hub, "", &[("authorization", &format!("Bearer {token}"))]);
    let of_a: Vec<Stream> = (0..2).map(|_| open("a")).collect();
    assert!(of_a.iter().all(|stream| stream.status == 200));
    assert_eq!(open("a").status, 429);
    let of_b: Vec<Stream> = (0..2).map(|_| open("b")).collect();
    assert!(of_b.iter().all(|stream| stream.status == 200));
    drop(of_a);
    eventually("there is room again", || open("a").status == 200);
    // Pushes of b wait for the lock.
    let lock = hub.database();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let push = || post(&hub, "b", "/sync/push", &json!({"changes": []})).status;
        let pushes: Vec<_> = (0..5).map(|_| scope.spawn(push)).collect();
        let refused = || pushes.iter().filter(|push| push.is_finished()).count();
        eventually("those that have no place", || refused() == 3);
        post(&hub, "a", "/sync/pull", &json!({})).ok();
        lock.execute_batch("COMMIT").unwrap();
        let answers: Vec<u16> = pushes.into_iter().map(|push| push.join().unwrap()).collect();
        let count = |status: u16| answers.iter().filter(|answer| **answer == status).count();
        assert_eq!((count(200), count(429)), (2, 3), "{answers:?}");
    });
}

#[test]
fn silence_ends_a_body_and_slowness_does_not() {
    let hub = Hub::with_tokens_and(&tokens(), &["--silence", "3"]);
    let body = json!({"changes": []}).to_string();
    let mut slow = begin(&hub, "/sync/push", "b", "", body.len(), b"");
    for byte in body.as_bytes() {
        std::thread::sleep(Duration::from_millis(500));
        slow.write_all(&[*byte]).unwrap();
    }
    assert_eq!(status(&mut slow, PATIENCE), Some(200), "after {} s", body.len() / 2);
    let zipped = gzip(body.as_bytes());
    for (encoding, body) in [("", body.as_bytes()), ("content-encoding: gzip\r\n", &zipped)] {
        let begun = Instant::now();
        let mut silent = begin(&hub, "/sync/push", "b", encoding, body.len(), &body[..body.len() - 1]);
        assert_eq!(status(&mut silent, PATIENCE), Some(408), "{encoding}");
        assert!(begun.elapsed() > Duration::from_millis(2900));
    }
}

/// A hub with `pages` of 16 MB.
fn with_long_answers(options: &[&str]) -> Hub {
    let hub = Hub::with_tokens_and(&tokens(), options);
    let conn = crate::edge::open(&hub.path());
    conn.execute_batch("SELECT crdt_pragma('page_bytes', 16777216)").unwrap();
    for part in 0..16 {
        let note = |i: usize| lww("notes", &format!("n{part}-{i}"), "body", 1, "b", json!("x".repeat(100_000)));
        let changes: Vec<Value> = (0..10).map(note).collect();
        post(&hub, "b", "/sync/push", &json!({"changes": changes})).ok();
    }
    hub
}

fn rest(mut socket: TcpStream) -> usize {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut rest = Vec::new();
    // A connection that was cut off may end with a reset.
    drop(socket.read_to_end(&mut rest));
    rest.len()
}

#[test]
fn who_takes_nothing_is_given_up() {
    const ALL: usize = 16_000_000;
    let hub = with_long_answers(&["--silence", "3"]);
    let pull = || begin(&hub, "/sync/pull", "a", "connection: close\r\n", 2, b"{}");
    let stream = crate::sse::open_raw(&hub, "/sync/stream", &[("authorization", "Bearer a"), ("connection", "close")]);
    let (stalled, mut slow) = (pull(), pull());
    eventually("the stream is open", || hub.metric("grove_streams_open") == 1.0);
    let mut part = vec![0; 400_000];
    let mut taken = 0;
    for _ in 0..12 {
        std::thread::sleep(Duration::from_millis(500));
        taken += slow.read(&mut part).unwrap();
    }
    assert!(taken + rest(slow) > ALL, "slowness is no fault");
    eventually("the stream has ended", || hub.metric("grove_streams_open") == 0.0);
    assert!(rest(stalled) < ALL && rest(stream) < ALL);
}

#[test]
fn all_answers_share_one_budget() {
    let hub = with_long_answers(&["--max-body", "4000000", "--max-bodies", "64000000"]);
    let before = resident(&hub);
    let mut stalled: Vec<TcpStream> = (0..20).map(|_| begin(&hub, "/sync/pull", "a", "", 2, b"{}")).collect();
    let statuses: Vec<_> = stalled.iter_mut().map(|socket| status(socket, PATIENCE)).collect();
    assert!(statuses.iter().all(|status| *status == Some(200)), "each gets less, and something: {statuses:?}");
    let grown = resident(&hub).saturating_sub(before) >> 20;
    assert!(grown < 128, "{grown} MB more");
    post(&hub, "a", "/sync/pull", &json!({})).ok();
    post(&hub, "b", "/sync/pull", &json!({})).ok();
    for socket in &stalled {
        socket.shutdown(Shutdown::Both).unwrap();
    }
    let long = || post(&hub, "a", "/sync/pull", &json!({})).body.len() > 6_000_000;
    eventually("what was not taken is let go", long);
}

/// With few files to open, idle connections of anyone keep none from those that work.
#[test]
fn connections_leave_files_to_the_database() {
    let hub = Hub::start_with_files(200);
    let idle: Vec<TcpStream> = (0..230).filter_map(|_| TcpStream::connect(hub.address()).ok()).collect();
    let mut ended = 0;
    for mut socket in &idle {
        socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        ended += usize::from(matches!(socket.read(&mut [0]), Ok(0)) || socket.take_error().unwrap().is_some());
    }
    assert!(ended > 50, "more are closed at once: {ended}");
    let open = std::fs::read_dir(format!("/proc/{}/fd", hub.id())).unwrap().count();
    assert!(open < 180, "{open} files are open");
    drop(idle);
    eventually("there is room again", || {
        hub.try_send("GET", "/ready", &[], b"").is_ok_and(|answer| answer.status == 200)
    });
}
