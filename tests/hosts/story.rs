//! The story of the `*.sql` files in Rust: two nodes start alike, part, and meet again.

use super::common::text;
use rusqlite::Connection;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

pub fn digest(conn: &Connection) -> String {
    text(conn, "SELECT crdt_digest('tasks')", [])
}

/// Merges all that `source` has into `target`; the number of changes taken.
pub fn send(source: &Connection, target: &Connection) -> String {
    let changes = text(source, "SELECT crdt_changes_since(NULL)", []);
    let merged = "SELECT json_extract(crdt_merge(?1), '$.merged')";
    text(target, merged, [changes])
}

/// Both nodes hold the expected rows and are one.
pub fn check(phone: &Connection, laptop: &Connection, expected: &str) {
    for node in [phone, laptop] {
        assert_eq!(text(node, include_str!("rows.sql"), []), expected.trim_end());
    }
    assert_eq!(digest(phone), digest(laptop));
}

fn merge_apart(phone: &Connection, laptop: &Connection) {
    for node in [phone, laptop] {
        node.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA journal_mode = WAL;").unwrap();
        node.execute_batch(include_str!("schema.sql")).unwrap();
    }
    phone.execute_batch(include_str!("seed.sql")).unwrap();
    send(phone, laptop);
    phone.execute_batch(include_str!("phone.sql")).unwrap();
    sleep(Duration::from_millis(20));
    laptop.execute_batch(include_str!("laptop.sql")).unwrap();
    send(phone, laptop);
    send(laptop, phone);
    assert_eq!(send(phone, laptop), "0");
    check(phone, laptop, include_str!("merged.txt"));
    assert_ne!(text(phone, "SELECT count(*) FROM _tasks_crdt", []), "0");
}

/// `attach` gives the extension to a connection. `close` is `sqlite3_close`, which fails while statements are open.
pub fn run(attach: impl Fn(&Connection)) {
    let with_extension = |conn: rusqlite::Result<Connection>| {
        let conn = conn.unwrap();
        attach(&conn);
        conn
    };
    let open = |path: &Path| with_extension(Connection::open(path));

    let (phone, laptop) = (open(":memory:".as_ref()), open(":memory:".as_ref()));
    merge_apart(&phone, &laptop);
    phone.close().unwrap();
    laptop.close().unwrap();

    let folder = tempfile::tempdir().unwrap();
    let files = [folder.path().join("phone.db"), folder.path().join("laptop.db")];
    let (phone, laptop) = (open(&files[0]), open(&files[1]));
    merge_apart(&phone, &laptop);
    phone.close().unwrap();
    laptop.close().unwrap();
    assert!(!folder.path().join("phone.db-wal").exists());

    super::write_bare(&files[0]);
    let read_only = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let reader = with_extension(Connection::open_with_flags(&files[0], read_only));
    let laptop = open(&files[1]);
    assert!(text(&reader, "SELECT crdt_status()", []).starts_with('{'));
    let seen = digest(&reader);
    send(&reader, &laptop);
    reader.close().unwrap();
    let phone = open(&files[0]);
    assert_eq!(digest(&phone), seen);
    check(&phone, &laptop, include_str!("final.txt"));
    phone.close().unwrap();
    laptop.close().unwrap();
}
