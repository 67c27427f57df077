//! What a node passes on: everything that it took, as it came, and nothing twice.

use serde_json::json;

use crate::common::text;
use crate::support::*;

/// SQL expressions for values of every kind, one a line.
const VALUES: &str = "NULL
0
-1
9223372036854775807
-9223372036854775808
0.0
-0.0
1.0
-1.5
5e-324
1.7976931348623157e308
9e999
-9e999
123456789012345680.0
''
' '
'plain'
'1'
'null'
'[1, 2]'
'{\"a\":1}'
'{\"$blob\":\"00\"}'
'{\"$real\":\"Infinity\"}'
'\"quoted\" \\ / <&>'
char(0)
'a' || char(0) || 'b'
char(1, 8, 9, 10, 12, 13, 27, 127, 8232, 8233, 65533, 65535, 1114111)
'é😀'
CAST(x'ff' AS TEXT)
CAST(x'eda080' AS TEXT)
CAST(x'61c3' AS TEXT)
x''
x'00'
x'00ff61'
zeroblob(1000)
hex(zeroblob(5000))";

const TYPES: [&str; 8] = ["", "INTEGER", "REAL", "NUMERIC", "TEXT", "BLOB", "JSON", "BOOLEAN"];

/// a → b → c: every value of every kind in every kind of column comes out as it went in, type and bits.
#[test]
fn values_survive_two_hops() {
    let columns: Vec<_> = TYPES.iter().enumerate().map(|(i, declared)| format!("c{i} {declared}")).collect();
    let setup = format!("CREATE TABLE t(id INTEGER PRIMARY KEY, {}); SELECT crdt_enable('t')", columns.join(", "));
    let [a, b, c] = nodes(["a", "b", "c"], &setup);
    for (i, value) in VALUES.lines().enumerate() {
        run(&a, &format!("INSERT INTO t VALUES ({i}, {})", [value; 8].join(", ")));
        run(
            &a,
            &format!(
                "INSERT INTO t(id) VALUES ({}); UPDATE t SET c0 = {value}, c4 = {value}, c6 = {value} WHERE id = {}",
                i + 1000,
                i + 1000
            ),
        );
    }
    send(&a, &b);
    send(&b, &c);
    same(&a, &b, "t");
    same(&a, &c, "t");
    // Also the JSON of each change is the same, byte for byte.
    let lines = |conn: &rusqlite::Connection| {
        let mut lines = rows(conn, "SELECT change FROM crdt_changes(NULL, NULL)");
        lines.sort();
        lines
    };
    assert_eq!(lines(&a), lines(&b));
    assert_eq!(lines(&a), lines(&c));
}

/// Foreign JSON spellings of values: to a third node they go as they came.
#[test]
fn foreign_json_goes_on_as_it_came() {
    let spelled = [
        "1.50",
        "1e2",
        "-0",
        "-0.0",
        "1E+2",
        "12345678901234567890",
        "0.1e-7",
        r#""\u0061\/\ud83d\ude00""#,
        r#""<&>""#,
        r#"{"b": 1,  "a":[1.0, 2]}"#,
        "[ ]",
        "{}",
        r#"{"$blob":"00","x":1}"#,
        "true",
        "false",
        "null",
        r#"{"a":1,"a":2}"#,
    ];
    for value in spelled {
        let [a, b, c] = nodes(
            ["a", "b", "c"],
            "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title); SELECT crdt_enable('tasks')",
        );
        let json = lww("title", (1000, 0, "x"), "HERE").to_string().replace("\"HERE\"", value);
        merge(&a, &format!("[{json}]"));
        send(&a, &b);
        send(&b, &c);
        same(&a, &b, "tasks");
        same(&a, &c, "tasks");
        let values = |conn| rows(conn, "SELECT value FROM crdt_changes(NULL, NULL) WHERE field = 'title'");
        assert_eq!(values(&a), values(&c), "{value}");
        let text = &values(&c)[0];
        // A cell shows it as SQL has it; the JSON means the same. Containers keep their text.
        if value.starts_with(['{', '[']) {
            assert!(since(&c, None).json.contains(value), "{value} became {text}");
        }
    }
}

