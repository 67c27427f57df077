//! A reader of event streams that sees every byte.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Hub, PATIENCE};

/// An event, and when its last line came.
#[derive(Debug, Clone)]
pub struct Event {
    pub name: String,
    pub data: String,
    pub id: Option<String>,
    pub at: Instant,
}

impl Event {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }

    pub fn changes(&self) -> Vec<Value> {
        assert_eq!(self.name, "changes", "{self:?}");
        self.json().as_array().unwrap().clone()
    }
}

/// An open stream.
pub struct Stream {
    pub status: u16,
    pub head: String,
    lines: Receiver<(String, Instant)>,
    ready: VecDeque<Event>,
    socket: TcpStream,
}

/// Asks for a stream and leaves its body unread.
pub fn open_raw(hub: &Hub, path: &str, headers: &[(&str, &str)]) -> TcpStream {
    let mut socket = TcpStream::connect(hub.address()).unwrap();
    let mut head = format!("GET {path} HTTP/1.1\r\nhost: hub\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(token) = hub.token() {
        head.push_str(&format!("authorization: Bearer {token}\r\n"));
    }
    socket.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    socket
}

impl Stream {
    pub fn open(hub: &Hub, query: &str) -> Stream {
        Stream::open_with(hub, query, &[])
    }

    pub fn open_with(hub: &Hub, query: &str, headers: &[(&str, &str)]) -> Stream {
        Stream::open_at(hub, &format!("/sync/stream?{query}"), headers)
    }

    pub fn open_at(hub: &Hub, path: &str, headers: &[(&str, &str)]) -> Stream {
        let socket = open_raw(hub, path, headers);
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "the head is cut off: {head}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let (send, lines) = channel();
        std::thread::spawn(move || {
            let mut rest = Vec::new();
            while let Some(chunk) = chunk(&mut reader) {
                rest.extend(chunk);
                while let Some(end) = rest.iter().position(|b| *b == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    let line = String::from_utf8(line).unwrap();
                    assert!(!line.contains('\r'), "LF only");
                    if send.send((line.trim_end_matches('\n').to_owned(), Instant::now())).is_err() {
                        return;
                    }
                }
            }
        });
        Stream { status, head, lines, ready: VecDeque::new(), socket }
    }

    /// The next event; None when the stream has ended, or nothing comes in time.
    pub fn next_within(&mut self, time: Duration) -> Option<Event> {
        if let Some(event) = self.ready.pop_front() {
            return Some(event);
        }
        let until = Instant::now() + time;
        let (mut name, mut data, mut id) = (String::new(), Vec::new(), None);
        loop {
            let (line, at) = match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            };
            match line.split_once(": ").unwrap_or((&line, "")) {
                ("", "") if data.is_empty() => {}
                ("", "") => return Some(Event { name, data: data.join("\n"), id, at }),
                ("event", value) => name = value.to_owned(),
                ("data", value) => data.push(value.to_owned()),
                ("id", value) => id = Some(value.to_owned()),
                _ => assert!(line.starts_with(':'), "an odd line: {line}"),
            }
        }
    }

    pub fn next(&mut self) -> Event {
        self.next_within(PATIENCE).expect("an event")
    }

    pub fn is_quiet(&mut self, time: Duration) -> bool {
        let event = self.next_within(time);
        let quiet = event.is_none();
        self.ready.extend(event);
        quiet
    }

    /// Whether the hub ends the stream in time.
    pub fn ends_within(&mut self, time: Duration) -> bool {
        let until = Instant::now() + time;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        drop(self.socket.shutdown(std::net::Shutdown::Both));
    }
}

/// One chunk of a chunked body; None at its end.
fn chunk(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut size = String::new();
    if reader.read_line(&mut size).ok()? == 0 {
        return None;
    }
    let size = usize::from_str_radix(size.trim(), 16).ok()?;
    let mut bytes = vec![0; size + 2];
    reader.read_exact(&mut bytes).ok()?;
    bytes.truncate(size);
    (size > 0).then_some(bytes)
}
