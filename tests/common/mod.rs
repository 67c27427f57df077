//! What the integration tests share: the built library, and connections that loaded it.
#![allow(dead_code)]

use rusqlite::{Connection, Params};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The built extension. `cargo test` leaves it next to the test executables, and nowhere else; `GROVE_LIBRARY` names another.
pub fn library() -> PathBuf {
    if let Some(path) = std::env::var_os("GROVE_LIBRARY") {
        return path.into();
    }
    let name = format!("{}grove_crdt{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let folder = std::env::current_exe().unwrap();
    let path = folder.with_file_name(name);
    assert!(path.exists(), "{} is not built", path.display());
    path
}

/// The system's Python, or the program that `GROVE_PYTHON` names.
pub fn python() -> Command {
    Command::new(std::env::var_os("GROVE_PYTHON").unwrap_or_else(|| "/usr/bin/python3".into()))
}

/// Loads the extension.
pub fn load(conn: &Connection) -> rusqlite::Result<()> {
    // SAFETY: our own library, and no untrusted SQL runs while loading is enabled.
    unsafe {
        conn.load_extension_enable()?;
        let loaded = conn.load_extension(library(), None::<&str>);
        conn.load_extension_disable()?;
        loaded
    }
}

/// An in-memory database with the extension.
pub fn open() -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    load(&conn).unwrap();
    conn
}

/// A database file with the extension.
pub fn open_file(path: impl AsRef<Path>) -> Connection {
    let conn = Connection::open(path).unwrap();
    load(&conn).unwrap();
    conn
}

/// The first column of the first row as text; an empty string for NULL.
///
/// # Panics
/// The statement fails or gives no row.
pub fn text(conn: &Connection, sql: &str, params: impl Params) -> String {
    use rusqlite::types::ValueRef;
    conn.query_row(sql, params, |row| {
        Ok(match row.get_ref(0)? {
            ValueRef::Null => String::new(),
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => number.to_string(),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            ValueRef::Blob(blob) => hex::encode(blob),
        })
    })
    .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The message a statement fails with.
///
/// # Panics
/// The statement succeeds.
pub fn error(conn: &Connection, sql: &str, params: impl Params) -> String {
    let outcome = conn.prepare(sql).and_then(|mut stmt| {
        let mut rows = stmt.query(params)?;
        while rows.next()?.is_some() {}
        Ok(())
    });
    match outcome {
        Err(rusqlite::Error::SqliteFailure(_, Some(message))) => message,
        Err(rusqlite::Error::SqlInputError { msg, .. }) => msg,
        Err(error) => error.to_string(),
        Ok(()) => panic!("{sql}: should fail"),
    }
}
