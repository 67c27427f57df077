//! What the processes do that share one file.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use crate::common::{load, open, text};
use crate::support::{merge, page, run, table, TASKS};

/// The first record of the log, which nobody writes again.
pub const FIRST: &str = "first";

/// Between two calls of those who go on for ever, so that others come to write.
const PAUSE: Duration = Duration::from_millis(4);

/// What a process is told by its environment.
pub struct Part {
    pub role: String,
    pub file: PathBuf,
    pub id: u64,
    pub transactions: u64,
}

impl Part {
    /// The part that this process has to play, if it is one of ours.
    pub fn read() -> Option<Part> {
        let var = |name: &str| std::env::var(name).ok();
        Some(Part {
            role: var("PART_ROLE")?,
            file: var("PART_FILE")?.into(),
            id: var("PART_ID")?.parse().ok()?,
            transactions: var("PART_TRANSACTIONS")?.parse().ok()?,
        })
    }

    pub fn play(&self) {
        match self.role.as_str() {
            "writer" => self.write(),
            "merger" => self.merge(),
            "exporter" => self.export(),
            _ => self.follow(),
        }
    }

    /// A connection: every other process waits for locks by a timeout, the rest gets SQLITE_BUSY at once and tries again. Of the
    /// writers every fourth has not loaded the extension.
    fn open(&self) -> Connection {
        let conn = Connection::open(&self.file).unwrap();
        if !self.is_bare() {
            load(&conn).unwrap();
        }
        let timeout = if self.id.is_multiple_of(2) { 30_000 } else { 0 };
        run(&conn, &format!("PRAGMA busy_timeout = 30000; PRAGMA synchronous = OFF; PRAGMA busy_timeout = {timeout}"));
        conn
    }

    fn is_bare(&self) -> bool {
        self.role == "writer" && self.id % 4 == 3
    }

    fn stopped(&self) -> bool {
        stop_file(&self.file).exists()
    }

    fn write(&self) {
        let conn = self.open();
        for i in 0..self.transactions {
            let sql = transaction(self.id, i);
            patiently(&conn, |conn| conn.execute_batch(&sql));
            if i % 10 == 9 && !self.is_bare() {
                let mut stamp = String::new();
                patiently(&conn, |conn| {
                    stamp = conn.query_row("SELECT crdt_now()", [], |row| row.get(0))?;
                    Ok(())
                });
                tell(&format!("stamp {stamp}"));
            }
        }
        tell("done");
    }

    /// Merges what another node writes.
    fn merge(&self) {
        let conn = self.open();
        let peer = open();
        run(&peer, &format!("SELECT crdt_node_id('peer'); {TASKS}"));
        let mut cursor: Option<String> = None;
        for i in 0..self.transactions / 5 {
            run(&peer, &format!("INSERT INTO tasks(id, title) VALUES ('m-{i}', '{i}'); INSERT OR IGNORE INTO tasks(id) VALUES ('shared'); UPDATE tasks SET priority = priority + 1, tags = json_array('m', {i} % 5) WHERE id = 'shared'"));
            let page = page(&text(&peer, "SELECT crdt_changes_since(?1)", [&cursor]));
            patiently(&conn, |conn| conn.query_row("SELECT crdt_merge(?1)", [&page.json], |_| Ok(())));
            cursor = Some(page.cursor);
        }
        tell("done");
    }

    /// Exports, folds, cleans up until it is stopped.
    fn export(&self) {
        let conn = self.open();
        for turn in 0.. {
            if self.stopped() {
                break;
            }
            let sql = match turn % 4 {
                0 => "SELECT crdt_changes_since(NULL, NULL, 50)",
                1 => "SELECT crdt_pull('{\"node_id\":\"x\",\"tables\":[\"tasks\"]}')",
                2 => "SELECT crdt_cleanup_tombstones()",
                _ => "SELECT crdt_digest('tasks')",
            };
            patiently(&conn, |conn| conn.query_row(sql, [], |_| Ok(())));
            std::thread::sleep(PAUSE);
        }
        tell("done");
    }

