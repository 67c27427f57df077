//! `grove-sync sync` and `run`: real processes, through real hubs, over a wire that fails.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::common::{eventually, Hub};
use crate::edge::{converge, digest, open, run, Edge};
use crate::proxy::Proxy;

fn text(output: &Output) -> String {
    format!("{}|{}", String::from_utf8_lossy(&output.stdout).trim(), String::from_utf8_lossy(&output.stderr).trim())
}

#[test]
fn one_round_tells_what_it_did() {
    let hub = Hub::start(&[]);
    let (ann, bob) = (Edge::new(), Edge::new());
    ann.open().execute_batch("INSERT INTO tasks(id, title, owner) VALUES ('a', 'x', 'ann')").unwrap();
    let output = ann.sync(&["--peer", &hub.url]);
    assert!(output.status.success());
    assert_eq!(text(&output), "pulled=0 pushed=3 merged=0 conflicts=0|");
    assert_eq!(text(&ann.sync(&["--peer", &hub.url])), "pulled=0 pushed=0 merged=0 conflicts=0|");
    let told: Value = serde_json::from_slice(&bob.sync(&["--peer", &hub.url, "--json"]).stdout).unwrap();
    assert_eq!((&told["pulled"], &told["merged"], &told["peers"][0]["pulled"]), (&json!(3), &json!(3), &json!(3)));
    assert_eq!(digest(&ann.open()), digest(&bob.open()));
    // Only some tables, by two peers, of which one is not there.
    bob.open().execute_batch("INSERT INTO notes VALUES ('n', 'x'); INSERT INTO tasks(id) VALUES ('b')").unwrap();
    let output = bob.sync(&["--peer", &hub.url, "--peer", "http://127.0.0.1:9/sync", "--tables", "notes"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output);
    assert!(said.starts_with("pulled=0 pushed=1 merged=0 conflicts=0|") && said.contains("127.0.0.1:9"), "{said}");
    ann.sync(&["--peer", &hub.url]);
    let count: i64 = ann.open().query_row("SELECT count(*) FROM tasks", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
}

#[test]
fn what_is_called_wrongly() {
    let edge = Edge::new();
    assert_eq!(edge.sync(&[]).status.code(), Some(2));
    assert_eq!(edge.sync(&["--peer", "hub"]).status.code(), Some(1));
    assert_eq!(edge.sync(&["--peer", "http://127.0.0.1:9/sync", "--tables", "nope"]).status.code(), Some(1));
    let missing = Command::new(env!("CARGO_BIN_EXE_grove-sync"))
        .args(["sync", "/nonexistent/app.db", "--peer", "http://127.0.0.1:9/sync"])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nonexistent/app.db"));
}

#[test]
fn a_token_opens_what_it_is_for() {
    let mut hub =
        Hub::with_tokens(&json!([{"token": "s3cret", "read": ["tasks", "notes"], "write": ["tasks", "notes"]}]));
    let edge = Edge::new();
    edge.open().execute_batch("INSERT INTO tasks(id) VALUES ('a'); INSERT INTO secrets VALUES ('s', 'x')").unwrap();
    let tables = ["--peer", &hub.url, "--tables", "tasks,notes"];
    assert!(text(&edge.sync(&tables)).contains("401"));
    let token = |more: &[&str]| edge.sync(&[&["--token", "s3cret"], more].concat());
    assert!(token(&tables).status.success());
    assert!(text(&token(&["--peer", &hub.url])).contains("403"));
    let rows: i64 = hub.database().query_row("SELECT count(*) FROM secrets", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 0);
    hub.kill();
}

/// Edges that run beside their hubs, writing all the while.
fn topology(hubs: usize, links: &[(usize, usize)], edges: usize) {
    let hubs: Vec<Hub> = (0..hubs).map(|_| Hub::start(&[])).collect();
    let edges: Vec<Edge> = (0..edges).map(|_| Edge::new()).collect();
    let short = ["--interval", "0.5", "--timeout", "2s"];
    let mut proxies = Vec::new();
    let mut running = Vec::new();
    for (edge, hub) in links {
        // Numbers from the edges' on are hubs that go to hubs.
        let proxy = Proxy::failing(hubs[*hub].address());
        let url = proxy.url("/sync");
        proxies.push(proxy);
        let args = [&["--peer", url.as_str()][..], &short].concat();
        running.push(match edges.get(*edge) {
            Some(edge) => edge.run(&args),
            None => run(&hubs[*edge - edges.len()].path(), &args),
        });
    }
    for i in 0..30 {
        for (e, edge) in edges.iter().enumerate() {
            let conn = edge.open();
            conn.execute("INSERT INTO tasks(id, title) VALUES (?1, ?2)", [format!("{e}-{i}"), format!("title {i}")])
                .unwrap();
            conn.execute(
                "INSERT INTO tasks(id, votes) VALUES ('all', 1) ON CONFLICT DO UPDATE SET votes = votes + 1",
                [],
            )
            .unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let all: Vec<PathBuf> = edges.iter().map(Edge::path).chain(hubs.iter().map(Hub::path)).collect();
    proxies.iter().for_each(Proxy::heal);
    converge(&all, 30 * edges.len() as i64 + 1);
    for one in running {
        assert_eq!(one.end(), Some(0));
    }
}

#[test]
fn hub_and_spoke_over_a_failing_wire() {
    topology(1, &[(0, 0), (1, 0), (2, 0)], 3);
}

#[test]
fn chain_over_a_failing_wire() {
    topology(3, &[(0, 0), (2, 1), (3, 2), (1, 2)], 2);
}

#[test]
fn mesh_over_a_failing_wire() {
    topology(2, &[(0, 0), (0, 1), (1, 0), (1, 1)], 2);
}

/// Both sides go on while they cannot reach each other, and write the same records.
#[test]
fn a_partition_heals() {
    let hub = Hub::start(&[]);
    let edges = [Edge::new(), Edge::new()];
    let proxies: Vec<Proxy> = edges.iter().map(|_| Proxy::healthy(hub.address())).collect();
    let running: Vec<_> = edges
        .iter()
        .zip(&proxies)
        .map(|(edge, proxy)| edge.run(&["--peer", &proxy.url("/sync"), "--interval", "0.5"]))
        .collect();
    let all: Vec<PathBuf> = edges.iter().map(Edge::path).chain([hub.path()]).collect();
    edges[0]
        .open()
        .execute_batch("INSERT INTO tasks(id, title, votes, tags) VALUES ('a', 'x', 1, '[1]'), ('b', 'x', 1, '[1]')")
        .unwrap();
    converge(&all, 2);
    let before = digest(&open(&hub.path()));
    proxies[0].cut();
    let change = |edge: &Edge, who: &str| {
        edge.open()
            .execute_batch(&format!("UPDATE tasks SET title = '{who}', votes = votes + 10, tags = json_insert(tags, '$[#]', '{who}'); INSERT INTO tasks(id) VALUES ('{who}')"))
            .unwrap();
    };
    change(&edges[0], "ann");
    edges[0].open().execute_batch("DELETE FROM tasks WHERE id = 'b'").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(digest(&open(&hub.path())), before, "nothing comes through");
    change(&edges[1], "bob");
    converge(&all[1..], 3);
    proxies[0].heal();
    // 'b' was deleted on one side, and written on the other after that.
    converge(&all, 4);
    let row = |sql: &str| hub.database().query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(row("SELECT title || votes || tags FROM tasks WHERE id = 'a'"), "bob21[\"ann\",\"bob\",1]");
    assert_eq!(row("SELECT title || votes FROM tasks WHERE id = 'b'"), "bob21");
    assert!(running.into_iter().all(|one| one.end() == Some(0)));
}

#[test]
fn a_commit_is_there_at_once() {
    let hub = Hub::start(&[]);
    let (ann, bob) = (Edge::new(), Edge::new());
    let far = ["--peer", hub.url.as_str(), "--interval", "3600"];
    let (_a, _b) = (ann.run(&far), bob.run(&far));
    converge(&[ann.path(), bob.path(), hub.path()], 0);
    eventually("the streams are open", || hub.metric("grove_streams_open") == 2.0);
    for i in 0..5 {
        let began = Instant::now();
        ann.open().execute("INSERT INTO tasks(id) VALUES (?1)", [i.to_string()]).unwrap();
        converge(&[ann.path(), bob.path(), hub.path()], i + 1);
        // Far below the interval: the commit was pushed, and the stream told of it.
        assert!(began.elapsed() < Duration::from_secs(30));
    }
    // So is a table that is enabled now.
    for path in [hub.path(), bob.path(), ann.path()] {
        let later = "CREATE TABLE later(id INTEGER PRIMARY KEY, x); SELECT crdt_enable('later');";
        open(&path).execute_batch(later).unwrap();
    }
    ann.open().execute("INSERT INTO later VALUES (1, 'x')", []).unwrap();
    let there = || bob.open().query_row("SELECT count(*) FROM later", [], |row| row.get::<_, i64>(0)) == Ok(1);
    eventually("a table that was enabled later", there);
}

#[test]
fn what_one_peer_refuses_is_told_and_the_rest_goes_on() {
    let hub = Hub::start(&[]);
    open(&hub.path()).execute_batch("SELECT crdt_pragma('max_value_bytes', '100')").unwrap();
    let edge = Edge::new();
    let long = "x".repeat(200);
    edge.open()
        .execute_batch(&format!(
            "INSERT INTO notes VALUES ('long', '{long}');
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) INSERT INTO notes SELECT i, 'x' FROM n;
             CREATE TABLE own(id INTEGER PRIMARY KEY); SELECT crdt_enable('own'); INSERT INTO own VALUES (1)"
        ))
        .unwrap();
    let output = edge.sync(&["--peer", &hub.url]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(" rejected=1 (") && said.contains(" failed=1 (own: "), "{said}");
    let there = hub.database().query_row("SELECT count(*) FROM notes WHERE body = 'x'", [], |row| row.get::<_, i64>(0));
    assert_eq!(there, Ok(12000));
    let status = Command::new(env!("CARGO_BIN_EXE_grove-sync")).arg("status").arg(edge.path()).output().unwrap();
    let status = text(&status);
    assert!(status.contains(&hub.url) && status.contains("max_value_bytes"), "{status}");
}
