//! The endpoints in `examples/`, as a reader would start them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{common, database, digest, prepare, sync};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// Starts a program that prints its address; two edges sync through it.
fn carries(mut program: Command) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    prepare(&common::open_file(&file), "hub");
    program.arg(&file).arg(common::library());
    if program.get_args().any(|arg| arg.to_string_lossy().ends_with(".py")) {
        program.arg("--port");
    }
    let mut running = Running(program.arg("0").stdout(Stdio::piped()).spawn().unwrap());
    let mut url = String::new();
    BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let url = url.trim();
    let (ann, bob) = (database("ann"), database("bob"));
    ann.execute_batch("INSERT INTO tasks VALUES ('t', 'Grüße', 1, '[\"a\"]')").unwrap();
    bob.execute_batch("INSERT INTO tasks VALUES ('u', 'x', 2, '[]')").unwrap();
    for edge in [&ann, &bob, &ann] {
        sync(edge, url);
    }
    assert_eq!(digest(&ann), digest(&bob));
    assert_eq!(common::text(&ann, "SELECT count(*) FROM tasks", []), "2");
    let lost = common::error(&ann, "SELECT crdt_sync(? || '/nowhere')", [url]);
    assert!(lost.contains("404"), "{lost}");
}

/// The Node that `tests/hosts/setup.sh` installed, in this target folder or the one around it.
fn node_program() -> Command {
    let folders = Path::new(env!("CARGO_TARGET_TMPDIR")).ancestors().skip(1).take(2);
    let mut found = folders.map(|folder| folder.join("hosts/node/node_modules/.bin/node")).filter(|path| path.exists());
    Command::new(found.next().expect("no Node; tests/hosts/setup.sh node installs it"))
}

#[test]
fn python() {
    let mut program = common::python();
    program.arg(example("hub.py"));
    carries(program);
}

#[test]
fn node() {
    if std::env::var("GROVE_SKIP_HOSTS").is_ok_and(|hosts| hosts.split(',').any(|host| host == "node")) {
        return;
    }
    let mut program = node_program();
    program.arg(example("hub.mjs"));
    carries(program);
}
