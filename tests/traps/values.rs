//! Values on their way through several nodes, and arguments that no one expects.

use crate::common::{open, text};
use crate::support::*;

const ANY: &str = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t');";

/// a → b → c; every cell must come out as it went in.
fn through_three_nodes(a: &rusqlite::Connection) {
    let [b, c] = nodes(["b", "c"], ANY);
    let size = table(a, "t").len();
    send(a, &b);
    send(&b, &c);
    same(a, &b, "t");
    same(a, &c, "t");
    assert!(size > 0 && table(&c, "t").len() == size);
}

/// Source: cr-sqlite leaves floats out of its property test, as they lost precision.
#[test]
fn floats_change_in_transit() {
    let a = node("a", ANY);
    let mut values =
        vec![0.0, -0.0, 1.0, 0.1, 1e15, 1e16, 1e17, 1e21, 1e22, 1e23, -1e-7, 5e-324, f64::from_bits((1 << 52) - 1)];
    values.extend([f64::MAX, f64::MIN, f64::MIN_POSITIVE, f64::EPSILON, f64::INFINITY, f64::NEG_INFINITY]);
    values.extend([9007199254740993.0, 123456789012345680.0, 9.223372036854776e18, 1.8446744073709552e19, 0.3 - 0.1]);
    // Bit patterns from a small generator, all exponents.
    let mut state = 88172645463325252u64;
    values.extend((0..2000).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from_bits(state)
    }));
    for (i, value) in values.iter().filter(|value| !value.is_nan()).enumerate() {
        a.execute("INSERT INTO t VALUES (?1, ?2)", rusqlite::params![i.to_string(), value]).unwrap();
    }
    assert!(table(&a, "t").iter().any(|row| row.ends_with("-0.0")), "SQLite keeps -0.0 in a column of no type");
    through_three_nodes(&a);
}

/// Source: PowerSync sends ids as decimal strings; Automerge's exemplar has u64 max.
#[test]
fn integers_of_64_bits_lose_digits() {
    let a = node("a", ANY);
    let numbers = [i64::MAX, i64::MIN, i64::MAX - 1, (1 << 53) + 1, -(1 << 53) - 1, 999_999_999_999_999_999, 0, -1];
    for (i, number) in numbers.iter().enumerate() {
        a.execute("INSERT INTO t VALUES (?1, ?2)", rusqlite::params![i.to_string(), number]).unwrap();
    }
    let json = export(&a);
    for number in numbers {
        assert!(json.contains(&format!("\"value\":{number}}}")) || json.contains(&format!("\"value\":{number},")));
    }
    through_three_nodes(&a);
}

/// Source: rusqlite's 0.41 load path, virtual table callbacks without a catch.
#[test]
fn an_unwrap_that_sql_can_reach_aborts_the_host() {
    // One a line: SQL expressions.
    let odd = r#"NULL
        0
        -1
        9223372036854775807
        9e999
        ''
        'tasks'
        't1'
        '{}'
        '[]'
        '"'
        x''
        x'ff00'
        CAST(x'ff' AS TEXT)
        'a' || char(0)
        zeroblob(100000)
        'tasks:counter'
        ':'
        '{"changes":null}'
        '[null]'
        '{"ts":0,"c":0,"node":"~"}'
        '{"ts":0,"c":0,"node":"a~1.x"}'
        '{"ts":9223372036854775807,"c":4294967295,"node":"a~9223372036854775807.0"}'"#;
    let odd: Vec<_> = odd.lines().map(str::trim).collect();
    let functions =
        "version node_id fork enable schema disable pragma now cursor changes_since merge pull push inspect state
        digest cleanup_tombstones status";
    let a = node("a", TASKS);
    run(&a, "INSERT INTO tasks(id, title) VALUES ('t1', 'x'), ('t2', 'y'); DELETE FROM tasks WHERE id = 't2'");
    let mut calls = Vec::new();
    for function in functions.split_whitespace() {
        calls.push(format!("SELECT crdt_{function}()"));
        for (i, first) in odd.iter().enumerate() {
            calls.push(format!("SELECT crdt_{function}({first})"));
            for second in odd.iter().cycle().skip(i).step_by(3).take(9) {
                calls.push(format!("SELECT crdt_{function}({first}, {second})"));
                calls.push(format!("SELECT crdt_{function}({first}, {second}, {second}, {first})"));
            }
        }
    }
    for table in ["changes", "tables", "fields", "peers", "pending"] {
        calls.push(format!("SELECT * FROM crdt_{table}"));
        for first in &odd {
            calls.push(format!("SELECT * FROM crdt_{table}({first})"));
            calls.push(format!("SELECT * FROM crdt_{table}({first}, {first})"));
        }
    }
    for sql in calls {
        // What each call answers is for other tests; here the host must live on, and the row with it.
        run(&a, "SAVEPOINT odd");
        let _ = try_run(&a, &sql);
        run(&a, "ROLLBACK TO odd; RELEASE odd");
    }
    assert_eq!(rows(&a, "SELECT id, title FROM tasks"), ["'t1', 'x'"]);
    run(&a, "UPDATE tasks SET title = 'still here'");
    assert_eq!(since(&a, None).of("t1", "title")["value"], "still here");
    a.close().unwrap();
    assert_eq!(text(&open(), "SELECT crdt_version()", []), env!("CARGO_PKG_VERSION"));
}