    /// Polls with a cursor until it is stopped; what it was sent makes a replica, which must be equal in the end.
    fn follow(&self) {
        let conn = self.open();
        let replica = open();
        run(&replica, &format!("SELECT crdt_node_id('replica'); {TASKS}"));
        let (mut cursor, mut last): (Option<String>, bool) = (None, false);
        let mut seen = std::collections::BTreeSet::new();
        let (mut repeats, mut polls, mut starts) = (0_u64, 0_u64, 0_u64);
        while !last {
            std::thread::sleep(PAUSE);
            last = self.stopped();
            loop {
                // Reading never answers SQLITE_BUSY in WAL mode. With a rollback journal a commit shuts readers out, as SQLite does.
                let mut json = String::new();
                patiently(&conn, |conn| {
                    json = conn.query_row("SELECT crdt_changes_since(?1, NULL, 500)", [&cursor], |row| row.get(0))?;
                    Ok(())
                });
                let page = page(&json);
                // A cursor whose row is pruned starts over, and then all comes again.
                if page.changes.iter().any(|change| change["pk"] == FIRST) {
                    starts += 1;
                    seen.clear();
                }
                // What is written once comes once. A field that is written again may come as it is now for either write.
                let once =
                    |c: &&serde_json::Value| c["field"] == "title" && c["pk"] != "shared" && c["tombstone"] != true;
                for change in page.changes.iter().filter(once) {
                    repeats += u64::from(!seen.insert(format!("{}{}{}", change["pk"], change["field"], change["hlc"])));
                }
                merge(&replica, &page.json);
                cursor = Some(page.cursor);
                polls += 1;
                if !page.more {
                    break;
                }
                std::thread::sleep(PAUSE);
            }
        }
        run(&conn, "PRAGMA busy_timeout = 30000");
        assert_eq!(table(&replica, "tasks"), table(&conn, "tasks"), "the cursor left a gap");
        let digest = |conn| text(conn, "SELECT crdt_digest('tasks', 'full')", []);
        assert_eq!(digest(&replica), digest(&conn));
        tell(&format!("polls {polls} {starts} {repeats}"));
        tell("done");
    }
}

/// Whether a transaction is taken back by its own process.
pub fn is_taken_back(i: u64) -> bool {
    i % 7 == 4
}

/// The `i`-th transaction of a writer: one row, and one more for the counter that all share.
fn transaction(id: u64, i: u64) -> String {
    let row = format!("INSERT INTO tasks(id, title, done) VALUES ('w{id}-{i}', '{i}', {id});");
    let count = "UPDATE tasks SET priority = priority + 1 WHERE id = 'shared';";
    let tags = format!("UPDATE tasks SET tags = json_array('w{id}', {i} % 3), title = 'by {id}' WHERE id = 'shared';");
    match i % 7 {
        0 => format!("BEGIN; {row} {count} COMMIT"),
        1 => format!("BEGIN IMMEDIATE; {count} {row} {tags} COMMIT"),
        // What it reads first may be out of date when it writes: then SQLite answers BUSY, whatever the timeout.
        2 => format!("BEGIN; SELECT count(*) FROM tasks; {row} {count} COMMIT"),
        3 => format!("BEGIN; {row} SAVEPOINT s; DELETE FROM tasks WHERE id < 'm'; {tags} ROLLBACK TO s; RELEASE s; {count} COMMIT"),
        4 => format!("BEGIN IMMEDIATE; {row} {count} DELETE FROM tasks WHERE id = 'shared'; ROLLBACK"),
        5 => format!("BEGIN EXCLUSIVE; {count} {row} UPDATE tasks SET done = done + 1 WHERE id = 'w{id}-{i}'; COMMIT"),
        _ => format!("SAVEPOINT all_of_it; {row} INSERT INTO tasks(id) VALUES ('gone{id}-{i}'); {count} DELETE FROM tasks WHERE id = 'gone{id}-{i}'; RELEASE all_of_it"),
    }
}

/// Does it, again as long as SQLite answers BUSY or LOCKED, each time from the start.
pub fn patiently(conn: &Connection, mut work: impl FnMut(&Connection) -> rusqlite::Result<()>) {
    loop {
        match work(conn) {
            Ok(()) => return,
            Err(e) if is_busy(&e) => {
                if !conn.is_autocommit() {
                    conn.execute_batch("ROLLBACK").unwrap();
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(e) => panic!("{e}"),
        }
    }
}

fn is_busy(e: &rusqlite::Error) -> bool {
    matches!(e.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// The file that tells those who go on for ever to end.
pub fn stop_file(file: &Path) -> PathBuf {
    file.with_extension("stop")
}

fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
}
