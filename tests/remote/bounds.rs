//! Peers, and proxies before them, that take only so many bytes in a request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use super::endpoint::{hub, hub_up_to, Heard, Reply};
use super::{common, database, digest, prepare, sync};

struct Hub {
    _folder: tempfile::TempDir,
    conn: rusqlite::Connection,
    url: String,
    heard: Heard,
    /// Longest body.
    most: Arc<AtomicUsize>,
}

/// A hub that answers `status` to longer bodies; None where it never comes to that, as the connection breaks.
fn start(most: usize, status: Option<u16>) -> Hub {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let conn = common::open_file(&file);
    prepare(&conn, "hub");
    let most = Arc::new(AtomicUsize::new(most));
    let bound = Arc::clone(&most);
    let (url, heard) = match status {
        None => hub_up_to(bound, &file, |_| None),
        Some(status) => hub(&file, move |request| {
            let is_too_long = request.body.len() > bound.load(Ordering::SeqCst);
            is_too_long.then(|| Reply::Answer(status, "<html>too large</html>".to_owned()))
        }),
    };
    Hub { _folder: folder, conn, url, heard, most }
}

fn fill(conn: &rusqlite::Connection, rows: u32, bytes: u32) {
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO tasks(id, title, votes) SELECT 'r' || i, hex(zeroblob(?2 / 2)), i FROM n";
    conn.execute(sql, [rows, bytes]).unwrap();
}

fn pushes(heard: &Heard) -> Vec<String> {
    let heard = heard.lock().unwrap();
    heard.iter().filter(|(route, _)| route == "/sync/push").map(|(_, body)| body.clone()).collect()
}

#[test]
fn a_page_is_what_proxies_let_through() {
    let hub = start(1 << 20, Some(413));
    let ann = database("ann");
    fill(&ann, 500, 20_000);
    assert_eq!(sync(&ann, &hub.url), "pulled=0 pushed=1000 merged=0 conflicts=0");
    assert_eq!(digest(&ann), digest(&hub.conn));
    let lengths: Vec<usize> = pushes(&hub.heard).iter().map(String::len).collect();
    assert!(lengths.len() == 10 && lengths.iter().all(|length| *length <= 1 << 20), "{lengths:?}");
}

/// The pages after one that was too long are shorter: no push takes their last record alone.
#[test]
fn shorter_pages_go_whole() {
    let hub = start(600_000, Some(413));
    let ann = database("ann");
    fill(&ann, 150, 20_000);
    assert_eq!(sync(&ann, &hub.url), "pulled=0 pushed=300 merged=0 conflicts=0");
    let lengths: Vec<usize> = pushes(&hub.heard).iter().map(String::len).collect();
    // Of the page that was too long one is left over.
    assert!(lengths.iter().filter(|length| **length < 200_000).count() < 2, "{lengths:?}");
}

#[test]
fn what_is_too_long_goes_in_parts() {
    for status in [Some(413), Some(408), None] {
        let hub = start(100_000, status);
        let ann = database("ann");
        fill(&ann, 400, 2_000);
        assert_eq!(sync(&ann, &hub.url), "pulled=0 pushed=800 merged=0 conflicts=0");
        assert_eq!(digest(&ann), digest(&hub.conn));
        // It is learned once, and what was pushed does not come back.
        let (all, long) = (pushes(&hub.heard), |body: &&String| body.len() > 100_000);
        assert!(all.iter().filter(long).count() < 8, "{}", all.len());
        assert_eq!(sync(&ann, &hub.url), "pulled=0 pushed=0 merged=0 conflicts=0");
        let pulled = common::text(&ann, "SELECT pulled FROM _crdt_remote", []);
        let end = common::text(&hub.conn, "SELECT max(seq) FROM _crdt_log", []);
        assert!(pulled.contains(&format!("hub~{end}.")), "{pulled} {end}");
        // A record is not torn apart.
        for body in &all {
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            let keys: Vec<&str> =
                body["changes"].as_array().unwrap().iter().map(|it| it["pk"].as_str().unwrap()).collect();
            assert!(keys.chunks(2).all(|two| two[0] == two[1]), "{keys:?}");
        }
    }
}

