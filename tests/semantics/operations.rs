//! Clients that send each counter operation by itself, as Grove's TypeScript client does, and add what they receive.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::{json, Value};

use crate::common::text;
use crate::support::*;

const OPTIONS: &str = r#"{"counters":"operations"}"#;

/// Such a client: one counter of record t1, a queue of what it has not pushed yet, a cursor. It counts its own operations when
/// it makes them; of others it keeps single operations by author and stamp, totals by author.
struct Client {
    name: &'static str,
    own: i64,
    others: BTreeMap<String, i64>,
    operations: i64,
    queue: Vec<Value>,
    since: Value,
}

impl Client {
    fn new(name: &'static str) -> Client {
        Client { name, own: 0, others: BTreeMap::new(), operations: 0, queue: Vec::new(), since: Value::Null }
    }

    fn add(&mut self, n: i64) {
        self.own += n;
        self.operations += 1;
        self.queue.push(counter((1000 + self.operations, 0, self.name), n.max(0), (-n).max(0)));
    }

    /// Pushes the queue and adds every counter change that a pull brings, page after page.
    fn sync(&mut self, hub: &Connection) {
        let request = json!({"node_id": self.name, "changes": self.queue}).to_string();
        text(hub, "SELECT crdt_push(?1, ?2)", [&request, OPTIONS]);
        self.queue.clear();
        loop {
            let request = json!({"tables": ["tasks"], "node_id": self.name, "since": self.since}).to_string();
            let answer = page(&text(hub, "SELECT crdt_pull(?1, ?2)", [&request, OPTIONS]));
            for change in answer.changes.iter().filter(|change| change["crdt_type"] == "counter") {
                let part = if change["operation"] == true { &change["hlc"] } else { &change["node_id"] };
                let delta = |key: &str| change["counter_delta"][key].as_i64().unwrap();
                self.others.insert(part.to_string(), delta("inc") - delta("dec"));
            }
            self.since = serde_json::from_str(&answer.cursor).unwrap();
            if !answer.more {
                return;
            }
        }
    }

    fn sum(&self) -> i64 {
        self.own + self.others.values().sum::<i64>()
    }
}

#[test]
fn a_client_that_adds_what_it_receives_does_not_count_its_own_twice() {
    let [hub, native] = nodes(["hub", "native"], TASKS);
    run(&native, "INSERT INTO tasks(id, title, priority) VALUES ('t1', 'x', 100)");
    send(&native, &hub);
    let (mut one, mut two) = (Client::new("js1"), Client::new("js2"));
    for n in [1, 1, -3] {
        one.add(n);
    }
    one.sync(&hub);
    assert_eq!(one.sum(), 99, "its own -1 once, the native 100 once");
    assert_eq!(rows(&hub, "SELECT priority FROM tasks"), ["99"]);
    two.add(10);
    two.sync(&hub);
    one.add(1000);
    for _ in 0..3 {
        one.sync(&hub);
    }
    assert_eq!(rows(&hub, "SELECT priority FROM tasks"), ["1109"]);
    assert_eq!(one.sum(), 1109);
    run(&native, "UPDATE tasks SET priority = priority + 5");
    send(&native, &hub);
    for client in [&mut one, &mut two] {
        client.sync(&hub);
        assert_eq!(client.sum(), 1114);
    }
}

fn ask(hub: &Connection, request: Value, options: Option<&str>) -> Page {
    page(&text(hub, "SELECT crdt_pull(?1, ?2)", (request.to_string(), options)))
}

fn authors(page: &Page) -> Vec<&str> {
    let counters = page.changes.iter().filter(|change| change["crdt_type"] == "counter");
    let mut authors: Vec<_> = counters.map(|change| change["node_id"].as_str().unwrap()).collect();
    authors.sort_unstable();
    authors.dedup();
    authors
}

#[test]
fn only_the_callers_own_counter_parts_stay_out() {
    let hub = node("hub", TASKS);
    take(
        &hub,
        &[counter((1000, 0, "js"), 5, 0), counter((1000, 0, "go"), 7, 0), lww("title", (1000, 0, "js"), "mine")],
    );
    let request = |more: Value| {
        let mut request = json!({"tables": ["tasks"], "node_id": "js"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let all = ask(&hub, request(json!({})), None);
    assert_eq!((authors(&all), all.fields()), (vec!["go", "js"], vec!["t1.priority".into(), "t1.title".into()]));
    assert_eq!(ask(&hub, request(json!({"counters": "totals"})), Some("{}")).json, all.json);
    // By the options, by the request, by both.
    for (counters, options) in [(json!({}), Some(OPTIONS)), (json!({"counters": "operations"}), None)] {
        let theirs = ask(&hub, request(counters), options);
        assert_eq!((authors(&theirs), theirs.fields()), (vec!["go"], all.fields()));
        // The cursor goes on in the same way of asking, and starts anew in the other, or for another caller.
        let since: Value = serde_json::from_str(&theirs.cursor).unwrap();
        let next = request(json!({"since": since}));
        assert_eq!(ask(&hub, next.clone(), Some(OPTIONS)).changes.len(), 0);
        assert_eq!(ask(&hub, next.clone(), None).changes.len(), 3);
        let other = json!({"tables": ["tasks"], "node_id": "go", "since": since});
        assert_eq!(authors(&ask(&hub, other, Some(OPTIONS))), ["js"]);
        let filtered = request(json!({"since": since, "filter": {"field_filter": ["priority"]}}));
        assert_eq!(ask(&hub, filtered, Some(OPTIONS)).fields(), ["t1.priority"]);
    }
}

/// A page of which nothing is left still moves the cursor.
#[test]
fn a_page_of_ones_own_parts_moves_the_cursor() {
    let hub = node("hub", TASKS);
    let start = ask(&hub, json!({"tables": ["tasks"], "node_id": "js"}), Some(OPTIONS));
    let push = json!({"node_id": "js", "counters": "operations", "changes": [counter((1000, 0, "js"), 1, 0)]});
    for _ in 0..2 {
        text(&hub, "SELECT crdt_push(?1)", [push.to_string()]);
    }
    assert_eq!(rows(&hub, "SELECT priority FROM tasks"), ["1"], "the key of the request, as the option");
    let since: Value = serde_json::from_str(&start.cursor).unwrap();
    let next = ask(&hub, json!({"tables": ["tasks"], "node_id": "js", "since": since}), Some(OPTIONS));
    assert_eq!(next.changes.len(), 0);
    assert_ne!(next.cursor, start.cursor);
}
