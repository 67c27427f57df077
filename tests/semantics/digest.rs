//! Digests: equal exactly when two nodes have converged.

use serde_json::json;

use crate::common::text;
use crate::support::*;

fn full(conn: &rusqlite::Connection) -> String {
    text(conn, "SELECT crdt_digest('tasks', 'full')", [])
}

#[test]
fn the_form_of_a_digest() {
    let [a, b] = nodes(["a", "b"], TASKS);
    for value in [digest(&a, "tasks"), full(&a)] {
        assert!(value.len() == 64 && value.chars().all(|c| c.is_ascii_hexdigit()), "{value}");
    }
    assert_eq!(digest(&a, "tasks"), digest(&b, "tasks"));
    assert_eq!(digest(&a, "tasks"), digest(&a, "tasks"));
}

/// Each of these makes a difference, shown or not.
#[test]
fn what_makes_a_difference() {
    let base = [
        lww("title", (1000, 0, "x"), "v"),
        counter((1000, 0, "x"), 5, 1),
        set("add", (1000, 0, "x"), json!(["e", "f"])),
    ];
    let differences = [
        lww("title", (1001, 0, "x"), "v"),
        lww("title", (1000, 0, "y"), "v"),
        lww("title", (1001, 0, "x"), "w"),
        lww("title", (1001, 0, "x"), "1"),
        lww("title", (1001, 0, "x"), 1),
        lww("title", (1001, 0, "x"), 1.0),
        lww("done", (1000, 0, "x"), 0),
        counter((1001, 0, "x"), 6, 2),
        counter((1000, 0, "y"), 0, 0),
        set("add", (1001, 0, "x"), json!(["e"])),
        set("remove", (1001, 0, "x"), json!(["f"])),
        tombstone((2000, 0, "x")),
        tombstone((500, 0, "x")),
        change("unknown", (1000, 0, "x"), json!({"value": 1})),
        change("title", (1000, 0, "x"), json!({"pk": "t2", "value": "v"})),
        change("_row", (1000, 0, "x"), json!({"pk": "t2", "value": true})),
    ];
    let mut digests = Vec::new();
    for difference in std::iter::once(None).chain(differences.iter().map(Some)) {
        let [a, b] = nodes(["a", "b"], TASKS);
        take(&a, &base);
        difference.map(|change| take(&a, std::slice::from_ref(change)));
        send(&a, &b);
        same(&a, &b, "tasks");
        digests.push((full(&a), difference));
    }
    digests.sort_by(|one, other| one.0.cmp(&other.0));
    for pair in digests.windows(2) {
        assert_ne!(pair[0].0, pair[1].0, "{:?} and {:?}", pair[0].1, pair[1].1);
    }
}

/// The storage's own business makes none: fold, order of columns, vacuum, another node id, an untracked column.
#[test]
fn what_makes_no_difference() {
    let a = node("a", TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 3, '[1,2]', 0), ('t2', 'y', 1, '[]', 1); DELETE FROM tasks WHERE id = 't2'");
    let unfolded = (digest(&a, "tasks"), full(&a));
    export(&a);
    run(&a, "VACUUM; ANALYZE; SELECT crdt_now(); SELECT crdt_status()");
    assert_eq!((digest(&a, "tasks"), full(&a)), unfolded);
    let turned = "CREATE TABLE tasks(mine, done INTEGER DEFAULT 0, tags TEXT DEFAULT '[]', priority INTEGER DEFAULT 0, title TEXT, id TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID;
                  SELECT crdt_enable('tasks', 'priority:counter', 'tags:set', 'mine:none')";
    let b = node("b", turned);
    send(&a, &b);
    run(&b, "UPDATE tasks SET mine = 'local'");
    assert_eq!((digest(&b, "tasks"), full(&b)), unfolded);
}

#[test]
fn deleted_records_are_in_the_full_digest_only() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    send(&a, &b);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t2', 'y'); DELETE FROM tasks WHERE id = 't2'");
    assert_eq!(digest(&a, "tasks"), digest(&b, "tasks"));
    assert_ne!(full(&a), full(&b));
    send(&a, &b);
    assert_eq!(full(&a), full(&b));
}

/// A relay may parse what it passes on and print it in its own way.
#[test]
fn a_value_has_one_digest_however_it_is_spelled() {
    for spellings in [
        [r#""\u00e9""#, r#""é""#, r#""\u00E9""#],
        [r#"{"$blob":"00ff"}"#, r#"{ "$blob" : "00ff" }"#, r#"{"$blob":"00FF"}"#],
        ["1e300", "1e+300", "1E300"],
        ["0.5", "5e-1", "0.50"],
        ["0.0", "-0.0", "0e0"],
        [r#"{"a":[1]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#],
    ] {
        let digests = spellings.map(|value| {
            let a = node("a", TASKS);
            let change = r#"[{"table":"tasks","pk":"t1","field":"title","crdt_type":"lww","hlc":{"ts":1,"c":0,"node":"x"},"node_id":"x","value":@}]"#;
            merge(&a, &change.replace('@', value));
            full(&a)
        });
        assert_eq!([&digests[1], &digests[2]], [&digests[0], &digests[0]], "{spellings:?}");
    }
}
