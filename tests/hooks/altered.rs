//! Values that a hook altered: how they rank, travel and converge.

use serde_json::json;

use crate::common::text;
use crate::hook;
use crate::support::*;

const UPPER: &str =
    "SELECT CASE WHEN :field = 'title' THEN json_set(:change, '$.value', upper(:value)) ELSE :change END";

#[test]
fn an_altered_value_is_shown_kept_and_marked() {
    let a = node("a", TASKS);
    hook(&a, "upper", "before_inbound", UPPER);
    let original = lww("title", (5, 0, "x"), "milk");
    assert_eq!(take(&a, std::slice::from_ref(&original))["merged"], 1);
    assert_eq!(text(&a, "SELECT title FROM tasks", []), "MILK");
    let page = since(&a, None);
    let sent = page.change("title");
    assert_eq!((&sent["value"], &sent["altered"], &sent["hlc"]), (&json!("MILK"), &json!(true), &original["hlc"]));
    // Replaying the original does not undo the hook.
    let answer = take(&a, std::slice::from_ref(&original));
    assert_eq!((&answer["unchanged"], &answer["merged"]), (&json!(1), &json!(0)));
    assert_eq!(text(&a, "SELECT title FROM tasks", []), "MILK");
    // It does once the hook is gone: the original ranks above.
    text(&a, "SELECT crdt_unhook('upper')", []);
    assert_eq!(take(&a, &[original])["merged"], 1);
    assert_eq!(text(&a, "SELECT title FROM tasks", []), "milk");
    assert_eq!(since(&a, None).change("title").get("altered"), None);
    sound(&a);
}

