//! Tables that an attacker would make: enabled and used, or refused with a sentence and nothing changed.

use rusqlite::Connection;

use super::corpus::{each, refused};
use super::world::{ask, World};
use crate::support::*;

/// The table that the input is about: the last that it makes.
fn name(conn: &Connection) -> String {
    let sql = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND rootpage IS NOT NULL
               AND (name NOT GLOB '_crdt_*' OR name = '_crdt_x') ORDER BY name = 't' DESC, rowid DESC LIMIT 1";
    ask(conn, sql, &[]).unwrap()
}

#[test]
fn tables_of_an_attacker() {
    let world = World::with("CREATE TABLE bystander(id TEXT PRIMARY KEY, v); SELECT crdt_enable('bystander');");
    each("schema", 55, |sql| {
        let target = world.copy();
        let conn = &target.conn;
        if let Err(message) = try_run(conn, sql) {
            return format!("no such schema: {message}");
        }
        let name = name(conn);
        let enabled = match target.ask("SELECT crdt_enable(?1)", &[&name]) {
            Ok(answer) => answer,
            Err(message) => return refused(&message),
        };
        let quoted = quote(&name);
        let column = ask(conn, "SELECT name FROM pragma_table_xinfo(?1) WHERE cid = 0", &[&name]).unwrap();
        for value in ["'k'", "1", "x'00'", "NULL", "9e999"] {
            let _ = ask(conn, &format!("INSERT INTO {quoted}({}) VALUES ({value})", quote(&column)), &[]);
            let _ = ask(conn, &format!("INSERT OR REPLACE INTO {quoted}({}) VALUES ({value})", quote(&column)), &[]);
        }
        let _ = ask(conn, &format!("UPDATE OR REPLACE {quoted} SET {} = 'z'", quote(&column)), &[]);
        let _ = ask(conn, &format!("DELETE FROM {quoted}"), &[]);
        // The bystander is served whatever the other table does.
        run(conn, "INSERT INTO bystander VALUES ('b', 1)");
        assert!(export(conn).contains("\"table\":\"bystander\""));
        sound(conn);
        let other = node(
            "other",
            &format!("CREATE TABLE bystander(id TEXT PRIMARY KEY, v); SELECT crdt_enable('bystander'); {sql}"),
        );
        if ask(&other, "SELECT crdt_enable(?1)", &[&name]).is_ok() {
            merge(&other, &export(conn));
            sound(&other);
            assert_eq!(table(&other, "bystander"), ["'b', 1"]);
        }
        let _ = ask(conn, "SELECT crdt_disable(?1, 'purge')", &[&name]).unwrap();
        format!("ok: {enabled}")
    });
}
