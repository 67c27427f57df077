//! Time spent, and what is made of it over the rounds.

use std::ffi::{c_int, c_long};
use std::time::Instant;

/// Seconds of processor time (user and system) and of wall time; or twice the same bytes or pages.
#[derive(Clone, Copy, Default)]
pub struct Spent {
    pub cpu: f64,
    pub wall: f64,
}

impl Spent {
    /// A size or a count, to compare like a time.
    pub fn amount(amount: f64) -> Spent {
        Spent { cpu: amount, wall: amount }
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

/// The middle value; between the two middle ones when they are even in number. NaN of none.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (n, middle) if n % 2 == 1 => values[middle],
        (_, middle) => (values[middle - 1] + values[middle]) / 2.0,
    }
}

/// The medians of processor time and of wall time.
pub fn medians(spent: &[Spent]) -> Spent {
    Spent { cpu: median(spent.iter().map(|it| it.cpu)), wall: median(spent.iter().map(|it| it.wall)) }
}
