//! Values, keys, sets' elements and packed records: what is written is read back, and any bytes are read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| grove_crdt::fuzzing::laws(data));
