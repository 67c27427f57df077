//! The table on the screen and the file that is kept.

use std::path::Path;

use serde_json::{json, Value};

use crate::measure::{medians, Spent};
use crate::settings::Settings;
use crate::subject::Subject;
use crate::workload::{Goal, Line, Workload};

/// A figure in at most seven characters; empty when there is none.
fn short(value: f64) -> String {
    match value {
        v if v.is_nan() => String::new(),
        v if v.abs() < 10.0 => format!("{v:.3}"),
        v if v.abs() < 1000.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

fn ratio(value: f64) -> String {
    if value.is_nan() {
        String::new()
    } else {
        format!("{value:.2}")
    }
}

fn goal(goal: Goal) -> String {
    match goal {
        Goal::Ratio(limit) => format!("{limit:.2}"),
        Goal::More(limit) => format!("+{limit}"),
        Goal::AtMost(limit) => format!("={limit}"),
        Goal::None => String::new(),
    }
}

pub fn head(settings: &Settings) {
    println!(
        "{} rows, {} rounds, SQLite {}. Medians of processor time (or sizes): plain and grove in the unit, then ratios to plain.\n\
         Targets: 1.70 a ratio, +1 so much above plain, =1 in the unit; ! is missed.",
        settings.rows,
        settings.rounds,
        rusqlite::version()
    );
    println!(
        "{:<52} {:<13} {:>8} {:>8} {:<7} {:>6} {:>6} {:>7}   {:>11} {:>9}",
        "workload", "keys, cache", "plain", "grove", "", "ratio", "wall", "target", "sqlite-sync", "cr-sqlite"
    );
}

pub fn print(it: &Workload, line: &Line) {
    let of = |spent: &[Spent]| short(it.unit.scale(medians(spent).cpu));
    let ours = &line.others[0].1;
    let rival = |rival: Subject| {
        let found = line.others.iter().find(|(subject, _)| *subject == rival);
        found.map_or(
            String::new(),
            |(_, spent)| if line.plain.is_empty() { of(spent) } else { ratio(line.ratios(spent).cpu) },
        )
    };
    let ratios = line.ratios(ours);
    println!(
        "{:<52} {:<13} {:>8} {:>8} {:<7} {:>6} {:>6} {:>7} {} {:>11} {:>9}",
        it.name,
        line.place,
        of(&line.plain),
        of(ours),
        it.unit.name(),
        ratio(ratios.cpu),
        ratio(ratios.wall),
        goal(it.goal),
        if line.reached(it) == Some(false) { "!" } else { " " },
        rival(Subject::SqliteSync),
        rival(Subject::CrSqlite),
    );
}

fn entry(it: &Workload, line: &Line) -> Value {
    let side = |spent: &[Spent]| -> Value {
        let middle = medians(spent);
        let rounds: Vec<_> = spent.iter().map(|one| [it.unit.scale(one.cpu), it.unit.scale(one.wall)]).collect();
        json!({"cpu": it.unit.scale(middle.cpu), "wall": it.unit.scale(middle.wall), "rounds": rounds})
    };
    let subject = |(subject, spent): &(Subject, Vec<Spent>)| {
        let ratios = line.ratios(spent);
        let mut side = side(spent);
        side["ratio"] = json!({"cpu": ratios.cpu, "wall": ratios.wall});
        (subject.name().to_owned(), side)
    };
    json!({
        "workload": it.name,
        "place": line.place,
        "unit": it.unit.name(),
        "target": goal(it.goal),
        "figure": line.figure(it),
        "reached": line.reached(it),
        "plain": if line.plain.is_empty() { Value::Null } else { side(&line.plain) },
        "others": line.others.iter().map(subject).collect::<serde_json::Map<_, _>>(),
    })
}

/// Writes `target/bench.json`, or the file that `BENCH_JSON` names.
pub fn save(settings: &Settings, workloads: &[Workload], lines: &[Line]) {
    let entries: Vec<_> = lines.iter().map(|line| entry(&workloads[line.workload], line)).collect();
    let all = json!({
        "rows": settings.rows,
        "rounds": settings.rounds,
        "sqlite": rusqlite::version(),
        "version": env!("CARGO_PKG_VERSION"),
        "lines": entries,
    });
    let name = if settings.large { "bench-large.json" } else { "bench.json" };
    let default = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(name);
    let path = std::env::var_os("BENCH_JSON").map_or(default, Into::into);
    std::fs::write(&path, format!("{all:#}\n")).unwrap();
    println!("{}", path.display());
}
