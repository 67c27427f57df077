//! Databases of every format there has been (tests/fixtures/), and how they are made.

use std::path::{Path, PathBuf};

use crate::support::{clock, run};

/// The wall clock of tests with fixtures, milliseconds: somewhat after they were made.
pub const NOW: i64 = 1_700_001_000_000;

/// A copy of the fixture of that format, in a folder that goes away with the guard.
pub fn copy(format: i64) -> (tempfile::TempDir, PathBuf) {
    copy_of(&format!("format{format}.db"))
}

/// A copy of the fixture of that name.
pub fn copy_of(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fixture.db");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::copy(from, &path).unwrap();
    (folder, path)
}

/// Makes a fixture of the present format from the scripts: `cargo test --test evolution -- --ignored make_fixture`.
#[test]
#[ignore = "writes a file: run it before the format changes, and keep what it wrote"]
fn make_fixture() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixture.db");
    let _ = std::fs::remove_file(&path);
    clock::set(0);
    let conn = clock::open(path.to_str().unwrap());
    for script in [include_str!("../fixtures/format1.sql"), include_str!("../fixtures/format2.sql")] {
        for part in script.split("\n-- at: ").skip(1) {
            let (seconds, sql) = part.split_once('\n').unwrap();
            clock::set(1000 * seconds.trim().parse::<i64>().unwrap());
            run(&conn, sql);
        }
    }
    drop(conn);
    println!("{} bytes in {}", std::fs::metadata(&path).unwrap().len(), path.display());
}
