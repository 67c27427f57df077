//! Processes that share one file: they write, merge, export and follow, and nothing is lost or doubled.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::child::{is_taken_back, stop_file, Part, FIRST};
use crate::common::{open_file, text};
use crate::support::{file_node, node, rows, run, same, send, since, sound, stamp_of, TASKS};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

#[test]
fn child() {
    if let Some(part) = Part::read() {
        part.play();
    }
}

/// A process of ours, killed if it is forgotten.
struct Process {
    child: Child,
    role: &'static str,
}

impl Process {
    fn start(file: &Path, role: &'static str, id: u64, transactions: u64) -> Process {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["processes::child", "--exact", "--nocapture"])
            .envs([
                ("PART_ROLE", role),
                ("PART_FILE", file.to_str().unwrap()),
                ("PART_ID", &id.to_string()),
                ("PART_TRANSACTIONS", &transactions.to_string()),
            ])
            .stdout(std::fs::File::create(file.with_extension(format!("{role}{id}"))).unwrap())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Process { child, role }
    }

    /// Waits for its end; a deadlock is when that does not come.
    fn finish(&mut self, deadline: Instant) {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "a {} does not come to an end", self.role);
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(status.success(), "a {}: {status}", self.role);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that a process told, each after its first word.
fn told(file: &Path, role: &str, id: u64, word: &str) -> Vec<String> {
    let all = std::fs::read_to_string(file.with_extension(format!("{role}{id}"))).unwrap();
    assert!(all.lines().any(|line| line == "done"), "{role} {id}: {all}");
    all.lines().filter_map(|line| line.strip_prefix(word)).map(|rest| rest.trim().to_string()).collect()
}

fn together(mode: &str) {
    let (processes, transactions) = (number("PROCESSES", 4), number("TRANSACTIONS", 500));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shared.db");
    let started = Instant::now();
    let deadline = started + Duration::from_secs(120 + processes * transactions / 10);
    {
        let conn = file_node(&file, "a", &format!("PRAGMA journal_mode = {mode}; PRAGMA synchronous = OFF; {TASKS}"));
        run(&conn, &format!("INSERT INTO tasks(id) VALUES ('{FIRST}'); INSERT INTO tasks(id) VALUES ('shared')"));
    }
    let mut ending: Vec<Process> = (0..processes).map(|id| Process::start(&file, "writer", id, transactions)).collect();
    ending.push(Process::start(&file, "merger", 1, transactions));
    let mut endless = vec![Process::start(&file, "exporter", 0, 0)];
    endless.extend((0..2).map(|id| Process::start(&file, "reader", id, 0)));
    ending.iter_mut().for_each(|process| process.finish(deadline));
    std::fs::write(stop_file(&file), "").unwrap();
    endless.iter_mut().for_each(|process| process.finish(deadline));
    println!("{mode}: {processes} × {transactions} transactions in {:?}", started.elapsed());
    for id in 0..2 {
        for polls in told(&file, "reader", id, "polls") {
            let numbers: Vec<u64> = polls.split(' ').map(|n| n.parse().unwrap()).collect();
            println!("  reader {id}: {} polls, {} of them from the start", numbers[0], numbers[1]);
            assert_eq!(numbers[2], 0, "values came twice");
        }
    }
    settled(&file, processes, transactions);
}

/// What must be there when all have ended.
fn settled(file: &Path, processes: u64, transactions: u64) {
    let conn = open_file(file);
    run(&conn, "PRAGMA synchronous = OFF");
    assert_eq!(rows(&conn, "PRAGMA integrity_check"), ["'ok'"]);
    sound(&conn);
    let writes = (0..processes).flat_map(|id| (0..transactions).map(move |i| (id, i)));
    let mut expected: BTreeSet<String> =
        writes.filter(|(_, i)| !is_taken_back(*i)).map(|(id, i)| format!("'w{id}-{i}'")).collect();
    let written = expected.len() as u64;
    expected.extend((0..transactions / 5).map(|i| format!("'m-{i}'")));
    expected.extend([FIRST, "shared"].map(|id| format!("'{id}'")));
    let there: BTreeSet<String> = rows(&conn, "SELECT id FROM tasks").into_iter().collect();
    assert!(there == expected, "{:?}", there.symmetric_difference(&expected).collect::<Vec<_>>());
    let count = text(&conn, "SELECT priority FROM tasks WHERE id = 'shared'", []);
    assert_eq!(count, (written + transactions / 5).to_string(), "the counter that all share");

    // A long export may tell of a record twice.
    let told_of: BTreeSet<_> = since(&conn, None)
        .changes
        .iter()
        .filter(|c| c["field"] == "title" && c["hlc"]["node"] == "a")
        .map(|c| (c["pk"].to_string(), stamp_of(c)))
        .collect();
    let mut stamps: Vec<_> = told_of.into_iter().map(|(_, stamp)| stamp).collect();
    for id in 0..processes {
        stamps.extend(told(file, "writer", id, "stamp").iter().map(|json| {
            let hlc: serde_json::Value = serde_json::from_str(json).unwrap();
            stamp_of(&serde_json::json!({ "hlc": hlc }))
        }));
    }
    let all = stamps.len();
    stamps.sort();
    stamps.dedup();
    assert_eq!(stamps.len(), all, "a stamp was issued twice");
    println!("  {all} stamps, each once");
    let fresh = node("fresh", TASKS);
    send(&conn, &fresh);
    same(&conn, &fresh, "tasks");
}

#[test]
fn on_a_write_ahead_log() {
    together("WAL");
}

#[test]
fn on_a_rollback_journal() {
    together("DELETE");
}
