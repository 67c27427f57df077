//! The workloads on the table `tasks`, one for each line of the promises.

use std::io::Write;
use std::process::Stdio;
use std::rc::Rc;

use rusqlite::types::Value;

use crate::common;
use crate::database::{fold, Ground, Session, State};
use crate::measure::Spent;
use crate::subject::{Payload, Subject};
use crate::workload::{Goal, Unit, Work, Workload};
use crate::writes;

/// Work in a database that is in that state.
fn from(state: State, work: impl Fn(&Ground, &Session) + 'static) -> Work {
    Rc::new(move |ground, subject| ground.on(subject, state, |session| work(ground, session)))
}

fn insert(ground: &Ground, session: &Session) {
    writes::insert(session, &ground.rows, ground.rows.len());
}

fn upsert(ground: &Ground, session: &Session) {
    writes::upsert(session, &ground.rows);
}

fn read(_: &Ground, session: &Session) {
    assert!(writes::read_all(session, "SELECT * FROM tasks") > 0);
}

pub fn all(rows: usize) -> Vec<Workload> {
    [local(rows), parts(rows), folds(rows), sync(rows), sizes()].into_iter().flatten().collect()
}

/// Writes and reads of the application.
fn local(n: usize) -> Vec<Workload> {
    let few = (n / 20).max(1);
    let by_100 = from(State::Empty, |ground, it| writes::insert(it, &ground.rows, 100));
    let update = from(State::Folded, |ground, it| writes::update(it, &ground.rows, "one"));
    let five = from(State::Wide, |ground, it| writes::update_five(it, &ground.rows));
    let unprepared = from(State::Wide, |ground, it| writes::update_five_unprepared(it, &ground.rows));
    let alone =
        from(State::Folded, |ground, it| writes::update_alone(it, &ground.rows[..ground.rows.len() / 20], "two"));
    let delete = from(State::Folded, |ground, it| {
        writes::by_key(it, &ground.rows[..ground.rows.len() / 10], "DELETE FROM tasks WHERE id = ?1");
    });
    let points = from(State::Folded, |ground, it| writes::read_points(it, &ground.rows));
    vec![
        Workload::new("insert, one transaction", n, from(State::Empty, insert)).ratio(1.7).rivals(),
        Workload::new("insert, 100 rows a transaction", n, by_100).ratio(1.8).rivals(),
        Workload::new("update one column", n, update).ratio(1.7).rivals(),
        Workload::new("update five of twelve", n, five).ratio(1.9),
        Workload::new("update five of twelve, unprepared", n, unprepared).ratio(3.3),
        Workload::new("update, autocommit", few, alone).ratio(1.6).rivals(),
        Workload::new("update, autocommit: pages written", few, Rc::new(pages_written))
            .unit(Unit::Pages)
            .goal(Goal::More(1.05))
            .rivals(),
        Workload::new("delete a tenth", n / 10, delete).ratio(2.2).rivals(),
        Workload::new("point reads", n, points).ratio(1.05).rivals(),
    ]
}

/// Pages that SQLite wrote for each update that is a transaction of its own, checkpoints not counted.
fn pages_written(ground: &Ground, subject: Subject) -> Spent {
    let rows = &ground.rows[..(ground.rows.len() / 20).max(1)];
    let database = ground.database(subject, State::Folded);
    let session = database.open();
    let before = written(&session);
    writes::update_alone(&session, rows, "two");
    Spent::amount((written(&session) - before) as f64 / rows.len() as f64)
}

fn written(session: &Session) -> i32 {
    let (mut now, mut high) = (0, 0);
    // SAFETY: a live connection and two integers.
    let code = unsafe {
        let status = rusqlite::ffi::SQLITE_DBSTATUS_CACHE_WRITE;
        rusqlite::ffi::sqlite3_db_status(session.handle(), status, &mut now, &mut high, 0)
    };
    assert_eq!(code, 0);
    now
}

/// Counters and sets.
fn parts(n: usize) -> Vec<Workload> {
    let raise = from(State::Folded, |ground, it| {
        writes::by_key(it, &ground.rows, "UPDATE tasks SET priority = priority + 1 WHERE id = ?1");
    });
    let add = from(State::Folded, |ground, it| {
        writes::by_key(it, &ground.rows, "UPDATE tasks SET tags = json_insert(tags, '$[#]', 'zoo') WHERE id = ?1");
    });
    vec![
        Workload::new("insert, one transaction, counter and set", n, from(State::Empty, insert)).ratio(2.1).parts(),
        Workload::new("counter + 1", n, raise).ratio(2.5).parts(),
        Workload::new("set add", n, add).ratio(2.5).parts(),
    ]
}

