//! The two forms hold the same.

use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::change::{causes, Body, Change, Known, ROW, TOMBSTONE};
use crate::clock::Hlc;
use crate::types::seen::Seen;

/// `LAWS=50000 cargo test --lib compact::` takes as many cases of each law.
fn many() -> ProptestConfig {
    ProptestConfig::with_cases(std::env::var("LAWS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000))
}

fn stamp() -> impl Strategy<Value = Hlc> {
    let ts = prop_oneof![8 => 1_000i64..1_004, 1 => Just(0), 1 => Just(i64::MAX)];
    let c = prop_oneof![8 => 0u32..3, 1 => Just(u32::MAX)];
    (ts, c, 0usize..4).prop_map(|(ts, c, n)| Hlc::new(ts, c, &Rc::from(["a", "b", "_base", "é\"\u{ffff}"][n])))
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|x| crate::value::to_json(crate::ffi::ValueRef::Real(x), Default::default())),
        ".*".prop_map(|text| crate::value::to_json(crate::ffi::ValueRef::Text(text.as_bytes()), Default::default())),
        proptest::sample::select(vec!["-0", "1e2", "{\"a\" : [1.50]}", "{\"$blob\":\"00ff\"}", "true", "[ ]"])
            .prop_map(str::to_owned),
    ]
}

fn elements() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::btree_set(proptest::sample::select(vec!["\"x\"", "1", "{\"b\":[null]}"]), 0..3)
        .prop_map(|set| set.into_iter().map(str::to_owned).collect())
}

/// Any change that can be read from JSON.
fn change() -> impl Strategy<Value = Change> {
    let optional = || proptest::option::of(stamp());
    let stamps = || proptest::collection::vec(stamp(), 0..3);
    let body = prop_oneof![
        6 => (value(), optional(), any::<bool>()).prop_map(|(value, prev, altered)| Body::Lww { value, prev, altered }),
        2 => (any::<u128>(), 0u128..3, optional(), any::<bool>())
            .prop_map(|(inc, dec, born, operation)| Body::Counter { inc, dec, born, operation }),
        2 => elements().prop_map(Body::Add),
        2 => (elements(), proptest::option::of(stamps())).prop_map(|(elements, tags)| Body::Remove { elements, tags }),
        1 => Just(Body::Row),
        1 => optional().prop_map(|forgotten| Body::Tombstone { forgotten }),
        1 => any::<bool>().prop_map(|knows| Body::Left(knows.then(Box::<Known>::default))),
        1 => Just(Body::Other { crdt_type: "list".to_owned(), json: String::new() }),
    ];
    let names = (0usize..2, 0usize..3, 0usize..3);
    (names, stamp(), body, proptest::option::of(stamps())).prop_filter_map("it comes before its cause", made)
}

type Made = ((usize, usize, usize), Hlc, Body, Option<Vec<Hlc>>);

fn made(((table, pk, field), hlc, mut body, seen): Made) -> Option<Change> {
    causes::check(&body, &hlc).ok()?;
    let field = match body {
        Body::Row => ROW,
        Body::Tombstone { .. } => TOMBSTONE,
        Body::Left(_) => crate::change::LEFT,
        _ => ["title", "a\"b", "ti"][field],
    };
    let (table, pk) = (["tasks", "o\"t"][table], ["t1", "", "[1,\"x\"]"][pk]);
    if let Body::Other { json, .. } = &mut body {
        *json = format!(
            r#"{{"new":[1, 2],"table":{table:?},"pk":{pk:?},"field":{field:?},"crdt_type":"list","hlc":{}}}"#,
            hlc.to_json()
        );
    }
    let seen = match body {
        Body::Lww { .. } | Body::Tombstone { .. } => seen,
        _ => None,
    };
    let seen = seen.map(|stamps| Box::new(stamps.iter().collect::<Seen>()));
    let hlc = if matches!(body, Body::Left(_)) { Hlc::zero() } else { hlc };
    Some(Change { table: Rc::from(table), pk: Rc::from(pk), field: Rc::from(field), hlc, body, seen })
}

fn grove(changes: &[Change]) -> String {
    let mut json = String::from("{\"changes\":[");
    for (i, change) in changes.iter().enumerate() {
        json.push_str(if i > 0 { "," } else { "" });
        change.write_json(&mut json);
    }
    json + "],\"latest_hlc\":{\"ts\": 1}}"
}

