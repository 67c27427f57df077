//! Changes made of what peers really say, and of what lies at the edges.

use std::fmt::Write;

use arbitrary::{Result, Unstructured};

use crate::node::NOW;

const TABLES: [&str; 7] = ["tasks", "tasks", "tasks", "pairs", "nums", "TASKS", "nothing"];
const KEYS: [&str; 14] = [
    "t1",
    "t2",
    "t3",
    "t4",
    "t6",
    "",
    "1",
    "2",
    "[1,2]",
    "[1,3]",
    "[\"a\",0]",
    "9223372036854775807",
    "[{\"$blob\":\"\"}]",
    "\\u0000",
];
const FIELDS: [&str; 18] = [
    "title",
    "votes",
    "tags",
    "body",
    "done",
    "v",
    "n",
    "email",
    "low",
    "boss",
    "colour",
    "TITLE",
    "_row",
    "_tombstone",
    "",
    "_left",
    "id",
    "a\\u0000b",
];
const TYPES: [&str; 9] = ["lww", "lww", "counter", "set", "", "text", "document", "none", "mv"];
const NODES: [&str; 8] = ["x", "y", "hub", "fresh", "_base", "x~1.00000000", "\\ud83d\\ude00", "0"];
const VALUES: [&str; 24] = [
    "null",
    "true",
    "0",
    "-0",
    "-0.0",
    "1",
    "1.0",
    "1e400",
    "1e-400",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551616",
    "\"\"",
    "\"text\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"\\uffff\"",
    "{\"$blob\":\"00ff\"}",
    "{\"$text\":\"ff\"}",
    "{\"$real\":\"Infinity\"}",
    "{\"a\":[1,{\"b\":null}]}",
    "[ 1 ]",
    "{\"$blob\":7}",
];
const TIMES: [i64; 12] = [
    0,
    1,
    1_000,
    1_700_000_000_000_000_000,
    1_700_000_000_000_000_001,
    NOW * 1_000_000 - 1,
    NOW * 1_000_000,
    NOW * 1_000_000 + 299_999_999_999,
    NOW * 1_000_000 + 300_000_000_000,
    NOW * 1_000_000 + 300_000_000_001,
    i64::MAX - 1,
    i64::MAX,
];
const AMOUNTS: [&str; 10] = [
    "0",
    "1",
    "9",
    "9223372036854775807",
    "18446744073709551615",
    "340282366920938463463374607431768211455",
    "340282366920938463463374607431768211456",
    "-1",
    "1.5",
    "170141183460469231731687303715884105728",
];

fn pick<'a>(u: &mut Unstructured<'_>, from: &[&'a str]) -> Result<&'a str> {
    u.choose(from).copied()
}

/// A stamp as JSON.
pub fn stamp(u: &mut Unstructured<'_>) -> Result<(String, &'static str)> {
    let ts = match u.int_in_range(0..=9)? {
        0 => u.arbitrary::<i64>()?,
        1 => NOW * 1_000_000 + i64::from(u.arbitrary::<i16>()?),
        _ => *u.choose(&TIMES)?,
    };
    let c = *u.choose(&[0u32, 0, 0, 1, 2, u32::MAX - 1, u32::MAX])?;
    let node = pick(u, &NODES)?;
    Ok((format!("{{\"ts\":{ts},\"c\":{c},\"node\":\"{node}\"}}"), node))
}

fn value(u: &mut Unstructured<'_>) -> Result<String> {
    Ok(match u.int_in_range(0..=9)? {
        0 => serde_json::to_string(u.arbitrary::<&str>()?).unwrap_or_default(),
        1 => u.arbitrary::<i64>()?.to_string(),
        2 => format!("{:?}", u.arbitrary::<f64>()?),
        3 => format!("{{\"$blob\":\"{}\"}}", hex::encode(u.arbitrary::<[u8; 4]>()?)),
        _ => pick(u, &VALUES)?.to_owned(),
    })
}

fn list(u: &mut Unstructured<'_>, mut one: impl FnMut(&mut Unstructured<'_>) -> Result<String>) -> Result<String> {
    let mut items = Vec::new();
    for _ in 0..u.int_in_range(0..=3)? {
        items.push(one(u)?);
    }
    Ok(format!("[{}]", items.join(",")))
}

