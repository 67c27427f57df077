//! The log does not grow with the number of updates.

use crate::soak_run::soak;

#[test]
fn fifty_thousand_updates() {
    let soaked = soak(1_000, 50_000);
    assert!(soaked.ratio() <= 3.0, "{soaked}");
}
