//! What a million updates of a thousand rows leave behind: all that is ours, the clocks besides, against the live rows' state (the
//! table with its index, and the clocks). Two peers pull now and then, with a node id.
//!
//! `make soak-log`, or with other sizes `SOAK_UPDATES=50000 SOAK_ROWS=1000 make soak-log`.

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/forgetting/soak_run.rs"]
mod soak_run;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

fn main() {
    let (rows, updates) = (setting("SOAK_ROWS", 1_000), setting("SOAK_UPDATES", 1_000_000));
    let soaked = soak_run::soak(rows, updates);
    println!("{updates} updates of {rows} rows: {soaked}");
}
