//! What is known of the schema is out of date as soon as anybody changes it.

use crate::common::{open_file, text};
use crate::support::*;

const SETUP: &str = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a); SELECT crdt_enable('t')";
const STRAY: &str = "CREATE TRIGGER stray AFTER INSERT ON t BEGIN UPDATE t SET a = 'stray' WHERE id = '1'; END";

/// A trigger that writes other rows is known of at the next merge, whoever made it: those rows show what was merged.
#[test]
fn a_trigger_made_meanwhile_is_known_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.db");
    let [a] = nodes(["a"], SETUP);
    let b = file_node(&path, "b", SETUP);
    let next = |id: i64| {
        run(&a, &format!("INSERT INTO t VALUES ('{id}', 'of a')"));
        send(&a, &b);
        assert_eq!(text(&b, "SELECT a FROM t WHERE id = '1'", []), "of a", "after {id}");
        same(&a, &b, "t");
        sound(&b);
    };
    next(1);
    next(2);
    run(&rusqlite::Connection::open(&path).unwrap(), STRAY);
    next(3);
    run(&b, "DROP TRIGGER stray");
    next(4);
    run(&b, &STRAY.replace("CREATE", "CREATE TEMP"));
    next(5);
    run(&b, "DROP TRIGGER stray");
    next(6);
    // In a transaction that is taken back, and then others that come to the same version of the schema.
    run(&b, &format!("BEGIN; {STRAY}"));
    next(7);
    run(&b, "ROLLBACK; CREATE TABLE other(x)");
    next(8);
    run(&b, "DROP TABLE other; BEGIN; CREATE TABLE other(x)");
    next(9);
    run(&b, &format!("ROLLBACK; {STRAY}"));
    next(10);
}

/// Foreign keys that are made, or enforced, after a merge.
#[test]
fn foreign_keys_made_meanwhile_are_known_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.db");
    let plain = "CREATE TABLE p(id TEXT PRIMARY KEY NOT NULL); CREATE TABLE c(id TEXT PRIMARY KEY NOT NULL, p);
                 SELECT crdt_enable('p'); SELECT crdt_enable('c')";
    let [a] = nodes(["a"], plain);
    let b = file_node(&path, "b", plain);
    let next = |id: i64, pending: usize| {
        run(&a, &format!("INSERT INTO c VALUES ('{id}', 'none')"));
        send(&a, &b);
        assert_eq!(rows(&b, "SELECT pk FROM crdt_pending()").len(), pending, "after {id}");
    };
    run(&b, "PRAGMA foreign_keys = ON");
    next(1, 0);
    run(&b, "DELETE FROM c");
    send(&b, &a);
    let other = open_file(&path);
    run(
        &other,
        "DROP TABLE c; CREATE TABLE c(id TEXT PRIMARY KEY NOT NULL, p REFERENCES p(id)); SELECT crdt_enable('c')",
    );
    next(2, 1);
    run(&b, "PRAGMA foreign_keys = OFF");
    next(3, 0);
    run(&b, "DELETE FROM c; PRAGMA foreign_keys = ON");
    next(4, 1);
}
