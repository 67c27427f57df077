//! What a hub does in a second, beside what `crdt_merge` alone does; how soon a commit is an event; what idle streams cost.
//! `make bench-sync`; `BENCH_ROUNDS` (5) says how often the first is repeated, `BENCH_STREAMS` (1000) how many streams are opened.

#[allow(dead_code)]
#[path = "../tests/hub/common.rs"]
mod common;
#[allow(dead_code)]
#[path = "../tests/hub/sse.rs"]
mod sse;

use std::time::{Duration, Instant};

use common::{agent, extension, number, Hub, SCHEMA};
use rusqlite::Connection;
use sse::{open_raw, Stream};

/// Pushes of a round, and changes of each.
const PUSHES: usize = 100;
const CHANGES: usize = 1000;

fn main() {
    if cfg!(debug_assertions) {
        panic!("this measures the release profile: cargo bench");
    }
    throughput(number("BENCH_ROUNDS", 5));
    latency();
    streams(number("BENCH_STREAMS", 1000));
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A database as the hub's: WAL, `synchronous = FULL`.
fn database(folder: &tempfile::TempDir) -> Connection {
    extension();
    let conn = Connection::open(folder.path().join("app.db")).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").unwrap();
    conn.execute_batch(SCHEMA).unwrap();
    conn
}

/// Pages of changes of new rows, as the JSON array of each.
fn pages() -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let conn = database(&folder);
    let rows = PUSHES * CHANGES / 4 + CHANGES;
    conn.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
         INSERT INTO tasks SELECT lower(hex(randomblob(16))), 'Title of task ' || i, 'owner' || i % 100, i % 10, json_array('home', 'tag' || i % 50) FROM n",
        [rows as i64],
    )
    .unwrap();
    let mut since: Option<String> = None;
    let page = |since: &Option<String>| {
        let sql =
            "SELECT page ->> 'changes', page -> 'latest_hlc' FROM (SELECT crdt_changes_since(?1, 'tasks', ?2) AS page)";
        conn.query_row(sql, (since, CHANGES as i64), |row| Ok((row.get::<_, String>(0)?, row.get(1)?))).unwrap()
    };
    (0..PUSHES)
        .map(|_| {
            let (changes, latest) = page(&since);
            since = latest;
            changes
        })
        .collect()
}

/// Seconds of `crdt_merge` alone, a transaction for each page.
fn merge(pages: &[String]) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let conn = database(&folder);
    let mut merge = conn.prepare("SELECT crdt_merge(?1)").unwrap();
    let began = Instant::now();
    for page in pages {
        merge.query_row([page], |_| Ok(())).unwrap();
    }
    began.elapsed().as_secs_f64()
}

/// Seconds of as many pushes to a hub, by so many clients.
fn push(pages: &[String], clients: usize) -> f64 {
    let hub = Hub::start(&[]);
    let bodies: Vec<String> = pages.iter().map(|page| format!(r#"{{"node_id":"bench","changes":{page}}}"#)).collect();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for part in bodies.chunks(bodies.len().div_ceil(clients)) {
            let url = format!("{}/push", hub.url);
            scope.spawn(move || {
                let agent = agent();
                for body in part {
                    let answer = agent.post(&url).content_type("application/json").send(body);
                    let text = answer.unwrap().body_mut().read_to_string().unwrap();
                    assert!(text.starts_with("{\"merged\":") && text.contains("\"rejected\":[]"), "{text}");
                }
            });
        }
    });
    began.elapsed().as_secs_f64()
}

fn throughput(rounds: usize) {
    let pages = pages();
    let changes = pages.iter().map(|page| page.matches("\"crdt_type\"").count()).sum::<usize>() as f64;
    let kinds: [(&str, &dyn Fn() -> f64); 3] = [
        ("crdt_merge alone", &|| merge(&pages)),
        ("through the hub, one client", &|| push(&pages, 1)),
        ("through the hub, four clients", &|| push(&pages, 4)),
    ];
    let times: Vec<Vec<f64>> = (0..rounds).map(|_| kinds.iter().map(|(_, run)| run()).collect()).collect();
    println!("pushes of {:.0} changes, seconds by the clock, medians of {rounds}; at least 0.5 of crdt_merge alone is asked for", changes / PUSHES as f64);
    for (i, (name, _)) in kinds.iter().enumerate() {
        let seconds = median(times.iter().map(|round| round[i]).collect());
        let ratio = median(times.iter().map(|round| round[0] / round[i]).collect());
        println!("  {name:<32} {:>8.0} changes/s   {ratio:.2}", changes / seconds);
    }
}

/// From a commit of another process to the event at a stream.
fn latency() {
    let hub = Hub::start(&[]);
    let conn = hub.database();
    let mut stream = Stream::open(&hub, "tables=notes");
    let took = |i: usize| {
        std::thread::sleep(Duration::from_millis(fastrand::u64(5..40)));
        conn.execute("INSERT INTO notes VALUES (?1, 'x')", [format!("n{i}")]).unwrap();
        let committed = Instant::now();
        (stream.next().at - committed).as_secs_f64() * 1000.0
    };
    println!(
        "local commit to event: median {:.1} ms of 200; at most 50 are asked for",
        median((0..200).map(took).collect())
    );
}

/// Memory of the hub's process, MB.
fn resident(hub: &Hub) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", hub.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

fn streams(many: usize) {
    let hub = Hub::start(&[]);
    hub.get("/health");
    let before = resident(&hub);
    let open: Vec<_> = (0..many).map(|i| open_raw(&hub, &format!("/sync/stream?node_id=n{i}"), &[])).collect();
    while hub.metric("grove_streams_open") < many as f64 {
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("{many} idle streams: {:.0} MB, {before:.0} without them; less than 200 are asked for", resident(&hub));
    drop(open);
}
