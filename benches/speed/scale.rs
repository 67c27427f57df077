//! What must not grow with the database: the cost of a few changes beside many rows or many tables. And `crdt_enable`.

use std::ffi::c_int;
use std::rc::Rc;

use rusqlite::ffi;

use crate::database::{fold, Ground, Session, State, TASKS};
use crate::measure::{medians, timed, Spent};
use crate::rows::{self, Row};
use crate::settings::number;
use crate::subject::Subject;
use crate::workload::{Goal, Unit, Work, Workload};
use crate::writes;

/// Rows that are changed before an export.
const CHANGED: usize = 100;
const SMALL: usize = 10_000;
const TABLES: usize = 500;

pub fn all() -> Vec<Workload> {
    [changed(SMALL, true), changed(300_000, true), tables()].concat()
}

/// What takes minutes.
pub fn large() -> Vec<Workload> {
    [changed(3_000_000, false), enable(number("BENCH_ROWS", 1_000_000))].concat()
}

/// Milliseconds of something that is done once in a run.
fn millis(name: String, work: Work) -> Workload {
    Workload::new(&name, 1, work).unit(Unit::Millis).once()
}

/// Changes of a hundred rows among `n`, and their export.
fn changed(n: usize, rivals: bool) -> Vec<Workload> {
    let size = if n < 1_000_000 { format!("{}k", n / 1000) } else { format!("{}M", n / 1_000_000) };
    let parts = |pick: fn((Spent, Spent)) -> Spent| -> Work {
        Rc::new(move |ground, subject| {
            let session = ground.database(subject, State::Sized(n)).open();
            let rows = rows::make(ground.keys, n);
            let runs: Vec<_> = (0..40).map(|run| change_and_export(&session, &rows, run)).collect();
            // The first ones fill the cache.
            medians(&runs.into_iter().skip(10).map(pick).collect::<Vec<_>>())
        })
    };
    let pages = |n| -> Work { Rc::new(move |ground, _| pages_read(ground, n)) };
    let change = millis(format!("change 100 rows of {size}"), parts(|(change, _)| change));
    let export = millis(format!("export 100 changed rows of {size}"), parts(|(_, export)| export));
    let read = millis(format!("change and export 100 rows of {size}: pages, to 10k"), pages(n));
    let both = [change, export.alone().goal(Goal::AtMost(0.6))];
    let both = both.map(|it| if rivals { it.rivals() } else { it });
    both.into_iter().chain([read.unit(Unit::Pages).against(pages(SMALL)).ratio(2.6)]).collect()
}

/// The `run`-th hundred rows, from all over the table.
fn spread(rows: &[Row], run: usize) -> impl Iterator<Item = &Row> {
    let step = rows.len() / CHANGED;
    (0..CHANGED).map(move |i| &rows[(i * step + run * 7919) % rows.len()])
}

fn change(session: &Session, rows: &[Row], run: usize) {
    session.execute_batch("BEGIN").unwrap();
    let mut stmt = session.prepare_cached("UPDATE tasks SET title = ?2 WHERE id = ?1").unwrap();
    for row in spread(rows, run) {
        assert_eq!(stmt.execute((&row.id, format!("title {run}"))).unwrap(), 1);
    }
    session.execute_batch("COMMIT").unwrap();
}

fn change_and_export(session: &Session, rows: &[Row], run: usize) -> (Spent, Spent) {
    let subject = session.subject;
    let mark = if subject == Subject::Plain { String::new() } else { subject.mark(session) };
    let change = timed(|| change(session, rows, run)).1;
    if subject == Subject::Plain {
        return (change, Spent::default());
    }
    let (length, export) = timed(|| subject.export_since(session, &mark));
    assert!(length >= CHANGED, "{length}");
    (change, export)
}

