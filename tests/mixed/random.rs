//! Random scripts.

use proptest::prelude::*;

use super::world::{Op, World, NODES};
use crate::support::script;

fn script() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec((0u8..24, any::<[u8; 4]>()), 1..60)
}

/// `MIXED_CASES=5000 cargo test --test mixed random` runs more.
fn config() -> ProptestConfig {
    let cases = std::env::var("MIXED_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(140);
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 600, ..ProptestConfig::default() }
}

/// Plays a script, comes to rest once on the way and at its end; what was done is printed when something fails.
fn play(ops: &[Op], skew: [i64; NODES]) {
    let mut world = World::new(skew);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        ops.iter().for_each(|op| world.play(*op));
        world.settle();
    }));
    if let Err(panic) = outcome {
        let what = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        let (clock, library) = script::libraries();
        panic!("{what}\n{}", world.script.text(&["t", "parent"], &what, &clock, &library));
    }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn all_come_to_the_same_rest(ops in script(), skew in prop::array::uniform4(prop::sample::select(vec![0i64, 0, 0, 50, 400_000]))) {
        play(&ops, skew);
    }
}
