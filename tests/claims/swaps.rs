//! Unique values that go round: each record of a circle claims what another one's row still holds.

use rusqlite::Connection;

use crate::common::text;
use crate::support::{export, nodes, page, rows, run, send, sound, table, take};

/// A table with unique values, a column of this node's alone, and tables of this node's alone that refer to it.
fn people(column: &str) -> String {
    format!(
        "PRAGMA foreign_keys = ON;
         CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, {column}, mine TEXT DEFAULT 'default', v);
         CREATE TABLE kept(id INTEGER PRIMARY KEY, t REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE);
         CREATE TABLE held(id INTEGER PRIMARY KEY, t REFERENCES t);
         SELECT crdt_enable('t', 'mine:none');"
    )
}

/// Three rows, known to both nodes, and what the second has of its own.
fn known(a: &Connection, b: &Connection, values: [&str; 3]) {
    let [x, y, z] = values;
    run(a, &format!("INSERT INTO t(id, u) VALUES ('x', {x}), ('y', {y}), ('z', {z})"));
    send(a, b);
    run(b, "UPDATE t SET mine = 'mine ' || id");
    run(b, "INSERT INTO kept(t) SELECT id FROM t; INSERT INTO held(t) SELECT id FROM t WHERE id <> 'z'");
}

/// What the second node had of its own is as it was.
#[track_caller]
fn nothing_lost(conn: &Connection, rowids: &[String]) {
    assert_eq!(rows(conn, "SELECT mine FROM t ORDER BY id"), ["'mine x'", "'mine y'", "'mine z'"]);
    assert_eq!(rows(conn, "SELECT t FROM kept ORDER BY t"), ["'x'", "'y'", "'z'"]);
    assert_eq!(rows(conn, "SELECT t FROM held ORDER BY t"), ["'x'", "'y'"]);
    assert_eq!(rows(conn, "SELECT pk, reason FROM crdt_pending()"), [""; 0]);
    assert_eq!(rows(conn, "SELECT rowid FROM t ORDER BY id"), rowids);
    assert_eq!(rows(conn, "PRAGMA foreign_key_check"), [""; 0]);
    assert_eq!(rows(conn, "PRAGMA ignore_check_constraints"), ["0"]);
    sound(conn);
}

#[track_caller]
fn agree(a: &Connection, b: &Connection) {
    send(b, a);
    let shared = "SELECT id, u, v FROM t ORDER BY id";
    assert_eq!(rows(a, shared), rows(b, shared));
    let full = |conn| text(conn, "SELECT crdt_digest('t', 'full')", []);
    assert_eq!(full(a), full(b));
}

#[test]
fn a_swap_leaves_what_is_local() {
    for (column, values) in [
        ("u TEXT UNIQUE", ["'one'", "'two'", "'three'"]),
        ("u TEXT NOT NULL UNIQUE COLLATE NOCASE", ["'one'", "'two'", "'three'"]),
        ("u INTEGER UNIQUE", ["1", "2", "3"]),
        ("u INTEGER NOT NULL UNIQUE", ["1", "2", "3"]),
        ("u INTEGER NOT NULL UNIQUE CHECK (u BETWEEN 1 AND 3)", ["1", "2", "3"]),
        ("u TEXT NOT NULL UNIQUE CHECK (u IN ('a', 'b', 'c'))", ["'a'", "'b'", "'c'"]),
        ("u REAL NOT NULL UNIQUE", ["0.5", "1.5", "2.5"]),
        ("u NOT NULL UNIQUE", ["x'00'", "'two'", "3"]),
        ("u BLOB UNIQUE", ["x'00'", "x'01'", "x'02'"]),
        ("u NUMERIC NOT NULL, w DEFAULT 1, UNIQUE (u, w)", ["1", "2", "3"]),
    ] {
        // A table constraint comes last.
        let ddl = match column.split_once(", UNIQUE") {
            Some((column, _)) => {
                format!("{} CREATE UNIQUE INDEX i ON t(u, w); SELECT crdt_enable('t');", people(column))
            }
            None => people(column),
        };
        let [a, b] = nodes(["a", "b"], &ddl);
        known(&a, &b, values);
        let rowids = rows(&b, "SELECT rowid FROM t ORDER BY id");
        let [x, y, z] = values;
        for round in [[y, x, z], [z, y, x], [y, z, x]] {
            run(&a, "PRAGMA ignore_check_constraints = ON; UPDATE t SET u = -rowid");
            for (id, value) in ["x", "y", "z"].iter().zip(round) {
                run(&a, &format!("UPDATE t SET u = {value}, v = '{id}' WHERE id = '{id}'"));
            }
            let answer = send(&a, &b);
            assert_eq!(answer["pending"], 0, "{column}: {answer}");
            nothing_lost(&b, &rowids);
            agree(&a, &b);
        }
    }
}

