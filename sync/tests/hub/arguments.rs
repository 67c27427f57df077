//! What `grove-sync sync` and `run` are called with.

use std::process::{Command, Output, Stdio};

use serde_json::{json, Value};

use crate::common::{Hub, PATIENCE};
use crate::edge::{run, Edge};

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn each_peer_sees_its_own_token() {
    let hub = |token: &str| Hub::with_tokens(&json!([{"token": token, "read": ["*"], "write": ["*"]}]));
    let (a, b, open) = (hub("for-a"), hub("for-b"), Hub::start(&[]));
    let edge = Edge::new();
    let peers = ["--peer", &a.url, "--peer", &b.url, "--peer", &open.url];
    let with = |more: &[&str]| edge.sync(&[&peers, more].concat());
    let output = with(&["--token", "for-a", "--token", "for-b", "--token", ""]);
    assert!(output.status.success(), "{output:?}");
    let output = with(&["--token", "for-b", "--token", "for-a", "--token", ""]);
    assert_eq!((output.status.code(), stderr(&output).matches(" 401 ").count()), (Some(1), 2), "{output:?}");
    for (tokens, why) in
        [(&["--token", "for-a"][..], "one token"), (&["--token", "for-a", "--token", "for-b"], "2 tokens")]
    {
        for command in ["sync", "run"] {
            let output = Command::new(env!("CARGO_BIN_EXE_grove-sync"))
                .arg(command)
                .arg(edge.path())
                .args(peers)
                .args(tokens)
                .output()
                .unwrap();
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains(why) && !said.contains("for-a"), "{said}");
        }
    }
    // One token for all of one origin.
    assert!(edge.sync(&["--peer", &a.url, "--peer", &format!("{}/", a.url), "--token", "for-a"]).status.success());
    // The same from the environment.
    let from_environment = |tokens: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grove-sync"));
        command.arg("sync").arg(edge.path()).args(peers).env("GROVE_SYNC_TOKEN", tokens).output().unwrap()
    };
    assert!(from_environment("for-a for-b ").status.success());
    assert_eq!(from_environment("for-a").status.code(), Some(1));
}

#[test]
fn nobody_reads_what_it_prints() {
    let hub = Hub::start(&[]);
    let edge = Edge::new();
    for (url, code) in [(hub.url.as_str(), 0), ("http://127.0.0.1:9/sync", 1)] {
        for more in [&[][..], &["--json"]] {
            let closed = || {
                let (_, ours) = std::io::pipe().unwrap();
                Stdio::from(ours)
            };
            let mut command = Command::new(env!("CARGO_BIN_EXE_grove-sync"));
            command.arg("sync").arg(edge.path()).args(["--peer", url]).args(more).stdout(closed()).stderr(closed());
            assert_eq!(command.status().unwrap().code(), Some(code), "{url} {more:?}");
        }
    }
}

#[test]
fn machines_get_json_also_when_nothing_could_be_done() {
    let output = Command::new(env!("CARGO_BIN_EXE_grove-sync"))
        .args(["sync", "/nonexistent/app.db", "--json", "--peer", "http://127.0.0.1:9/sync"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(told["error"].as_str().unwrap().contains("/nonexistent/app.db"), "{told}");
    assert_eq!((&told["pulled"], &told["peers"]), (&json!(0), &json!([])));
}

#[test]
fn what_is_wrong_is_told_before_anything_runs() {
    let edge = Edge::new();
    let folder = tempfile::tempdir().unwrap();
    let no_certificate = folder.path().join("e.pem");
    std::fs::write(&no_certificate, "no certificate").unwrap();
    let peer = ["--peer", "http://127.0.0.1:9/sync"];
    for (more, code) in [
        (&["--peer", "ftp://hub/sync"][..], 1),
        (&["--peer", "hub"], 1),
        (&["--tables", "tasks,nope"], 1),
        (&["--ca", no_certificate.to_str().unwrap()], 1),
        (&["--ca", "/nonexistent.pem"], 1),
        (&["--timeout", "abc"], 2),
        (&["--timeout", "0s"], 2),
        (&["--interval", "NaN"], 1),
    ] {
        let mut running = edge.run(&[&peer, more].concat());
        assert_eq!(running.ended(PATIENCE), Some(code), "{more:?}");
    }
    assert_eq!(edge.sync(&[&peer[..], &["--tables", "nope"]].concat()).status.code(), Some(1));
}

#[test]
fn a_database_where_nothing_is_enabled_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES (1)").unwrap();
    let before = std::fs::read(&path).unwrap();
    let peer = ["--peer", "http://127.0.0.1:9/sync"];
    let output = Command::new(env!("CARGO_BIN_EXE_grove-sync")).arg("sync").arg(&path).args(peer).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("crdt_enable"), "{output:?}");
    assert_eq!(run(&path, &peer).ended(PATIENCE), Some(1));
    assert!(std::fs::read(&path).unwrap() == before);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}
