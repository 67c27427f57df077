//! An HTTP endpoint for tests: one request a connection, answered as the test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What an endpoint does with a request.
pub enum Reply {
    /// A status and a body.
    Answer(u16, String),
    /// The connection ends without an answer.
    Cut,
    /// No answer comes, and the connection stays.
    Hang,
}

/// A request, as it came.
pub struct Request {
    pub route: String,
    pub authorization: Option<String>,
    pub body: String,
}

/// Starts an endpoint; its address.
pub fn start(answer: impl FnMut(Request) -> Reply + Send + 'static) -> String {
    start_up_to(Arc::new(usize::MAX.into()), answer)
}

/// One that ends the connection where a body is longer than `most`, and does not read it.
fn start_up_to(most: Arc<AtomicUsize>, answer: impl FnMut(Request) -> Reply + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/sync", listener.local_addr().unwrap());
    let mut answer = answer;
    std::thread::spawn(move || {
        let mut hanging = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let Some(request) = read(&stream, most.load(Ordering::SeqCst)) else { continue };
            match answer(request) {
                Reply::Answer(status, body) => {
                    let _ = write!(
                        stream,
                        "HTTP/1.1 {status} Some reason\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                        body.len()
                    );
                }
                Reply::Cut => {}
                Reply::Hang => hanging.push(stream),
            }
        }
    });
    url
}

fn read(stream: &TcpStream, most: usize) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let route = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut authorization) = (0, None);
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "authorization" => authorization = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    if length > most {
        return None;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { route, authorization, body: String::from_utf8(body).ok()? })
}

/// The requests that an endpoint got: route and body.
pub type Heard = Arc<Mutex<Vec<(String, String)>>>;

/// An endpoint over a database file, as anyone would write it; `first` may answer instead.
pub fn hub(file: &Path, first: impl FnMut(&Request) -> Option<Reply> + Send + 'static) -> (String, Heard) {
    hub_up_to(Arc::new(usize::MAX.into()), file, first)
}

/// The same, where connections break over bodies that are longer than `most`.
pub fn hub_up_to(
    most: Arc<AtomicUsize>,
    file: &Path,
    mut first: impl FnMut(&Request) -> Option<Reply> + Send + 'static,
) -> (String, Heard) {
    let heard = Heard::default();
    let (file, noted) = (file.to_owned(), Arc::clone(&heard));
    let url = start_up_to(most, move |request| {
        noted.lock().unwrap().push((request.route.clone(), request.body.clone()));
        first(&request).unwrap_or_else(|| serve(&file, &request))
    });
    (url, heard)
}

/// The honest answer.
pub fn serve(file: &Path, request: &Request) -> Reply {
    let sql = match request.route.as_str() {
        "/sync/pull" => "SELECT crdt_pull(?)",
        "/sync/push" => "SELECT crdt_push(?)",
        _ => return Reply::Answer(404, "{\"error\":\"no such route\"}".to_owned()),
    };
    let conn = crate::common::open_file(file);
    match conn.query_row(sql, [&request.body], |row| row.get(0)) {
        Ok(answer) => Reply::Answer(200, answer),
        Err(e) => Reply::Answer(400, serde_json::json!({ "error": e.to_string() }).to_string()),
    }
}