/// Columns declared JSON and BOOL.
#[test]
fn declared_json_and_bool() {
    let setup = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, j JSON, f BOOLEAN, jb JSONB, b BOOL NOT NULL DEFAULT 0); SELECT crdt_enable('t')";
    let [a, b] = nodes(["a", "b"], setup);
    run(
        &a,
        r#"INSERT INTO t VALUES ('1', '{"a":[1,2]}', 1, '[true]', 0), ('2', '{ "a" : 1 }', 2, 'x', 1), ('3', '"7"', NULL, NULL, 0)"#,
    );
    let page = since(&a, None);
    let value = |pk: &str, field: &str| {
        page.changes.iter().find(|c| c["pk"] == pk && c["field"] == field).unwrap()["value"].clone()
    };
    assert_eq!(value("1", "j"), json!({"a": [1, 2]}));
    assert_eq!((value("1", "f"), value("1", "b")), (json!(true), json!(false)));
    assert_eq!(value("1", "jb"), json!([true]));
    assert_eq!((value("2", "f"), value("2", "b")), (json!(2), json!(true)));
    assert!(
        value("2", "j") == json!("{ \"a\" : 1 }") || page.json.contains(r#""value":{ "a" : 1 }"#),
        "gives back the same text"
    );
    assert_eq!(value("3", "j"), json!("\"7\""), "only objects and arrays travel as JSON");
    send(&a, &b);
    same(&a, &b, "t");
    let body = json!({"table": "t", "pk": "9", "value": true});
    take(&b, &[change("f", (1000, 0, "x"), body)]);
    assert_eq!(rows(&b, "SELECT f FROM t WHERE id = '9'"), ["1"]);
}

/// After a full exchange, another one finds nothing new, in any topology.
#[test]
fn nothing_echoes() {
    let all = nodes(["a", "b", "c"], TASKS);
    let [a, b, c] = &all;
    run(a, "INSERT INTO tasks VALUES ('t1', 'x', 3, '[\"p\",\"q\"]', 0), ('t2', 'y', 1, '[]', 1)");
    run(b, "INSERT INTO tasks VALUES ('t1', 'z', 4, '[\"q\",\"r\"]', 1)");
    run(c, "INSERT INTO tasks VALUES ('t2', 'w', 9, '[\"s\"]', 1); DELETE FROM tasks");
    for (from, to) in [(a, b), (b, c), (c, a), (a, b), (b, c)] {
        send(from, to);
    }
    let places = all.each_ref().map(mark);
    for _ in 0..2 {
        for (from, to) in [(a, b), (b, c), (c, a), (b, a), (c, b), (a, c)] {
            let answer = send(from, to);
            assert_eq!((&answer["merged"], &answer["conflicts"]), (&json!(0), &json!(0)), "{answer}");
        }
    }
    for (node, place) in all.iter().zip(&places) {
        assert_eq!(since(node, Some(place)).changes.len(), 0);
        assert_eq!(&mark(node), place);
        same(a, node, "tasks");
    }
}

/// What a merge changed without showing it is relayed too: an equal sum, a hidden field, a delete, a value that lost.
#[test]
fn what_does_not_show_is_relayed() {
    let [a, b] = nodes(["a", "b"], TASKS);
    take(&a, &[lww("title", (5000, 0, "x"), "v"), counter((1000, 0, "x"), 5, 5)]);
    send(&a, &b);
    let invisible = [
        counter((1001, 0, "x"), 6, 6),
        lww("title", (6000, 0, "y"), "v"),
        set("remove", (1000, 0, "x"), json!([])),
        change("hidden", (1000, 0, "x"), json!({"value": 1})),
        change("_tombstone", (1000, 0, "x"), json!({"pk": "never seen", "crdt_type": "", "tombstone": true})),
        tombstone((10, 0, "x")),
    ];
    for change in invisible {
        let place = mark(&a);
        take(&a, std::slice::from_ref(&change));
        merge(&b, &since(&a, Some(&place)).json);
        same(&a, &b, "tasks");
    }
}

/// Long chains, stars, and pages in any order end the same.
#[test]
fn any_topology_converges() {
    let names = ["n0", "n1", "n2", "n3", "n4"];
    let all = nodes(names, TASKS);
    for (i, node) in all.iter().enumerate() {
        run(
            node,
            &format!(
                "INSERT INTO tasks VALUES ('shared', 'by {i}', {i}, '[\"{i}\"]', {i}), ('own{i}', 'x', 1, '[]', 0)"
            ),
        );
        run(node, &format!("UPDATE tasks SET priority = priority + 1; DELETE FROM tasks WHERE id = 'own{}'", i + 1));
    }
    for _ in 0..2 {
        for pair in all.windows(2) {
            send(&pair[0], &pair[1]);
        }
        for pair in all.windows(2).rev() {
            send(&pair[1], &pair[0]);
        }
    }
    for node in &all[1..] {
        same(&all[0], node, "tasks");
    }
    assert_eq!(text(&all[0], "SELECT priority FROM tasks WHERE id = 'shared'", []), "15");
}