/// A change as JSON: most of them good, some with one thing or another wrong.
pub fn change(u: &mut Unstructured<'_>) -> Result<String> {
    let (table, pk) = (pick(u, &TABLES)?, pick(u, &KEYS)?);
    let (hlc, node) = stamp(u)?;
    let (mut field, mut ty) = (pick(u, &FIELDS)?, pick(u, &TYPES)?);
    let mut more = String::new();
    let mut say = |text: String| {
        let _ = write!(more, ",{text}"); // writing to a String cannot fail
    };
    match u.int_in_range(0..=7)? {
        0 => {
            (field, ty) = ("_tombstone", "");
            say("\"tombstone\":true".into());
            if u.ratio(1, 4)? {
                say(format!("\"forgotten\":{}", stamp(u)?.0));
            }
        }
        1 => {
            (field, ty) = (if u.ratio(3, 4)? { "votes" } else { field }, "counter");
            say(format!("\"counter_delta\":{{\"inc\":{},\"dec\":{}}}", pick(u, &AMOUNTS)?, pick(u, &AMOUNTS)?));
            if u.ratio(1, 4)? {
                say(format!("\"born\":{}", stamp(u)?.0));
            }
            if u.ratio(1, 4)? {
                say("\"operation\":true".into());
            }
        }
        2 | 3 => {
            (field, ty) = (if u.ratio(3, 4)? { "tags" } else { field }, "set");
            let op = pick(u, &["add", "remove", "remove"])?;
            let tags =
                if u.ratio(1, 2)? { format!(",\"tags\":{}", list(u, |u| Ok(stamp(u)?.0))?) } else { String::new() };
            say(format!("\"set_op\":{{\"op\":\"{op}\",\"elements\":{}{tags}}}", list(u, value)?));
        }
        4 if u.ratio(1, 3)? => {
            (field, ty) = ("_left", "");
            if u.ratio(3, 4)? {
                say(format!("\"knows\":{{\"{}\":{{\"ts\":{},\"c\":0}}}}", pick(u, &NODES)?, u.choose(&TIMES)?));
                say(format!("\"stamps\":{{\"{}\":{}}}", pick(u, &FIELDS)?, stamp(u)?.0));
            }
        }
        _ => say(format!("\"value\":{}", value(u)?)),
    }
    if u.ratio(1, 4)? {
        say(format!("\"prev\":{}", stamp(u)?.0));
    }
    if u.ratio(1, 4)? {
        say(format!("\"seen\":{}", list(u, |u| Ok(stamp(u)?.0))?));
    }
    if u.ratio(1, 16)? {
        say("\"altered\":true".into());
    }
    if u.ratio(1, 2)? {
        say(format!("\"node_id\":\"{node}\""));
    }
    Ok(format!(
        "{{\"table\":\"{table}\",\"pk\":\"{}\",\"field\":\"{field}\",\"crdt_type\":\"{ty}\",\"hlc\":{hlc}{more}}}",
        escape(pk)
    ))
}

/// Quotes inside of a JSON string.
fn escape(text: &str) -> String {
    text.replace('"', "\\\"")
}

/// Changes, one after the other, as long as there is input.
pub fn changes(u: &mut Unstructured<'_>) -> Result<Vec<String>> {
    let mut all = Vec::new();
    while !u.is_empty() && all.len() < 24 {
        all.push(change(u)?);
    }
    Ok(all)
}

/// JSON as it is where the input begins like JSON; else changes made of the input's bytes.
pub fn payload(data: &[u8], around: impl Fn(&str) -> String) -> Vec<u8> {
    match data.first() {
        Some(b'[' | b'{') => data.to_vec(),
        _ => {
            let changes = changes(&mut Unstructured::new(data)).unwrap_or_default();
            around(&changes.join(",")).into_bytes()
        }
    }
}