/// Gives rows other values, by way of ones that nobody has.
fn swap(conn: &Connection, table: &str, values: &[(&str, &str)]) {
    for (id, _) in values {
        run(conn, &format!("UPDATE {table} SET u = 'away {id}' WHERE id = '{id}'"));
    }
    for (id, value) in values {
        run(conn, &format!("UPDATE {table} SET u = {value} WHERE id = '{id}'"));
    }
}

const NAMED: &str = "PRAGMA foreign_keys = ON;
    CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u TEXT UNIQUE, mine DEFAULT 'default', v);
    SELECT crdt_enable('t', 'mine:none');";

/// Tables of this node's alone refer to the unique value itself.
#[test]
fn rows_that_refer_to_the_value() {
    for (action, after) in [
        ("", ["'1', 'one'", "'2', 'two'"]),
        ("DEFERRABLE INITIALLY DEFERRED", ["'1', 'one'", "'2', 'two'"]),
        ("ON UPDATE CASCADE ON DELETE CASCADE", ["'1', 'two'", "'2', 'one'"]),
    ] {
        let [a, b] = nodes(["a", "b"], NAMED);
        run(&a, "INSERT INTO t(id, u) VALUES ('x', 'one'), ('y', 'two')");
        send(&a, &b);
        run(&b, "UPDATE t SET mine = 'mine ' || id");
        run(&b, &format!("CREATE TABLE c(id TEXT, u REFERENCES t(u) {action})"));
        run(&b, "INSERT INTO c VALUES ('1', 'one'), ('2', 'two')");
        swap(&a, "t", &[("x", "'two'"), ("y", "'one'")]);
        assert_eq!(send(&a, &b)["pending"], 0, "{action}");
        assert_eq!(rows(&b, "SELECT id, u, mine FROM t"), ["'x', 'two', 'mine x'", "'y', 'one', 'mine y'"]);
        assert_eq!(table(&b, "c"), after, "{action}");
        sound(&b);
    }
}

/// What would break a key of another table's at the commit is not done.
#[test]
fn a_value_that_another_table_needs_stays() {
    let [a, b] = nodes(["a", "b"], NAMED);
    run(&a, "INSERT INTO t(id, u) VALUES ('x', 'one'), ('y', 'two'), ('z', 'three')");
    send(&a, &b);
    run(&b, "CREATE TABLE c(id TEXT, u REFERENCES t(u)); INSERT INTO c VALUES ('1', 'three')");
    swap(&a, "t", &[("x", "'two'"), ("y", "'one'"), ("z", "'four'")]);
    send(&a, &b);
    assert_eq!(rows(&b, "SELECT id, u FROM t"), ["'x', 'two'", "'y', 'one'", "'z', 'three'"]);
    assert_eq!(rows(&b, "SELECT pk, reason FROM crdt_pending()"), ["'z', 'FOREIGN KEY constraint failed'"]);
    run(&b, "DELETE FROM c; SELECT crdt_retry()");
    same_but_mine(&a, &b);
}

#[track_caller]
fn same_but_mine(a: &Connection, b: &Connection) {
    send(b, a);
    assert_eq!(rows(a, "SELECT id, u, v FROM t ORDER BY id"), rows(b, "SELECT id, u, v FROM t ORDER BY id"));
    assert_eq!(text(a, "SELECT crdt_digest('t', 'full')", []), text(b, "SELECT crdt_digest('t', 'full')", []));
    sound(a);
    sound(b);
}

