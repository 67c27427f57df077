//! A round in which nothing moves commits nothing: whoever looks for commits would be woken by it.

use super::endpoint::{hub, start, Reply};
use super::{common, prepare, sync};

/// What rises with every commit of another connection.
fn version(conn: &rusqlite::Connection) -> String {
    common::text(conn, "PRAGMA data_version", [])
}

#[test]
fn rounds_with_two_peers_while_nobody_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two, own) = (folder.path().join("1.db"), folder.path().join("2.db"), folder.path().join("own.db"));
    let (at_one, at_two, ann) = (common::open_file(&one), common::open_file(&two), common::open_file(&own));
    prepare(&at_one, "one");
    prepare(&at_two, "two");
    prepare(&ann, "ann");
    let grove = start(|request| {
        let answer = match request.route.as_str() {
            "/sync/pull" => r#"{"changes":null,"latest_hlc":{"ts":0,"c":0,"node":""}}"#,
            _ => r#"{"merged":1,"latest_hlc":{"ts":1,"c":0,"node":"go"}}"#,
        };
        Reply::Answer(200, answer.to_owned())
    });
    let urls = [hub(&one, |_| None).0, hub(&two, |_| None).0, grove];
    at_one.execute_batch("INSERT INTO tasks(id, votes) VALUES ('h', 2)").unwrap();
    ann.execute_batch("INSERT INTO tasks(id) VALUES ('t')").unwrap();
    let follower = common::open_file(&own);
    let round = || {
        for url in &urls {
            for options in ["{}", "{\"pull\":false}", "{\"push\":false}", "{\"pages\":1,\"retry\":false}"] {
                common::text(&follower, "SELECT crdt_sync(?, ?)", [url.as_str(), options]);
            }
        }
    };
    round();
    round();
    let before = [version(&ann), version(&at_one), version(&at_two)];
    round();
    assert_eq!([version(&ann), version(&at_one), version(&at_two)], before);
    at_two.execute_batch("INSERT INTO tasks(id) VALUES ('u')").unwrap();
    assert_eq!(sync(&follower, &urls[1]), "pulled=2 pushed=0 merged=2 conflicts=0");
    assert_ne!(version(&ann), before[0]);
}

/// Nothing is made in a file of which nothing is to be exchanged.
#[test]
fn a_file_of_which_nothing_is_enabled() {
    let conn = common::open();
    conn.execute_batch("CREATE TABLE t(x)").unwrap();
    assert!(common::error(&conn, "SELECT crdt_sync('http://127.0.0.1:9/sync')", []).contains("crdt_enable"));
    assert_eq!(common::text(&conn, "SELECT group_concat(name) FROM sqlite_schema", []), "t");
}
