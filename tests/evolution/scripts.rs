//! Scripts of `crdt_schema` that are run where calls of the extension have still to come: after writes that are not folded yet, and
//! after writes that no trigger has seen.

use rusqlite::Connection;
use serde_json::json;

use crate::common::text;
use crate::support::*;

const NOW: i64 = 1_700_000_000_000;

const ALL: &str = "
    CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a, p INTEGER DEFAULT 0, b, q INTEGER DEFAULT 0, s TEXT DEFAULT '[]');
    SELECT crdt_enable('t', 'p:counter', 'q:counter', 's:set');
    INSERT INTO t VALUES ('old', 'A', 1, 'B', 2, '[\"s\"]'), ('gone', 'A', 3, 'B', 4, '[\"t\"]')";

fn timed(name: &str, sql: &str) -> Connection {
    named(clock::open(":memory:"), name, sql)
}

fn script(conn: &Connection, arguments: &str) -> String {
    text(conn, &format!("SELECT crdt_schema('t'{arguments})"), [])
}

/// What the log holds when a script changes the fields is read as if it had been folded before.
#[test]
fn what_is_not_folded_is_read_by_the_fields_of_then() {
    const WRITES: &str = "
        INSERT OR REPLACE INTO t(id, a, p, b, q, s) VALUES ('new', 'a', 100, 'b', 7, '[\"u\"]');
        UPDATE t SET p = p + 10, q = q + 20, b = 'c', s = '[\"s\",\"v\"]' WHERE id = 'old';
        INSERT OR REPLACE INTO t(id, a, b) VALUES ('brief', 'a', 'b');
        DELETE FROM t WHERE id IN ('gone', 'brief', 'again'); INSERT INTO t(id, a, b) VALUES ('again', 'a', 'b')";
    const LATER: &str = "
        INSERT INTO t(id, a, b, q) VALUES ('later', 'x', 'y', 5), ('brief', 'x', 'z', 1);
        INSERT OR REPLACE INTO t(id, a, b) VALUES ('again', 'x', 'z'); UPDATE t SET q = q + 1, b = 'd' WHERE id = 'new'";
    clock::set(NOW);
    for steps in [
        &[("", ", 'p:lww'")][..],
        &[("", ", 'p:none'")],
        &[("", ", 'a:none'")],
        &[("", ", 'a:counter', 'b:none'")],
        &[("", ", 's:lww'")],
        &[("ALTER TABLE t ADD COLUMN x DEFAULT 'x'", ", 'p:none'")],
        &[
            ("", ", 'p:none'"),
            ("", ", 'a:none'"),
            ("ALTER TABLE t ADD COLUMN m INTEGER DEFAULT 4", ", 'm:counter', 'p:counter'"),
        ],
    ] {
        let asked = format!("{steps:?}");
        let writes = if asked.contains("a:counter") { WRITES.replace("'a'", "1") } else { WRITES.to_owned() };
        let all = if asked.contains("a:counter") { ALL.replace("'A'", "9") } else { ALL.to_owned() };
        let [twin, folded, tail] = ["twin", "a", "a"].map(|name| timed(name, &all));
        for (alter, arguments) in steps {
            run(&twin, alter);
            let script = script(&twin, arguments);
            run(&twin, &script);
            for conn in [&folded, &tail] {
                run(conn, &writes);
            }
            digest(&folded, "t");
            for conn in [&folded, &tail] {
                run(conn, alter);
                run(conn, &script);
            }
        }
        for conn in [&folded, &tail] {
            run(conn, &LATER.replace("'x'", "3"));
        }
        assert_eq!(since(&tail, None).changes, since(&folded, None).changes, "{asked}");
        same(&tail, &folded, "t");
        // A row that was deleted comes back as it was.
        let stamp = json!({"ts": (NOW + 1_000) * 1_000_000, "c": 0, "node": "x"});
        let revived = json!({"table": "t", "pk": "gone", "field": "b", "crdt_type": "lww", "hlc": stamp, "value": "z"});
        for conn in [&folded, &tail] {
            take(conn, std::slice::from_ref(&revived));
        }
        same(&tail, &folded, "t");
        assert_eq!(rows(&tail, "SELECT count(*) FROM _crdt_pragma WHERE name LIKE '%:%'"), ["0"], "{asked}");
    }
}

