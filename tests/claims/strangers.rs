//! Tables that are not enabled, whose foreign keys break by what triggers write there when a merged row is shown: that row waits.

use serde_json::{json, Value};

use super::world::change;
use crate::support::{node, now, rows, run, sound, table, take};

const LATE: &str = "DEFERRABLE INITIALLY DEFERRED";

/// A trigger on `u` writes to `aud`, which is not enabled. The enabled table `x` refers to itself.
fn schema(theirs: &str, ours: &str, event: &str) -> String {
    format!(
        "PRAGMA foreign_keys = ON;
         CREATE TABLE x(id TEXT PRIMARY KEY NOT NULL, up TEXT REFERENCES x {ours});
         CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL); INSERT INTO p VALUES ('here');
         CREATE TABLE aud(id INTEGER PRIMARY KEY, of TEXT, p TEXT REFERENCES p {theirs});
         CREATE TABLE u(id TEXT PRIMARY KEY NOT NULL, v TEXT);
         SELECT crdt_enable('x'); SELECT crdt_enable('u');
         CREATE TRIGGER tr AFTER {event} ON u BEGIN INSERT INTO aud(of, p) VALUES (new.id, new.v); END;"
    )
}

fn u(pk: &str, ts: i64, value: &str) -> Value {
    change("u", pk, "v", (ts, 0, "peer"), &json!(value))
}

fn x(pk: &str, ts: i64, up: &str) -> Value {
    change("x", pk, "up", (ts, 0, "peer"), &json!(up))
}

#[test]
fn the_row_waits_and_the_rest_is_shown() {
    let circle = [x("1", 3, "2"), x("2", 3, "1")];
    let orphan = [x("1", 3, "none")];
    for (theirs, ours) in [("", ""), (LATE, ""), ("", LATE), (LATE, LATE)] {
        for (others, shown) in [(&circle[..], 2), (&orphan, 0), (&[], 0)] {
            for begin in [false, true] {
                let a = node("a", &schema(theirs, ours, "INSERT"));
                let many = (0..20).map(|i| u(&format!("{i}"), 1, "here"));
                let changes: Vec<Value> =
                    many.chain([u("bad", 2, "nobody"), u("worse", 2, "none")]).chain(others.to_vec()).collect();
                let told = format!("{theirs} {ours} {shown} {begin}");
                if begin {
                    run(&a, "BEGIN");
                }
                take(&a, &changes);
                if begin {
                    run(&a, "COMMIT");
                }
                let counts = "SELECT (SELECT count(*) FROM u), (SELECT count(*) FROM aud), (SELECT count(*) FROM x)";
                assert_eq!(rows(&a, counts), [format!("20, 20, {shown}")], "{told}");
                let waiting = "SELECT pk FROM crdt_pending() WHERE \"table\" = 'u' AND reason LIKE '%foreign key%'";
                assert_eq!(rows(&a, waiting), ["'bad'", "'worse'"], "{told}");
                assert!(rows(&a, "PRAGMA foreign_key_check").is_empty(), "{told}");
                sound(&a);
                // Nothing stands in the way of what comes later, and the row is shown when its trigger can write.
                take(&a, &[u("later", 4, "here")]);
                run(&a, "INSERT INTO p VALUES ('nobody')");
                assert_eq!(rows(&a, "SELECT crdt_retry()"), ["1"], "{told}");
                assert_eq!(rows(&a, "SELECT of FROM aud WHERE p = 'nobody'"), ["'bad'"], "{told}");
                sound(&a);
            }
        }
    }
}

/// The row is there already, and stays as it is.
#[test]
fn a_change_that_waits_leaves_the_row_as_it_was() {
    for (theirs, ours) in [(LATE, ""), ("", LATE), (LATE, LATE)] {
        let a = node("a", &schema(theirs, ours, "UPDATE"));
        run(&a, "INSERT INTO u VALUES ('1', 'old'), ('2', 'old')");
        let soon = now(&a) + 1_000_000_000;
        take(&a, &[u("1", soon, "nobody"), u("2", soon, "here"), x("1", 3, "none")]);
        assert_eq!(table(&a, "u"), ["'1', 'old'", "'2', 'here'"], "{theirs} {ours}");
        assert!(rows(&a, "PRAGMA foreign_key_check").is_empty(), "{theirs} {ours}");
        run(&a, "INSERT INTO p VALUES ('nobody')");
        take(&a, &[]);
        assert_eq!(table(&a, "u"), ["'1', 'nobody'", "'2', 'here'"], "{theirs} {ours}");
        sound(&a);
    }
}

/// A merged delete whose trigger breaks the key: the row stays, and what else is deleted goes. A row that gives way to an older claim stays likewise.
#[test]
fn a_delete_that_waits() {
    for (theirs, ours) in [(LATE, ""), ("", LATE), (LATE, LATE)] {
        let a = node("a", &schema(theirs, ours, "INSERT"));
        run(
            &a,
            "DROP TRIGGER tr; CREATE UNIQUE INDEX one ON u(v);
             CREATE TRIGGER tr AFTER DELETE ON u BEGIN INSERT INTO aud(of, p) VALUES (old.id, old.v); END;
             INSERT INTO u VALUES ('1', 'nobody'), ('2', 'here'), ('3', 'none')",
        );
        let soon = now(&a) + 1_000_000_000;
        let gone = |pk: &str| change("u", pk, "_tombstone", (soon, 0, "peer"), &Value::Null);
        for _ in 0..2 {
            take(&a, &[gone("1"), gone("2"), x("1", 3, "none"), u("older", 1, "none")]);
            assert_eq!(table(&a, "u"), ["'1', 'nobody'", "'3', 'none'"], "{theirs} {ours}");
            assert_eq!(rows(&a, "SELECT of FROM aud"), ["'2'"], "{theirs} {ours}");
            let waiting = "SELECT pk FROM crdt_pending() WHERE \"table\" = 'u' ORDER BY 1";
            assert_eq!(rows(&a, waiting), ["'1'", "'older'"], "{theirs} {ours}");
            assert!(rows(&a, "PRAGMA foreign_key_check").is_empty(), "{theirs} {ours}");
            sound(&a);
        }
        run(&a, "INSERT INTO p VALUES ('nobody'), ('none')");
        take(&a, &[x("9", 1, "9")]);
        assert_eq!(table(&a, "u"), ["'older', 'none'"], "{theirs} {ours}");
        sound(&a);
    }
}

