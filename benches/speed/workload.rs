//! What a workload is, and the runs of it.

use std::rc::Rc;

use crate::database::Ground;
use crate::measure::{medians, Spent};
use crate::subject::{Subject, RIVALS};

/// What a run is held against.
#[derive(Clone, Copy, PartialEq)]
pub enum Goal {
    /// Not above this ratio to plain.
    Ratio(f64),
    /// Not above plain by more than this.
    More(f64),
    /// Not above this.
    AtMost(f64),
    None,
}

/// What is measured, and for one of what.
#[derive(Clone, Copy, PartialEq)]
pub enum Unit {
    /// Microseconds, for each of the ground's rows or so many of them.
    Micros(&'static str, usize),
    Millis,
    /// Megabytes.
    Mega,
    Bytes,
    Pages,
}

impl Unit {
    pub fn name(self) -> String {
        match self {
            Unit::Micros(one, _) => format!("µs/{one}"),
            Unit::Millis => "ms".to_owned(),
            Unit::Mega => "MB".to_owned(),
            Unit::Bytes => "bytes".to_owned(),
            Unit::Pages => "pages".to_owned(),
        }
    }

    /// Seconds or bytes in this unit.
    pub fn scale(self, amount: f64) -> f64 {
        match self {
            Unit::Micros(_, count) => amount * 1e6 / count as f64,
            Unit::Millis => amount * 1e3,
            Unit::Mega => amount / 1e6,
            Unit::Bytes | Unit::Pages => amount,
        }
    }
}

/// Does something in a subject's database, and times it.
pub type Work = Rc<dyn Fn(&Ground, Subject) -> Spent>;

/// The same work for every subject, and what it is compared with.
#[derive(Clone)]
pub struct Workload {
    pub name: String,
    pub unit: Unit,
    pub goal: Goal,
    /// Which kind of our tables.
    pub ours: Subject,
    pub rivals: bool,
    /// Does not depend on the ground's keys and cache: is run once.
    pub once: bool,
    work: Work,
    /// What it costs plain SQLite; None: nothing to compare with.
    base: Option<Work>,
}

impl Workload {
    /// The same on plain SQLite, on ours and the rivals; microseconds a row.
    pub fn new(name: &str, rows: usize, work: Work) -> Workload {
        Workload {
            name: name.to_owned(),
            unit: Unit::Micros("row", rows),
            goal: Goal::None,
            ours: Subject::Lww,
            rivals: false,
            once: false,
            base: Some(work.clone()),
            work,
        }
    }

    /// Compared with something else that plain SQLite does.
    pub fn against(self, base: Work) -> Workload {
        Workload { base: Some(base), ..self }
    }

    pub fn alone(self) -> Workload {
        Workload { base: None, ..self }
    }

    /// On a table with a counter and a set.
    pub fn parts(self) -> Workload {
        Workload { ours: Subject::Parts, ..self }
    }

    /// Rivals do it too.
    pub fn rivals(self) -> Workload {
        Workload { rivals: true, ..self }
    }

    pub fn once(self) -> Workload {
        Workload { once: true, ..self }
    }

    pub fn unit(self, unit: Unit) -> Workload {
        Workload { unit, ..self }
    }

    /// Not above this ratio.
    pub fn ratio(self, limit: f64) -> Workload {
        self.goal(Goal::Ratio(limit))
    }

    pub fn goal(self, goal: Goal) -> Workload {
        Workload { goal, ..self }
    }
}

/// The runs of a workload in one place: the same round at the same index.
pub struct Line {
    pub workload: usize,
    pub place: String,
    pub plain: Vec<Spent>,
    /// Ours first.
    pub others: Vec<(Subject, Vec<Spent>)>,
}

impl Line {
    pub fn new(workload: usize, it: &Workload, place: String, rivals: &[Subject]) -> Line {
        let rivals = rivals.iter().filter(|_| it.rivals);
        let others = std::iter::once(&it.ours).chain(rivals).map(|subject| (*subject, Vec::new())).collect();
        Line { workload, place, plain: Vec::new(), others }
    }

    /// One round: every subject once, from the other end in every second round.
    pub fn run(&mut self, it: &Workload, ground: &Ground, round: usize) {
        let plain = |line: &mut Line| {
            if let Some(base) = &it.base {
                line.plain.push(base(ground, Subject::Plain));
            }
        };
        let others = |line: &mut Line| {
            for (subject, spent) in &mut line.others {
                spent.push((it.work)(ground, *subject));
            }
        };
        match round % 2 {
            0 => (plain(self), others(self)),
            _ => (others(self), plain(self)),
        };
    }

    /// The medians over the rounds of a subject by plain.
    pub fn ratios(&self, spent: &[Spent]) -> Spent {
        let pairs = self.plain.iter().zip(spent);
        let ratios = pairs.map(|(plain, it)| Spent { cpu: it.cpu / plain.cpu, wall: it.wall / plain.wall });
        medians(&ratios.collect::<Vec<_>>())
    }

    /// The figure that the goal is about, of ours.
    pub fn figure(&self, it: &Workload) -> f64 {
        let Some((_, ours)) = self.others.first() else { return f64::NAN };
        let of = |spent: &[Spent]| it.unit.scale(medians(spent).cpu);
        match it.goal {
            Goal::Ratio(_) => self.ratios(ours).cpu,
            Goal::More(_) => of(ours) - of(&self.plain),
            Goal::AtMost(_) | Goal::None => of(ours),
        }
    }

    /// Whether it reached its target; None without one.
    pub fn reached(&self, it: &Workload) -> Option<bool> {
        match it.goal {
            Goal::Ratio(limit) | Goal::More(limit) | Goal::AtMost(limit) => Some(self.figure(it) <= limit),
            Goal::None => None,
        }
    }
}

/// The rivals that can be measured here; says which cannot.
pub fn rivals(skip: impl Fn(&str) -> bool) -> Vec<Subject> {
    let mut here = Vec::new();
    for rival in RIVALS.into_iter().filter(|rival| !skip(rival.name())) {
        match rival.available() {
            Ok(()) => here.push(rival),
            Err(why) => eprintln!("{} is left out: {why}", rival.name()),
        }
    }
    here
}
