//! A disk that is full, as a limit to the size of files has it.

use std::process::Command;

use serde_json::{json, Value};

use crate::common::{eventually, lww, Hub};

#[test]
fn a_hub_that_cannot_write_is_not_ready() {
    let hub = Hub::start_within("trap '' XFSZ");
    let limit = |size: &str| {
        let size = format!("--fsize={size}:unlimited");
        assert!(Command::new("prlimit").args(["--pid", &hub.id().to_string(), &size]).status().unwrap().success());
    };
    assert_eq!(hub.get("/ready").status, 200);
    limit("500000");
    let push = |i: usize| {
        let note = |j: usize| lww("notes", &format!("n{i}-{j}"), "body", 1, "a", json!("x".repeat(20_000)));
        hub.push(&(0..10).map(note).collect::<Vec<Value>>()).status
    };
    assert!((0..10).any(|i| push(i) == 500));
    eventually("it is not ready", || hub.get("/ready").status == 503);
    limit("unlimited");
    eventually("it is ready again", || hub.get("/ready").status == 200);
    assert_eq!(push(11), 200);
}