/// Circles among rows of which others wait for real.
#[test]
fn a_circle_with_others_that_wait() {
    let [a, b] = nodes(["a", "b"], NAMED);
    run(&a, "INSERT INTO t(id, u) VALUES ('p', 'p'), ('q', 'q'), ('x', 'one'), ('y', 'two'), ('z', 'three')");
    send(&a, &b);
    run(&b, "UPDATE t SET mine = 'mine ' || id; INSERT INTO t(id, u) VALUES ('w', 'four')");
    std::thread::sleep(std::time::Duration::from_millis(3));
    swap(&a, "t", &[("x", "'two'"), ("y", "'one'"), ("p", "'q'"), ("q", "'z'"), ("z", "'four'")]);
    send(&a, &b);
    let shown = [
        "'p', 'q', 'mine p'",
        "'q', 'z', 'mine q'",
        "'w', 'four', 'default'",
        "'x', 'two', 'mine x'",
        "'y', 'one', 'mine y'",
    ];
    assert_eq!(rows(&b, "SELECT id, u, mine FROM t ORDER BY id"), shown);
    assert_eq!(rows(&b, "SELECT pk FROM crdt_pending()"), ["'z'"]);
    same_but_mine(&a, &b);
}

/// Half of a swap comes with one merge, where rows of another table keep the row, and half with the next.
#[test]
fn a_swap_in_two_merges() {
    let [a, b] = nodes(["a", "b"], NAMED);
    run(&a, "INSERT INTO t(id, u) VALUES ('x', 'one'), ('y', 'two')");
    send(&a, &b);
    run(&b, "UPDATE t SET mine = 'mine ' || id; CREATE TABLE c(id TEXT, t REFERENCES t)");
    run(&b, "INSERT INTO c VALUES ('1', 'x'), ('2', 'y')");
    swap(&a, "t", &[("x", "'two'"), ("y", "'one'")]);
    let changes = page(&export(&a)).changes;
    for id in ["y", "x"] {
        take(&b, &changes.iter().filter(|change| change["pk"] == id).cloned().collect::<Vec<_>>());
    }
    assert_eq!(rows(&b, "SELECT id, u, mine FROM t"), ["'x', 'two', 'mine x'", "'y', 'one', 'mine y'"]);
    assert_eq!(rows(&b, "SELECT pk FROM crdt_pending()"), [""; 0]);
    same_but_mine(&a, &b);
}

/// Indexes of other kinds, tables of other kinds, and what triggers of the application's keep of their own.
#[test]
fn swaps_in_all_kinds_of_tables() {
    for (ddl, value) in [
        ("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u TEXT NOT NULL UNIQUE, mine, v) WITHOUT ROWID", "'{}'"),
        ("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u TEXT NOT NULL UNIQUE, mine ANY, v ANY) STRICT", "'{}'"),
        (
            "CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT, mine, v); CREATE UNIQUE INDEX i ON t(u) WHERE u <> ''",
            "'{}'",
        ),
        ("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u TEXT, mine, v); CREATE UNIQUE INDEX i ON t(lower(u))", "'{}'"),
        ("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u TEXT, mine, v, g AS (u || '!') UNIQUE)", "'{}'"),
        ("CREATE TABLE t(id TEXT, k INT, u TEXT NOT NULL, mine, v, PRIMARY KEY (id, k), UNIQUE (k, u))", "'{}'"),
    ] {
        let ddl = format!(
            "{ddl}; SELECT crdt_enable('t', 'mine:none'); CREATE TABLE copy(id, u);
            CREATE TRIGGER ti AFTER INSERT ON t BEGIN INSERT INTO copy VALUES (new.id, new.u); END;
            CREATE TRIGGER td AFTER DELETE ON t BEGIN DELETE FROM copy WHERE id = old.id AND u = old.u; END;
            CREATE TRIGGER tu AFTER UPDATE OF u ON t BEGIN
              UPDATE copy SET u = new.u WHERE id = old.id AND u = old.u; END;"
        );
        let [a, b] = nodes(["a", "b"], &ddl);
        let composite = ddl.contains("k INT");
        let value = |n: i32| value.replace("{}", &format!("v{n}"));
        for n in 1..=4 {
            let (k, one) = if composite { ("k, ", "1, ") } else { ("", "") };
            run(&a, &format!("INSERT INTO t(id, {k}u, v) VALUES ({n}, {one}{}, {n})", value(n)));
        }
        send(&a, &b);
        run(&b, "UPDATE t SET mine = 'mine ' || id");
        run(&a, "UPDATE t SET u = u || ' away'");
        for (n, other) in [(1, 3), (2, 1), (3, 2)] {
            run(&a, &format!("UPDATE t SET u = {} WHERE id = {n}", value(other)));
        }
        assert_eq!(send(&a, &b)["pending"], 0, "{ddl}");
        let mine = ["'mine 1'", "'mine 2'", "'mine 3'", "'mine 4'"];
        assert_eq!(rows(&b, "SELECT mine FROM t ORDER BY id"), mine, "{ddl}");
        let shown = rows(&b, "SELECT id, u FROM t ORDER BY id");
        assert_eq!(rows(&b, "SELECT id, u FROM copy ORDER BY id"), shown, "{ddl}");
        same_but_mine(&a, &b);
    }
}

