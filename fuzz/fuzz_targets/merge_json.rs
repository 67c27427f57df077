//! Payloads for `crdt_merge`: JSON as it is, or changes made of the input's bytes.
#![no_main]

use grove_crdt_fuzz::node::{answer, image, settled};
use grove_crdt_fuzz::oracle::{clock_is_near, digests, number, rows, sound, travels};
use grove_crdt_fuzz::words;
use libfuzzer_sys::fuzz_target;

const MERGE: &str = "SELECT crdt_merge(?1)";

/// What was taken comes to the same in the compact form, and back in the other.
fn in_either_form(json: &[u8], merged: &(Vec<Vec<String>>, Vec<String>)) {
    for form in ["compact", "grove"] {
        let hub = settled();
        // A payload may name a form that there is not, and hold changes all the same.
        let Ok(converted) = answer(&hub, "SELECT crdt_convert(?1, ?2)", (json, form)) else { return };
        answer(&hub, MERGE, [&converted]).unwrap();
        assert_eq!(*merged, (rows(&hub), digests(&hub)), "{form}");
    }
}

fuzz_target!(|data: &[u8]| {
    let json = words::payload(data, |changes| format!("[{changes}]"));
    let hub = settled();
    let before = image(&hub);
    if answer(&hub, MERGE, [&json]).is_err() {
        assert!(image(&hub) == before, "a payload that was refused changed the database");
        return;
    }
    sound(&hub);
    clock_is_near(&hub);
    let merged = (rows(&hub), digests(&hub));
    in_either_form(&json, &merged);
    let again = answer(&hub, MERGE, [&json]).unwrap();
    assert_eq!(merged, (rows(&hub), digests(&hub)), "merging it again changed something");
    // A record that left is dropped again, with what came before that in the payload.
    if !json.windows(5).any(|word| word == b"_left") {
        assert_eq!(number(&again, "merged"), 0, "{again}");
    }
    travels(&hub);
});
