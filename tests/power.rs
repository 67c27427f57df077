//! The power fails: what was not synced is lost, in part, in any order. The database is in order, holds what it held after one
//! of its transactions, and goes on; where SQLite promises durability, nothing that was acknowledged is lost.
//!
//! `POWER_IMAGES` sets how many disks are looked at (200), `POWER_SEED` what they lost.

mod common;
mod support;

#[path = "power/disk.rs"]
mod disk;
#[path = "sim/random.rs"]
mod random;
#[path = "power/run.rs"]
mod run;
#[path = "power/vfs.rs"]
mod vfs;

use std::path::Path;

use common::text;
use disk::{Disk, Image, Loss};
use random::Random;
use run::{finish, state, Mode, Recording, MODES};
use rusqlite::Connection;
use support::{rows, run as sql, send, try_run};
use vfs::Op;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// Where the power fails: at a sync, just after it, or anywhere.
fn moment(recording: &Recording, random: &mut Random) -> usize {
    let syncs: Vec<usize> =
        (0..recording.ops.len()).filter(|i| matches!(recording.ops[*i].1, Op::Sync | Op::Delete { .. })).collect();
    match random.below(3) {
        0 => syncs[random.below(syncs.len())],
        1 => syncs[random.below(syncs.len())] + 1,
        _ => random.below(recording.ops.len() + 1),
    }
}

/// The steps after which the database may stand, first and last.
fn span(recording: &Recording, at: usize, image: &Image) -> (usize, usize) {
    let acknowledged = recording.ends.iter().filter(|end| **end <= at).count().saturating_sub(1);
    let first = match (recording.mode.journal, recording.mode.synchronous) {
        // https://sqlite.org/pragma.html#pragma_synchronous: it may lose durability, not consistency.
        ("WAL", "NORMAL") => 0,
        // With a journal that is there again the last transaction is rolled back, unless synchronous is EXTRA.
        _ if image.undeleted => acknowledged.saturating_sub(1),
        _ => acknowledged,
    };
    (first, (acknowledged + 1).min(recording.states.len() - 1))
}

/// Opens what is left; the step after which it stands.
fn check(recording: &Recording, path: &Path, (first, last): (usize, usize)) -> Result<usize, String> {
    vfs::set_clock(recording.now);
    let conn = vfs::open(path);
    for check in ["PRAGMA integrity_check", "SELECT crdt_check()"] {
        let answer = rows(&conn, check);
        if answer != ["'ok'"] {
            return Err(format!("{check}: {answer:?}"));
        }
    }
    let now = state(&conn);
    let found = (first..=last).rev().find(|i| recording.states[*i] == now);
    found.ok_or_else(|| {
        let place = recording.states.iter().position(|state| *state == now);
        format!("it stands after step {place:?}, not after {first} to {last}")
    })
}

/// Goes on working, and exchanges with a peer that may know what was lost.
fn go_on(recording: &Recording, path: &Path, (sure, sent): (bool, usize), upgrade: bool) -> Result<[u64; 2], String> {
    let conn = vfs::open(path);
    let told = recording.told[sent];
    let stamp: serde_json::Value = serde_json::from_str(&text(&conn, "SELECT crdt_now()", [])).unwrap();
    if sure && (stamp["ts"].as_i64(), stamp["c"].as_u64()) <= (Some(told.0), Some(told.1)) {
        return Err(format!("the clock went back: {stamp} after {told:?}"));
    }
    if upgrade {
        let more = try_run(&conn, "UPDATE tasks SET title = 'after the loss'; SELECT crdt_changes_since(NULL)");
        return more.map(|()| [0, 0]);
    }
    finish(&conn);
    sql(&conn, "UPDATE tasks SET title = 'after the loss', votes = coalesce(votes, 0) + 1 WHERE id IN ('t0', 't1'); INSERT OR REPLACE INTO tasks(id, title) VALUES ('w0', 'again')");
    let copy = path.with_file_name("peer.db");
    std::fs::copy(&recording.peers[sent], &copy).unwrap();
    let peer = vfs::open(&copy);
    sql(&peer, "UPDATE tasks SET title = 'by the peer' WHERE id = 't2'; INSERT INTO tasks(id) VALUES ('p')");
    for _ in 0..2 {
        send(&conn, &peer);
        send(&peer, &conn);
    }
    // One has forgotten what it deleted, the other may not have: now both do.
    vfs::set_clock(recording.now + 600_000);
    sql(&peer, "SELECT crdt_pragma('tombstone_ttl', '0s')");
    for node in [&conn, &peer] {
        sql(node, "SELECT crdt_cleanup_tombstones()");
    }
    equal(&conn, &peer)?;
    let count = |what: &str| text(&conn, &format!("SELECT {what} FROM _crdt_state"), []).parse().unwrap();
    let [forks, twins]: [u64; 2] = ["forks", "twins"].map(count);
    if sure && forks + twins > 0 {
        return Err(format!("nothing was lost, and it took {forks} new ids and met {twins} stamps of two values"));
    }
    Ok([forks, twins])
}

