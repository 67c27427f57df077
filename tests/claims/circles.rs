//! Rows in a circle of references, one of which takes a claim from another.

use serde_json::{json, Value};

use super::world::change;
use crate::support::{export, nodes, page, rows, same, send, table, take};

fn tree(action: &str) -> String {
    format!(
        "PRAGMA foreign_keys = ON;
         CREATE TABLE tree(id TEXT PRIMARY KEY NOT NULL, up TEXT REFERENCES tree(id) ON DELETE {action} ON UPDATE {action}, code TEXT UNIQUE);
         SELECT crdt_enable('tree');"
    )
}

/// The circle a → c → b → a. The row c takes its claim from b, with which it goes itself; `also` comes with that.
fn claim(action: &str, also: &[Value], shown: &[&str], waiting: &[&str]) {
    let at = |pk, field, ts, value: Value| change("tree", pk, field, (ts, 0, "x"), &value);
    let refers = [("a", "c"), ("c", "b"), ("b", "a")].map(|(pk, up)| at(pk, "up", 1, json!(up)));
    let codes = [("a", json!(null)), ("b", json!(null)), ("c", json!("old"))].map(|(pk, code)| at(pk, "code", 1, code));
    let younger = at("b", "code", 5, json!("new"));
    let mut older = vec![at("c", "code", 3, json!("new"))];
    older.extend_from_slice(also);

    let [by_steps, at_once, fresh] = nodes(["s", "o", "f"], &tree(action));
    take(&by_steps, &[refers.as_slice(), codes.as_slice()].concat());
    take(&by_steps, std::slice::from_ref(&younger));
    assert_eq!(table(&by_steps, "tree").len(), 3);
    take(&by_steps, &older);
    take(&at_once, &[refers.as_slice(), codes.as_slice(), &[younger], &older].concat());
    send(&by_steps, &fresh);
    for node in [&by_steps, &at_once, &fresh] {
        assert_eq!(table(node, "tree"), shown, "{action}");
        assert_eq!(rows(node, "SELECT pk FROM crdt_pending() ORDER BY pk"), waiting, "{action}");
        let changes = page(&export(node)).changes;
        let code =
            |pk: &str| changes.iter().find(|c| c["pk"] == pk && c["field"] == "code").map(|c| c["value"].clone());
        assert_eq!((code("b"), code("c")), (Some(json!("new")), Some(json!("new"))), "{action}");
    }
    same(&by_steps, &at_once, "tree");
    same(&by_steps, &fresh, "tree");
}

const ACTIONS: [&str; 3] = ["CASCADE", "SET NULL", "NO ACTION"];

/// What it shows for the moment is not kept over what was written last.
#[test]
fn a_row_that_goes_with_the_one_it_overrules_keeps_its_value() {
    for action in ACTIONS {
        claim(action, &[], &[], &["'a'", "'b'", "'c'"]);
    }
}

/// It refers to itself from now on, so it need not go.
#[test]
fn a_row_that_leaves_the_circle_of_the_one_it_overrules_is_shown() {
    let leaves = change("tree", "c", "up", (4, 0, "x"), &json!("c"));
    for action in ACTIONS {
        claim(action, std::slice::from_ref(&leaves), &["'a', 'c', NULL", "'c', 'c', 'new'"], &["'b'"]);
    }
}