proptest! {
    #![proptest_config(many())]

    #[test]
    fn what_is_written_is_read_back(changes in proptest::collection::vec(change(), 0..20)) {
        let json = grove(&changes);
        let compact = convert(&json, Format::Compact, usize::MAX).unwrap();
        prop_assert!(leads(&compact) && !leads(&json));
        prop_assert_eq!(crate::import::parse(&compact).unwrap(), changes);
        // Around it, and back: nothing is lost.
        prop_assert_eq!(convert(&compact, Format::Grove, usize::MAX).unwrap(), json);
        prop_assert_eq!(convert(&compact, Format::Compact, usize::MAX).unwrap(), compact);
    }

    #[test]
    fn any_distance_is_written_and_read(from in stamp(), to in stamp()) {
        let mut json = String::from("[");
        write_delta(&mut json, from.tick(), to.tick());
        let (ts, c) = serde_json::from_str(&(json + "]")).unwrap();
        prop_assert_eq!(read_delta(from.tick(), ts, c), Some(to.tick()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        start in proptest::collection::vec(change(), 0..4),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}\",:0-9a-z-]{0,3}", 0usize..4), 1..4),
    ) {
        let mut json = convert(&grove(&start), Format::Compact, usize::MAX).unwrap();
        for (at, text, gone) in cuts {
            let from = at.index(json.len());
            if json.is_char_boundary(from) && json.is_char_boundary((from + gone).min(json.len())) {
                json.replace_range(from..(from + gone).min(json.len()), &text);
            }
        }
        if let Ok(changes) = crate::import::parse(&json) {
            let again = convert(&grove(&changes), Format::Compact, usize::MAX).unwrap();
            prop_assert_eq!(crate::import::parse(&again).unwrap(), changes);
        }
    }
}

fn parsed(items: &str) -> crate::error::Result<Vec<Change>> {
    crate::import::parse(&format!("{{\"format\":\"compact\",\"changes\":[{items}]}}"))
}

fn refused(items: &str) -> String {
    parsed(items).expect_err(items).message().to_owned()
}

const START: &str = r#"["node","a"],["shape","t","x"],[0,"k",0,5,1,"v"]"#;

#[test]
fn one_write_is_one_entry() {
    let json = r#"[
        {"table":"t","pk":"k","field":"x","crdt_type":"lww","hlc":{"ts":5,"c":1,"node":"a"},"node_id":"a","value":"v"},
        {"table":"t","pk":"k","field":"n","crdt_type":"counter","hlc":{"ts":5,"c":1,"node":"a"},"node_id":"a",
         "counter_delta":{"inc":2,"dec":0}},
        {"table":"t","pk":"k","field":"y","crdt_type":"lww","hlc":{"ts":5,"c":3,"node":"a"},"node_id":"a","value":1}]"#;
    assert_eq!(
        convert(json, Format::Compact, usize::MAX).unwrap(),
        r#"{"format":"compact","changes":[["shape","t","x",["n","counter"]],["node","a"],["shape","t","y"],[0,"k",0,5,1,"v",[2,0]],[1,0,0,0,2,1]]}"#
    );
}

