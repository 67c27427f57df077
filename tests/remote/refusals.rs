//! Wrong calls, and peers that do not answer as they should: a clear error, and nothing moves.

use std::time::{Duration, Instant};

use super::endpoint::{start, Reply};
use super::{common, database, digest};

fn refused(url: &str) -> String {
    let ann = database("ann");
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('t')").unwrap();
    let before = digest(&ann);
    let message = common::error(&ann, "SELECT crdt_sync(?, '{\"timeout\":\"2s\"}')", [url]);
    assert_eq!(digest(&ann), before);
    assert_eq!(
        common::text(&ann, "SELECT count(*) FROM _crdt_remote WHERE pushed IS NOT NULL OR pulled IS NOT NULL", []),
        "0"
    );
    assert_eq!(common::text(&ann, "SELECT crdt_check()", []), "ok");
    message
}

#[track_caller]
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

#[test]
fn wrong_arguments() {
    let ann = database("ann");
    let wrong = |sql: &str, parts: &[&str]| says(&common::error(&ann, sql, []), parts);
    wrong("SELECT crdt_sync()", &["crdt_sync(url [, options])"]);
    wrong("SELECT crdt_sync(1)", &["crdt_sync", "argument 1 (url)", "TEXT"]);
    for url in
        ["", "hub", "ftp://hub/sync", "http://", "http:///x", "https://hub/sync?a=b", "http://hub/a b", "http://hub/#x"]
    {
        let message = common::error(&ann, "SELECT crdt_sync(?)", [url]);
        says(&message, &["crdt_sync", "https://hub.example/sync"]);
    }
    for options in [
        "x",
        "[]",
        "{\"x\":1}",
        "{\"tables\":\"tasks\"}",
        "{\"page\":0}",
        "{\"pages\":0}",
        "{\"page\":-1}",
        "{\"timeout\":\"soon\"}",
        "{\"timeout\":\"0\"}",
        "{\"json\":1}",
        "{\"retry\":1}",
        "{\"tables\":[\"nope\"]}",
        "{\"ca\":\"/nonexistent\"}",
    ] {
        let message = common::error(&ann, "SELECT crdt_sync('http://127.0.0.1:9/sync', ?)", [options]);
        says(&message, &["crdt_sync: "]);
    }
    let bare = common::open();
    says(&common::error(&bare, "SELECT crdt_sync('http://127.0.0.1:9/sync')", []), &["crdt_enable"]);
}

#[test]
fn never_in_a_transaction_of_the_application() {
    let ann = database("ann");
    let url = start(|_| Reply::Cut);
    ann.execute_batch("BEGIN; INSERT INTO tasks(id) VALUES ('t')").unwrap();
    says(&common::error(&ann, "SELECT crdt_sync(?)", [&url]), &["transaction is open", "commit"]);
    ann.execute_batch("ROLLBACK").unwrap();
    // Nor from a view or a trigger, which a stranger may have put into the file.
    ann.execute_batch("CREATE VIEW v AS SELECT crdt_sync('http://127.0.0.1:9/sync') AS x").unwrap();
    says(&common::error(&ann, "SELECT * FROM v", []), &["unsafe use of crdt_sync"]);
}

#[test]
fn statuses() {
    for (status, said, hint) in [
        (400, "{\"error\":\"no such table: own\"}", "no such table: own"),
        (401, "{\"error\":\"who are you\"}", "token"),
        (403, "{\"error\":\"not yours\"}", "403"),
        (404, "<html>", "is this the address of a sync endpoint"),
        (307, "", "address that it moved to"),
        (500, "boom", "boom"),
        (503, "", "503"),
    ] {
        let url = start(move |_| Reply::Answer(status, said.to_owned()));
        says(&refused(&url), &["crdt_sync: ", "/sync/", &status.to_string(), hint]);
    }
}

#[test]
fn answers_that_are_none() {
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "<html>hello</html>",
        "{\"changes\":[]}",
        "{\"changes\":[],\"latest_hlc\":",
        "{\"merged\":1}",
        "{\"changes\":[],\"latest_hlc\":null}",
        "{\"changes\":[],\"latest_hlc\":\"hub~5\"}",
        "{\"changes\":null,\"latest_hlc\":5,\"has_more\":true}",
        "{\"changes\":[],\"latest_hlc\":{\"ts\":-1,\"c\":0,\"node\":\"hub~5.ab\"}}",
        "{\"changes\":[],\"latest_hlc\":{\"node\":\"hub~5.ab\"}}",
    ] {
        let url = start(move |_| Reply::Answer(200, body.to_owned()));
        says(&refused(&url), &["crdt_sync: ", "is not {"]);
    }
}

#[test]
fn a_peer_that_is_not_there() {
    says(&refused("http://127.0.0.1:9/sync"), &["http://127.0.0.1:9/sync/pull cannot be reached"]);
    let url = start(|_| Reply::Cut);
    says(&refused(&url), &["crdt_sync: "]);
}

#[test]
fn a_peer_that_never_answers() {
    let url = start(|_| Reply::Hang);
    let ann = database("ann");
    let began = Instant::now();
    says(
        &common::error(&ann, "SELECT crdt_sync(?, '{\"timeout\":\"300ms\"}')", [&url]),
        &["cannot be reached", "timeout"],
    );
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn an_interrupt_ends_the_wait() {
    let url = start(|_| Reply::Hang);
    let ann = database("ann");
    let handle = ann.get_interrupt_handle();
    let began = Instant::now();
    let hand = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        handle.interrupt();
    });
    says(&common::error(&ann, "SELECT crdt_sync(?, '{\"timeout\":\"60s\"}')", [&url]), &["interrupted"]);
    hand.join().unwrap();
    assert!(began.elapsed() < Duration::from_secs(30));
    drop(ann); // the library may be unmapped now, the thread of the request not yet gone
    std::thread::sleep(Duration::from_millis(200));
}

#[test]
fn a_token_goes_along_and_is_told_to_nobody() {
    let url = start(|request| match request.authorization.as_deref() {
        Some("Bearer s3cret") => Reply::Answer(500, "{\"error\":\"seen\"}".to_owned()),
        _ => Reply::Answer(401, "{\"error\":\"unseen\"}".to_owned()),
    });
    let ann = database("ann");
    let message = common::error(&ann, "SELECT crdt_sync(?, '{\"token\":\"s3cret\"}')", [&url]);
    says(&message, &["seen"]);
    assert!(!message.contains("s3cret") && !message.contains("unseen"));
    let message = common::error(&ann, "SELECT crdt_sync(?, '{\"token\":\"a\\nb\"}')", [&url]);
    says(&message, &["crdt_sync"]);
}
