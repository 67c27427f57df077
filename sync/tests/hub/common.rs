//! A hub of its own for each test: a process, a socket, a database in a folder that goes with it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{json, Value};
use ureq::http;

pub const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, owner TEXT, votes INTEGER DEFAULT 0, tags TEXT DEFAULT '[]');
    CREATE TABLE IF NOT EXISTS notes(id TEXT PRIMARY KEY NOT NULL, body TEXT);
    CREATE TABLE IF NOT EXISTS secrets(id TEXT PRIMARY KEY NOT NULL, word TEXT);
    SELECT crdt_enable('tasks', 'votes:counter', 'tags:set'); SELECT crdt_enable('notes'); SELECT crdt_enable('secrets');";

/// Has every connection opened from here on get the extension.
pub fn extension() {
    use rusqlite::ffi;
    type Entry = unsafe extern "C" fn(
        *mut ffi::sqlite3,
        *mut *mut std::ffi::c_char,
        *const ffi::sqlite3_api_routines,
    ) -> std::ffi::c_int;
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // SAFETY: one C function; the two crates only have different names for the structures it takes.
        let entry = unsafe { std::mem::transmute::<*const (), Entry>(grove_crdt::sqlite3_grovecrdt_init as *const ()) };
        // SAFETY: it is an extension's entry point.
        unsafe { rusqlite::auto_extension::register_auto_extension(entry) }.unwrap();
    });
}

/// A hub at work; killed when it is dropped.
pub struct Hub {
    pub folder: tempfile::TempDir,
    child: Child,
    pub url: String,
    agent: ureq::Agent,
    token: Option<String>,
}

/// An answer, whole.
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The message of an error, whose form is checked.
    pub fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), "application/json");
        assert!(self.body.ends_with('\n'));
        let error = self.json();
        let keys = error.as_object().unwrap();
        assert!(keys.keys().all(|key| key == "error" || key == "rejected" && status == 403), "{error}");
        error["error"].as_str().unwrap().to_owned()
    }

    /// The JSON of a success.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        assert!(self.body.ends_with('\n'));
        self.json()
    }
}

pub fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    config.timeout_global(Some(Duration::from_secs(60))).build().into()
}

fn spawn(folder: &Path, address: &str, options: &[&str]) -> (Child, String) {
    start(Command::new(env!("CARGO_BIN_EXE_grove-sync")), folder, address, options)
}

fn start(mut command: Command, folder: &Path, address: &str, options: &[&str]) -> (Child, String) {
    let mut child = command
        .arg("serve")
        .arg(folder.join("app.db"))
        .args(["--listen", address, "--init"])
        .arg(folder.join("schema.sql"))
        .args(options)
        .env("RUST_LOG", "warn")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("the hub did not start: {line}"));
    (child, url.to_owned())
}

impl Hub {
    pub fn start(options: &[&str]) -> Hub {
        Hub::start_in(tempfile::tempdir().unwrap(), options)
    }

    pub fn start_in(folder: tempfile::TempDir, options: &[&str]) -> Hub {
        std::fs::write(folder.path().join("schema.sql"), SCHEMA).unwrap();
        let (child, url) = spawn(folder.path(), "127.0.0.1:0", options);
        Hub { folder, child, url, agent: agent(), token: None }
    }

    /// A hub that may have so many files open.
    pub fn start_with_files(files: usize) -> Hub {
        Hub::start_within(&format!("ulimit -n {files}"))
    }

    /// A hub that a shell starts after a command.
    pub fn start_within(first: &str) -> Hub {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("schema.sql"), SCHEMA).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{first}; exec \"$@\""), "sh", env!("CARGO_BIN_EXE_grove-sync")]);
        let (child, url) = start(command, folder.path(), "127.0.0.1:0", &[]);
        Hub { folder, child, url, agent: agent(), token: None }
    }

    /// A hub with a token file; requests carry the token of that name.
    pub fn with_tokens(tokens: &Value) -> Hub {
        Hub::with_tokens_and(tokens, &[])
    }

    pub fn with_tokens_and(tokens: &Value, options: &[&str]) -> Hub {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens.json");
        std::fs::write(&file, tokens.to_string()).unwrap();
        let file = file.to_str().unwrap().to_owned();
        Hub::start_in(folder, &[&["--token-file", &file], options].concat())
    }

    /// From here on requests carry this token.
    pub fn as_token(&mut self, token: &str) -> &mut Hub {
        self.token = Some(token.to_owned());
        self
    }

    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts again on the same database, at the same address.
    pub fn restart(&mut self, options: &[&str]) {
        let (child, url) = spawn(self.folder.path(), self.address(), options);
        (self.child, self.url) = (child, url);
    }

    /// Of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.id().to_string()]).status().unwrap().success());
    }

    /// The exit code, once it has ended.
    pub fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Its database, without the extension: its triggers need none.
    pub fn database(&self) -> rusqlite::Connection {
        let conn = rusqlite::Connection::open(self.path()).unwrap();
        conn.busy_timeout(Duration::from_secs(10)).unwrap();
        conn
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("app.db")
    }

    /// The root, without the base path.
    pub fn root(&self) -> &str {
        let end = self.url.match_indices('/').nth(2).map_or(self.url.len(), |(i, _)| i);
        &self.url[..end]
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        self.root().split("//").nth(1).unwrap()
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_send(method, path, headers, body).unwrap()
    }

    /// The answer; an error where the hub takes no connection.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, ureq::Error> {
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", self.root()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut answer = match (method, body) {
            ("GET" | "DELETE" | "OPTIONS", []) => self.agent.run(request.body(()).unwrap()),
            _ => self.agent.run(request.body(body).unwrap()),
        }?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.body_mut().with_config().limit(1 << 30).read_to_string()?;
        Ok(Answer { status, headers, body })
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    pub fn push(&self, changes: &[Value]) -> Answer {
        self.post("/sync/push", &json!({ "node_id": "tester", "changes": changes }))
    }

    /// What a pull of everything gives: the changes.
    pub fn pull(&self, request: &Value) -> Vec<Value> {
        self.post("/sync/pull", request).ok()["changes"].as_array().unwrap().clone()
    }

    /// The sum of a metric over its labels.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").body;
        let lines =
            text.lines().filter(|line| line.starts_with(&format!("{name} ")) || line.starts_with(&format!("{name}{{")));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A stamp of some moments ago: whole microseconds.
pub fn ts(step: i64) -> i64 {
    1_700_000_000_000_000_000 + step * 1000
}

pub fn lww(table: &str, pk: &str, field: &str, step: i64, node: &str, value: Value) -> Value {
    json!({"table": table, "pk": pk, "field": field, "crdt_type": "lww", "hlc": {"ts": ts(step), "c": 0, "node": node},
           "node_id": node, "value": value})
}

pub fn delete(table: &str, pk: &str, step: i64, node: &str) -> Value {
    json!({"table": table, "pk": pk, "field": "_tombstone", "crdt_type": "", "hlc": {"ts": ts(step), "c": 0, "node": node},
           "node_id": node, "tombstone": true})
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A number for the record, from the environment.
pub fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// How long is waited for what is to come: far more than it takes, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Tries until it holds, as long as there is patience.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What the quickest of several tries takes. A try that waits for what it should not wait for is not quick on any machine; one may be
/// slow because the machine is.
pub fn quickest(tries: usize, mut attempt: impl FnMut(usize)) -> Duration {
    let took = (0..tries).map(|i| {
        let begun = Instant::now();
        attempt(i);
        begun.elapsed()
    });
    took.min().unwrap()
}