/// The fold, which the next call that needs it does.
fn folds(n: usize) -> Vec<Workload> {
    let new = from(State::Filled, |_, it| fold(it));
    let updates = from(State::Updated, |_, it| fold(it));
    let line = |name, work| Workload::new(name, n, work).against(from(State::Empty, insert));
    vec![
        line("fold of new rows, to plain insert", new.clone()).ratio(0.6),
        line("fold of new rows, counter and set, to plain insert", new).parts(),
        line("fold of updates, to plain insert", updates).ratio(0.8),
    ]
}

/// Exports and merges.
fn sync(n: usize) -> Vec<Workload> {
    let export: Work = Rc::new(|ground: &Ground, subject: Subject| {
        ground.on(subject, State::Folded, |it| drop(std::hint::black_box(subject.export(it))))
    });
    let streamed = from(State::Folded, |_, it| {
        assert!(writes::read_all(it, "SELECT change FROM crdt_changes(NULL)") > 0);
    });
    let as_json = from(State::Folded, |_, it| assert!(writes::read_all(it, writes::AS_JSON) > 0));
    let merge = |state, payload| -> Work {
        Rc::new(move |ground, subject| {
            let payload = ground.payload(subject, payload);
            ground.on(subject, state, |it| subject.merge(it, &payload))
        })
    };
    let in_place =
        |limit: Option<i64>| from(State::Folded, move |_, it| assert!(it.subject.export_in_place(it, limit) > 0));
    let stepped = from(State::Folded, |_, it| assert!(writes::read_in_place(it, "SELECT * FROM tasks") > 0));
    let out = |name, work| Workload::new(name, n, work).against(from(State::Folded, read)).ratio(6.0);
    let into = |name, limit, state, payload| {
        Workload::new(name, n, merge(state, payload)).against(from(state, upsert)).ratio(limit).rivals()
    };
    vec![
        out("export all, to SELECT", export.clone()).rivals(),
        out("export all, to SELECT, both read in place", in_place(None)).against(stepped.clone()),
        out("export all, 1,000 a page, to SELECT, in place", in_place(Some(1_000))).against(stepped).goal(Goal::None),
        out("export all, to SELECT of rows as JSON", export).against(as_json).goal(Goal::None).rivals(),
        out("export all, table-valued function, to SELECT", streamed),
        into("merge, empty peer, to upsert", 3.5, State::EmptyPeer, State::Folded),
        into("merge, empty peer, of edited rows, to upsert", 0.0, State::EmptyPeer, State::Rewritten).goal(Goal::None),
        into("merge, all known, to upsert", 2.5, State::Peer, State::Folded),
        into("merge, half the fields newer, to upsert", 5.0, State::PeerNewer, State::Rewritten),
    ]
}

/// Bytes on disk and on the wire.
fn sizes() -> Vec<Workload> {
    let payload: Work = Rc::new(|ground, subject| {
        let bytes: usize = match &*ground.payload(subject, State::Folded) {
            Payload::Json(pages) => pages.iter().map(|page| deflated(page.as_bytes())).sum(),
            Payload::Blob(blob) => blob.len(),
            Payload::Rows(rows) => deflated(&rows.iter().flatten().flat_map(plainly).collect::<Vec<_>>()),
        };
        Spent::amount(bytes as f64 / ground.rows.len() as f64)
    });
    let line = |name, state| {
        let bytes: Work = Rc::new(move |ground, subject| Spent::amount(ground.database(subject, state).bytes()));
        Workload::new(name, 1, bytes).unit(Unit::Mega)
    };
    vec![
        line("file before the fold", State::Filled).ratio(1.4).rivals(),
        line("file, folded", State::Folded).ratio(1.75).rivals(),
        line("file before the fold, counter and set", State::Filled).parts(),
        line("file, folded, counter and set", State::Folded).parts(),
        // The compact form is to have a line of its own here, with 70 bytes as its target.
        Workload::new("payload, zlib 6, bytes a row", 1, payload).alone().unit(Unit::Bytes).rivals(),
    ]
}

/// A cell as bytes, with a comma: what a program that sends rows has to send at least.
fn plainly(cell: &Value) -> Vec<u8> {
    let mut bytes = match cell {
        Value::Null => Vec::new(),
        Value::Integer(number) => number.to_string().into_bytes(),
        Value::Real(number) => number.to_string().into_bytes(),
        Value::Text(text) => text.clone().into_bytes(),
        Value::Blob(blob) => blob.clone(),
    };
    bytes.push(b',');
    bytes
}

/// How many bytes zlib makes of these, at its level 6.
fn deflated(bytes: &[u8]) -> usize {
    let script = "import sys, zlib; print(len(zlib.compress(sys.stdin.buffer.read(), 6)))";
    let mut child = common::python().args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}
