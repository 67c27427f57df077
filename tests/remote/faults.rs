//! Peers and networks that fail: nothing is lost, nothing is skipped.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use proptest::prelude::*;

use super::endpoint::{hub, serve, Reply};
use super::{common, database, digest, prepare, sync};

#[test]
fn an_answer_that_is_lost_after_the_push_was_taken() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let at_hub = common::open_file(&file);
    prepare(&at_hub, "hub");
    let (served, lost) = (file.clone(), Arc::new(AtomicU32::new(0)));
    let losing = Arc::clone(&lost);
    let (url, _) = hub(&file, move |request| {
        if request.route != "/sync/push" || losing.fetch_add(1, Ordering::SeqCst) > 0 {
            return None;
        }
        serve(&served, request);
        Some(Reply::Cut)
    });
    let ann = database("ann");
    ann.execute_batch("INSERT INTO tasks(id, votes) VALUES ('t', 5)").unwrap();
    common::error(&ann, "SELECT crdt_sync(?)", [&url]);
    assert_eq!(common::text(&at_hub, "SELECT votes FROM tasks", []), "5");
    // The peer tells it first, so it need not be sent again.
    assert_eq!(sync(&ann, &url), "pulled=0 pushed=0 merged=0 conflicts=0");
    assert_eq!(common::text(&at_hub, "SELECT votes FROM tasks", []), "5");
    assert_eq!(digest(&ann), digest(&at_hub));
}

#[test]
fn what_a_peer_refuses_is_told_and_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let at_hub = common::open_file(&file);
    prepare(&at_hub, "hub");
    at_hub.execute_batch("SELECT crdt_pragma('max_value_bytes', '20')").unwrap();
    let (url, _) = hub(&file, |_| None);
    let ann = database("ann");
    ann.execute_batch("INSERT INTO tasks(id, title) VALUES ('a', 'short'), ('b', 'a title that is too long for the hub'), ('c', 'short')").unwrap();
    let told = sync(&ann, &url);
    assert!(told.contains(" rejected=1 (") && told.contains("max_value_bytes"), "{told}");
    assert_eq!(common::text(&at_hub, "SELECT count(title) FROM tasks", []), "2");
    assert!(sync(&ann, &url).contains(" rejected=1 ("));
    at_hub.execute_batch("SELECT crdt_pragma('max_value_bytes', '2000')").unwrap();
    assert!(!sync(&ann, &url).contains("rejected"));
    assert_eq!(digest(&ann), digest(&at_hub));
    assert!(sync(&ann, &url).starts_with("pulled=0 pushed=0"));
}

#[test]
fn a_page_that_cannot_be_merged_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let at_hub = common::open_file(&file);
    prepare(&at_hub, "hub");
    at_hub.execute_batch("INSERT INTO tasks(id, title) VALUES ('a', 'x')").unwrap();
    let (url, _) = hub(&file, |_| None);
    let ann = database("ann");
    ann.execute_batch("SELECT crdt_hook('no', 'before_inbound', 'SELECT json(''not json'')')").unwrap();
    common::error(&ann, "SELECT crdt_sync(?)", [&url]);
    assert_eq!(common::text(&ann, "SELECT count(*) FROM tasks", []), "0");
    ann.execute_batch("SELECT crdt_unhook('no')").unwrap();
    assert!(sync(&ann, &url).starts_with("pulled=2 "));
    assert_eq!(digest(&ann), digest(&at_hub));
}

#[test]
fn a_copied_file_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let at_hub = common::open_file(&file);
    prepare(&at_hub, "hub");
    let (url, _) = hub(&file, |_| None);
    let (one, two) = (folder.path().join("one.db"), folder.path().join("two.db"));
    let ann = common::open_file(&one);
    prepare(&ann, "ann");
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('t')").unwrap();
    sync(&ann, &url);
    ann.execute("VACUUM INTO ?", [two.to_str().unwrap()]).unwrap();
    let twin = common::open_file(&two);
    ann.execute_batch("INSERT INTO tasks(id, title) VALUES ('a', 'ann')").unwrap();
    twin.execute_batch("INSERT INTO tasks(id, title) VALUES ('b', 'twin')").unwrap();
    for _ in 0..3 {
        sync(&ann, &url);
        sync(&twin, &url);
    }
    assert_eq!(common::text(&at_hub, "SELECT group_concat(id) FROM (SELECT id FROM tasks ORDER BY id)", []), "a,b,t");
    assert_eq!(digest(&ann), digest(&at_hub));
    assert_eq!(digest(&twin), digest(&at_hub));
    assert_ne!(common::text(&ann, "SELECT crdt_node_id()", []), common::text(&twin, "SELECT crdt_node_id()", []));
}

/// A step of a random run: who writes what, or who goes to the hub.
#[derive(Clone, Debug)]
enum Step {
    Write(usize, u8, u8),
    Sync(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..3usize, 0..4u8, 0..5u8).prop_map(|(who, row, what)| Step::Write(who, row, what)),
        2 => (0..2usize).prop_map(Step::Sync),
    ];
    proptest::collection::vec(step, 1..30)
}

fn write(conn: &rusqlite::Connection, row: u8, what: u8) {
    let sql = match what {
        0 => "INSERT OR IGNORE INTO tasks(id, title) VALUES (?1, hex(randomblob(2)))",
        1 => "UPDATE tasks SET title = hex(randomblob(2)) WHERE id = ?1",
        2 => "UPDATE tasks SET votes = votes + 1 WHERE id = ?1",
        3 => "UPDATE tasks SET tags = json_array(hex(randomblob(1)), 'x') WHERE id = ?1",
        _ => "DELETE FROM tasks WHERE id = ?1",
    };
    conn.execute(sql, [row.to_string()]).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("REMOTE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(40), ..ProptestConfig::default() })]

    /// Every third request is not answered, half of these though it was taken: in the end all are equal, and then quiet.
    #[test]
    fn edges_of_a_failing_hub_converge(steps in steps(), salt in 0..1000u32) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.db");
        let at_hub = common::open_file(&file);
        prepare(&at_hub, "hub");
        let (served, count, healthy) = (file.clone(), AtomicU32::new(salt), Arc::new(AtomicU32::new(0)));
        let well = Arc::clone(&healthy);
        let (url, _) = hub(&file, move |request| {
            let n = count.fetch_add(1, Ordering::SeqCst).wrapping_mul(2_654_435_761) >> 16;
            if well.load(Ordering::SeqCst) > 0 || n % 3 > 0 {
                return None;
            }
            if n % 2 > 0 {
                serve(&served, request);
            }
            Some(Reply::Cut)
        });
        let edges = [database("ann"), database("bob")];
        let small = "SELECT crdt_sync(?, '{\"page\":3}')";
        for step in steps {
            match step {
                Step::Write(2, row, what) => write(&at_hub, row, what),
                Step::Write(who, row, what) => write(&edges[who], row, what),
                Step::Sync(who) => drop(edges[who].query_row(small, [&url], |_| Ok(()))),
            }
        }
        healthy.store(1, Ordering::SeqCst);
        for _ in 0..3 {
            edges.iter().for_each(|edge| drop(common::text(edge, small, [&url])));
        }
        for edge in &edges {
            prop_assert_eq!(digest(edge), digest(&at_hub));
            prop_assert_eq!(sync(edge, &url), "pulled=0 pushed=0 merged=0 conflicts=0");
            prop_assert_eq!(common::text(edge, "SELECT crdt_check()", []), "ok");
        }
    }
}
