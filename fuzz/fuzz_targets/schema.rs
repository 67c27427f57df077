//! Tables, indexes, triggers and views of an attacker's making, enabled and used.
#![no_main]

use arbitrary::{Result, Unstructured};
use grove_crdt_fuzz::node::{answer, ask, bare, image, script, Budget};
use grove_crdt_fuzz::schema::{hostile, Hostile};
use grove_crdt_fuzz::support::named;
use libfuzzer_sys::fuzz_target;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{params_from_iter, Connection};

fuzz_target!(|data: &[u8]| {
    let _ = match std::str::from_utf8(data) {
        Ok(sql) if sql.starts_with("CREATE ") => by_text(sql),
        _ => by_parts(data),
    };
});

/// The attacker's SQL as it is; then every table that came of it is enabled.
fn by_text(sql: &str) -> Result<()> {
    let conn = named(bare(), "hub", "");
    let _budget = Budget::new(&conn);
    let rule = |context: AuthContext<'_>| match context.action {
        AuthAction::Attach { .. } | AuthAction::Pragma { .. } => Authorization::Deny,
        AuthAction::Function { function_name } if function_name.starts_with("crdt_") => Authorization::Deny,
        _ => Authorization::Allow,
    };
    let _ = conn.authorizer(Some(rule));
    let _ = script(&conn, sql);
    let _ = conn.authorizer(None::<fn(AuthContext<'_>) -> Authorization>);
    if !conn.is_autocommit() {
        let _ = conn.execute_batch("ROLLBACK");
    }
    let tables =
        ask(&conn, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') LIMIT 9", []).unwrap_or_default();
    for name in
        tables.iter().map(|name| String::from_utf8_lossy(name).into_owned()).filter(|name| !name.starts_with("_crdt"))
    {
        use_it(&conn, &Hostile { table: name, setup: Vec::new(), specs: Vec::new(), writes: Vec::new() });
    }
    Ok(())
}

fn by_parts(data: &[u8]) -> Result<()> {
    let mut u = Unstructured::new(data);
    let parts = hostile(&mut u)?;
    let conn = named(bare(), "hub", "");
    let _budget = Budget::new(&conn);
    for sql in &parts.setup {
        let _ = script(&conn, sql);
    }
    use_it(&conn, &parts);
    Ok(())
}

/// Enables the table, writes to it, sends what came of it to a node with the same schema, and back.
fn use_it(conn: &Connection, parts: &Hostile) {
    if !enable(conn, parts) {
        return;
    }
    for sql in &parts.writes {
        let _ = ask(conn, sql, []);
        assert!(conn.is_autocommit(), "{sql}: a transaction is left open");
    }
    let name = &parts.table;
    let _ = ask(conn, "SELECT crdt_digest(?1, 'full')", [name]);
    let _ = ask(conn, "SELECT crdt_check()", []);
    let _ = ask(conn, "SELECT crdt_status()", []);
    if let Ok(json) = answer(conn, "SELECT crdt_changes_since(NULL)", []) {
        let other = named(bare(), "other", "");
        let _budget = Budget::new(&other);
        for sql in &parts.setup {
            let _ = script(&other, sql);
        }
        if enable(&other, parts) && ask(&other, "SELECT crdt_merge(?1)", [&json]).is_ok() {
            quiet_converges(conn, &other, parts);
        }
    }
    let _ = ask(conn, "SELECT crdt_disable(?1)", [name]);
    let _ = ask(conn, "SELECT crdt_enable(?1)", [name]);
    let _ = ask(conn, "SELECT crdt_alter(?1, 'ADD COLUMN added TEXT')", [name]);
    let _ = ask(conn, "SELECT crdt_disable(?1, 'purge')", [name]);
    assert_eq!(answer(conn, "PRAGMA integrity_check", []).as_deref(), Ok("ok"));
}

/// Where no trigger of the attacker's stands, both have the same.
fn quiet_converges(conn: &Connection, other: &Connection, parts: &Hostile) {
    if parts.setup.iter().any(|sql| sql.starts_with("CREATE TRIGGER")) || parts.setup.is_empty() {
        return;
    }
    let digest = |conn| answer(conn, "SELECT crdt_digest(?1, 'full')", [&parts.table]);
    assert_eq!(digest(conn), digest(other), "{:?} {:?} {:?}", parts.setup, parts.specs, parts.writes);
    assert_eq!(answer(conn, "SELECT crdt_check()", []).as_deref(), Ok("ok"), "{:?} {:?}", parts.setup, parts.writes);
    assert_eq!(answer(other, "SELECT crdt_check()", []).as_deref(), Ok("ok"), "{:?} {:?}", parts.setup, parts.writes);
}

/// Whether the table could be enabled; if not, nothing has changed.
fn enable(conn: &Connection, parts: &Hostile) -> bool {
    let _ = ask(conn, "SELECT crdt_status()", []);
    let before = image(conn);
    let marks = vec!["?"; 1 + parts.specs.len()].join(",");
    let arguments = std::iter::once(parts.table.as_str()).chain(parts.specs.iter().copied());
    let enabled = ask(conn, &format!("SELECT crdt_enable({marks})"), params_from_iter(arguments)).is_ok();
    assert!(enabled || image(conn) == before, "crdt_enable was refused and changed the database: {:?}", parts.setup);
    enabled
}
