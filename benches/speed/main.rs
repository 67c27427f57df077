//! What grove-crdt costs against plain SQLite, and what its rivals cost: the same work on the table of each, in turns within
//! every round, so that a busy machine slows all alike. A ratio is the median of the rounds' own ratios.
//!
//! `make bench`; benches/README.md says what can be set, and what is compared with what.

#[path = "../../tests/common/mod.rs"]
mod common;
mod database;
mod measure;
mod memory;
mod report;
mod rows;
mod scale;
mod settings;
mod subject;
mod tasks;
mod workload;
mod writes;

use database::Ground;
use settings::Settings;
use workload::Line;

fn main() {
    if cfg!(debug_assertions) {
        panic!("this measures the release profile: cargo bench");
    }
    if memory::is_child() {
        return;
    }
    let settings = Settings::read();
    let workloads = match settings.large {
        false => [tasks::all(settings.rows), scale::all(), memory::all()].concat(),
        true => scale::large(),
    };
    let wanted: Vec<usize> = (0..workloads.len()).filter(|i| settings.wants(&workloads[*i].name)).collect();
    let rivals = workload::rivals(|name| settings.skips(name));
    report::head(&settings);
    let mut all: Vec<Line> = Vec::new();
    for (place, (keys, cache)) in settings.places().into_iter().enumerate() {
        let ground = Ground::new(rows::make(keys, settings.rows), keys, cache);
        let name = format!("{}, {}", keys.name(), cache.name());
        let here = wanted.iter().filter(|i| place == 0 || !workloads[**i].once);
        let mut lines: Vec<_> = here.map(|i| Line::new(*i, &workloads[*i], name.clone(), &rivals)).collect();
        for round in 0..settings.rounds {
            for line in &mut lines {
                line.run(&workloads[line.workload], &ground, round);
            }
            eprintln!("{name}: round {} of {}", round + 1, settings.rounds);
        }
        lines.iter().for_each(|line| report::print(&workloads[line.workload], line));
        all.append(&mut lines);
        report::save(&settings, &workloads, &all);
    }
}