const PAUSED: &str = "
    CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w, n INTEGER DEFAULT 0, s TEXT DEFAULT '[]');
    SELECT crdt_enable('t', 'n:counter', 's:set');
    INSERT INTO t VALUES ('changed', 'x', 'x', 1, '[1]'), ('deleted', 'x', 'x', 1, '[1]'), ('kept', 'x', 'x', 1, '[1]')";
const MISSED: &str = "
    UPDATE t SET v = 'missed', n = n + 4, s = '[2]' WHERE id = 'changed'; DELETE FROM t WHERE id = 'deleted';
    INSERT INTO t(id, v) VALUES ('new', 'missed')";
const REBUILD: &str = "
    CREATE TABLE other(id TEXT PRIMARY KEY NOT NULL, v, w, n INTEGER DEFAULT 0, s TEXT DEFAULT '[]');
    INSERT INTO other SELECT * FROM t; DROP TABLE t; ALTER TABLE other RENAME TO t";

/// A script records what happened while there were no triggers, as crdt_enable does: by the next call that can write.
#[test]
fn a_script_after_a_pause_records_what_was_missed() {
    clock::set(NOW);
    for (pause, added) in [
        ("SELECT crdt_disable('t')", ""),
        ("SELECT crdt_disable('t')", "ALTER TABLE t ADD COLUMN x DEFAULT 'x'; ALTER TABLE t ADD COLUMN y; UPDATE t SET y = 'y' WHERE id = 'kept'"),
        (REBUILD, ""),
        ("CREATE UNIQUE INDEX u ON t(w, id); SELECT crdt_digest('t')", ""),
    ] {
        let [scripted, enabled, b] = ["a", "a", "b"].map(|name| timed(name, PAUSED));
        for conn in [&scripted, &enabled] {
            digest(conn, "t");
            run(conn, pause);
            run(conn, MISSED);
            run(conn, added);
        }
        let sql = script(&scripted, "");
        run(&scripted, &sql);
        run(&enabled, "SELECT crdt_enable('t')");
        assert_eq!(since(&scripted, None).changes, since(&enabled, None).changes, "{pause}; {added}");
        same(&scripted, &enabled, "t");
        assert_eq!(script(&scripted, ""), "", "{pause}");
        assert_eq!(rows(&scripted, "SELECT count(*) FROM _crdt_pragma WHERE name LIKE '%:%'"), ["0"], "{pause}");
        run(&b, added);
        run(&b, "SELECT crdt_enable('t')");
        swap(&scripted, &b);
        same(&scripted, &b, "t");
    }
}

/// What is written after the script keeps the time at which it was written.
#[test]
fn writes_after_the_script_of_a_pause_keep_their_stamps() {
    for pause in ["SELECT crdt_disable('t')", REBUILD] {
        clock::set(NOW);
        let a = timed("a", PAUSED);
        digest(&a, "t");
        run(&a, pause);
        run(&a, MISSED);
        let sql = script(&a, "");
        run(&a, &sql);
        clock::set(NOW + 1_000);
        run(&a, "UPDATE t SET w = 'late', n = n + 2, s = '[2,3]' WHERE id = 'changed'; UPDATE t SET w = 'late' WHERE id = 'new'");
        run(&a, "INSERT INTO t(id, v) VALUES ('deleted', 'again'); DELETE FROM t WHERE id = 'kept'");
        clock::set(NOW + 9_000);
        let page = since(&a, None);
        sound(&a);
        let ts = |pk: &str, field: &str| stamp_of(page.of(pk, field)).0;
        for (pk, field) in [("changed", "w"), ("new", "w"), ("deleted", "v"), ("kept", "_tombstone")] {
            assert_eq!(ts(pk, field) / 1_000_000, NOW + 1_000, "{pause}: {pk}.{field}");
        }
        assert_eq!(page.of("changed", "v")["value"], "missed");
        let b = timed("b", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w, n INTEGER DEFAULT 0, s TEXT DEFAULT '[]'); SELECT crdt_enable('t', 'n:counter', 's:set')");
        send(&a, &b);
        same(&a, &b, "t");
        assert_eq!(rows(&b, "SELECT * FROM t WHERE id = 'changed'"), ["'changed', 'missed', 'late', 7, '[2,3]'"]);
    }
}
