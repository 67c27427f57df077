//! Time spent, and what is made of it over the rounds.

use std::collections::BTreeMap;
use std::ffi::{c_int, c_long};
use std::time::Instant;

/// Seconds of processor time (user and system) and of wall time.
#[derive(Clone, Copy, Default)]
pub struct Spent {
    pub cpu: f64,
    pub wall: f64,
}

impl Spent {
    /// A size, to compare like a time.
    pub fn bytes(bytes: f64) -> Spent {
        Spent { cpu: bytes, wall: bytes }
    }
}

#[repr(C)]
struct Timespec {
    seconds: c_long,
    nanoseconds: c_long,
}

extern "C" {
    fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int;
}

/// This process's processor time in seconds.
fn cpu() -> f64 {
    let process = if cfg!(target_os = "macos") { 12 } else { 2 };
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: POSIX; it fills the structure.
    assert_eq!(unsafe { clock_gettime(process, &mut time) }, 0);
    time.seconds as f64 + time.nanoseconds as f64 / 1e9
}

/// Runs `work` and times it.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Spent) {
    let (start, wall) = (cpu(), Instant::now());
    let done = work();
    let wall = wall.elapsed().as_secs_f64();
    let cpu = cpu() - start;
    (done, Spent { cpu, wall })
}

/// A line of the report: the same work, plain and ours, once a round.
#[derive(Default)]
pub struct Line {
    pub plain: Vec<Spent>,
    pub ours: Vec<Spent>,
    /// What one operation is: "row", "change"; "" for a size.
    pub unit: &'static str,
    /// Operations in one run.
    pub count: usize,
    /// Not above this ratio; 0 when there is no target.
    pub target: f64,
}

/// All lines, in the order in which they came up.
#[derive(Default)]
pub struct Results {
    pub lines: Vec<(String, Line)>,
    places: BTreeMap<String, usize>,
}

impl Results {
    /// Adds what a round spent on `name`.
    pub fn add(&mut self, name: String, (unit, count, target): (&'static str, usize, f64), plain: Spent, ours: Spent) {
        let place = *self.places.entry(name.clone()).or_insert_with(|| {
            self.lines.push((name, Line::default()));
            self.lines.len() - 1
        });
        let line = &mut self.lines[place].1;
        (line.unit, line.count, line.target) = (unit, count, target);
        line.plain.push(plain);
        line.ours.push(ours);
    }
}

/// The middle value; between the two middle ones when they are even in number.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

impl Line {
    /// The median over the rounds of ours by plain: of processor time and of wall time.
    pub fn ratios(&self) -> Spent {
        let pairs = || self.plain.iter().zip(&self.ours);
        Spent {
            cpu: median(pairs().map(|(plain, ours)| ours.cpu / plain.cpu)),
            wall: median(pairs().map(|(plain, ours)| ours.wall / plain.wall)),
        }
    }

    /// The median processor time of plain and of ours.
    pub fn medians(&self) -> (f64, f64) {
        let middle = |side: &[Spent]| median(side.iter().map(|spent| spent.cpu));
        (middle(&self.plain), middle(&self.ours))
    }
}
