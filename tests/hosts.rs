//! The built library in the programs that people load it into. Each host runs the story of `hosts/*.sql`: two databases
//! written apart and merged, in memory and in files, then written without the extension, then read from a read-only
//! connection; every connection closes without a finalising call. `hosts/setup.sh` brings the hosts.

mod common;
#[path = "hosts/story.rs"]
mod story;

use common::{library, load, open, text};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a program; what it printed.
///
/// # Panics
/// It is not there, failed, or wrote to its standard error.
fn run(name: &str, command: &mut Command) -> String {
    let advice = "`make test` installs it; GROVE_SKIP_HOSTS leaves it out";
    let output = command.output().unwrap_or_else(|error| panic!("no {name} host ({error}): {advice}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}");
    assert_eq!(errors, "", "{name}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn skipped(name: &str) -> bool {
    let skip = std::env::var("GROVE_SKIP_HOSTS").unwrap_or_default();
    skip.split(',').any(|host| host == name)
}

/// Where `setup.sh` puts what it downloads.
fn installed(path: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.join("hosts").join(path)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts").join(name)
}

/// Runs the story in a host, then reads its two files with this SQLite: they are what the host said they are.
fn host(name: &str, command: impl FnOnce(&Path) -> Command) {
    if skipped(name) {
        return eprintln!("{name} is left out, as GROVE_SKIP_HOSTS says");
    }
    let folder = tempfile::tempdir().unwrap();
    let digest = run(name, &mut command(folder.path()));
    let nodes = ["phone.db", "laptop.db"].map(|file| {
        let conn = Connection::open(folder.path().join(file)).unwrap();
        load(&conn).unwrap();
        assert_eq!(text(&conn, "PRAGMA integrity_check", []), "ok");
        conn
    });
    assert_eq!(story::digest(&nodes[0]), digest);
    story::check(&nodes[0], &nodes[1], include_str!("hosts/final.txt"));
}

fn python(driver: &str, folder: &Path) -> Command {
    let mut command = common::python();
    command.env("PYTHONPATH", installed("apsw")).arg(script("host.py")).args([
        driver.as_ref(),
        library().as_os_str(),
        folder.as_os_str(),
    ]);
    command
}

#[test]
fn shell() {
    host("shell", |folder| {
        // `.load ./libgrove_crdt` finds the file and its entry point by that name alone.
        let file = library();
        std::fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
        let mut command = Command::new(script("host.sh"));
        command.arg(folder);
        command
    });
}

#[test]
fn python_sqlite3() {
    host("python", |folder| python("sqlite3", folder));
}

#[test]
fn python_apsw() {
    host("apsw", |folder| python("apsw", folder));
}

#[test]
fn node() {
    host("node", |folder| {
        let mut command = Command::new(installed("node/node_modules/.bin/node"));
        command
            .arg("--disable-warning=ExperimentalWarning")
            .arg(script("host.mjs"))
            .args([library().as_path(), folder]);
        command
    });
}

#[test]
fn rusqlite_dynamic() {
    story::run(|conn| load(conn).unwrap());
}

/// A connection without the extension writes.
fn write_bare(path: &Path) {
    let bare = Connection::open(path).unwrap();
    bare.execute_batch(include_str!("hosts/bare.sql")).unwrap();
    bare.close().unwrap();
}

/// Bare programs, of another SQLite version than the one that enabled the table, write to it at the same time.
#[test]
fn bare_programs_are_captured() {
    if skipped("shell") || skipped("python") {
        return eprintln!("left out, as GROVE_SKIP_HOSTS says");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.db");
    let ours = Connection::open(&path).unwrap();
    load(&ours).unwrap();
    ours.execute_batch(include_str!("hosts/schema.sql")).unwrap();
    ours.execute_batch(include_str!("hosts/seed.sql")).unwrap();
    let cursor = text(&ours, "SELECT crdt_cursor()", []);

    let write = "UPDATE tasks SET title = 'shell', priority = priority + 1 WHERE id = 't1'";
    run("shell", Command::new("sqlite3").arg(&path).arg(write));
    let write = "import sqlite3, sys; conn = sqlite3.connect(sys.argv[1]); \
        conn.execute('INSERT INTO tasks(id, title) VALUES (?, ?)', ('t9', 'python')); \
        conn.execute(\"DELETE FROM tasks WHERE id = 't2'\"); conn.commit(); conn.close()";
    run("python", common::python().args(["-c", write]).arg(&path));

    let changes = text(&ours, "SELECT crdt_changes_since(?1)", [cursor]);
    let told =
        "SELECT group_concat(line, ' ') FROM (SELECT DISTINCT value ->> 'pk' || ':' || (value ->> 'field') AS line \
        FROM json_each(?1, '$.changes') WHERE value ->> 'field' IN ('title', 'priority', '_tombstone') ORDER BY line)";
    assert_eq!(text(&ours, told, [&changes]), "t1:priority t1:title t2:_tombstone t9:priority t9:title");
    let peer = open();
    peer.execute_batch(include_str!("hosts/schema.sql")).unwrap();
    story::send(&ours, &peer);
    assert_eq!(story::digest(&peer), story::digest(&ours));
    ours.close().unwrap();
    peer.close().unwrap();
}

/// Statements are cached for a connection's life: however many tables there are, closing is enough.
#[test]
fn five_hundred_tables() {
    const TABLES: usize = 500;
    let nodes = [open(), open()];
    for node in &nodes {
        node.execute_batch("BEGIN").unwrap();
        for i in 0..TABLES {
            let table = format!("CREATE TABLE t{i}(id TEXT PRIMARY KEY, a, n INTEGER, s TEXT);");
            let enable = format!("SELECT crdt_enable('t{i}', 'n:counter', 's:set');");
            node.execute_batch(&(table + &enable)).unwrap();
        }
        node.execute_batch("COMMIT").unwrap();
    }
    let [first, second] = nodes;
    for i in 0..TABLES {
        let insert = format!("INSERT INTO t{i} VALUES ('k', {i}, {i}, '[{i}]')");
        first.execute(&insert, []).unwrap();
    }
    story::send(&first, &second);
    for i in 0..TABLES {
        let digest = format!("SELECT crdt_digest('t{i}')");
        assert_eq!(text(&second, &digest, []), text(&first, &digest, []));
        let row = format!("SELECT a || ' ' || n || ' ' || s FROM t{i}");
        assert_eq!(text(&second, &row, []), format!("{i} {i} [{i}]"));
    }
    first.close().unwrap();
    second.close().unwrap();
}
