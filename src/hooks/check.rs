//! What a hook must be before it is registered.

use super::{Event, Hook};
use crate::conn::Conn;
use crate::error::{excerpt, Error, Result};

/// What of a change a hook's statement can ask for.
pub const PARAMETERS: [&str; 7] = [":change", ":table", ":pk", ":field", ":crdt_type", ":node_id", ":value"];

/// Longest name, bytes.
const MAX_NAME: usize = 255;

/// Statements that an `after_inbound` hook cannot be: they would end the merge's transaction, or do nothing in it.
const FORBIDDEN: [&str; 11] =
    ["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "ATTACH", "DETACH", "VACUUM", "PRAGMA", "EXPLAIN"];

/// The event of that name.
pub fn event(name: &str) -> Result<Event> {
    Event::parse(name).ok_or_else(|| {
        let known = Event::ALL.map(Event::name).join(", ");
        Error::caller(format!("there is no event '{}'; there are {known}", excerpt(name)))
    })
}

/// Checks a name.
pub fn name(name: &str) -> Result<()> {
    match name.len() {
        0 => Err(Error::caller("a hook's name is not empty")),
        1..=MAX_NAME => Ok(()),
        n => Err(Error::caller(format!("a hook's name has at most {MAX_NAME} bytes, not {n}"))),
    }
}

/// Checks a hook's statement on this database.
pub fn statement(conn: &Conn, hook: &Hook) -> Result<()> {
    let in_sql = |e: Error| {
        let hint = match e.message().contains("RAISE()") {
            true => "; to abort, give a text that says why instead of a change",
            false => "",
        };
        Error::caller(format!("sql: {}{hint}", e.message()))
    };
    let stmt = conn.db.prepare_only(&hook.sql).map_err(in_sql)?;
    let stmt = stmt.ok_or_else(|| Error::caller("sql is one statement, not none or several"))?;
    if let Some(other) = stmt.parameters().iter().find(|name| !PARAMETERS.contains(&name.as_str())) {
        return Err(bad_parameter(other));
    }
    let word = first_word(&hook.sql).to_ascii_uppercase();
    if hook.event == Event::AfterInbound {
        if FORBIDDEN.contains(&word.as_str()) {
            return Err(Error::caller(format!("sql cannot be {word}: it runs inside the transaction of the merge")));
        }
        return Ok(());
    }
    let event = hook.event.name();
    if !["SELECT", "WITH", "VALUES"].contains(&word.as_str()) || !stmt.is_readonly() {
        return Err(Error::caller(format!("sql of {event} is a SELECT: it can change nothing")));
    }
    match stmt.column_count() {
        1 => Ok(()),
        n => Err(Error::caller(format!("sql of {event} gives one column, the change to go on with, not {n}"))),
    }
}

/// The error for a parameter that means nothing here.
pub fn bad_parameter(name: &str) -> Error {
    let name = if name.is_empty() { "?".to_owned() } else { excerpt(name) };
    Error::caller(format!("sql has the parameter {name}; there are {}", PARAMETERS.join(", ")))
}

/// The first keyword of a statement, after space and comments.
pub fn first_word(sql: &str) -> &str {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ';' || c == '\u{feff}');
        let after = match rest.get(..2) {
            Some("--") => rest.split_once('\n').map_or("", |(_, after)| after),
            Some("/*") => rest.get(2..).and_then(|body| body.split_once("*/")).map_or("", |(_, after)| after),
            _ => break,
        };
        rest = after;
    }
    rest.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default()
}
