//! A push that was acknowledged is there, whatever happens to the hub.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{json, Value};

use crate::common::{agent, eventually, lww, number, Hub};

#[test]
fn killed_under_load_no_acknowledged_push_is_lost() {
    // More for the record.
    let (clients, kills) = (number("HUB_CLIENTS", 8), number("HUB_KILLS", 3));
    let hub = Mutex::new(Hub::start(&[]));
    let (done, acknowledged) = (AtomicBool::new(false), AtomicUsize::new(0));
    let kept: Vec<Vec<String>> = std::thread::scope(|scope| {
        let client = |c: usize| {
            let (hub, done, acknowledged) = (&hub, &done, &acknowledged);
            move || {
                let (agent, mut kept) = (agent(), Vec::new());
                for i in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let pk = format!("c{c}-{i}");
                    let push = json!({"node_id": format!("c{c}"), "changes": [lww("notes", &pk, "body", i, &format!("c{c}"), json!(i))]});
                    let url = format!("{}/push", hub.lock().unwrap().url);
                    let answer = agent.post(url).content_type("application/json").send(push.to_string());
                    // What was cut off may be there or not.
                    if answer.is_ok_and(|mut answer| {
                        answer.status() == 200
                            && answer.body_mut().read_to_string().is_ok_and(|text| text.contains("\"merged\":1"))
                    }) {
                        kept.push(pk);
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                }
                kept
            }
        };
        let threads: Vec<_> = (0..clients).map(|c| scope.spawn(client(c))).collect();
        for _ in 0..kills {
            let before = acknowledged.load(Ordering::Relaxed);
            eventually("pushes are acknowledged", || acknowledged.load(Ordering::Relaxed) > before + 5 * clients);
            let mut hub = hub.lock().unwrap();
            hub.kill();
            hub.restart(&[]);
        }
        std::thread::sleep(Duration::from_millis(200));
        done.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut hub = hub.into_inner().unwrap();
    let groups = hub.metric("grove_commit_group_size_sum") / hub.metric("grove_commit_group_size_count");
    hub.kill();
    let there: Vec<String> = {
        let conn = hub.database();
        let mut rows = conn.prepare("SELECT id FROM notes").unwrap();
        let ids = rows.query_map([], |row| row.get(0)).unwrap();
        ids.collect::<Result<_, _>>().unwrap()
    };
    let there: std::collections::BTreeSet<&String> = there.iter().collect();
    let all: Vec<&String> = kept.iter().flatten().collect();
    println!(
        "{} pushes acknowledged by {clients} clients, {kills} kills, {groups:.1} pushes a commit at the end",
        all.len()
    );
    let lost: Vec<&&String> = all.iter().filter(|pk| !there.contains(**pk)).collect();
    assert!(lost.is_empty(), "{} lost: {lost:?}", lost.len());
    hub.restart(&[]);
    assert_eq!(
        hub.database().query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0)),
        Ok(there.len() as i64)
    );
}

#[test]
fn a_trigger_that_rolls_back_takes_no_other_push_along() {
    let hub = Hub::start(&[]);
    hub.database()
        .execute_batch(
            "CREATE TRIGGER no AFTER INSERT ON notes WHEN new.body = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
        )
        .unwrap();
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let push = |i: i64| {
            let hub = &hub;
            move || {
                hub.push(&[lww(
                    "notes",
                    &format!("n{i}"),
                    "body",
                    i,
                    "a",
                    json!(if i % 4 == 0 { "bad" } else { "good" }),
                )])
                .ok()
            }
        };
        let threads: Vec<_> = (0..24).map(|i| scope.spawn(push(i))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| answer["merged"] == json!(1)), "{answers:?}");
    assert_eq!(
        hub.database().query_row("SELECT count(*) FROM notes WHERE body = 'good'", [], |row| row.get(0)),
        Ok(18)
    );
    let status = hub.get("/sync/status").ok();
    let notes = status["tables"].as_array().unwrap().iter().find(|table| table["table"] == "notes").unwrap().clone();
    assert_eq!(notes["pending"], json!(6), "kept, not shown: {status}");
}

#[test]
fn a_lock_held_by_another_process_is_told() {
    let hub = Hub::start(&[]);
    let other = hub.database();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = hub.get("/ready");
    answer.error(503);
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(hub.get("/health").status, 200);
    assert_eq!(hub.post("/sync/pull", &json!({})).ok()["changes"], json!([]), "reading goes on");
    other.execute_batch("COMMIT").unwrap();
    eventually("it can be written again", || hub.get("/ready").status == 200);
}