/// What was broken before is nobody's fault now.
#[test]
fn old_breaches_are_left_alone() {
    let a = node("a", &schema(LATE, LATE, "INSERT"));
    run(&a, "PRAGMA foreign_keys = OFF; INSERT INTO aud(of, p) VALUES ('old', 'gone'); PRAGMA foreign_keys = ON");
    take(&a, &[u("1", 1, "here"), x("1", 1, "none"), x("2", 1, "2")]);
    assert_eq!((table(&a, "u").len(), table(&a, "x").len()), (1, 1));
    run(&a, "BEGIN; INSERT INTO aud(of, p) VALUES ('mine', 'later')");
    take(&a, &[u("2", 1, "here"), u("3", 1, "nobody"), x("3", 1, "none")]);
    run(&a, "INSERT INTO p VALUES ('later'); COMMIT");
    assert_eq!(table(&a, "u"), ["'1', 'here'", "'2', 'here'"]);
    assert_eq!(rows(&a, "SELECT of FROM aud ORDER BY id"), ["'old'", "'1'", "'mine'", "'2'"]);
    sound(&a);
}

/// No trigger writes there: an action of a foreign key does.
#[test]
fn an_action_breaks_the_next_key() {
    for late in ["", LATE] {
        let ddl = format!(
            "PRAGMA foreign_keys = ON; CREATE TABLE x(id TEXT PRIMARY KEY NOT NULL, up TEXT REFERENCES x {LATE});
             CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL); SELECT crdt_enable('x'); SELECT crdt_enable('p');
             CREATE TABLE a(id TEXT PRIMARY KEY NOT NULL, p TEXT REFERENCES p ON DELETE CASCADE);
             CREATE TABLE b(a TEXT REFERENCES a {late}); INSERT INTO p VALUES ('1'), ('2');
             INSERT INTO a VALUES ('1', '1'); INSERT INTO b VALUES ('1');"
        );
        let a = node("a", &ddl);
        let soon = now(&a) + 1_000_000_000;
        let gone = |pk: &str| change("p", pk, "_tombstone", (soon, 0, "peer"), &Value::Null);
        take(&a, &[gone("1"), gone("2"), x("1", 3, "none")]);
        assert_eq!(table(&a, "p"), ["'1'"], "{late}");
        assert_eq!(rows(&a, "SELECT pk FROM crdt_pending() WHERE \"table\" = 'p'"), ["'1'"], "{late}");
        assert!(rows(&a, "PRAGMA foreign_key_check").is_empty(), "{late}");
        sound(&a);
    }
}

/// A change that was put aside for its stamp: no other call fails when its time has come.
#[test]
fn a_change_that_was_put_aside() {
    for (theirs, ours) in [(LATE, ""), ("", LATE), (LATE, LATE)] {
        let a = node("a", &schema(theirs, ours, "INSERT"));
        run(&a, "SELECT crdt_pragma('max_drift', '1s')");
        let soon = now(&a) + 86_400_000_000_000;
        take(&a, &[u("bad", soon, "nobody"), u("good", soon, "here"), x("1", soon, "none")]);
        run(&a, "SELECT crdt_pragma('max_drift', '10d')");
        for call in ["crdt_changes_since(NULL)", "crdt_digest('u')", "crdt_status()", "crdt_merge('[]')", "crdt_now()"]
        {
            run(&a, &format!("SELECT {call}"));
        }
        assert_eq!(table(&a, "u"), ["'good', 'here'"]);
        assert_eq!(rows(&a, "SELECT pk FROM crdt_pending() ORDER BY 1"), ["'1'", "'bad'"]);
        assert!(rows(&a, "PRAGMA foreign_key_check").is_empty());
        sound(&a);
    }
}

/// What is put back in a row besides fires a trigger that would break the key: it is put back without.
#[test]
fn a_row_besides_that_is_put_back() {
    for (theirs, ours) in [(LATE, ""), ("", LATE), (LATE, LATE)] {
        let a = node("a", &schema(theirs, ours, "UPDATE"));
        run(
            &a,
            "INSERT INTO u VALUES ('1', 'nobody');
             CREATE TABLE e(id TEXT PRIMARY KEY NOT NULL, v TEXT); SELECT crdt_enable('e');
             CREATE TRIGGER te AFTER INSERT ON e BEGIN UPDATE u SET v = 'here'; END;",
        );
        take(&a, &[change("e", "1", "v", (1, 0, "peer"), &json!("new")), x("1", 3, "none")]);
        assert_eq!((table(&a, "e"), table(&a, "u")), (vec!["'1', 'new'".into()], vec!["'1', 'nobody'".into()]));
        assert!(rows(&a, "PRAGMA foreign_key_check").is_empty(), "{theirs} {ours}");
        sound(&a);
    }
}
