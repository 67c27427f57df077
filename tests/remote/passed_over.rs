//! What one peer will not have holds up nothing else.

use std::time::{Duration, Instant};

use super::endpoint::{hub, Heard};
use super::{common, database, digest, prepare, sync};

struct Hub {
    _folder: tempfile::TempDir,
    conn: rusqlite::Connection,
    url: String,
    heard: Heard,
}

fn start() -> Hub {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let conn = common::open_file(&file);
    prepare(&conn, "hub");
    let (url, heard) = hub(&file, |_| None);
    Hub { _folder: folder, conn, url, heard }
}

/// A page at a time, as `grove-sync` goes.
fn paged(conn: &rusqlite::Connection, url: &str, retry: bool) -> serde_json::Value {
    let options = format!(r#"{{"page":10,"pages":1,"json":true,"retry":{retry}}}"#);
    loop {
        let told = common::text(conn, "SELECT crdt_sync(?, ?)", [url, &options]);
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        if told["has_more"] == false {
            return told;
        }
    }
}

/// Under its column's new name it is another text, and the same change.
#[test]
fn what_was_refused_before_its_column_was_renamed() {
    let hub = start();
    hub.conn.execute_batch("SELECT crdt_pragma('max_value_bytes', '20')").unwrap();
    let ann = database("ann");
    ann.execute_batch("INSERT INTO tasks(id, title) VALUES ('a', 'a title that is too long for the hub')").unwrap();
    assert_eq!(paged(&ann, &hub.url, false)["rejected"], 1);
    let rename = "SELECT crdt_alter('tasks', 'RENAME COLUMN title TO name')";
    common::text(&ann, rename, []);
    assert_eq!(paged(&ann, &hub.url, true)["rejected"], 1, "it is still refused");
    common::text(&hub.conn, rename, []);
    hub.conn.execute_batch("SELECT crdt_pragma('max_value_bytes', '2000')").unwrap();
    assert_eq!(paged(&ann, &hub.url, true)["rejected"], 0);
    assert_eq!(digest(&ann), digest(&hub.conn));
}

#[test]
fn the_pages_after_a_refused_change() {
    let hub = start();
    hub.conn.execute_batch("SELECT crdt_pragma('max_value_bytes', '20')").unwrap();
    let ann = database("ann");
    ann.execute_batch(
        "INSERT INTO tasks(id, title) VALUES ('a', 'a title that is too long for the hub');
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO tasks(id, title) SELECT i, 'x' FROM n",
    )
    .unwrap();
    let told = paged(&ann, &hub.url, false);
    assert_eq!(told["rejected"], 1);
    assert!(told["reason"].as_str().unwrap().contains("max_value_bytes"), "{told}");
    assert_eq!(common::text(&hub.conn, "SELECT count(*) FROM tasks WHERE title = 'x'", []), "100");
    // It is told of, and not sent again, until somebody asks for that.
    let before = hub.heard.lock().unwrap().len();
    let again = paged(&ann, &hub.url, false);
    assert_eq!((&again["rejected"], &again["pushed"]), (&1.into(), &0.into()));
    let status: serde_json::Value = serde_json::from_str(&common::text(&ann, "SELECT crdt_status()", [])).unwrap();
    let remote = &status["remotes"][0];
    assert_eq!((&remote["url"], &remote["tables"][0]), (&hub.url.as_str().into(), &"tasks".into()));
    assert_eq!((&remote["lag"], &remote["refused"], &remote["reason"]), (&0.into(), &1.into(), &told["reason"]));
    assert!(hub.heard.lock().unwrap()[before..].iter().all(|(route, _)| route != "/sync/push"));
    hub.conn.execute_batch("SELECT crdt_pragma('max_value_bytes', '2000')").unwrap();
    assert_eq!(paged(&ann, &hub.url, true)["rejected"], 0);
    assert_eq!(digest(&ann), digest(&hub.conn));
    assert_eq!(common::text(&ann, "SELECT count(*) FROM _crdt_refused", []), "0");
}

#[test]
fn a_later_write_stands_for_a_refused_one() {
    let hub = start();
    hub.conn.execute_batch("SELECT crdt_pragma('max_value_bytes', '20')").unwrap();
    let ann = database("ann");
    ann.execute_batch("INSERT INTO tasks(id, title) VALUES ('a', 'a title that is too long for the hub')").unwrap();
    assert!(sync(&ann, &hub.url).contains(" rejected=1 ("));
    ann.execute_batch("UPDATE tasks SET title = 'short'").unwrap();
    sync(&ann, &hub.url);
    assert!(!sync(&ann, &hub.url).contains("rejected"));
    assert_eq!(digest(&ann), digest(&hub.conn));
}

/// A filter says what goes out from here. What left it need not be taken from the hub, and must not hold up the rest.
#[test]
fn a_row_that_left_the_filter_of_an_edge() {
    let hub = start();
    let ann = database("ann");
    ann.execute_batch(
        "SELECT crdt_filter('tasks', 'title <> ''draft'''); INSERT INTO tasks(id, title) VALUES ('a', 'x')",
    )
    .unwrap();
    sync(&ann, &hub.url);
    ann.execute_batch("UPDATE tasks SET title = 'draft'; INSERT INTO tasks(id, title) VALUES ('b', 'y')").unwrap();
    assert!(!sync(&ann, &hub.url).contains("rejected"));
    assert_eq!(common::text(&hub.conn, "SELECT group_concat(id || title) FROM tasks", []), "ax,by");
    assert_eq!(sync(&ann, &hub.url), "pulled=0 pushed=0 merged=0 conflicts=0");
}

#[test]
fn a_table_that_the_peer_does_not_have() {
    let hub = start();
    let ann = database("ann");
    let later = "CREATE TABLE later(id INTEGER PRIMARY KEY, x); SELECT crdt_enable('later');";
    ann.execute_batch(later).unwrap();
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('t'); INSERT INTO later VALUES (1, 'x')").unwrap();
    for _ in 0..2 {
        let told = sync(&ann, &hub.url);
        assert!(told.contains(" failed=1 (later: ") && told.contains("400"), "{told}");
        assert_eq!(digest(&ann), digest(&hub.conn));
    }
    hub.conn.execute_batch("INSERT INTO tasks(id) VALUES ('u')").unwrap();
    let told = sync(&ann, &hub.url);
    assert!(told.starts_with("pulled=2 pushed=0 "), "the table that both have goes on from where it was: {told}");
    hub.conn.execute_batch(later).unwrap();
    assert!(!sync(&ann, &hub.url).contains("failed"));
    assert_eq!(common::text(&hub.conn, "SELECT x FROM later", []), "x");
    // With nothing but such a table there is nothing to tell but the error.
    ann.execute_batch("CREATE TABLE own(id INTEGER PRIMARY KEY); SELECT crdt_enable('own')").unwrap();
    assert!(common::error(&ann, "SELECT crdt_sync(?, '{\"tables\":[\"own\"]}')", [&hub.url]).contains("own"));
}

/// What a peer says is kept and told: a sentence, not lines of a log or a terminal's commands.
#[test]
fn reasons_of_a_peer_are_cut_and_cleaned() {
    let reason = format!("no\n2026-01-01 INFO forged \u{1b}[31m{}", "y".repeat(100_000));
    let url = super::endpoint::start(move |request| {
        let pushed = serde_json::json!({"merged": 0, "latest_hlc": {"ts": 1, "c": 0, "node": "z"}, "rejected": [{"index": 0, "reason": reason}]});
        let pulled = serde_json::json!({"changes": [], "latest_hlc": {"ts": 0, "c": 0, "node": "z~0"}});
        let answer = if request.route.ends_with("push") { pushed } else { pulled };
        super::endpoint::Reply::Answer(200, answer.to_string())
    });
    let ann = database("ann");
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('t')").unwrap();
    let told = sync(&ann, &url);
    assert!(told.contains("rejected=1 (no\u{fffd}2026") && !told.contains(['\n', '\u{1b}']), "{told}");
    let kept: usize = common::text(&ann, "SELECT max(length(reason)) || '' FROM _crdt_refused", []).parse().unwrap();
    assert!(kept <= 501, "{kept}");
}

/// The password of an address is for its requests: it is neither kept nor told.
#[test]
fn a_password_is_not_told() {
    let (tell, told) = std::sync::mpsc::channel();
    let url = super::endpoint::start(move |request| {
        tell.send(request.authorization.unwrap_or_default()).unwrap();
        super::endpoint::Reply::Answer(500, "{\"error\":\"no\"}".to_owned())
    });
    let ann = database("ann");
    let with = url.replace("http://", "http://ann:sesame@");
    let failed = common::error(&ann, "SELECT crdt_sync(?)", [&with]);
    assert!(failed.contains("http://ann@127.0.0.1") && !failed.contains("sesame"), "{failed}");
    assert_eq!(told.recv().unwrap(), "Basic YW5uOnNlc2FtZQ==", "the peer is told");
    let gone = common::error(&ann, "SELECT crdt_sync('http://ann:sesame@127.0.0.1:1/sync')", []);
    assert!(!gone.contains("sesame"), "{gone}");
    let wrong = common::error(&ann, "SELECT crdt_sync('http://ann:sesame@hub.example/sync?a=b')", []);
    assert!(wrong.contains("not 'http://ann@hub.example/sync?a=b'"), "{wrong}");
    let hub = start();
    sync(&ann, &hub.url.replace("http://", "http://ann:sesame@"));
    let status = common::text(&ann, "SELECT crdt_status()", []);
    assert!(status.contains("http://ann@127.0.0.1") && !status.contains("sesame"), "{status}");
    let kept = common::text(&ann, "SELECT group_concat(url) FROM _crdt_remote", []);
    assert!(!kept.contains("sesame"), "{kept}");
}

/// A line that brings a few bytes at a time is slow, not silent.
#[test]
fn a_slow_line_is_no_silence() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/sync", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let push = request.starts_with(b"POST /sync/push");
            let body: &str = if push {
                r#"{"merged":1,"latest_hlc":{"ts":1,"c":0,"node":"hub~0"},"rejected":[]}"#
            } else {
                r#"{"changes":[],"latest_hlc":{"ts":0,"c":0,"node":"hub~0"},"has_more":false}"#
            };
            let answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            for part in answer.as_bytes().chunks(20) {
                std::thread::sleep(Duration::from_millis(150));
                if stream.write_all(part).is_err() {
                    break;
                }
            }
        }
    });
    let ann = database("ann");
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('t')").unwrap();
    let began = Instant::now();
    let told = common::text(&ann, "SELECT crdt_sync(?, '{\"timeout\":\"700ms\"}')", [&url]);
    assert!(told.starts_with("pulled=0 pushed="), "{told}");
    assert!(began.elapsed() > Duration::from_millis(1400), "it took longer than the timeout: {:?}", began.elapsed());
}
