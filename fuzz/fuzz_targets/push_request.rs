//! Requests of peers: pushed, and pulled with.
#![no_main]

use grove_crdt_fuzz::node::{answer, image, settled};
use grove_crdt_fuzz::oracle::{clock_is_near, digests, number, rows, sound, travels};
use grove_crdt_fuzz::words;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else { return };
    let request = words::payload(data, |changes| format!("{{\"node_id\":\"x\",\"changes\":[{changes}]}}"));
    let Ok(request) = String::from_utf8(request) else { return };
    let options = ["{}", "{\"counters\":\"operations\"}", "{\"counters\":\"totals\"}"][usize::from(first % 3)];
    let hub = settled();
    let before = image(&hub);
    if answer(&hub, "SELECT crdt_pull(?1, ?2)", [request.as_str(), options]).is_err() {
        assert!(image(&hub) == before, "a pull that was refused changed the database");
    }
    let before = image(&hub);
    let push = "SELECT crdt_push(?1, ?2)";
    let Ok(pushed) = answer(&hub, push, [request.as_str(), options]) else {
        assert!(image(&hub) == before, "a push that was refused changed the database");
        return;
    };
    sound(&hub);
    clock_is_near(&hub);
    let (rows_then, digests_then) = (rows(&hub), digests(&hub));
    let again = answer(&hub, push, [request.as_str(), options]).unwrap();
    assert_eq!(number(&again, "merged"), 0, "{again} after {pushed}");
    assert_eq!((rows_then, digests_then), (rows(&hub), digests(&hub)), "pushing it again changed something");
    travels(&hub);
});
