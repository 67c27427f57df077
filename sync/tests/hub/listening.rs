//! How `grove-sync run` listens to peers, and to what is in between, that answer its streams in other ways than hubs do.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::common::{eventually, lww, Hub};
use crate::edge::Edge;

/// What becomes of a request.
#[derive(Clone, Copy)]
enum Fate {
    /// The hub answers.
    Pass,
    /// Nobody does, until it is to end in another way.
    Hold,
    /// This is the answer.
    Answer(&'static str),
}

const NOT_FOUND: Fate = Fate::Answer("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
const FAILED: Fate = Fate::Answer("HTTP/1.1 500 Failed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
const PAGE: Fate = Fate::Answer(
    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 7\r\nconnection: close\r\n\r\n<html>\n",
);

/// What is known of the requests that went through.
#[derive(Default)]
struct Seen {
    /// Their first lines.
    lines: Vec<String>,
    open: Vec<TcpStream>,
}

/// A way to a hub on which routes can be made to fail.
struct Way {
    url: String,
    fates: Arc<Mutex<Vec<(&'static str, Fate)>>>,
    seen: Arc<Mutex<Seen>>,
}

impl Way {
    fn to(hub: &Hub, fates: &[(&'static str, Fate)]) -> Way {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/sync", listener.local_addr().unwrap());
        let way = Way { url, fates: Arc::new(Mutex::new(fates.to_vec())), seen: Arc::default() };
        let (to, fates, seen) = (hub.address().to_owned(), Arc::clone(&way.fates), Arc::clone(&way.seen));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (to, fates, seen) = (to.clone(), Arc::clone(&fates), Arc::clone(&seen));
                // Either side may have gone.
                thread::spawn(move || drop(carry(client, &to, &fates, &seen)));
            }
        });
        way
    }

    /// From here on the route's requests end so.
    fn set(&self, route: &'static str, fate: Fate) {
        self.fates.lock().unwrap().insert(0, (route, fate));
    }

    /// Ends all that is open.
    fn cut(&self) {
        self.seen().open.drain(..).for_each(|client| drop(client.shutdown(Shutdown::Both)));
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// How often the route was asked for.
    fn asked(&self, route: &str) -> usize {
        self.seen().lines.iter().filter(|line| line.contains(route)).count()
    }
}

/// One request.
fn carry(
    mut client: TcpStream,
    to: &str,
    fates: &Mutex<Vec<(&'static str, Fate)>>,
    seen: &Mutex<Seen>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let line = head.lines().next().unwrap_or_default().to_owned();
    {
        let mut seen = seen.lock().unwrap();
        seen.lines.push(line.clone());
        seen.open.push(client.try_clone()?);
    }
    let fate = || fates.lock().unwrap().iter().find(|(route, _)| line.contains(route)).map_or(Fate::Pass, |it| it.1);
    while matches!(fate(), Fate::Hold) {
        thread::sleep(Duration::from_millis(10));
    }
    match fate() {
        Fate::Hold => Ok(()),
        Fate::Answer(answer) => {
            client.write_all(answer.as_bytes())?;
            // What has not been read would reset the connection.
            client.shutdown(Shutdown::Write)?;
            client.set_read_timeout(Some(Duration::from_secs(2)))?;
            std::io::copy(&mut client, &mut std::io::sink()).map(drop)
        }
        Fate::Pass => {
            let mut server = TcpStream::connect(to)?;
            server.write_all(head.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1).as_bytes())?;
            let (mut from, mut up) = (client.try_clone()?, server.try_clone()?);
            thread::spawn(move || {
                drop(std::io::copy(&mut from, &mut up));
                drop(up.shutdown(Shutdown::Both));
            });
            drop(std::io::copy(&mut server, &mut client));
            client.shutdown(Shutdown::Both)
        }
    }
}

fn streams(hub: &Hub) -> f64 {
    hub.metric("grove_streams_open")
}

#[test]
fn a_moment_without_streams_is_not_for_ever() {
    let hub = Hub::start(&[]);
    let way = Way::to(&hub, &[]);
    let edge = Edge::new();
    let _running = edge.run(&["--peer", &way.url, "--interval", "3600"]);
    // The hub counts a stream before the peer has one: cut by then, it would be the first of a peer that never had any.
    eventually("a stream, and the round that comes with it", || streams(&hub) == 1.0 && way.asked("/pull") == 2);
    way.set("/stream", NOT_FOUND);
    way.cut();
    eventually("a stream that is not found", || way.asked("/stream") == 2);
    way.set("/stream", Fate::Pass);
    eventually("another stream", || way.asked("/stream") > 2 && streams(&hub) == 1.0);
}

#[test]
fn a_stream_that_ends_has_the_peer_asked_whether_it_is_there() {
    let hub = Hub::start(&[]);
    let way = Way::to(&hub, &[]);
    let edge = Edge::new();
    let _running = edge.run(&["--peer", &way.url, "--interval", "3600"]);
    eventually("a stream, and the round that comes with it", || streams(&hub) == 1.0 && way.asked("/pull") == 2);
    way.set("/stream", Fate::Hold);
    way.cut();
    eventually("a pull", || way.asked("/pull") == 3);
}

#[test]
fn rounds_that_go_well_again_have_a_stream_asked_for_where_there_was_none() {
    let hub = Hub::start(&[]);
    let way = Way::to(&hub, &[("/stream", NOT_FOUND)]);
    let edge = Edge::new();
    let _running = edge.run(&["--peer", &way.url, "--interval", "0.2"]);
    eventually("no stream", || way.asked("/stream") == 1);
    thread::sleep(Duration::from_millis(600));
    assert_eq!(way.asked("/stream"), 1, "not soon");
    way.set("/stream", Fate::Pass);
    way.set("/pull", FAILED);
    let before = way.asked("/pull");
    eventually("a pull that fails", || way.asked("/pull") > before + 1);
    way.set("/pull", Fate::Pass);
    eventually("a stream", || streams(&hub) == 1.0);
}

#[test]
fn rounds_that_go_well_again_while_a_stream_is_asked_for_are_seen() {
    let hub = Hub::start(&[]);
    let way = Way::to(&hub, &[("/stream", Fate::Hold)]);
    let edge = Edge::new();
    let _running = edge.run(&["--peer", &way.url, "--interval", "0.2"]);
    eventually("the request", || way.asked("/stream") == 1);
    for (what, fate) in [("a pull that fails", FAILED), ("pulls that do not", Fate::Pass)] {
        way.set("/pull", fate);
        let before = way.asked("/pull");
        eventually(what, || way.asked("/pull") > before + 2);
    }
    way.set("/stream", NOT_FOUND);
    eventually("another request", || way.asked("/stream") == 2);
}

#[test]
fn a_page_is_no_stream() {
    let hub = Hub::start(&[]);
    let way = Way::to(&hub, &[("/stream", PAGE)]);
    let edge = Edge::new();
    let _running = edge.run(&["--peer", &way.url, "--interval", "3600"]);
    eventually("pages", || way.asked("/stream") == 3);
    assert_eq!(way.asked("/pull"), 1, "nothing came, so there is nothing to pull");
}

#[test]
fn it_listens_though_pushes_fail() {
    let hub = Hub::start(&[]);
    let way = Way::to(&hub, &[("/push", FAILED)]);
    let edge = Edge::new();
    edge.open().execute("INSERT INTO tasks(id) VALUES ('a')", []).unwrap();
    let _running = edge.run(&["--peer", &way.url, "--interval", "3600"]);
    eventually("a stream", || streams(&hub) == 1.0);
}

#[test]
fn it_listens_to_a_peer_that_lacks_one_of_the_tables() {
    let hub = Hub::start(&[]);
    let edge = Edge::new();
    edge.open().execute_batch("CREATE TABLE own(id INTEGER PRIMARY KEY); SELECT crdt_enable('own')").unwrap();
    let _running = edge.run(&["--peer", &hub.url, "--tables", "tasks,own", "--interval", "3600"]);
    eventually("a stream", || streams(&hub) == 1.0);
    hub.push(&[lww("tasks", "a", "title", 1, "a", json!("x"))]).ok();
    let there = || edge.open().query_row("SELECT count(*) FROM tasks", [], |row| row.get::<_, i64>(0)) == Ok(1);
    eventually("what the stream told of", there);
}
