//! The table on the screen and `target/bench.json`.

use crate::measure::{Line, Results};
use std::path::Path;

/// The median of one side: microseconds of processor time an operation, or megabytes.
fn amount(line: &Line, median: f64) -> f64 {
    match line.unit {
        "" => median / 1e6,
        _ => median * 1e6 / line.count as f64,
    }
}

fn unit(line: &Line) -> String {
    match line.unit {
        "" => "MB".to_owned(),
        unit => format!("µs/{unit}"),
    }
}

pub fn print(results: &Results, rows: usize, rounds: usize) {
    println!(
        "{rows} rows, {rounds} rounds, SQLite {}; processor time, medians; ! is above its target",
        rusqlite::version()
    );
    println!(
        "{:<54} | {:>9} | {:>9} | {:<9} | {:>6} | {:>6} | {:>6}",
        "workload", "plain", "grove", "", "ratio", "wall", "target"
    );
    for (name, line) in &results.lines {
        let (plain, ours) = line.medians();
        let ratio = line.ratios();
        let (target, miss) = match line.target {
            0.0 => (String::new(), ""),
            target => (format!("{target:.1}"), if ratio.cpu > target { " !" } else { "" }),
        };
        println!(
            "{name:<54} | {:>9.3} | {:>9.3} | {:<9} | {:>6.2} | {:>6.2} | {target:>6}{miss}",
            amount(line, plain),
            amount(line, ours),
            unit(line),
            ratio.cpu,
            ratio.wall,
        );
    }
}

pub fn save(results: &Results, rows: usize, rounds: usize) {
    let lines: Vec<_> = results
        .lines
        .iter()
        .map(|(name, line)| {
            let (plain, ours) = line.medians();
            let ratio = line.ratios();
            let pairs = line.plain.iter().zip(&line.ours);
            let rounds: Vec<_> = pairs.map(|(plain, ours)| [amount(line, plain.cpu), amount(line, ours.cpu)]).collect();
            serde_json::json!({
                "workload": name,
                "unit": unit(line),
                "plain": amount(line, plain),
                "grove": amount(line, ours),
                "ratio": {"cpu": ratio.cpu, "wall": ratio.wall},
                "rounds": rounds,
                "target": if line.target > 0.0 { Some(line.target) } else { None },
            })
        })
        .collect();
    let all = serde_json::json!({
        "rows": rows,
        "rounds": rounds,
        "sqlite": rusqlite::version(),
        "version": env!("CARGO_PKG_VERSION"),
        "workloads": lines,
    });
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench.json");
    std::fs::write(&path, format!("{all:#}\n")).unwrap();
    println!("{}", path.display());
}