fn equal(conn: &Connection, peer: &Connection) -> Result<(), String> {
    for look in ["SELECT * FROM tasks ORDER BY id", "SELECT crdt_digest('tasks', 'full')", "SELECT crdt_check()"] {
        let (ours, theirs) = (rows(conn, look), rows(peer, look));
        if ours != theirs {
            let other = |a: &[String], b: &[String]| -> String {
                a.iter()
                    .filter(|row| !b.contains(row))
                    .map(|row| row.chars().take(200).collect::<String>() + "\n")
                    .collect()
            };
            let (ours, theirs) = (other(&ours, &theirs), other(&theirs, &ours));
            return Err(format!("a peer that has merged everything differs, {look}:\nhere {ours}\nthere {theirs}"));
        }
    }
    Ok(())
}

fn lose_power(modes: &[Mode], upgrade: bool, images: u64) {
    let seed = number("POWER_SEED", 1);
    let (mut lost, mut forked, mut doubled) = (0, 0, 0);
    for (m, mode) in modes.iter().copied().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.db");
        let recording = run::record(folder.path(), mode, upgrade);
        for i in 0..images {
            let mut random = Random::new(seed.wrapping_mul(1_000_003) ^ (i << 8) ^ m as u64);
            let at = moment(&recording, &mut random);
            let mut disk = Disk::new(&recording.first);
            recording.ops[..at].iter().for_each(|op| disk.apply(op));
            let loss = Loss::pick(&mut random, mode.journal == "DELETE" && mode.synchronous == "NORMAL");
            let image = disk.lose(loss, &mut random);
            image.put(&path);
            let span = span(&recording, at, &image);
            let sent = span.1.min(recording.ends.iter().filter(|end| **end <= at).count().saturating_sub(1));
            let outcome = check(&recording, &path, span).and_then(|found| {
                lost += usize::from(found < sent);
                vfs::set_clock(recording.now + [0, 1_000][i as usize % 2]);
                // Of a lost crdt_now nothing shows: so it is by what SQLite promises, and not by what is found.
                go_on(&recording, &path, (span.0 >= sent, sent), upgrade)
            });
            match outcome {
                Ok([forks, twins]) => (forked, doubled) = (forked + forks, doubled + twins),
                Err(e) => panic!(
                    "{mode:?}, upgrade {upgrade}, image {i} of POWER_SEED={seed}, operation {at} of {}, {loss:?}: {e}",
                    recording.ops.len()
                ),
            }
        }
        println!("{mode:?}: {} operations in {} steps, {images} images", recording.ops.len(), recording.ends.len() - 1);
    }
    println!(
        "{} images; {lost} had lost acknowledged transactions, where SQLite says that they may; then {forked} new node ids, and \
         {doubled} stamps with two values",
        images * modes.len() as u64
    );
}

/// A share of the images that were asked for, for each mode.
fn share(percent: u64) -> u64 {
    (number("POWER_IMAGES", 200) * percent / 100).max(1)
}

#[test]
fn at_work_with_a_write_ahead_log() {
    lose_power(&MODES[..2], false, share(20));
}

#[test]
fn at_work_with_a_rollback_journal() {
    lose_power(&MODES[2..], false, share(17));
}

#[test]
fn while_a_format_is_upgraded() {
    lose_power(&MODES, true, share(2));
}
