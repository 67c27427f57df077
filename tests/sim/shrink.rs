//! Smaller cases: of one that fails, the smallest that fails too.

use std::time::{Duration, Instant};

use super::ops::{Act, Case, Form, NodeConfig, Part, Tag, Verb, Write};

/// Simplifies while `fails`, for `time` at most: fewer steps first, then plainer ones.
pub fn smallest(mut case: Case, time: Duration, mut fails: impl FnMut(&Case) -> bool) -> Case {
    let until = Instant::now() + time;
    loop {
        let before = format!("{case:?}");
        let mut with = case.clone();
        case.steps = fewer(case.steps, until, |steps| {
            with.steps = steps.to_vec();
            fails(&with)
        });
        let mut place = 0;
        while Instant::now() < until {
            let Some(smaller) = plainer(&case, &mut place) else { break };
            if fails(&smaller) {
                case = smaller;
            }
        }
        if Instant::now() >= until || format!("{case:?}") == before {
            return case;
        }
    }
}

/// Leaves out runs of `items`, long ones first, while what is left `fails`.
pub fn fewer<T: Clone>(mut items: Vec<T>, until: Instant, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut size = (items.len() / 2).max(1);
    loop {
        let mut end = items.len();
        while end > 0 && Instant::now() < until {
            let from = end.saturating_sub(size);
            let mut left = items.clone();
            left.drain(from..end);
            if fails(&left) {
                items = left;
            }
            end = from;
        }
        if size == 1 || Instant::now() >= until {
            return items;
        }
        size /= 2;
    }
}

/// The case with one thing plainer: the `place`-th that can be, which is then moved on. None: there are no more.
fn plainer(case: &Case, place: &mut usize) -> Option<Case> {
    let all = variants(case);
    let one = all.into_iter().nth(*place)?;
    *place += 1;
    Some(one)
}

fn variants(case: &Case) -> Vec<Case> {
    let mut out = Vec::new();
    let mut with = |change: &dyn Fn(&mut Case)| {
        let mut smaller = case.clone();
        change(&mut smaller);
        if format!("{smaller:?}") != format!("{case:?}") {
            out.push(smaller);
        }
    };
    for i in (0..case.nodes.len()).rev().filter(|_| case.nodes.len() > 2) {
        with(&|c| without_node(c, i));
        with(&|c| {
            c.nodes.remove(i);
        });
    }
    for i in (0..case.tables.len()).rev().filter(|_| case.tables.len() > 1) {
        with(&|c| {
            c.tables.remove(i);
        });
    }
    with(&|c| c.seeded = 0);
    with(&|c| c.edges = false);
    with(&|c| c.by_cursor = false);
    for i in 0..case.nodes.len() {
        let plain = NodeConfig { file: false, wal: false, recursive_triggers: false, trusted_schema: true, skew_ms: 0 };
        with(&|c| c.nodes[i] = plain.clone());
        with(&|c| c.nodes[i].skew_ms = 0);
        with(&|c| c.nodes[i].file = false);
    }
    for (i, step) in case.steps.iter().enumerate() {
        with(&|c| c.steps[i].tick = 0);
        for act in acts(&step.act) {
            with(&|c| c.steps[i].act = act.clone());
        }
    }
    out
}

/// Leaves out node `gone`; the others do what they did.
fn without_node(case: &mut Case, gone: usize) {
    let count = case.nodes.len();
    let renumber = |node: &mut usize| match *node % count {
        n if n == gone => *node = 0,
        n if n > gone => *node = n - 1,
        n => *node = n,
    };
    for step in &mut case.steps {
        match &mut step.act {
            Act::Write { node, .. }
            | Act::Tx { node, .. }
            | Act::Look { node, .. }
            | Act::Reopen { node }
            | Act::Skew { node, .. }
            | Act::Check { node }
            | Act::Copy { node, .. }
            | Act::Grow { node } => renumber(node),
            Act::Pull { to, pull } => {
                renumber(to);
                renumber(&mut pull.from);
            }
            Act::Deliver { to, .. } | Act::MergeInTx { to, .. } => renumber(to),
        }
    }
    case.nodes.remove(gone);
}

