//! Runs statements on one node in several ways; plain SQLite and three other nodes must agree with it.

use rusqlite::Connection;

use crate::common::text;
use crate::support::*;

/// How a node is written.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// By a connection that has not loaded the extension and trusts no schema.
    bare: bool,
    recursive_triggers: bool,
    /// Exports, and so folds, after every step.
    eager: bool,
}

const WAYS: [Way; 6] = [
    Way { bare: false, recursive_triggers: false, eager: false },
    Way { bare: false, recursive_triggers: false, eager: true },
    Way { bare: false, recursive_triggers: true, eager: true },
    Way { bare: true, recursive_triggers: false, eager: true },
    Way { bare: true, recursive_triggers: true, eager: false },
    Way { bare: true, recursive_triggers: false, eager: false },
];

/// Runs `steps` on a database with the tables of `ddl`, enabled by `enable`. A step that starts with `!` must fail.
#[track_caller]
pub fn follow(ddl: &str, enable: &str, steps: &[&str]) {
    for way in WAYS {
        one_way(ddl, enable, steps, way);
    }
}

/// The fields that `sql` changed, after `before`: `pk.field`, sorted.
#[track_caller]
pub fn changed(setup: &str, before: &str, sql: &str) -> Vec<String> {
    let a = node("a", setup);
    run(&a, before);
    let cursor = since(&a, None).cursor;
    run(&a, sql);
    since(&a, Some(&cursor)).fields()
}

#[track_caller]
fn one_way(ddl: &str, enable: &str, steps: &[&str], way: Way) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let pragmas = format!(
        "PRAGMA synchronous = OFF; PRAGMA recursive_triggers = {}; PRAGMA trusted_schema = {}",
        u8::from(way.recursive_triggers),
        u8::from(!way.bare)
    );
    let a = file_node(&path, "a", &format!("PRAGMA journal_mode = WAL; {ddl}; {enable}; {pragmas}"));
    let bare = way.bare.then(|| Connection::open(&path).unwrap());
    let writer = bare.as_ref().unwrap_or(&a);
    let twin = Connection::open_in_memory().unwrap();
    run(&twin, ddl);
    for conn in [writer, &twin] {
        run(conn, &pragmas);
    }
    let [eager, cursor, last] = nodes(["b", "c", "d"], &format!("{ddl}; {enable}"));
    let mut place: Option<String> = None;
    for step in steps {
        let must_fail = step.starts_with('!');
        for conn in [writer, &twin] {
            let outcome = try_run(conn, step.trim_start_matches('!'));
            assert_eq!(outcome.is_err(), must_fail, "{step}: {outcome:?}, {way:?}");
        }
        if way.eager && a.is_autocommit() && writer.is_autocommit() {
            send(&a, &eager);
            let page = since(&a, place.as_deref());
            merge(&cursor, &page.json);
            place = Some(page.cursor);
        }
    }
    for name in tracked(&a) {
        assert_eq!(table(&a, &name), table(&twin, &name), "{name} as plain SQLite has it, {way:?}");
    }
    send(&a, &last);
    sound(&a);
    for other in [Some(&last), way.eager.then_some(&eager), way.eager.then_some(&cursor)].into_iter().flatten() {
        for name in tracked(&a) {
            let about = format!("{name} at {}, {way:?}", text(other, "SELECT crdt_node_id()", []));
            assert_eq!(table(&a, &name), table(other, &name), "{about}");
            assert_eq!(digest(&a, &name), digest(other, &name), "digest of {about}");
        }
        assert_eq!(rows(other, "SELECT count(*) FROM crdt_pending()"), ["0"], "{way:?}");
        sound(other);
        // Merging recorded no local writes: nothing of the others' own comes back.
        assert!(since(other, None).changes.iter().all(|change| change["node_id"] == "a"), "{way:?}: {}", export(other));
    }
}

/// The names of the enabled tables.
fn tracked(conn: &Connection) -> Vec<String> {
    let views = r"SELECT substr(name, 2, length(name) - 6) FROM sqlite_schema WHERE type = 'view' AND name LIKE '\_%\_crdt' ESCAPE '\'";
    rows(conn, views).iter().map(|name| name.trim_matches('\'').to_string()).collect()
}
