//! Indexes and triggers that are made after `crdt_enable`.

use crate::support::*;

const T: &str = "
    CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u, v, n INTEGER DEFAULT 0, s TEXT DEFAULT '[]');
    SELECT crdt_enable('t', 'n:counter', 's:set');";

fn log(conn: &rusqlite::Connection) -> Vec<String> {
    rows(conn, "SELECT seq, m FROM _crdt_log")
}

/// What a REPLACE removed before the index had its triggers is deleted as of `crdt_enable`; no other cell counts as written.
#[test]
fn an_index_made_afterwards() {
    for index in ["t(u)", "t(u) WHERE v IS NOT NULL", "t(lower(u))"] {
        let [a, b] = nodes(["a", "b"], &format!("{T} CREATE UNIQUE INDEX first ON t(v); SELECT crdt_enable('t')"));
        for conn in [&a, &b] {
            run(conn, &format!("CREATE UNIQUE INDEX another ON {index}"));
        }
        run(
            &a,
            "INSERT INTO t(id, u, v) VALUES ('1', 'mail', 'a'), ('3', 'c', 'c'), ('4', 'd', 'd'); UPDATE t SET n = 1",
        );
        send(&a, &b);
        run(&a, "INSERT OR REPLACE INTO t(id, u, v) VALUES ('2', 'mail', 'x')");
        run(&b, "UPDATE t SET v = 'by b', n = n + 1 WHERE id = '3'");
        run(&a, "SELECT crdt_enable('t')");
        sound(&a);
        let then = log(&a);
        run(&a, "SELECT crdt_enable('t'); INSERT OR REPLACE INTO t(id, u, v) VALUES ('5', 'd', 'y')");
        assert_eq!(log(&a).len(), then.len() + 2, "nothing for the index, then a suspect and an insert: {index}");
        swap(&a, &b);
        let all = ["'2', 'mail', 'x', 0, '[]'", "'3', 'c', 'by b', 2, '[]'", "'5', 'd', 'y', 0, '[]'"];
        assert_eq!(
            (table(&a, "t"), table(&b, "t"), digest(&a, "t")),
            (all.map(String::from).to_vec(), table(&a, "t"), digest(&b, "t")),
            "{index}"
        );
        assert_eq!(rows(&b, "SELECT pk FROM crdt_pending()"), [""; 0], "{index}");
        sound(&b);
    }
}

/// A trigger that takes the whole statement back hides nothing, whatever its words: no cell counts as written.
#[test]
fn a_trigger_that_aborts_hides_nothing() {
    let [a, b] = nodes(["a", "b"], T);
    run(&a, "INSERT INTO t(id, u, v) VALUES ('1', 'x', 'y')");
    send(&a, &b);
    run(&b, "UPDATE t SET v = 'by b'");
    run(&a, "CREATE TRIGGER strict AFTER UPDATE ON t WHEN new.n < 0 BEGIN SELECT RAISE (ABORT, 'the check failed, ignore that'); END");
    let place = mark(&a);
    run(&a, "SELECT crdt_enable('t')");
    assert_eq!(since(&a, Some(&place)).changes.len(), 0);
    swap(&a, &b);
    assert_eq!(rows(&a, "SELECT v FROM t"), ["'by b'"]);
    // One that leaves the row as it was written may have hidden anything, in whatever spelling.
    run(
        &a,
        "CREATE TRIGGER quiet AFTER UPDATE OF u ON t BEGIN SELECT Raise (\n IGNORE\t); END; UPDATE t SET u = 'unseen'",
    );
    run(&a, "SELECT crdt_enable('t')");
    swap(&a, &b);
    assert_eq!(rows(&b, "SELECT u FROM t"), ["'unseen'"]);
}

/// One that is newer than ours fires before them. `crdt_enable` turns that round, and finds what was missed.
#[test]
fn triggers_made_afterwards() {
    let lost = [
        (
            "TRIGGER back AFTER DELETE ON t BEGIN INSERT INTO t(id, u, n) VALUES (old.id, old.u, 7); END",
            "DELETE FROM t WHERE id = '1'",
        ),
        (
            r#"TRIGGER only AFTER UPDATE OF s ON t WHEN new.s <> '["a"]' BEGIN UPDATE t SET s = '["a"]' WHERE id = new.id; END"#,
            r#"UPDATE t SET s = '["a","b"]' WHERE id = '1'"#,
        ),
        (
            "TRIGGER more AFTER INSERT ON t BEGIN UPDATE t SET n = n + 10 WHERE id = new.id; END",
            "REPLACE INTO t(id, n) VALUES ('1', 3)",
        ),
        ("TRIGGER quiet AFTER INSERT ON t BEGIN SELECT RAISE(IGNORE); END", "INSERT INTO t(id, n) VALUES ('5', 5)"),
        (
            "TRIGGER quiet AFTER UPDATE OF u ON t BEGIN SELECT RAISE(IGNORE); END",
            "UPDATE t SET u = 'unseen' WHERE id = '1'",
        ),
    ];
    for (trigger, write) in lost {
        let [a, b] = nodes(["a", "b"], T);
        run(&a, "INSERT INTO t(id, u, v) VALUES ('1', 'x', 'y'), ('2', 'z', 'z')");
        send(&a, &b);
        if !trigger.contains("RAISE") {
            run(&b, "UPDATE t SET v = 'by b'");
        }
        run(&a, &format!("CREATE {trigger}; {write}"));
        let kept = rows(&a, "SELECT id, u, n, s FROM t ORDER BY id");
        for again in [false, true] {
            run(&a, "SELECT crdt_enable('t')");
            assert_eq!(rows(&a, "SELECT id, u, n, s FROM t ORDER BY id"), kept, "{write}");
            let then = log(&a);
            run(&a, "SELECT crdt_enable('t')");
            assert_eq!(log(&a), then, "{trigger}");
            swap(&a, &b);
            assert_eq!(table(&a, "t"), table(&b, "t"), "{write} {again}");
            assert_eq!(digest(&a, "t"), digest(&b, "t"), "{write} {again}");
            assert_eq!(rows(&b, "SELECT id, u, n, s FROM t ORDER BY id"), kept, "{write}");
            sound(&a);
        }
        assert_eq!(
            rows(&b, "SELECT v FROM t WHERE id = '2'"),
            [if trigger.contains("RAISE") { "'z'" } else { "'by b'" }]
        );
        // From here on ours come first.
        run(&a, "INSERT INTO t(id, s) VALUES ('9', '[\"a\"]'); UPDATE t SET u = 'more', n = n + 1; DELETE FROM t WHERE id = '2'");
        swap(&a, &b);
        assert_eq!(table(&a, "t"), table(&b, "t"), "{write}");
        sound(&a);
    }
}
