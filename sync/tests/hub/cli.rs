//! `grove-sync status` and `inspect`, and what `serve` refuses to start with.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use serde_json::{json, Value};

use crate::common::{lww, Hub, SCHEMA};

fn grove_sync(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_grove-sync")).args(args).output().unwrap()
}

fn printed(args: &[&str]) -> String {
    let output = grove_sync(args);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn status_and_inspect() {
    let hub = Hub::start(&[]);
    hub.push(&[lww("tasks", "t1", "title", 1, "a", json!("Milk"))]).ok();
    hub.pull(&json!({"node_id": "phone"}));
    let path = hub.path();
    let path = path.to_str().unwrap();
    let status: Value = serde_json::from_str(&printed(&["status", path, "--json"])).unwrap();
    assert_eq!(status["tables"][0]["records"], json!(1));
    let text = printed(&["status", path]);
    for word in ["tasks", "phone", status["node"].as_str().unwrap()] {
        assert!(text.contains(word), "{text}");
    }
    let cut = format!("{} status {path} | head -1", env!("CARGO_BIN_EXE_grove-sync"));
    let output = Command::new("sh").args(["-c", &cut]).output().unwrap();
    assert!(output.stderr.is_empty() && output.stdout.starts_with(b"node "), "{output:?}");
    let text = printed(&["inspect", path, "tasks", "t1"]);
    assert!(text.starts_with("CRDT State for tasks[t1]\n  title (lww): Milk"), "{text}");
    let state: Value = serde_json::from_str(&printed(&["inspect", path, "tasks", "t1", "--json"])).unwrap();
    assert_eq!(state["fields"]["title"]["value"], json!("Milk"));
    for args in [["inspect", path, "tasks", "t9"], ["inspect", path, "others", "t1"]] {
        let output = grove_sync(&args);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("grove-sync: "), "{output:?}");
    }
}

#[test]
fn what_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let missing = folder.path().join("missing.db").to_str().unwrap().to_owned();
    let (rubbish, tokens, schema) =
        (file("rubbish.db", &"rubbish ".repeat(1000)), file("tokens", "{}"), file("schema.sql", ""));
    let (open, cut) =
        (file("open.sql", "BEGIN; CREATE TABLE t(x)"), file("cut.sql", "CREATE TABLE t(x);\0CREATE TABLE u(x)"));
    for args in [
        &["status", &missing][..],
        &["serve", &missing],
        &["status", &rubbish],
        &["serve", &rubbish],
        &["serve", &missing, "--init", &schema, "--token-file", &tokens],
        &["serve", &missing, "--init", &rubbish],
        &["serve", &missing, "--init", &open],
        &["serve", &missing, "--init", &cut],
        &["serve", &missing, "--tls-cert", &tokens],
        &["serve", &missing, "--init", &schema, "--tls-cert", &tokens, "--tls-key", &tokens],
        &["serve", &missing, "--base", "/{x}"],
        &["serve", &missing, "--init", &schema, "--presence-ttl", "1e19"],
        &["serve", &missing, "--init", &schema, "--presence-ttl", "NaN"],
        &["serve", &missing, "--listen", "nowhere"],
        &["serve", &missing, "--listen", "127.0.0.1:99999"],
    ] {
        let output = grove_sync(args);
        assert!(!output.status.success() && !output.stderr.is_empty(), "{args:?}: {output:?}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{args:?}: {output:?}");
    }
    assert_eq!(std::fs::metadata(folder.path().join("rubbish.db")).unwrap().len(), 8000);
}

#[test]
fn it_listens_at_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("schema.sql");
    std::fs::write(&schema, SCHEMA).unwrap();
    let mut hub = Command::new(env!("CARGO_BIN_EXE_grove-sync"))
        .arg("serve")
        .arg(folder.path().join("app.db"))
        .args(["--listen", "localhost:0", "--init"])
        .arg(&schema)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let read = BufReader::new(hub.stdout.take().unwrap()).read_line(&mut line);
    hub.kill().unwrap();
    hub.wait().unwrap();
    read.unwrap();
    assert!(
        line.starts_with("listening on http://127.0.0.1:") || line.starts_with("listening on http://[::1]:"),
        "{line}"
    );
}
