//! Cursors: those that were handed out, also with a few bytes changed, and any text.
#![no_main]

use arbitrary::{Result, Unstructured};
use grove_crdt_fuzz::node::{answer, ask, empty, image, settled};
use grove_crdt_fuzz::oracle::{digests, sound};
use libfuzzer_sys::fuzz_target;
use rusqlite::Connection;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let hub = settled();
    match data.first() {
        Some(b'{' | b'[' | b'"') => {
            let Ok(cursor) = std::str::from_utf8(data) else { return };
            hostile(&hub, cursor);
        }
        _ => {
            let _ = pages(&hub, &mut Unstructured::new(data));
        }
    }
});

/// Any text: refused, with nothing changed, or answered with a page whose cursor is taken again.
fn hostile(hub: &Connection, cursor: &str) {
    let before = image(hub);
    let page = answer(hub, "SELECT crdt_changes_since(?1, NULL, 2)", [cursor]);
    let table = ask(hub, "SELECT cursor FROM crdt_changes(?1, NULL)", [cursor]);
    assert!(page.is_err() == table.is_err(), "{cursor}: {page:?} but {table:?}");
    assert!(image(hub) == before, "a read changed the database: {cursor}");
    let request = format!("{{\"node_id\":\"peer\",\"since\":{cursor}}}");
    if answer(hub, "SELECT crdt_pull(?1)", [&request]).is_err() {
        assert!(image(hub) == before, "a pull that was refused changed the database: {cursor}");
    }
    let Ok(page) = page else { return };
    let page: Value = serde_json::from_str(&page).unwrap();
    if page["resync"] == Value::Bool(true) {
        whole(hub, "null".into());
    }
    let next = page["latest_hlc"].to_string();
    answer(hub, "SELECT crdt_changes_since(?1)", [&next]).unwrap_or_else(|e| panic!("{e}: {next}"));
    sound(hub);
}

/// Pages of any size, with cursors that are spoilt on the way: whoever takes them all has everything.
fn pages(hub: &Connection, u: &mut Unstructured<'_>) -> Result<()> {
    let other = empty();
    let mut cursor: Option<String> = None;
    for _ in 0..40 {
        let limit = u.int_in_range(1..=9)?;
        let page = answer(hub, "SELECT crdt_changes_since(?1, NULL, ?2)", (&cursor, limit)).unwrap();
        ask(&other, "SELECT crdt_merge(?1)", [&page]).unwrap();
        let page: Value = serde_json::from_str(&page).unwrap();
        let next = page["latest_hlc"].to_string();
        if u.ratio(1, 8)? {
            spoilt(hub, &next, u)?;
        }
        if page["has_more"] == Value::Bool(false) {
            assert_eq!(digests(hub), digests(&other), "the pages left something out");
            return Ok(());
        }
        cursor = Some(next);
    }
    panic!("the pages have no end");
}

fn spoilt(hub: &Connection, cursor: &str, u: &mut Unstructured<'_>) -> Result<()> {
    let mut bytes = cursor.as_bytes().to_vec();
    for _ in 0..u.int_in_range(1..=3)? {
        let at = u.choose_index(bytes.len())?;
        bytes[at] = u.int_in_range(0x20..=0x7e)?;
    }
    hostile(hub, &String::from_utf8_lossy(&bytes));
    Ok(())
}

/// What comes from there on is everything.
fn whole(hub: &Connection, cursor: String) {
    let other = empty();
    let cursor = Some(cursor).filter(|cursor| cursor != "null");
    let page = answer(hub, "SELECT crdt_changes_since(?1)", [&cursor]).unwrap();
    ask(&other, "SELECT crdt_merge(?1)", [&page]).unwrap();
    assert_eq!(digests(hub), digests(&other), "starting over left something out");
}