/// A value that the hook gives back as it was is not altered, to the byte.
#[test]
fn unaltered_values_pass_to_the_byte() {
    let a = node("a", TASKS);
    hook(&a, "same", "before_inbound", "SELECT json_set(:change, '$.noticed', 1)");
    let json = r#"[{"table":"tasks","pk":"t1","field":"title","crdt_type":"lww","hlc":{"ts":5,"c":0,"node":"x"},"value":{"b" : 1e2, "a":"\u0041"}}]"#;
    merge(&a, json);
    let sent = export(&a);
    assert!(sent.contains(r#""value":{"b" : 1e2, "a":"\u0041"}"#) && !sent.contains("altered"), "{sent}");
}

/// Every type of value can be altered into every other.
#[test]
fn types_of_values() {
    let a = node("a", TASKS);
    run(&a, "CREATE TABLE new(value TEXT)");
    hook(&a, "new", "before_inbound", "SELECT json_set(:change, '$.value', json(value)) FROM new");
    let mut ts = 0;
    for (json, shown) in [
        ("null", "NULL"),
        ("7", "7"),
        ("1.0", "1.0"),
        ("\"é\"", "'é'"),
        ("true", "1"),
        ("{\"$blob\":\"00ff\"}", "x'00ff'"),
        ("{\"$real\":\"-Infinity\"}", "-inf"),
        ("[1,2]", "'[1,2]'"),
    ] {
        ts += 1;
        run(&a, &format!("DELETE FROM new; INSERT INTO new VALUES ('{json}')"));
        run(&a, "CREATE TABLE IF NOT EXISTS bare(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('bare')");
        take(&a, &[change("v", (ts, 0, "x"), json!({"table": "bare", "value": "old"}))]);
        assert_eq!(rows(&a, "SELECT v FROM bare"), [shown]);
    }
    run(&a, "DELETE FROM new; INSERT INTO new VALUES ('{\"$blob\":\"0\"}')");
    assert!(crate::merge_error(&a, &[lww("title", (99, 0, "x"), 1)]).contains("hook 'new'"));
}

/// Two nodes with one hook hold the same, whichever way the change comes to them.
#[test]
fn nodes_with_the_same_hook_converge() {
    let [a, b, c] = nodes(["a", "b", "c"], TASKS);
    hook(&a, "upper", "before_inbound", UPPER);
    hook(&b, "upper", "before_inbound", UPPER);
    run(&c, "INSERT INTO tasks(id, title) VALUES ('t1', 'milk'), ('t2', 'tea')");
    send(&c, &a);
    send(&a, &b); // altered already
    send(&c, &b); // the original
    same(&a, &b, "tasks");
    run(&c, "UPDATE tasks SET title = title || '!'");
    send(&c, &b);
    swap(&a, &b);
    send(&c, &a);
    same(&a, &b, "tasks");
    assert_eq!(rows(&a, "SELECT title FROM tasks ORDER BY id"), ["'MILK!'", "'TEA!'"]);
    // Its author keeps what it wrote; a node without the hook takes the original, however it comes.
    swap(&a, &c);
    assert_eq!(rows(&c, "SELECT title FROM tasks ORDER BY id"), ["'milk!'", "'tea!'"]);
    let d = node("d", TASKS);
    send(&a, &d);
    assert_eq!(rows(&d, "SELECT title FROM tasks ORDER BY id"), ["'MILK!'", "'TEA!'"]);
    send(&c, &d);
    same(&c, &d, "tasks");
    send(&a, &d);
    same(&c, &d, "tasks");
}

/// A later write of the author is altered again; a local write is nobody's change to alter.
#[test]
fn writes_after_an_altered_one() {
    let a = node("a", TASKS);
    hook(&a, "upper", "before_inbound", UPPER);
    take(&a, &[lww("title", (5, 0, "x"), "milk")]);
    run(&a, "UPDATE tasks SET title = 'local' WHERE id = 't1'");
    assert_eq!(since(&a, None).change("title")["value"], "local");
    take(&a, &[lww("title", (6, 0, "x"), "older than the local one")]);
    assert_eq!(text(&a, "SELECT title FROM tasks", []), "local");
    sound(&a);
}

/// Altered values of records that show no row: deleted, pending, unknown columns.
#[test]
fn values_without_a_cell() {
    let a = node("a", TASKS);
    hook(&a, "upper", "before_inbound", "SELECT CASE WHEN :crdt_type = 'lww' AND typeof(:value) = 'text' THEN json_set(:change, '$.value', upper(:value)) ELSE :change END");
    take(&a, &[tombstone((9, 0, "x")), lww("title", (5, 0, "x"), "dead"), lww("unknown", (5, 0, "x"), "later")]);
    take(&a, &[lww("title", (5, 0, "x"), "dead"), lww("unknown", (5, 0, "x"), "later")]);
    let page = since(&a, None);
    for (field, value) in [("title", "DEAD"), ("unknown", "LATER")] {
        assert_eq!((&page.change(field)["value"], &page.change(field)["altered"]), (&json!(value), &json!(true)));
    }
    run(&a, "ALTER TABLE tasks ADD COLUMN unknown; SELECT crdt_enable('tasks')");
    take(&a, &[lww("done", (10, 0, "x"), 1)]);
    assert_eq!(rows(&a, "SELECT title, unknown FROM tasks"), ["'DEAD', 'LATER'"]);
    sound(&a);
}

/// Changes in any order, any number of times, in calls of any length, and over each other: nodes with the same hooks hold
/// the same in the end.
#[test]
fn any_order_converges() {
    let hooks = "SELECT crdt_hook('alter', 'before_inbound', 'SELECT CASE WHEN :field = ''title'' THEN
            json_set(:change, ''$.value'', upper(:value)) ELSE :change END');
        SELECT crdt_hook('skip', 'before_inbound', 'SELECT :change WHERE :field NOT IN (''done'', ''priority'') OR json_extract(:change, ''$.hlc.ts'') % 3');";
    let mut seed = 7u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize % below
    };
    for round in 0..15 {
        let mut changes = Vec::new();
        for ts in 1..40 {
            let stamp = (ts, 0, ["x", "y", "z"][random(3)]);
            let mut change = match random(8) {
                0 | 1 => lww("title", stamp, ["a", "b", "C"][random(3)]),
                2 => lww("done", stamp, ts),
                3 => counter(stamp, ts, ts / 2),
                4 => set("add", stamp, json!([random(3)])),
                5 => change("_row", stamp, json!({"value": true})),
                6 => lww("later", stamp, ts),
                _ => tombstone(stamp),
            };
            change["pk"] = json!(["t1", "t2"][random(2)]);
            changes.push(change);
        }
        let [a, b] = nodes(["a", "b"], &format!("{TASKS}{hooks}"));
        for conn in [&a, &b] {
            let mut left: Vec<_> = changes.iter().chain(&changes).cloned().collect();
            while !left.is_empty() {
                let most = left.len().min(1 + random(6));
                let call: Vec<_> = (0..most).map(|_| left.swap_remove(random(left.len()))).collect();
                take(conn, &call);
                if random(4) == 0 {
                    send(&a, &b);
                }
            }
        }
        same(&a, &b, "tasks");
        swap(&a, &b);
        same(&a, &b, "tasks");
        assert!(!export(&a).contains("\"value\":\"a\""), "round {round}");
    }
}
