//! Many databases, each with a `grove-sync run` of its own, at a hub that is killed again and again. For the record:
//! `SWARM_CLIENTS=100 SWARM_KILLS=10 SWARM_SECONDS=5 cargo test --release -p grove-sync swarm -- --nocapture`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::common::{number, Hub};
use crate::edge::{converge, open, Edge, Running};

/// How long a client waits between two writes.
const PAUSE: Duration = Duration::from_secs(1);

#[test]
fn all_are_equal_soon_after_the_hub_is_back() {
    let (clients, kills) = (number("SWARM_CLIENTS", 8), number("SWARM_KILLS", 3));
    let mut hub = Hub::start(&[]);
    let edges: Vec<Edge> = (0..clients).map(|_| Edge::new()).collect();
    let _running: Vec<Running> = edges.iter().map(|edge| edge.run(&["--peer", &hub.url])).collect();
    let done = AtomicBool::new(false);
    let (written, back) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(&edges, &done));
        for _ in 0..kills {
            std::thread::sleep(Duration::from_millis(fastrand::u64(1000..2500)));
            hub.kill();
            std::thread::sleep(Duration::from_millis(fastrand::u64(100..1000)));
            hub.restart(&[]);
        }
        std::thread::sleep(Duration::from_secs(1));
        hub.kill();
        // What was written meanwhile is still to be sent.
        std::thread::sleep(Duration::from_millis(500));
        done.store(true, Ordering::Relaxed);
        let written = writer.join().unwrap();
        let back = Instant::now();
        hub.restart(&[]);
        (written, back)
    });
    let until = Duration::from_secs(number("SWARM_SECONDS", 60) as u64);
    let paths: Vec<_> = edges.iter().map(Edge::path).chain([hub.path()]).collect();
    for path in &paths {
        let conn = open(path);
        while counts(&conn) != (written + 1, written) {
            assert!(back.elapsed() < until, "{:?} of {written} after {:?}", counts(&conn), back.elapsed());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    println!(
        "{clients} clients, {written} transactions, {} kills: equal {:.1} s after the hub was back",
        kills + 1,
        back.elapsed().as_secs_f64()
    );
    converge(&paths, written + 1);
}

/// Each client writes a row of its own and counts in one that all share. How many did.
fn write(edges: &[Edge], done: &AtomicBool) -> i64 {
    let conns: Vec<_> = edges.iter().map(Edge::open).collect();
    for written in 0.. {
        if done.load(Ordering::Relaxed) {
            return written;
        }
        let conn = &conns[written as usize % conns.len()];
        conn.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             INSERT INTO tasks(id, title) VALUES ('t{written}', 'x');
             INSERT INTO tasks(id, votes) VALUES ('all', 1) ON CONFLICT DO UPDATE SET votes = votes + 1;
             COMMIT"
        ))
        .unwrap();
        std::thread::sleep(PAUSE / conns.len() as u32);
    }
    0
}

/// Rows, and the votes of the shared one.
fn counts(conn: &rusqlite::Connection) -> (i64, i64) {
    let sql = "SELECT count(*), coalesce(sum(votes) FILTER (WHERE id = 'all'), 0) FROM tasks";
    conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}