#[test]
fn a_record_that_is_too_long_by_itself_holds_up_nothing() {
    for (status, why) in [(Some(413), "413"), (None, "cannot be reached")] {
        let hub = start(100_000, status);
        let ann = database("ann");
        fill(&ann, 20, 2_000);
        ann.execute("INSERT INTO tasks(id, title) VALUES ('long', hex(zeroblob(100000)))", []).unwrap();
        ann.execute_batch("INSERT INTO tasks(id) VALUES ('last')").unwrap();
        let told = sync(&ann, &hub.url);
        assert!(told.starts_with("pulled=0 pushed=42 ") && told.contains(" rejected=2 ("), "{told}");
        assert!(told.contains("the record has 200") && told.contains(why), "{told}");
        assert_eq!(common::text(&hub.conn, "SELECT count(*) FROM tasks", []), "21");
        hub.most.store(1_000_000, Ordering::SeqCst);
        assert!(!sync(&ann, &hub.url).contains("rejected"));
        assert_eq!(digest(&ann), digest(&hub.conn));
    }
}

/// Connections break for other reasons, too: a record is not put aside for one time.
#[test]
fn a_long_record_is_sent_again_after_a_connection_broke() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    prepare(&common::open_file(&file), "hub");
    let mut breaks = 1;
    let (url, _) = hub(&file, move |request| {
        let is_cut = request.route == "/sync/push" && breaks > 0;
        breaks -= i32::from(is_cut);
        is_cut.then_some(Reply::Cut)
    });
    let ann = database("ann");
    fill(&ann, 1, 200_000);
    assert_eq!(sync(&ann, &url), "pulled=0 pushed=2 merged=0 conflicts=0");
    assert_eq!(digest(&ann), digest(&common::open_file(&file)));
}

/// A line that stalls is no reason to put a record aside.
#[test]
fn a_short_record_that_came_too_slowly_is_sent_again() {
    for (status, why) in [(Some(408), "408"), (None, "cannot be reached")] {
        let hub = start(300, status);
        let ann = database("ann");
        ann.execute_batch("INSERT INTO tasks(id, title) VALUES ('t', 'x')").unwrap();
        assert!(common::error(&ann, "SELECT crdt_sync(?)", [&hub.url]).contains(why));
        hub.most.store(1_000_000, Ordering::SeqCst);
        assert_eq!(sync(&ann, &hub.url), "pulled=0 pushed=2 merged=0 conflicts=0");
        assert_eq!(digest(&ann), digest(&hub.conn));
    }
}

/// What others have taken is taken: else nothing that comes after it would arrive.
#[test]
fn a_long_value_holds_up_no_pull() {
    let (hub, other) = (start(usize::MAX, None), start(usize::MAX, None));
    common::text(&other.conn, "SELECT crdt_node_id('other')", []);
    let ann = database("ann");
    ann.execute_batch("SELECT crdt_pragma('max_value_bytes', 1000), crdt_pragma('max_key_bytes', 100)").unwrap();
    other.conn.execute_batch("SELECT crdt_pragma('max_value_bytes', 1000), crdt_pragma('max_key_bytes', 100)").unwrap();
    fill(&hub.conn, 1, 20_000);
    hub.conn.execute("INSERT INTO tasks(id) VALUES (hex(zeroblob(100))), ('later')", []).unwrap();
    assert!(sync(&ann, &hub.url).starts_with("pulled=6 pushed=0 "));
    assert_eq!(digest(&ann), digest(&hub.conn));
    // Who is pushed to refuses it still, and says what.
    let told = sync(&ann, &other.url);
    assert!(told.contains(" rejected=3 (") && told.contains("tasks["), "{told}");
    let reasons = common::text(&ann, "SELECT group_concat(reason) FROM _crdt_refused", []);
    assert!(reasons.contains("tasks[r1]: the value has 20002 bytes; max_value_bytes is 1000 here"), "{reasons}");
    assert!(reasons.contains("…]: the key has 200 bytes; max_key_bytes is 100 here"), "{reasons}");
    assert_eq!(common::text(&other.conn, "SELECT count(*) FROM tasks WHERE id = 'later'", []), "1");
}