/// A row that must not take another value for the moment goes for the moment, and comes back with what is local.
#[test]
fn a_trigger_that_lets_no_other_value_be() {
    let guard = "CREATE TRIGGER g BEFORE UPDATE OF u ON t WHEN new.u NOT IN ('one', 'two') BEGIN SELECT RAISE(ABORT, 'no'); END;
        CREATE TABLE filler(id INTEGER PRIMARY KEY)";
    for tail in ["", " WITHOUT ROWID", " STRICT"] {
        let ddl = format!(
            "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, \"mine, VALUES (\" TEXT, u TEXT NOT NULL UNIQUE, g TEXT AS (u || id), v TEXT){tail};
             SELECT crdt_enable('t', 'mine, VALUES (:none');"
        );
        let [a, b] = nodes(["a", "b"], &ddl);
        run(&a, "INSERT INTO t(id, u) VALUES ('x', 'one'), ('y', 'two'), ('z', 'three')");
        send(&a, &b);
        run(&b, "UPDATE t SET \"mine, VALUES (\" = 'mine ' || id");
        run(&b, guard);
        let mine = if tail == " WITHOUT ROWID" { "id" } else { "rowid" };
        let mine = format!("SELECT id, {mine}, \"mine, VALUES (\" FROM t ORDER BY id");
        let before = rows(&b, &mine);
        swap(&a, "t", &[("x", "'two'"), ("y", "'one'")]);
        assert_eq!(send(&a, &b)["pending"], 0);
        assert_eq!(rows(&b, &mine), before);
        same_but_mine(&a, &b);
    }
}

/// A column that refers to a parent takes no value for the moment that has none.
#[test]
fn unique_references() {
    for null in ["", "NOT NULL"] {
        let ddl = format!(
            "PRAGMA foreign_keys = ON;
            CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL); INSERT INTO p VALUES ('one'), ('two'), ('away x'), ('away y');
            CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u TEXT {null} UNIQUE REFERENCES p, mine, v);
            SELECT crdt_enable('t', 'mine:none');"
        );
        let [a, b] = nodes(["a", "b"], &ddl);
        run(&a, "INSERT INTO t(id, u) VALUES ('x', 'one'), ('y', 'two')");
        send(&a, &b);
        run(&b, "UPDATE t SET mine = 'mine ' || id");
        swap(&a, "t", &[("x", "'two'"), ("y", "'one'")]);
        assert_eq!(send(&a, &b)["pending"], 0);
        assert_eq!(rows(&b, "SELECT id, u, mine FROM t"), ["'x', 'two', 'mine x'", "'y', 'one', 'mine y'"]);
        same_but_mine(&a, &b);
    }
}

