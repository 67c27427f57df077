//! What a conflict's row holds: exact values, stamps, keys of every shape.

use serde_json::json;

use crate::common::text;
use crate::support::*;

#[test]
fn values_keep_type_and_bits() {
    let values = [
        "NULL",
        "0",
        "9223372036854775807",
        "-9223372036854775808",
        "1",
        "1.0",
        "-0.0",
        "5e-324",
        "9e999",
        "-9e999",
        "''",
        "'é😀'",
        "CAST(x'6100ff' AS TEXT)",
        "x''",
        "x'00ff'",
        "'{\"a\": 1}'",
        "'[1,2]'",
    ];
    for kind in ["", "JSON", "BOOLEAN", "TEXT", "INTEGER"] {
        let sql = format!("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v {kind}); SELECT crdt_enable('t')");
        let [a, b] = nodes(["a", "b"], &sql);
        for (i, value) in values.iter().enumerate() {
            run(&a, &format!("INSERT INTO t VALUES ('{i:02}', {value})"));
            run(&b, &format!("INSERT INTO t VALUES ('{i:02}', 'other')"));
        }
        let shown = |conn| rows(conn, "SELECT v FROM t ORDER BY id");
        let logged = |conn, column| rows(conn, &format!("SELECT {column} FROM crdt_conflicts() ORDER BY pk"));
        let (mine, others) = (shown(&a), shown(&b));
        let (to_b, to_a) = (export(&a), export(&b));
        merge(&b, &to_b);
        merge(&a, &to_a);
        assert_eq!(logged(&a, "local_value"), mine, "{kind}");
        assert_eq!(logged(&a, "incoming_value"), others, "{kind}");
        assert_eq!(logged(&b, "incoming_value"), mine, "{kind}");
        assert_eq!(logged(&b, "local_value"), others, "{kind}");
    }
}

#[test]
fn stamps_time_and_type() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x')");
    send(&a, &b);
    run(&a, "UPDATE tasks SET title = 'a'");
    run(&b, "UPDATE tasks SET title = 'b'");
    let (local, incoming) =
        (page(&export(&b)).change("title")["hlc"].clone(), page(&export(&a)).change("title")["hlc"].clone());
    let before = now(&b);
    send(&a, &b);
    let one = rows(&b, "SELECT \"table\", pk, field, crdt_type FROM crdt_conflicts()");
    assert_eq!(one, ["'tasks', 't1', 'title', 'lww'"]);
    let stamp = |column| -> serde_json::Value {
        serde_json::from_str(&text(&b, &format!("SELECT {column} FROM crdt_conflicts()"), [])).unwrap()
    };
    assert_eq!((stamp("local_hlc"), stamp("incoming_hlc")), (local, incoming));
    let at: i64 = text(&b, "SELECT at FROM crdt_conflicts()", []).parse().unwrap();
    assert!((at - before).abs() < 60_000_000_000, "{at} {before}");
}

#[test]
fn keys_of_every_shape() {
    for (create, insert, key) in [
        ("t(id INTEGER PRIMARY KEY, v)", "(7, 'x')", "'7'"),
        ("t(a, b, v, PRIMARY KEY(a, b))", "(1.5, x'00', 'x')", "'[1.5,{\"$blob\":\"00\"}]'"),
        ("t(id TEXT PRIMARY KEY NOT NULL, v) WITHOUT ROWID", "('k', 'x')", "'k'"),
        ("\"it's a \"\"t\"\"\"(\"the key\" TEXT PRIMARY KEY NOT NULL, \"my v\")", "('k', 'x')", "'k'"),
    ] {
        let name = if create.starts_with('t') { "t" } else { "it's a \"t\"" };
        let [a, b] = nodes(["a", "b"], &format!("CREATE TABLE {create}"));
        for node in [&a, &b] {
            node.query_row("SELECT crdt_enable(?1)", [name], |_| Ok(())).unwrap();
            run(node, &format!("INSERT INTO {} VALUES {insert}", quote(name)));
        }
        assert_eq!(send(&a, &b)["conflicts"], 1);
        let column = if name == "t" { "'v'" } else { "'my v'" };
        let expect = format!("'{name}', {key}, {column}");
        assert_eq!(rows(&b, "SELECT \"table\", pk, field FROM crdt_conflicts()"), [expect]);
    }
}

/// A cell that its column cannot hold, a column that is not here, a row that waits: the state's value is told.
#[test]
fn values_that_no_cell_shows() {
    let a = node("a", "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, done INTEGER); SELECT crdt_enable('tasks')");
    let write = |field: &str, node: &str, value| {
        take(&a, &[change(field, (if node == "x" { 1000 } else { 2000 }, 0, node), json!({"value": value}))]);
    };
    write("title", "x", json!("t"));
    write("done", "x", json!("7"));
    write("done", "y", json!("8"));
    write("elsewhere", "x", json!([1]));
    write("elsewhere", "y", json!([2]));
    write("title", "y", json!(null));
    take(&a, &[lww("title", (3000, 0, "z"), "shown")]);
    assert_eq!(
        rows(&a, "SELECT field, local_value, incoming_value FROM crdt_conflicts()"),
        ["'done', '7', '8'", "'elsewhere', '[1]', '[2]'", "'title', 't', NULL", "'title', NULL, 'shown'"]
    );
}
