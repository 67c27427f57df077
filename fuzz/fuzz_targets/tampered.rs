//! A database file that somebody has worked on: our tables hold whatever the input says. Every function then answers or
//! fails with a sentence, soon, and what fails leaves the application's rows as they were.
#![no_main]

use arbitrary::{Result, Unstructured};
use grove_crdt_fuzz::functions::calls;
use grove_crdt_fuzz::node::{ask, full, Budget};
use grove_crdt_fuzz::oracle::rows_if_any;
use grove_crdt_fuzz::tamper;
use libfuzzer_sys::fuzz_target;
use rusqlite::Connection;

fuzz_target!(|data: &[u8]| {
    let hub = full();
    let _ = spoil(&hub, data);
    let _budget = Budget::new(&hub);
    for call in calls() {
        let before = rows_if_any(&hub);
        if ask(&hub, call, []).is_err() {
            assert!(hub.is_autocommit(), "{call}: a transaction is left open");
            assert!(before == rows_if_any(&hub), "{call}: failed, and the rows changed");
        }
    }
    assert_eq!(ask(&hub, "PRAGMA integrity_check", []).unwrap(), [b"ok".to_vec()]);
});

fn spoil(hub: &Connection, data: &[u8]) -> Result<()> {
    if let Ok(sql) = std::str::from_utf8(data) {
        if sql.starts_with("UPDATE _crdt")
            || sql.starts_with("INSERT INTO _crdt")
            || sql.starts_with("DELETE FROM _crdt")
        {
            tamper::by_sql(hub, sql);
            return Ok(());
        }
    }
    let mut u = Unstructured::new(data);
    for _ in 0..u.int_in_range(1..=6)? {
        tamper::once(hub, &mut u)?;
    }
    Ok(())
}