fn acts(act: &Act) -> Vec<Act> {
    match act {
        Act::Write { node, plain, write } => {
            let mut all: Vec<_> =
                writes(write).into_iter().map(|write| Act::Write { node: *node, plain: *plain, write }).collect();
            all.push(Act::Write { node: *node, plain: false, write: write.clone() });
            all
        }
        Act::Tx { node, parts, commit } => {
            let tx = |parts| Act::Tx { node: *node, parts, commit: *commit };
            let mut all = Vec::new();
            for (i, part) in parts.iter().enumerate() {
                if let Part::Do(write) = part {
                    all.push(Act::Write { node: *node, plain: false, write: write.clone() });
                    for write in writes(write) {
                        let mut parts = parts.clone();
                        parts[i] = Part::Do(write);
                        all.push(tx(parts));
                    }
                }
                let mut parts = parts.clone();
                parts.remove(i);
                all.push(tx(parts));
            }
            all
        }
        Act::Pull { to, pull } => {
            let mut plain = pull.clone();
            plain.form = Form::Whole;
            let mut whole = plain.clone();
            whole.page = 0;
            [plain, whole].map(|pull| Act::Pull { to: *to, pull }).into()
        }
        Act::Deliver { pick, to, .. } => {
            let whole = Act::Deliver { pick: *pick, to: *to, form: Form::Whole };
            [vec![whole], if *pick > 0 { vec![Act::Deliver { pick: 0, to: *to, form: Form::Whole }] } else { vec![] }]
                .concat()
        }
        Act::MergeInTx { pick, to, .. } => vec![Act::Deliver { pick: *pick, to: *to, form: Form::Whole }],
        Act::Skew { node, .. } => vec![Act::Skew { node: *node, skew_ms: 0 }],
        _ => Vec::new(),
    }
}

fn writes(write: &Write) -> Vec<Write> {
    let mut out = Vec::new();
    match write {
        Write::Insert { table, verb, rows, rowid } => {
            let with = |verb, rows: Vec<(u8, [u8; 8])>, rowid| Write::Insert { table: *table, verb, rows, rowid };
            for i in (0..rows.len()).filter(|_| rows.len() > 1) {
                let mut rows = rows.clone();
                rows.remove(i);
                out.push(with(*verb, rows, *rowid));
            }
            out.push(with(Verb::Plain, rows.clone(), *rowid));
            out.push(with(*verb, rows.clone(), None));
            out.push(with(*verb, rows.iter().map(|(key, _)| (*key, [0; 8])).collect(), *rowid));
            out.push(with(*verb, rows.iter().map(|(_, values)| (0, *values)).collect(), *rowid));
            for at in 0..8 {
                let zero = |(key, mut values): (u8, [u8; 8])| {
                    values[at] = 0;
                    (key, values)
                };
                out.push(with(*verb, rows.iter().copied().map(zero).collect(), *rowid));
            }
        }
        Write::Update { table, key, mask, values, verb } => {
            for bit in (0..8).filter(|bit| mask & (1 << bit) != 0 && mask.count_ones() > 1) {
                out.push(Write::Update { table: *table, key: *key, mask: 1 << bit, values: *values, verb: *verb });
            }
            out.push(Write::Update { table: *table, key: *key, mask: *mask, values: [0; 8], verb: *verb });
            out.push(Write::Update { table: *table, key: *key, mask: *mask, values: [1; 8], verb: *verb });
            out.push(Write::Update { table: *table, key: *key, mask: *mask, values: *values, verb: Verb::Plain });
            out.push(Write::Update { table: *table, key: Some(0), mask: *mask, values: *values, verb: *verb });
        }
        Write::Rekey { table, from, to, .. } => {
            out.push(Write::Rekey { table: *table, from: *from, to: *to, verb: Verb::Plain });
            out.push(Write::Delete { table: *table, key: Some(*from) });
        }
        Write::Count { table, key, add, .. } => out.push(Write::Count { table: *table, key: *key, add: *add, n: 0 }),
        Write::Tag { table, key, .. } => out.push(Write::Tag { table: *table, key: *key, how: Tag::Add(0) }),
        _ => {}
    }
    out
}
