#[path = "../tests/common/mod.rs"]
mod common;
use std::time::Instant;
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
fn timed<T>(name: &str, n: usize, f: impl FnOnce() -> T) -> T {
    let t = Instant::now();
    let c = cpu();
    let r = f();
    println!(
        "{name:30} {:8.3} s wall {:8.3} s cpu {:7.2} us/row",
        t.elapsed().as_secs_f64(),
        cpu() - c,
        (cpu() - c) * 1e6 / n as f64
    );
    r
}
fn main() {
    let n: usize = std::env::var("N").ok().and_then(|v| v.parse().ok()).unwrap_or(100000);
    let what = std::env::var("W").unwrap_or("all".into());
    let _dir = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        let c = common::open_file(_dir.path().join(name));
        c.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536").unwrap();
        c
    };
    let ddl = "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, description TEXT, priority INTEGER DEFAULT 0, tags TEXT, completed INTEGER DEFAULT 0)";
    let a = open("a.db");
    a.execute_batch(ddl).unwrap();
    common::text(&a, "SELECT crdt_enable('tasks')", []);
    let p = open("p.db");
    p.execute_batch(ddl).unwrap();
    let key = |i: usize| {
        let mut x = (i as u64).wrapping_mul(0x9E3779B97F4A7C15);
        x ^= x >> 29;
        x = x.wrapping_mul(0xBF58476D1CE4E5B9);
        x ^= x >> 32;
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            x >> 32,
            (x >> 16) & 0xffff,
            x & 0xfff,
            (x >> 4) & 0xfff,
            x & 0xffffffffffff
        )
    };
    let ins = |c: &rusqlite::Connection| {
        c.execute_batch("BEGIN").unwrap();
        {
            let mut s = c.prepare("INSERT INTO tasks VALUES (?,?,?,?,?,?)").unwrap();
            for i in 0..n {
                s.execute((
                    key(i),
                    format!("Task number {i}"),
                    format!("A description that is somewhat longer for {i}"),
                    (i % 5) as i64,
                    "[\"a\",\"b\"]",
                    (i % 2) as i64,
                ))
                .unwrap();
            }
        }
        c.execute_batch("COMMIT").unwrap();
    };
    timed("plain insert", n, || ins(&p));
    timed("insert", n, || ins(&a));
    timed("fold", n, || {
        common::text(&a, "SELECT crdt_digest('tasks') IS NULL WHERE crdt_changes_since(crdt_cursor()) IS NULL UNION ALL SELECT 1 LIMIT 1", [])
    });
    timed("select", n, || {
        let mut s = p.prepare("SELECT * FROM tasks").unwrap();
        let mut r = s.query([]).unwrap();
        let mut k = 0;
        while let Some(row) = r.next().unwrap() {
            for i in 0..6 {
                let v = row.get_ref(i).unwrap();
                if let rusqlite::types::ValueRef::Text(t) = v {
                    k += t.len();
                }
            }
        }
        k
    });
    common::text(&a, "SELECT crdt_pragma('page_bytes', '2000000000')", []);
    timed("export unread", n, || {
        a.query_row("SELECT crdt_changes_since(NULL)", [], |r| Ok(r.get_ref(0)?.as_bytes().unwrap().len())).unwrap()
    });
    let json: String = timed("export", n, || a.query_row("SELECT crdt_changes_since(NULL)", [], |r| r.get(0)).unwrap());
    println!("{} MB", json.len() / 1000000);
    if what == "export" {
        for _ in 0..5 {
            timed("export", n, || {
                a.query_row("SELECT crdt_changes_since(NULL)", [], |r| r.get::<_, String>(0)).unwrap()
            });
        }
        return;
    }
    let b = open("b.db");
    b.execute_batch(ddl).unwrap();
    common::text(&b, "SELECT crdt_enable('tasks')", []);
    timed("merge", n, || println!("{}", common::text(&b, "SELECT crdt_merge(?)", [&json])));
    if what == "merge" {
        return;
    }
    timed("merge again", n, || println!("{}", common::text(&b, "SELECT crdt_merge(?)", [&json])));
    if what == "again" {
        for _ in 0..5 {
            timed("merge again", n, || common::text(&b, "SELECT crdt_merge(?)", [&json]));
        }
        return;
    }
    let u = open("u.db");
    u.execute_batch(ddl).unwrap();
    let ups = |c: &rusqlite::Connection| {
        c.execute_batch("BEGIN").unwrap();
        {
            let mut s = c.prepare("INSERT INTO tasks VALUES (?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET title=excluded.title, description=excluded.description, priority=excluded.priority, tags=excluded.tags, completed=excluded.completed").unwrap();
            for i in 0..n {
                s.execute((
                    key(i),
                    format!("Task number {i}"),
                    format!("A description that is somewhat longer for {i}"),
                    (i % 5) as i64,
                    "[\"a\",\"b\"]",
                    (i % 2) as i64,
                ))
                .unwrap();
            }
        }
        c.execute_batch("COMMIT").unwrap();
    };
    timed("upsert", n, || ups(&u));
    timed("upsert again", n, || ups(&u));
    let upd = |c: &rusqlite::Connection| {
        c.execute_batch("BEGIN").unwrap();
        {
            let mut s = c.prepare("UPDATE tasks SET title = ? WHERE id = ?").unwrap();
            for i in 0..n {
                s.execute((format!("Another {i}"), key(i))).unwrap();
            }
        }
        c.execute_batch("COMMIT").unwrap();
    };
    timed("plain update", n, || upd(&p));
    timed("update", n, || upd(&a));
    timed("fold of updates", n, || common::text(&a, "SELECT crdt_cursor()", []));
    timed("fold of updates", n, || common::text(&a, "SELECT crdt_digest('tasks')", []));
}
