//! How the form is asked for, what an answer says, how small it is.

use serde_json::json;

use super::{answer, compact, grove};
use crate::common::{error, text};
use crate::support::*;

fn filled() -> rusqlite::Connection {
    let a = node("a", TASKS);
    run(&a, "INSERT INTO tasks VALUES ('t1', 'x', 3, '[1,2]', 0), ('t2', NULL, 0, '[]', 1), ('t3', 'y', 1, '[3]', 0)");
    run(&a, "UPDATE tasks SET title = 'z', done = 1 WHERE id < 't3'; DELETE FROM tasks WHERE id = 't3'");
    a
}

#[test]
fn an_option_asks_for_it_and_the_answer_tells() {
    let a = filled();
    let json = compact(&a, None);
    assert!(json.starts_with(r#"{"format":"compact","changes":["#), "{json}");
    assert_eq!(grove(&a, &json), export(&a));
    let asked = |options: &str| text(&a, "SELECT crdt_changes_since(NULL, NULL, NULL, ?1)", [options]);
    assert_eq!(asked("{\"format\":\"grove\"}"), export(&a));
    assert_eq!(asked("{}"), export(&a));
    let refused = |options: &str| error(&a, "SELECT crdt_changes_since(NULL, NULL, NULL, ?1)", [options]);
    assert!(refused("{\"format\":\"tiny\"}").contains("format 'tiny' is not one of: grove, compact"));
    assert!(refused("compact").contains("options is a JSON object"));
    assert!(refused("{\"form\":\"compact\"}").contains("unknown field"));
}

#[test]
fn nothing_new_is_an_empty_array() {
    let a = filled();
    let cursor = mark(&a);
    let json = compact(&a, Some(&cursor));
    assert_eq!(json, format!("{{\"format\":\"compact\",\"changes\":[],\"latest_hlc\":{cursor},\"has_more\":false}}"));
    assert_eq!(merge(&a, &json)["merged"], 0);
}

/// A cursor that one form gave is good for the other, and a limit counts changes in both.
#[test]
fn pages_are_those_of_the_other_form() {
    let a = filled();
    for limit in 1..9 {
        let (mut cursor, mut pages) = (None::<String>, 0);
        loop {
            let sql = "SELECT crdt_changes_since(?1, NULL, ?2, ?3)";
            let ask = |form: &str| text(&a, sql, (&cursor, limit, format!("{{\"format\":\"{form}\"}}")));
            let (json, other) = (ask("compact"), ask("grove"));
            assert_eq!(grove(&a, &json), other);
            (cursor, pages) = (Some(page(&json).cursor), pages + 1);
            if !page(&json).more {
                break;
            }
        }
        assert!(pages > 1 || limit > 5);
    }
}

/// The bytes are those of the form that is asked for, and each page can be read alone.
#[test]
fn pages_of_bytes() {
    let [a, b] = nodes(["a", "b"], TASKS);
    for i in 0..40 {
        run(&a, &format!("INSERT INTO tasks VALUES ('t{i}', 'x', 3, '[1]', {i}); UPDATE tasks SET done = -1"));
    }
    run(&a, "SELECT crdt_pragma('page_bytes', '400')");
    let (mut cursor, mut pages) = (None::<String>, 0);
    loop {
        let json = compact(&a, cursor.as_deref());
        assert!(json.len() < 900, "{json}");
        merge(&b, &json);
        (cursor, pages) = (Some(page(&json).cursor), pages + 1);
        if !page(&json).more {
            break;
        }
    }
    assert!(pages > 5, "{pages}");
    same(&a, &b, "tasks");
}

#[test]
fn hooks_and_filters_stand_before_it() {
    let a = filled();
    run(&a, "SELECT crdt_hook('mine', 'before_outbound', 'SELECT json_set(:change, ''$.value'', 9) WHERE :field <> ''title''', '*')");
    assert_eq!(grove(&a, &compact(&a, None)), export(&a));
    assert!(!compact(&a, None).contains("title") && compact(&a, None).contains("altered"));
    run(&a, "SELECT crdt_unhook('mine'); SELECT crdt_filter('tasks', 'done = 1')");
    let cursor = page(&compact(&a, None)).cursor;
    run(&a, "UPDATE tasks SET done = 0 WHERE id = 't2'");
    let left = compact(&a, Some(&cursor));
    assert!(left.contains("_left"), "{left}");
    assert_eq!(grove(&a, &left), since(&a, Some(&cursor)).json);
}

#[test]
fn a_merge_knows_it_by_itself() {
    let (a, b) = (filled(), node("b", TASKS));
    let json = compact(&a, None);
    let changes = since(&a, None).changes.len();
    let told = answer(&b, "SELECT crdt_merge(CAST(?1 AS BLOB))", [&json]);
    assert_eq!((&told["merged"], &told["unchanged"]), (&json!(changes), &json!(0)));
    assert_eq!(merge(&b, &json)["unchanged"], changes);
    same(&a, &b, "tasks");
}

#[test]
fn a_bad_change_leaves_everything_as_it_was() {
    let (a, b) = (filled(), node("b", TASKS));
    run(&b, "INSERT INTO tasks(id) VALUES ('own')");
    let before = contents(&b);
    let json = compact(&a, None);
    for (from, to) in
        [("\"z\"", "1e999"), ("[\"shape\",\"tasks\"", "[\"shape\",\"unknown\""), ("}", "},"), ("[0,", "[77,")]
    {
        assert!(json.contains(from), "{from} in {json}");
        let message = error(&b, "SELECT crdt_merge(?1)", [json.replace(from, to)]);
        assert!(message.starts_with("crdt_merge: "), "{message}");
        assert_eq!(contents(&b), before, "{message}");
    }
    run(&b, "SELECT crdt_pragma('max_value_bytes', '1024')");
    run(&a, "UPDATE tasks SET title = printf('%.2000c', 'x') WHERE id = 't1'");
    let message = error(&b, "SELECT crdt_merge(?1)", [compact(&a, None)]);
    assert!(message.contains("max_value_bytes is 1024 here"), "{message}");
}

#[test]
fn conversion() {
    let a = filled();
    let ask = |json: &str, format: &str| text(&a, "SELECT crdt_convert(?1, ?2)", [json, format]);
    let array = json!(since(&a, None).changes);
    let back: serde_json::Value = serde_json::from_str(&ask(&ask(&array.to_string(), "compact"), "grove")).unwrap();
    assert_eq!(back, json!({ "changes": array }));
    assert_eq!(
        ask(r#"{"node_id":"x","changes":null}"#, "compact"),
        r#"{"format":"compact","node_id":"x","changes":[]}"#
    );
    let refused = |json: &str, format: &str| error(&a, "SELECT crdt_convert(?1, ?2)", [json, format]);
    assert!(refused("{}", "compact").contains("crdt_convert: expected a JSON array of changes"));
    assert!(refused("1", "grove").contains("crdt_convert: not JSON that carries changes"));
    assert!(refused("[{}]", "compact").contains("crdt_convert: change 0: not a change record"));
    assert!(refused("[]", "tiny").contains("grove, compact"));
    assert!(refused(r#"{"format":"tiny","changes":[]}"#, "grove").contains("format 'tiny'"));
    assert!(refused(r#"{"format":"compact","changes":[[0]]}"#, "grove").contains("change 0: no item before"));
    assert!(error(&a, "SELECT crdt_convert('[]')", []).contains("crdt_convert(json, format [, bytes])"));
    // What stands there once may come to much.
    let whole = array.to_string();
    let compact = ask(&whole, "compact");
    let within = |bytes: usize| (compact.clone(), bytes as i64);
    let sql = "SELECT crdt_convert(?1, 'grove', ?2)";
    assert_eq!(text(&a, sql, within(whole.len())), ask(&compact, "grove"));
    assert!(error(&a, sql, within(whole.len() / 2)).contains("send them in parts"));
    // The last record counts too, which is written when all has been read.
    let one = json!([array[0]]).to_string();
    for format in ["compact", "grove"] {
        let refused = error(&a, "SELECT crdt_convert(?1, ?2, 3)", [&*one, format]);
        assert!(refused.contains("send them in parts"), "{refused}");
    }
}

/// zlib at its level 6, over rows of five fields with random keys.
#[test]
fn how_small_it_is() {
    if std::env::var("GROVE_SKIP_HOSTS").is_ok_and(|skip| skip.split(',').any(|host| host == "python")) {
        return;
    }
    const ROWS: usize = 5_000;
    let a = node(
        "a",
        "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, description TEXT, priority INTEGER DEFAULT 0,
        tags TEXT, completed INTEGER DEFAULT 0); SELECT crdt_enable('tasks')",
    );
    run(&a, &format!("WITH n(i, h) AS (SELECT 1, lower(hex(randomblob(16))) UNION ALL SELECT i + 1, lower(hex(randomblob(16))) FROM n LIMIT {ROWS})
        INSERT INTO tasks SELECT substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-4' || substr(h, 14, 3) || '-8' || substr(h, 18, 3) || '-' || substr(h, 21),
            'Task number ' || i, 'What there is to do for task number ' || i, i % 5, '[\"home\",\"work\"]', i % 2 FROM n"));
    let script = "import sys, zlib; print(len(zlib.compress(sys.stdin.buffer.read(), 6)))";
    let folder = tempfile::tempdir().unwrap();
    let bytes = |json: &str| {
        std::fs::write(folder.path().join("json"), json).unwrap();
        let input = std::fs::File::open(folder.path().join("json")).unwrap();
        let output = crate::common::python().args(["-c", script]).stdin(input).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<usize>().unwrap() / ROWS
    };
    let (compact, grove) = (bytes(&compact(&a, None)), bytes(&export(&a)));
    assert!(compact <= 40 && compact * 3 < grove * 2, "{compact} bytes a row, {grove} in the Grove form");
}
