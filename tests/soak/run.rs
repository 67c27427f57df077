//! Schedules by seed on several threads: progress, the counts at the end, and the script of the first that fails.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::kinds::Kind;
use crate::sim::count::Counts;
use crate::sim::run::Failure;

/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(10);

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// What the threads share.
struct Soak {
    first: u64,
    end: u64,
    kind: Option<Kind>,
    /// The next seed.
    next: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    stop: AtomicBool,
    counts: Mutex<Counts>,
    begun: Instant,
}

/// Runs them all; fails when one does.
pub fn all() -> ExitCode {
    let first = setting("SOAK_SEED", 1);
    let soak = Soak {
        first,
        end: first.saturating_add(setting("SOAK_SCHEDULES", 40)),
        kind: std::env::var("SOAK_KIND").ok().and_then(|name| Kind::named(&name)),
        next: AtomicU64::new(first),
        done: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        counts: Mutex::default(),
        begun: Instant::now(),
    };
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..setting("SOAK_THREADS", cores)).map(|_| scope.spawn(|| soak.work())).collect();
        let mut said = Instant::now();
        while !threads.iter().all(|thread| thread.is_finished()) {
            std::thread::sleep(Duration::from_millis(50));
            if said.elapsed() >= PROGRESS {
                said = Instant::now();
                soak.progress();
            }
        }
    });
    soak.end()
}

impl Soak {
    fn work(&self) {
        loop {
            let seed = self.next.fetch_add(1, SeqCst);
            if seed >= self.end || self.stop.load(SeqCst) {
                return;
            }
            let kind = self.kind.unwrap_or_else(|| Kind::of(seed));
            let survey = setting("SOAK_SURVEY", 0) > 0;
            let time = if survey { Duration::ZERO } else { Duration::from_secs(setting("SOAK_SHRINK", 60)) };
            match kind.run(seed, time) {
                Ok(counts) => {
                    if let Ok(mut all) = self.counts.lock() {
                        all.add(&counts);
                        all.kinds(kind.name());
                    }
                }
                Err(failure) => {
                    let others = self.failed.fetch_add(1, SeqCst);
                    self.stop.fetch_or(!survey, SeqCst);
                    if survey || others == 0 {
                        self.tell(seed, kind, &failure, survey);
                    }
                }
            }
            self.done.fetch_add(1, SeqCst);
        }
    }

    fn per_second(&self) -> f64 {
        self.done.load(SeqCst) as f64 / self.begun.elapsed().as_secs_f64()
    }

    fn progress(&self) {
        let (done, all) = (self.done.load(SeqCst), self.end - self.first);
        let seed = self.next.load(SeqCst).min(self.end) - 1;
        let failed = self.failed.load(SeqCst);
        eprintln!("soak: {done} of {all} done, {:.0} a second, at seed {seed}, {failed} failed", self.per_second());
    }

    fn tell(&self, seed: u64, kind: Kind, failure: &Failure, survey: bool) {
        let kind = kind.name();
        if survey {
            let line = failure.what.lines().next().unwrap_or_default();
            eprintln!("seed {seed} ({kind}): {}", line.chars().take(300).collect::<String>());
            return;
        }
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("soak-{seed}.sql"));
        let written = std::fs::write(&path, &failure.script);
        let file = match written {
            Ok(()) => format!("It is in {0}; in an empty folder:\n  sqlite3 < {0}", path.display()),
            Err(error) => format!("It could not be written to {}: {error}", path.display()),
        };
        println!(
            "\n{}\nseed {seed} ({kind}) fails: {}\n\nAgain: make soak SCHEDULES=1 SEED={seed}\nThe script stands above. {file}",
            failure.script, failure.what
        );
    }

    fn end(&self) -> ExitCode {
        let seconds = self.begun.elapsed().as_secs_f64();
        let counts = self.counts.lock().map(|counts| counts.to_string()).unwrap_or_default();
        let failed = self.failed.load(SeqCst);
        println!(
            "soak: seeds {} to {}: {counts}\n  {seconds:.0} s, {:.1} schedules a second, {failed} failed",
            self.first,
            self.next.load(SeqCst).min(self.end) - 1,
            self.per_second()
        );
        if failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
