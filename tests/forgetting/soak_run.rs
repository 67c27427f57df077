//! The soak: many single updates of few rows, and what is left of them.

use std::fmt;

use rusqlite::Connection;

use crate::common::{open_file, text};

/// Updates in one transaction.
const BATCH: usize = 100;

/// What is left, in bytes of the vacuumed file.
pub struct Soaked {
    /// All tables whose names begin with `_`, and their indexes.
    pub ours: i64,
    /// The application's table with its index, and the clocks.
    pub live: i64,
    /// Rows of the log.
    pub log: i64,
    took: std::time::Duration,
}

impl Soaked {
    pub fn ratio(&self) -> f64 {
        self.ours as f64 / self.live as f64
    }
}

impl fmt::Display for Soaked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Soaked { ours, live, log, took } = self;
        write!(
            out,
            "ours {ours} bytes, live rows {live} bytes, ratio {:.2} (at most 3), {log} log rows, {took:.0?}",
            self.ratio()
        )
    }
}

/// Pulls what is new into `peer`.
fn pull(hub: &Connection, peer: &Connection, node: &str, cursor: &mut String) {
    let request = format!("{{\"node_id\":\"{node}\",\"since\":{cursor}}}");
    let answer = text(hub, "SELECT crdt_pull(?1)", [request]);
    assert!(!answer.contains("\"resync\":true"), "the place where a peer stands is kept");
    *cursor = text(hub, "SELECT json_extract(?1, '$.latest_hlc')", [&answer]);
    text(peer, "SELECT crdt_merge(?1)", [answer]);
}

/// Updates `rows` rows `updates` times, lww, counter and set in turns.
pub fn soak(rows: usize, updates: usize) -> Soaked {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("soak.db");
    let table = "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, description TEXT, votes INTEGER DEFAULT 0, tags TEXT DEFAULT '[]', done INTEGER DEFAULT 0);
                 SELECT crdt_enable('tasks', 'votes:counter', 'tags:set')";
    let open = |name: &str| {
        let conn = open_file(folder.path().join(name));
        conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;").unwrap();
        table.split(';').for_each(|sql| conn.prepare(sql).unwrap().raw_query().next().map(drop).unwrap());
        conn
    };
    let hub = open("soak.db");
    let peers = ["p", "q"].map(|name| (name, open(name)));
    let mut cursors = [String::from("null"), String::from("null")];
    let id = |i: usize| format!("{:08x}-0000-4000-8000-{:012x}", i.wrapping_mul(2_654_435_761) & 0xffff_ffff, i);
    hub.execute_batch("BEGIN").unwrap();
    for i in 0..rows {
        let sql = "INSERT INTO tasks(id, title, description) VALUES (?1, 'write the report', 'before friday, and send it to everyone')";
        hub.execute(sql, [id(i)]).unwrap();
    }
    hub.execute_batch("COMMIT").unwrap();
    let started = std::time::Instant::now();
    let mut seed = 1u64;
    for n in 0..updates {
        if n % BATCH == 0 {
            hub.execute_batch("BEGIN").unwrap();
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let row = id((seed >> 33) as usize % rows);
        let sql = match n % 5 {
            0 => "UPDATE tasks SET title = 'title ' || ?2 WHERE id = ?1",
            1 => "UPDATE tasks SET done = ?2 WHERE id = ?1",
            2 => "UPDATE tasks SET votes = votes + 1 + ?2 % 3 WHERE id = ?1",
            3 => "UPDATE tasks SET tags = json_array('e' || (?2 % 3), 'f' || (?2 % 4)) WHERE id = ?1",
            _ => "UPDATE tasks SET title = 'both ' || ?2, description = 'd' || ?2 WHERE id = ?1",
        };
        hub.prepare_cached(sql).unwrap().execute((&row, n as i64)).unwrap();
        if n % BATCH == BATCH - 1 || n + 1 == updates {
            hub.execute_batch("COMMIT").unwrap();
        }
        for (i, ((name, peer), every)) in peers.iter().zip([2_000, 25_000]).enumerate() {
            if n % every == every - 1 {
                pull(&hub, peer, name, &mut cursors[i]);
            }
        }
    }
    for _ in 0..2 {
        for (i, (name, peer)) in peers.iter().enumerate() {
            pull(&hub, peer, name, &mut cursors[i]);
        }
    }
    let took = started.elapsed();
    let digests = [&hub, &peers[0].1, &peers[1].1].map(|conn| text(conn, "SELECT crdt_digest('tasks')", []));
    assert!(digests.iter().all(|digest| *digest == digests[0]), "the peers have all of it");
    hub.execute_batch("VACUUM").unwrap();
    let bytes = |names: &str| -> i64 {
        let sql = format!("SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name {names})");
        hub.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    let log = hub.query_row("SELECT count(*) FROM _crdt_log", [], |row| row.get(0)).unwrap();
    if std::env::var("SOAK_TABLES").is_ok() {
        let mut all = hub
            .prepare("SELECT name, sum(pgsize), sum(payload) FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT 6")
            .unwrap();
        let mut rows = all.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            println!(
                "{:<24} {:>9} {:>9}",
                row.get::<_, String>(0).unwrap(),
                row.get::<_, i64>(1).unwrap(),
                row.get::<_, i64>(2).unwrap()
            );
        }
    }
    drop(path);
    Soaked { ours: bytes("LIKE '\\_%' ESCAPE '\\'"), live: bytes("IN ('tasks', '_crdt_clock')"), log, took }
}