/// Values that go round in any way, over many rows and several merges: no row goes from the table.
#[test]
fn rows_dealt_out_anew() {
    let mut seed = 7u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize % below
    };
    for column in ["u TEXT UNIQUE", "u INTEGER NOT NULL UNIQUE", "u INTEGER NOT NULL UNIQUE CHECK (u < 9)"] {
        let ddl = people(&format!("{column}, w INTEGER")) + "CREATE UNIQUE INDEX i ON t(w); SELECT crdt_enable('t');";
        let [a, b] = nodes(["a", "b"], &ddl);
        run(&a, "PRAGMA ignore_check_constraints = ON");
        for i in 0..9 {
            run(&a, &format!("INSERT INTO t(id, u, w) VALUES ('{i}', {i}, {i})"));
        }
        send(&a, &b);
        run(
            &b,
            "UPDATE t SET mine = id || '!'; INSERT INTO kept(t) SELECT id FROM t; INSERT INTO held(t) SELECT id FROM t",
        );
        let local = rows(&b, "SELECT rowid, id, mine FROM t ORDER BY id");
        for _ in 0..25 {
            for unique in ["u", "w"] {
                let some: Vec<usize> = (0..9).filter(|_| random(3) > 0).collect();
                let mut values: Vec<String> = some
                    .iter()
                    .map(|i| rows(&a, &format!("SELECT {unique} FROM t WHERE id = '{i}'")).remove(0))
                    .collect();
                for i in (1..values.len()).rev() {
                    values.swap(i, random(i + 1));
                }
                for i in &some {
                    run(&a, &format!("UPDATE t SET {unique} = 1000 + {i} WHERE id = '{i}'"));
                }
                for (i, value) in some.iter().zip(values) {
                    run(&a, &format!("UPDATE t SET {unique} = {value} WHERE id = '{i}'"));
                }
            }
            assert_eq!(send(&a, &b)["pending"], 0, "{column}");
            assert_eq!(rows(&b, "SELECT rowid, id, mine FROM t ORDER BY id"), local, "{column}");
            assert_eq!(rows(&b, "SELECT count(*) FROM kept UNION ALL SELECT count(*) FROM held"), ["9", "9"]);
            same_but_mine(&a, &b);
        }
    }
}

/// Rows of enabled tables that follow the value: what they say is merged, whatever the actions do meanwhile.
#[test]
fn enabled_rows_that_refer_to_the_value() {
    for action in ["", "ON UPDATE CASCADE", "ON UPDATE SET NULL", "ON UPDATE RESTRICT", "DEFERRABLE INITIALLY DEFERRED"]
    {
        let ddl = format!(
            "{NAMED} CREATE TABLE c(id TEXT PRIMARY KEY NOT NULL, u TEXT REFERENCES t(u) {action}, mine);
             SELECT crdt_enable('c', 'mine:none');"
        );
        for referring in [false, true] {
            let [a, b] = nodes(["a", "b"], &ddl);
            run(&a, "INSERT INTO t(id, u) VALUES ('x', 'one'), ('y', 'two'), ('z', 'three')");
            run(&a, "INSERT INTO c(id, u) VALUES ('1', 'one'), ('2', 'two'), ('3', 'three')");
            send(&a, &b);
            run(&b, "UPDATE t SET mine = 'mine ' || id; UPDATE c SET mine = 'mine ' || id");
            run(&a, "PRAGMA foreign_keys = OFF");
            swap(&a, "t", &[("x", "'two'"), ("y", "'one'")]);
            if referring {
                run(&a, "UPDATE c SET u = 'two' WHERE id = '1'");
            }
            send(&a, &b);
            same_but_mine(&a, &b);
            let children = rows(&a, "SELECT id, u FROM c ORDER BY id");
            assert_eq!(rows(&b, "SELECT id, u FROM c ORDER BY id"), children, "{action} {referring}");
            assert_eq!(rows(&b, "SELECT pk, reason FROM crdt_pending()"), [""; 0], "{action} {referring}");
            assert_eq!(rows(&b, "PRAGMA foreign_key_check"), [""; 0]);
            if action != "ON UPDATE RESTRICT" {
                let mine = ["'mine x'", "'mine y'", "'mine z'", "'mine 1'", "'mine 2'", "'mine 3'"];
                assert_eq!(
                    rows(
                        &b,
                        "SELECT mine FROM (SELECT id, mine FROM t ORDER BY id)
                     UNION ALL SELECT mine FROM (SELECT id, mine FROM c ORDER BY id)"
                    ),
                    mine,
                    "{action} {referring}"
                );
            }
        }
    }
}
