//! Random records, random local writes, random deliveries.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rusqlite::Connection;

use super::model;
use super::world::{change, digests, give, picture, table_name, value, write, Schema, KEYS};
use crate::support::since;

const NODES: usize = 3;
const COLUMNS: usize = 5;

#[derive(Clone, Debug)]
enum Op {
    /// Changes of one record, made elsewhere under one stamp, arrive at a node.
    Arrive { to: usize, child: bool, pk: usize, cells: Vec<(usize, usize)>, stamp: (i64, u32, usize) },
    /// A delete made elsewhere arrives at a node.
    Gone { to: usize, child: bool, pk: usize, stamp: (i64, u32, usize) },
    /// A local write.
    Write { on: usize, kind: usize, child: bool, pk: usize, column: usize, cells: (usize, usize) },
    /// A node tells another all that it knows.
    Tell { from: usize, to: usize, parts: usize, seed: u64 },
}

fn stamp() -> impl Strategy<Value = (i64, u32, usize)> {
    (1i64..30, 0u32..2, 0usize..2)
}

fn op() -> impl Strategy<Value = Op> {
    let record = || (any::<bool>(), 0..KEYS.len());
    prop_oneof![
        5 => (0..NODES, record(), prop::collection::vec((0..COLUMNS, 0usize..10), 1..6), stamp())
            .prop_map(|(to, (child, pk), cells, stamp)| Op::Arrive { to, child, pk, cells, stamp }),
        1 => (0..NODES, record(), stamp()).prop_map(|(to, (child, pk), stamp)| Op::Gone { to, child, pk, stamp }),
        5 => (0..NODES, 0usize..6, record(), 0..COLUMNS, (0usize..10, 0usize..10))
            .prop_map(|(on, kind, (child, pk), column, cells)| Op::Write { on, kind, child, pk, column, cells }),
        3 => (0..NODES, 0..NODES, 1usize..4, 0u64..100)
            .prop_map(|(from, to, parts, seed)| Op::Tell { from, to, parts, seed }),
    ]
}

fn schema() -> impl Strategy<Value = Schema> {
    let action = || prop::sample::select(vec!["NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"]);
    (action(), action(), any::<[bool; 4]>()).prop_map(|(on_delete, on_update, flags)| Schema {
        on_delete,
        on_update,
        deferred: flags[0],
        without_rowid: flags[1],
        folded: flags[2],
        child_first: flags[3],
    })
}

fn play(nodes: &[Connection], ops: &[Op]) {
    let mut made = BTreeSet::new();
    let authors = ["x", "y"];
    for op in ops {
        match op {
            Op::Arrive { to, child, pk, cells, stamp: (ts, c, author) } => {
                let (table, pk, stamp) = (table_name(*child), KEYS[*pk], (*ts, *c, authors[*author]));
                let names = model::columns(table);
                // No two values under one stamp.
                let new = |(column, _): &&(usize, usize)| made.insert((table, pk, names[*column], stamp));
                let cells: Vec<_> = cells.iter().filter(new).collect();
                let changes: Vec<_> =
                    cells.iter().map(|(column, v)| change(table, pk, names[*column], stamp, &value(*v))).collect();
                give(&nodes[*to], &changes, 1, 0);
            }
            Op::Gone { to, child, pk, stamp: (ts, c, author) } => {
                let stamp = (*ts, *c, authors[*author]);
                let tombstone = change(table_name(*child), KEYS[*pk], "_tombstone", stamp, &value(0));
                give(&nodes[*to], &[tombstone], 1, 0);
            }
            Op::Write { on, kind, child, pk, column, cells } => {
                write(&nodes[*on], *kind, *child, KEYS[*pk], *column, [&value(cells.0), &value(cells.1)]);
            }
            Op::Tell { from, to, parts, seed } if from != to => {
                give(&nodes[*to], &since(&nodes[*from], None).changes, *parts, *seed);
            }
            Op::Tell { .. } => {}
        }
    }
}

fn check(schema: &Schema, ops: &[Op], seed: u64) {
    let nodes = ["a", "b", "c"].map(|name| schema.node(name));
    play(&nodes, ops);
    for _ in 0..2 {
        for from in 0..NODES {
            for to in (0..NODES).filter(|to| *to != from) {
                give(&nodes[to], &since(&nodes[from], None).changes, 1, 0);
            }
        }
    }
    let changes = since(&nodes[0], None).changes;
    let expected = model::picture(&changes, schema.folded);
    let digest = digests(&nodes[0]);
    for (node, name) in nodes.iter().zip(["a", "b", "c"]) {
        assert_eq!(picture(node), expected, "{name}");
        assert_eq!(digests(node), digest, "{name}");
    }
    for (from, parts, seed) in [(0, 1, 0), (1, 1, seed), (2, 5, seed + 1), (0, usize::MAX, seed + 2)] {
        let fresh = schema.node("fresh");
        let changes = since(&nodes[from], None).changes;
        give(&fresh, &changes, parts.min(changes.len()), seed);
        assert_eq!(picture(&fresh), expected, "fed in {parts} parts");
        assert_eq!(digests(&fresh), digest, "fed in {parts} parts");
    }
}

/// `CLAIMS_CASES` sets how many.
fn config() -> ProptestConfig {
    let cases = std::env::var("CLAIMS_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 4000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn shown_rows_are_a_function_of_the_records(
        schema in schema(), ops in prop::collection::vec(op(), 1..40), seed in 1u64..1000
    ) {
        check(&schema, &ops, seed);
    }
}