/// Pages that a change of a hundred rows and its export read into an empty cache.
fn pages_read(ground: &Ground, n: usize) -> Spent {
    let session = ground.database(Subject::Lww, State::Sized(n)).open();
    session.execute_batch("PRAGMA cache_size = -262144").unwrap();
    let rows = rows::make(ground.keys, n);
    change_and_export(&session, &rows, 0);
    session.execute_batch("PRAGMA shrink_memory").unwrap();
    let before = misses(&session);
    change_and_export(&session, &rows, 1);
    Spent::amount(f64::from(misses(&session) - before))
}

fn misses(session: &Session) -> c_int {
    let (mut now, mut high) = (0, 0);
    // SAFETY: a live connection and two integers.
    let code =
        unsafe { ffi::sqlite3_db_status(session.handle(), ffi::SQLITE_DBSTATUS_CACHE_MISS, &mut now, &mut high, 0) };
    assert_eq!(code, ffi::SQLITE_OK);
    now
}

/// Many enabled tables, beside one.
fn tables() -> Vec<Workload> {
    let start: Work = Rc::new(|ground, subject| {
        let database = ground.database(subject, State::Tables(TABLES));
        let rows = rows::make(ground.keys, 1);
        let mut session = None;
        let spent = timed(|| {
            writes::insert(session.insert(database.open()), &rows, 1);
        });
        spent.1
    });
    let step = |of: usize, pick: fn([Spent; 3]) -> Spent| -> Work {
        Rc::new(move |ground, _| {
            let session = ground.database(Subject::Lww, State::Tables(of)).open();
            let rows = rows::make(ground.keys, 400);
            let steps: Vec<_> = rows.iter().map(|row| write_export_poll(&session, row)).collect();
            medians(&steps.into_iter().skip(50).map(pick).collect::<Vec<_>>())
        })
    };
    let line = |what: &str, pick| {
        let name = format!("{what}, {TABLES} tables, to 1 table");
        millis(name, step(TABLES, pick)).against(step(1, pick)).ratio(1.2)
    };
    vec![
        millis(format!("open, load, first write, {TABLES} tables"), start).goal(Goal::AtMost(20.0)),
        line("write one row", |[write, _, _]| write),
        line("export one change", |[_, export, _]| export),
        line("poll, nothing new", |[_, _, poll]| poll),
    ]
}

fn write_export_poll(session: &Session, row: &Row) -> [Spent; 3] {
    let mark = session.subject.mark(session);
    let write = timed(|| {
        let Row { id, title, description, priority, tags, completed } = row;
        let mut stmt = session.prepare_cached(writes::INSERT).unwrap();
        stmt.execute((id, title, description, priority, tags, completed)).unwrap();
    });
    let export = timed(|| session.subject.export_since(session, &mark));
    let mark = session.subject.mark(session);
    let poll = timed(|| session.subject.export_since(session, &mark));
    [write.1, export.1, poll.1]
}

/// `crdt_enable` on a table that has rows, against a copy of the table; and the first fold, which is done by the first call
/// that needs it.
fn enable(n: usize) -> Vec<Workload> {
    let copy: Work = Rc::new(move |ground, subject| {
        let sql = format!("BEGIN; CREATE TABLE copy{TASKS}; INSERT INTO copy SELECT * FROM tasks; COMMIT");
        ground.on(subject, State::NotEnabled(n), |session| session.execute_batch(&sql).unwrap())
    });
    let enable: Work = Rc::new(move |ground, subject| {
        ground.on(subject, State::NotEnabled(n), |session| subject.enable(session, "tasks").unwrap())
    });
    let first: Work = Rc::new(move |ground, subject| {
        let session = ground.database(subject, State::NotEnabled(n)).open();
        subject.enable(&session, "tasks").unwrap();
        timed(|| fold(&session)).1
    });
    let line =
        |name: &str, work: &Work| millis(format!("{name} {n} rows, to a copy"), work.clone()).against(copy.clone());
    vec![
        line("crdt_enable,", &enable).ratio(1.0),
        line("crdt_enable, counter and set,", &enable).parts().ratio(1.0),
        line("first fold of", &first),
        line("first fold, counter and set, of", &first).parts(),
    ]
}
