//! How `grove-sync run` ends: soon, whatever it is at; at once when it is told twice.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::common::{eventually, lww, Hub};
use crate::edge::Edge;

/// Far more than it takes, and far less than what it would wait for otherwise.
const SOON: Duration = Duration::from_secs(20);

/// A peer that begins to answer and does not come to an end, or does not answer at all.
fn slow_peer(drips: bool, asked: &Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/sync", listener.local_addr().unwrap());
    let asked = Arc::clone(asked);
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let asked = Arc::clone(&asked);
            thread::spawn(move || {
                let _ = client.read(&mut [0; 4096]);
                asked.fetch_add(1, Ordering::Relaxed);
                if drips {
                    let _ = client.write_all(
                        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10000\r\n\r\n",
                    );
                }
                loop {
                    thread::sleep(Duration::from_millis(100));
                    if drips && client.write_all(b" ").is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[test]
fn it_ends_while_a_peer_is_silent_or_drips() {
    for drips in [false, true] {
        let edge = Edge::new();
        edge.open().execute("INSERT INTO tasks(id) VALUES ('a')", []).unwrap();
        let [one, other] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let mut running = edge.run(&["--peer", &slow_peer(drips, &one), "--peer", &slow_peer(!drips, &other)]);
        eventually("both are asked", || one.load(Ordering::Relaxed) > 0 && other.load(Ordering::Relaxed) > 0);
        running.signal("-TERM");
        assert_eq!(running.ended(SOON), Some(0), "drips: {drips}");
        assert_eq!(edge.open().query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(), "ok");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let hub = Hub::start(&[]);
    let edge = Edge::new();
    assert!(edge.sync(&["--peer", &hub.url]).status.success());
    hub.push(&[lww("tasks", "a", "title", 1, "a", json!("x"))]).ok();
    // What it pulls it cannot merge meanwhile.
    let conn = edge.open();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ended = |signals: &[&str]| {
        let pulled = hub.metric("grove_changes_pulled_total");
        let mut running = edge.run(&["--peer", &hub.url]);
        eventually("it has pulled", || hub.metric("grove_changes_pulled_total") > pulled);
        thread::sleep(Duration::from_secs(1)); // now it waits for the lock
        for signal in signals {
            running.signal(signal);
            thread::sleep(Duration::from_millis(300));
        }
        running.ended(SOON)
    };
    assert_eq!(ended(&["-TERM"]), Some(0));
    // Told while it does not wait yet, it is gone before it is told again.
    assert!((0..5).any(|_| ended(&["-INT", "-INT"]) == Some(1)));
    conn.execute_batch("ROLLBACK").unwrap();
    let running = edge.run(&["--peer", &hub.url]);
    let count = || edge.open().query_row("SELECT count(*) FROM tasks", [], |row| row.get::<_, i64>(0)).unwrap();
    eventually("what it could not merge", || count() == 1);
    assert_eq!(running.end(), Some(0));
}