/// What a change says beyond what is known here goes along: it stays in the Grove form.
#[test]
fn keys_that_mean_nothing_here_are_kept() {
    let json = r#"{"changes":[{"table":"t","pk":"k","field":"x","crdt_type":"lww","hlc":{"ts":5,"c":1,"node":"a"},"node_id":"a","value":1,"new":[2]}],"x":0}"#;
    let compact = convert(json, Format::Compact, usize::MAX).unwrap();
    assert!(compact.contains(r#"["change",{"#), "{compact}");
    assert_eq!(convert(&compact, Format::Grove, usize::MAX).unwrap(), json);
}

#[test]
fn the_form_may_be_told_last() {
    let json = format!("{{\"changes\":[{START}],\"format\":\"compact\"}}");
    assert_eq!(crate::import::parse(&json).unwrap(), parsed(START).unwrap());
    assert_eq!(parsed(START).unwrap().len(), 1);
}

#[test]
fn bad_items_are_refused_with_a_reason() {
    for (items, why) in [
        ("{}", "an array"),
        ("[]", "a shape's number, or a word"),
        ("[-1]", "a number from 0"),
        (r#"["nod","a"]"#, r#"not "nod""#),
        (r#"["node",""]"#, "1 to 255 bytes"),
        (r#"["node","a","b"]"#, "should end"),
        (r#"["shape","t",""]"#, "no column"),
        (r#"["shape","t",["_row","counter"]]"#, "no column"),
        (r#"["shape","t",["x","list"]]"#, "not 'list'"),
        (r#"["change",{}]"#, "change 0: not a change record"),
        (r#"[0,"k",0,5,1]"#, "defines shape 0"),
        (r#"["shape","t"],[0,"k",0,5,1]"#, "node's number"),
        (r#"["node","a"],["shape","t","x"],[0,0,0,5,1,1]"#, "no entry stands before"),
        (&format!(r#"{START},[0,1,0,0,0,"v"]"#), "a key is a text, or 0"),
        (&format!(r#"{START},[0,0,0,-6,0,"v"]"#), "no stamp lies"),
        (&format!(r#"{START},[0,0,0,0,-2,"v"]"#), "no stamp lies"),
        (&format!(r#"{START},[0,0,0,9223372036854775807,0,"v"]"#), "no stamp lies"),
        (&format!(r#"{START},[0,0,0,1,4294967296,"v"]"#), "no stamp lies"),
        (&format!(r#"{START},[0,0,0,1,0]"#), "a value for each field"),
        (&format!(r#"{START},[0,0,0,1,0,1,2]"#), "an object"),
        (&format!(r#"{START},[0,0,0,1,0,1,{{}},2]"#), "should end"),
        (&format!(r#"{START},[0,0,0,1,0,1,{{"next":1}}]"#), "unknown field"),
        (&format!(r#"{START},[0,0,0,1,0,1e999]"#), "change 1: '1e999' is not a number"),
        (r#"["node","a"],["shape","t",["n","counter"]],[0,"k",0,5,0,[-1,0]]"#, "whole numbers"),
        (r#"["node","a"],["shape","t",["n","counter"]],[0,"k",0,5,0,[1,0],{"born":[0,1,0]}]"#, "cannot have begun"),
        (r#"["node","a"],["shape","t",["s","set"]],[0,"k",0,5,0,{"remove":[1],"tags":[[0,1,0]]}]"#, "cannot have seen"),
        (r#"["node","a"],["shape","t",["s","set"]],[0,"k",0,5,0,1]"#, "a set has"),
        (r#"["node","a"],["shape","t","_tombstone"],[0,"k",0,5,0,false]"#, "is true, not false"),
        (
            r#"["node","a"],["shape","t","_tombstone"],[0,"k",0,5,0,true,{"forgotten":[0,0,1]}]"#,
            "cannot have forgotten",
        ),
    ] {
        assert!(refused(items).contains(why), "{items}: {}", refused(items));
    }
    assert!(crate::import::parse(r#"{"format":"compact"}"#).is_err());
    assert!(crate::import::parse(r#"{"format":"compact","changes":[],"changes":[]}"#).is_err());
    assert!(crate::import::parse(r#"{"format":"compact","changes":[]}x"#).is_err());
    assert_eq!(crate::import::parse(r#"{"format":"compact","changes":null}"#).unwrap(), []);
}

#[test]
fn what_is_too_long_is_refused() {
    let long = |n: usize| "x".repeat(n);
    assert!(refused(&format!(r#"["shape","{}"]"#, long(4097))).contains("'table' has 4097 bytes"));
    assert!(refused(&format!(r#"["shape","t","{}"]"#, long(4097))).contains("'field' has 4097 bytes"));
    let key = format!(r#"{START},[0,"{}",0,1,0,"v"]"#, long(65_537));
    assert!(refused(&key).contains("change 1: 'pk' has 65537 bytes"));
    // In a push each change is refused for itself; that of the same key too.
    let mut each: Vec<crate::error::Result<Change>> = Vec::new();
    read_changes(&format!(r#"[{key},[0,0,0,1,0,"v"],[0,"k",0,1,0,1e999],[0,0,0,1,0,"v"]]"#), &mut each).unwrap();
    let good: Vec<bool> = each.iter().map(Result::is_ok).collect();
    assert_eq!(good, [true, false, false, false, true]);
    let tags = |n: usize| format!("[0,-1,0]{}", ",[0,-1,0]".repeat(n - 1));
    let remove =
        |n| format!(r#"["node","a"],["shape","t",["s","set"]],[0,"k",0,5,0,{{"remove":[1,2],"tags":[{}]}}]"#, tags(n));
    assert!(parsed(&remove(16)).is_ok());
    assert!(refused(&remove(17)).contains("at most 16 adds"));
}

#[test]
fn only_an_object_is_a_payload() {
    let mut none: Vec<Change> = Vec::new();
    assert!(read("[]", &mut none).unwrap_err().message().contains("an object with"));
    assert!(convert(r#"{"changes":[],"changes":[]}"#, Format::Compact, usize::MAX)
        .unwrap_err()
        .message()
        .contains("twice"));
    assert!(convert("7", Format::Compact, usize::MAX)
        .unwrap_err()
        .message()
        .contains("an array of changes, or an object"));
}

/// A list of what was seen is held by each change of its entry: a short text must not ask for much memory.
#[test]
fn few_fields_share_what_was_seen() {
    let wide = |n: usize| {
        let (names, values) = ((0..n).map(|i| format!(",\"f{i}\"")), ",1".repeat(n));
        let names: String = names.collect();
        format!(r#"["node","a"],["shape","t"{names}],[0,"k",0,5,0{values},{{"seen":[[0,-1,0]]}}]"#)
    };
    assert_eq!(parsed(&wide(16)).unwrap().len(), 16);
    assert!(refused(&wide(17)).contains("at most 16 fields"));
    // So it is written.
    let changes: Vec<Change> = [parsed(&wide(16)).unwrap(), parsed(&wide(9)).unwrap()].concat();
    let compact = convert(&grove(&changes), Format::Compact, usize::MAX).unwrap();
    assert_eq!(crate::import::parse(&compact).unwrap(), changes);
}
