//! Random schedules.

use crate::common::text;
use crate::support::*;
use crate::world::*;

/// How many schedules of each kind; more with `FORGETTING_SEEDS=from..to`.
fn seeds(default: u64) -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("FORGETTING_SEEDS") else { return 1..default + 1 };
    let (from, to) = text.split_once("..").expect("FORGETTING_SEEDS=1..100");
    from.parse().unwrap()..to.parse().unwrap()
}

fn told(seed: u64, work: impl FnOnce() + std::panic::UnwindSafe) {
    if let Err(panic) = std::panic::catch_unwind(work) {
        eprintln!("seed {seed}");
        std::panic::resume_unwind(panic);
    }
}

/// With a TTL that never passes, cleaning up only prunes: nothing may come out otherwise than without.
#[test]
fn pruning_changes_nothing() {
    for seed in seeds(10) {
        told(seed, || {
            let steps = schedule(seed, 4, 140, 60_000, false);
            let (mut pruned, mut whole) = (World::new(4, "9000d", true), World::new(4, "9000d", false));
            for step in &steps {
                pruned.step(step);
                whole.step(step);
                for (a, b) in pruned.nodes.iter().zip(&whole.nodes) {
                    for name in ["tasks", "pairs"] {
                        assert_eq!(table(a, name), table(b, name), "after {step:?}");
                    }
                }
            }
            for world in [&mut pruned, &mut whole] {
                world.settle();
                world.check();
            }
            for name in ["tasks", "pairs"] {
                same(&pruned.nodes[0], &whole.nodes[0], name);
            }
        });
    }
}

/// Deleted records are forgotten by some nodes and not by others, and peers stay away for longer than the TTL.
#[test]
fn forgetting_loses_nothing_but_the_deleted() {
    for seed in seeds(12) {
        told(seed, || {
            let steps = schedule(seed, 4, 160, 3_700_000, false);
            let (mut forgetful, mut whole) = (World::new(4, "1h", true), World::new(4, "1h", false));
            for step in &steps {
                forgetful.step(step);
                whole.step(step);
            }
            for world in [&mut forgetful, &mut whole] {
                world.settle();
                world.check();
            }
            let alive = |world: &World, sql: &str| rows(&world.nodes[0], sql);
            for sql in ["SELECT id FROM tasks ORDER BY 1", "SELECT a, b FROM pairs ORDER BY 1, 2"] {
                assert_eq!(alive(&forgetful, sql), alive(&whole, sql), "what is deleted stays so, what lives lives");
            }
        });
    }
}

/// The same, with old payloads that go astray.
#[test]
fn forgetful_nodes_agree() {
    for seed in seeds(10) {
        told(seed, || {
            let mut world = World::new(4, "1h", true);
            world.astray = true;
            for step in &schedule(seed, 4, 160, 3_700_000, false) {
                world.step(step);
            }
            world.settle();
            world.check();
        });
    }
}

/// Dropped epitaphs may let old writes through, but everybody ends up alike and sound.
#[test]
fn without_epitaphs_nodes_still_agree() {
    for seed in seeds(10) {
        told(seed, || {
            let mut world = World::new(3, "1h", true);
            world.astray = true;
            for step in &schedule(seed, 3, 140, 3_700_000, true) {
                world.step(step);
            }
            world.settle();
            for (i, node) in world.nodes.iter().enumerate() {
                sound(node);
                assert_eq!(text(node, "SELECT crdt_node_id()", []), format!("n{i}"), "no fork");
            }
        });
    }
}
