//! When `grove-sync run` goes to its peers: at intervals, whatever is written; not for nothing; and not before its time after a failure.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::common::{eventually, lww, Hub};
use crate::edge::{converge, Edge, Running};

fn count(edge: &Edge) -> i64 {
    edge.open().query_row("SELECT count(*) FROM tasks", [], |row| row.get(0)).unwrap()
}

#[test]
fn two_peers_do_not_wake_each_other() {
    let hubs = [Hub::start(&[]), Hub::start(&[])];
    let edge = Edge::new();
    edge.open().execute("INSERT INTO tasks(id) VALUES ('a')", []).unwrap();
    let _running = edge.run(&["--peer", &hubs[0].url, "--peer", &hubs[1].url, "--interval", "3600"]);
    converge(&[edge.path(), hubs[0].path(), hubs[1].path()], 1);
    let conn = edge.open();
    let version = || conn.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap();
    eventually("nobody writes, but the file is written", || {
        let before = version();
        thread::sleep(Duration::from_millis(1500));
        version() == before
    });
}

#[test]
fn pushes_do_not_put_the_interval_off() {
    let hub = Hub::start(&[]);
    let edge = Edge::new();
    let _running = edge.run(&["--peer", &hub.url, "--interval", "1", "--no-stream"]);
    let conn = edge.open();
    for round in 0..3 {
        hub.push(&[lww("tasks", &format!("from the hub {round}"), "title", round, "a", json!("x"))]).ok();
        let mut i = 0;
        eventually("a pull while the file is written", || {
            i += 1;
            conn.execute("INSERT INTO notes VALUES (?1, 'x')", [format!("{round}-{i}")]).unwrap();
            thread::sleep(Duration::from_millis(100));
            count(&edge) == round + 1
        });
    }
}

/// A way to a hub that answers pulls with 503 as long as it is told to.
struct Gate {
    url: String,
    is_shut: Arc<AtomicBool>,
    refused: Arc<AtomicU32>,
}

impl Gate {
    fn to(hub: &Hub) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/sync", listener.local_addr().unwrap());
        let gate = Gate { url, is_shut: Arc::default(), refused: Arc::default() };
        let (is_shut, refused) = (Arc::clone(&gate.is_shut), Arc::clone(&gate.refused));
        let to = hub.address().to_owned();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let mut head = [0; 15];
                while matches!(client.peek(&mut head), Ok(n) if n < head.len() && n > 0) {}
                if is_shut.load(Ordering::SeqCst) && head == *b"POST /sync/pull" {
                    refused.fetch_add(1, Ordering::SeqCst);
                    let _ =
                        (&client).write_all(b"HTTP/1.1 503 Not now\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                    continue;
                }
                let server = TcpStream::connect(&to).unwrap();
                for (mut from, mut to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
                {
                    thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to); // either side may have gone
                        let _ = to.shutdown(std::net::Shutdown::Both);
                    });
                }
            }
        });
        gate
    }
}

#[test]
fn news_do_not_end_the_wait_after_a_failure() {
    let hub = Hub::start(&[]);
    let gate = Gate::to(&hub);
    let edge = Edge::new();
    let _running = edge.run(&["--peer", &gate.url, "--interval", "3600"]);
    hub.push(&[lww("tasks", "first", "title", 0, "a", json!("x"))]).ok();
    eventually("the stream", || hub.metric("grove_streams_open") == 1.0);
    eventually("the first row", || count(&edge) == 1);
    gate.is_shut.store(true, Ordering::SeqCst);
    for step in 1..=60 {
        hub.push(&[lww("tasks", &step.to_string(), "title", step, "a", json!("x"))]).ok();
        thread::sleep(Duration::from_millis(40));
    }
    let refused = gate.refused.load(Ordering::SeqCst);
    assert!((1..=30).contains(&refused), "{refused} pulls for 60 pushes while the peer failed");
    gate.is_shut.store(false, Ordering::SeqCst);
    eventually("the rows that came meanwhile", || count(&edge) == 61);
}

#[test]
fn it_goes_on_when_nobody_reads_its_log() {
    let hub = Hub::start(&[]);
    let edge = Edge::new();
    let (reader, stderr) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_grove-sync"));
    command
        .arg("run")
        .arg(edge.path())
        .args(["--peer", &hub.url, "--interval", "1e19"])
        .env("RUST_LOG", "info")
        .stderr(Stdio::from(stderr));
    let _running = Running::of(command.spawn().unwrap());
    for id in 1..=3 {
        edge.open().execute("INSERT INTO tasks(id) VALUES (?1)", [id.to_string()]).unwrap();
        let there = || hub.database().query_row("SELECT count(*) FROM tasks", [], |row| row.get::<_, i64>(0));
        eventually("what is written after a line that nobody reads", || there() == Ok(id));
    }
}
