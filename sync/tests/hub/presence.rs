//! What presence costs where clients are slow.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::common::{eventually, Hub};
use crate::limits::{post, resident};
use crate::sse::{open_raw, Stream};

const NODES: usize = 900;

/// A hub with a token that reads no table, and so much presence that it may have.
fn hub(options: &[&str]) -> Hub {
    let tokens = json!([{"token": "nobody", "read": []}, {"token": "b", "read": ["*"], "write": ["*"]}]);
    let mut hub = Hub::with_tokens_and(&tokens, options);
    hub.as_token("nobody");
    hub
}

fn tell(hub: &Hub, nodes: usize, letter: &str) {
    for i in 0..nodes {
        let told = json!({"node_id": format!("n{i}"), "topic": "lobby", "data": letter.repeat(16_000)});
        hub.post("/sync/presence", &told).ok();
    }
}

/// Takes so much of what waits.
fn take(socket: &mut TcpStream, bytes: u64) {
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    drop(std::io::copy(&mut socket.take(bytes), &mut std::io::sink()));
}

#[test]
fn slow_streams_hold_a_piece_of_it() {
    let hub = hub(&[]);
    let mut slow: Vec<TcpStream> = (0..20).map(|_| open_raw(&hub, "/sync/stream", &[])).collect();
    eventually("the streams are open", || hub.metric("grove_streams_open") == 20.0);
    let before = resident(&hub);
    tell(&hub, NODES, "x");
    slow.iter_mut().for_each(|socket| take(socket, 2 << 20));
    std::thread::sleep(Duration::from_millis(200));
    let grown = resident(&hub).saturating_sub(before) >> 20;
    // All that is present takes some 15 MB.
    assert!(grown < 80, "{grown} MB more");
}

/// What a token's slow streams hold counts, and ends neither them nor what others are told.
#[test]
fn presence_comes_when_there_is_room() {
    let hub = hub(&["--max-body", "1000000", "--max-bodies", "2000000"]);
    let slow: Vec<TcpStream> = (0..20).map(|_| open_raw(&hub, "/sync/stream", &[])).collect();
    let mut of_b = Stream::open_with(&hub, "", &[("authorization", "Bearer b")]);
    assert_eq!(of_b.status, 200);
    eventually("the streams are open", || hub.metric("grove_streams_open") == 21.0);
    let full = || {
        tell(&hub, NODES, "x");
        post(&hub, "nobody", "/sync/pull", &json!({})).status == 429
    };
    eventually("the share is held", full);
    let mut more = Stream::open(&hub, "");
    assert_eq!(more.status, 429);
    while of_b.next_within(Duration::from_millis(300)).is_some() {}
    tell(&hub, 1, "z");
    assert_eq!(of_b.next().json()["data"], json!("z".repeat(16_000)));
    drop(slow);
    eventually("there is room again", || {
        more = Stream::open(&hub, "");
        more.status == 200
    });
    tell(&hub, 1, "y");
    assert_eq!(more.next().json()["data"], json!("y".repeat(16_000)));
}
