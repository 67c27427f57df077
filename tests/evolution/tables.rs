//! RENAME TABLE, DROP TABLE, a table made again.

use crate::common::text;
use crate::support::*;

const T: &str = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); CREATE TABLE other(id TEXT PRIMARY KEY NOT NULL, v);
    SELECT crdt_enable('t'), crdt_enable('other');";

fn views(conn: &rusqlite::Connection) -> Vec<String> {
    rows(conn, "SELECT name FROM sqlite_schema WHERE type = 'view' AND name NOT GLOB '_crdt_*' ORDER BY 1")
}

#[test]
fn a_renamed_table_leaves_no_view_behind() {
    for call in
        ["crdt_enable('t2')", "crdt_alter('t2', 'ADD COLUMN x')", "crdt_disable('t2')", "crdt_disable('t2', 'purge')"]
    {
        let a = node("a", T);
        run(&a, "INSERT INTO t VALUES ('1', 'x'); ALTER TABLE t RENAME TO t2; UPDATE t2 SET v = 'y'");
        assert_eq!(views(&a), ["'_other_crdt'", "'_t_crdt'"]);
        assert_eq!(rows(&a, "SELECT pk_hash, field_name FROM _t_crdt"), ["'1', 'v'"]);
        run(&a, &format!("SELECT {call}"));
        let left: &[&str] =
            if call.contains("disable") { &["'_other_crdt'"] } else { &["'_other_crdt'", "'_t2_crdt'"] };
        assert_eq!(views(&a), left, "{call}");
        sound(&a);
    }
}

/// Another table took the old name and has a view of its own, which stays.
#[test]
fn the_view_of_a_table_that_took_the_name_stays() {
    let a = node("a", T);
    run(&a, "INSERT INTO t VALUES ('1', 'x'); ALTER TABLE t RENAME TO t2");
    run(&a, "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, w); SELECT crdt_enable('t'); INSERT INTO t VALUES ('2', 'y'); SELECT crdt_enable('t2')");
    assert_eq!(views(&a), ["'_other_crdt'", "'_t2_crdt'", "'_t_crdt'"]);
    assert_eq!(rows(&a, "SELECT pk_hash, field_name FROM _t_crdt"), ["'2', 'w'"]);
    assert_eq!(rows(&a, "SELECT pk_hash, field_name FROM _t2_crdt"), ["'1', 'v'"]);
    // A view of the application's under the name is not touched either.
    run(
        &a,
        "ALTER TABLE t2 RENAME TO t3; DROP VIEW _t2_crdt; CREATE VIEW _t2_crdt AS SELECT 1; SELECT crdt_enable('t3')",
    );
    assert_eq!(views(&a), ["'_other_crdt'", "'_t2_crdt'", "'_t3_crdt'", "'_t_crdt'"]);
    sound(&a);
}

/// Changes carry the new name at once; renamed everywhere, everything goes on.
#[test]
fn renamed_on_two_nodes() {
    let [a, b] = nodes(["a", "b"], T);
    run(&a, "INSERT INTO t VALUES ('1', 'x'); INSERT INTO other VALUES ('1', 'x')");
    send(&a, &b);
    run(&a, "ALTER TABLE t RENAME TO \"t 2\"; UPDATE \"t 2\" SET v = 'a'");
    let place = mark(&a);
    run(&a, "SELECT crdt_enable('t 2')");
    assert_eq!(since(&a, Some(&place)).changes.len(), 0);
    // The other table is not affected, exported by itself.
    merge(&b, &text(&a, "SELECT crdt_changes_since(NULL, 'other')", []));
    same(&a, &b, "other");
    run(&b, "UPDATE t SET v = 'b' WHERE id = '1'; SELECT crdt_alter('t', 'RENAME TO \"t 2\"')");
    swap(&a, &b);
    same(&a, &b, "t 2");
    assert_eq!(table(&a, "t 2"), ["'1', 'b'"]);
}

/// A table that is dropped: the others go on, its state can be purged, and it can be made again.
#[test]
fn a_dropped_table() {
    let [a, b] = nodes(["a", "b"], T);
    run(&a, "INSERT INTO t VALUES ('1', 'x'); INSERT INTO other VALUES ('1', 'x')");
    send(&a, &b);
    run(&a, "DROP TABLE t; UPDATE other SET v = 'y'");
    assert_eq!(rows(&a, "SELECT * FROM _t_crdt"), Vec::<String>::new());
    assert_eq!(since(&a, None).fields(), ["1.v"], "of the other table");
    sound(&a);
    send(&a, &b);
    same(&a, &b, "other");
    let state = |conn| rows(conn, "SELECT count(*) FROM _crdt_clock WHERE t = 1");
    assert_eq!(state(&a), ["1"]);
    run(&a, "SELECT crdt_disable('t', 'purge')");
    assert_eq!((state(&a), views(&a)), (vec!["0".to_string()], vec!["'_other_crdt'".to_string()]));
    sound(&a);
    run(&a, "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t')");
    send(&b, &a);
    same(&a, &b, "t");
    assert_eq!(table(&a, "t"), ["'1', 'x'"]);
}

/// Made again without purging: what is gone when it is enabled again has been deleted.
#[test]
fn a_table_made_again() {
    let [a, b] = nodes(["a", "b"], T);
    run(&a, "INSERT INTO t VALUES ('1', 'x'), ('2', 'x')");
    send(&a, &b);
    run(&a, "DROP TABLE t; CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v, w); INSERT INTO t VALUES ('2', 'y', 'z')");
    run(&a, "UPDATE other SET v = 'goes on'; SELECT crdt_enable('t')");
    send(&a, &b);
    assert_eq!(table(&b, "t"), ["'2', 'y'"]);
    run(&b, "ALTER TABLE t ADD COLUMN w; SELECT crdt_enable('t')");
    // The values of the row that was lost with the table are known to b only: deleted records differ.
    assert_eq!((table(&a, "t"), digest(&a, "t")), (table(&b, "t"), digest(&b, "t")));
    sound(&a);
    sound(&b);
    assert_eq!(views(&a), ["'_other_crdt'", "'_t_crdt'"]);
}

/// Rebuilt by hand, as SQLite's documentation has it for what ALTER TABLE cannot do.
/// A rebuild may give the key another type. What is one text on the wire stays one record, here and at peers that have not followed.
#[test]
fn a_rebuilt_table_whose_key_has_another_type() {
    let table_of = |name: &str, key: &str| format!("CREATE TABLE {name}(id {key} PRIMARY KEY NOT NULL, v, n INTEGER)");
    for [was, is] in [["TEXT", "INTEGER"], ["INTEGER", "TEXT"], ["INT", "TEXT"], ["TEXT", "INT"]] {
        let sql = |key: &str| format!("{}; SELECT crdt_enable('t', 'n:counter')", table_of("t", key));
        let (a, [old, new]) = (node("a", &sql(was)), [was, is].map(|key| node(key, &sql(key))));
        run(&a, "INSERT INTO t VALUES ('1', 'one', 1), ('2', 'two', 2), ('5', 'gone', 5)");
        run(&a, "DELETE FROM t WHERE id = '5'");
        for peer in [&old, &new] {
            send(&a, peer);
        }
        // Not folded when the table is rebuilt.
        run(&a, "INSERT INTO t VALUES ('3', 'three', 3); UPDATE t SET n = n + 10 WHERE id = '1'; DELETE FROM t WHERE id = '2'");
        run(
            &a,
            &format!(
                "BEGIN; {}; INSERT INTO u SELECT * FROM t; DROP TABLE t; ALTER TABLE u RENAME TO t; COMMIT",
                table_of("u", is)
            ),
        );
        run(&a, "SELECT crdt_enable('t', 'n:counter'); UPDATE t SET v = 'after' WHERE id = '3'");
        for peer in [&old, &new] {
            send(&a, peer);
            assert_eq!(
                rows(peer, "SELECT CAST(id AS INTEGER), v, n FROM t ORDER BY 1"),
                ["1, 'one', 11", "3, 'after', 3"],
                "{was}"
            );
        }
        run(&old, "INSERT INTO t VALUES ('5', 'again', 0)");
        for peer in [&old, &new] {
            run(peer, "UPDATE t SET n = n + 100 WHERE id = '1'");
            swap(&a, peer);
            assert_eq!(digest(&a, "t"), digest(peer, "t"));
        }
        send(&a, &old);
        assert_eq!(rows(&a, "SELECT CAST(id AS INTEGER), n FROM t ORDER BY 1"), ["1, 211", "3, 3", "5, 0"]);
        assert_eq!(export(&a).matches("\"pk\":\"1\",\"field\":\"v\"").count(), 1, "one record");
        [&a, &old, &new].into_iter().for_each(sound);
    }
}

#[test]
fn a_rebuilt_table() {
    let [a, b] = nodes(["a", "b"], T);
    run(&a, "INSERT INTO t VALUES ('1', 'x'), ('2', 'x')");
    send(&a, &b);
    run(&a, "BEGIN; CREATE TABLE fresh(id TEXT PRIMARY KEY NOT NULL, v NOT NULL, w DEFAULT 5) WITHOUT ROWID; INSERT INTO fresh(id, v) SELECT id, v FROM t;
        DROP TABLE t; ALTER TABLE fresh RENAME TO t; SELECT crdt_enable('t'); COMMIT");
    run(&a, "UPDATE t SET v = 'rebuilt' WHERE id = '1'");
    send(&a, &b);
    send(&b, &a);
    assert_eq!(table(&b, "t"), ["'1', 'rebuilt'", "'2', 'x'"]);
    sound(&a);
    sound(&b);
}

/// Changes that wait for their time go with their table, whatever it is called when that has come.
#[test]
fn changes_from_the_future_follow_a_renamed_table() {
    const NOW: i64 = 1_780_000_000_000;
    let late = |table: &str, value: &str| {
        let stamp = ((NOW + 3_600_000) * 1_000_000, 0, "x");
        change("v", stamp, serde_json::json!({"table": table, "pk": "1", "value": value}))
    };
    let waiting = "SELECT \"table\", json_extract(change, '$.table') FROM crdt_pending() ORDER BY 1";
    // Another table has taken the name, or the two have swapped theirs; and crdt_enable is called for the renamed ones, or not.
    let taken = "ALTER TABLE t RENAME TO u; CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('t')";
    let swapped = "ALTER TABLE t RENAME TO u; ALTER TABLE other RENAME TO t; ALTER TABLE u RENAME TO other";
    for (renames, name, enable) in
        [(taken, "u", "SELECT crdt_enable('u')"), (swapped, "other", "SELECT crdt_enable('t'), crdt_enable('other')")]
    {
        for enable in ["", enable] {
            clock::set(NOW);
            let a = named(clock::open(":memory:"), "a", T);
            take(&a, &[late("t", "of t")]);
            run(&a, renames);
            run(&a, enable);
            assert_eq!(rows(&a, waiting), [format!("'{name}', '{name}'")]);
            take(&a, &[late("t", "of the new t")]);
            assert_eq!(rows(&a, waiting).len(), 2);
            clock::set(NOW + 3_600_000);
            export(&a);
            assert_eq!(rows(&a, waiting), Vec::<String>::new());
            assert_eq!(table(&a, name), ["'1', 'of t'"]);
            assert_eq!(table(&a, "t"), ["'1', 'of the new t'"]);
            sound(&a);
        }
    }
}

/// A table that is purged takes along what waits for its time, also of those that were put aside under its name.
#[test]
fn a_purge_drops_changes_from_the_future() {
    let late = |table: &str| change("v", (9_000_000_000_000_000_000, 0, "x"), serde_json::json!({"table": table}));
    for old in ["", "UPDATE _crdt_future SET change = replace(change, '{\"t\":1,', '{')"] {
        let a = node("a", T);
        take(&a, &[late("t"), late("other")]);
        run(&a, old);
        run(&a, "ALTER TABLE other RENAME TO o; SELECT crdt_disable('t', 'purge')");
        assert_eq!(rows(&a, "SELECT \"table\" FROM crdt_pending()"), ["'o'"]);
        assert_eq!(status(&a)["future"], 1);
        run(&a, "SELECT crdt_enable('t')");
        assert_eq!(status(&a)["future"], 1);
    }
}

/// A table that was purged and made anew has another number: what names the old one, as a cursor does, does not fit it.
#[test]
fn a_number_is_given_once() {
    let [a, b] = nodes(
        ["a", "b"],
        "CREATE TABLE one(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('one');
         CREATE TABLE two(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('two')",
    );
    run(&a, "INSERT INTO two VALUES ('1', 'x'); INSERT INTO one VALUES ('1', 'x')");
    send(&a, &b);
    run(&b, "SELECT crdt_disable('two', 'purge'); DROP TABLE two");
    run(&b, "CREATE TABLE two(id TEXT PRIMARY KEY NOT NULL, v); SELECT crdt_enable('two')");
    assert_eq!(rows(&b, "SELECT t FROM _crdt_table"), ["1", "3"]);
    run(&b, "SELECT crdt_disable('two', 'purge'); SELECT crdt_disable('one', 'purge'); SELECT crdt_enable('one')");
    assert_eq!(rows(&b, "SELECT t FROM _crdt_table"), ["4"]);
}

/// What this node counted before is at its peers under its id; what it counts anew adds to it.
#[test]
fn counters_of_a_table_that_was_purged() {
    let sql = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, n); SELECT crdt_enable('t', 'n:counter')";
    let [a, b] = nodes(["a", "b"], sql);
    run(&a, "INSERT INTO t VALUES ('1', 5)");
    send(&a, &b);
    let id = text(&a, "SELECT crdt_node_id()", []);
    run(&a, "SELECT crdt_disable('t', 'purge'); DROP TABLE t; CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, n)");
    assert!(text(&a, "SELECT crdt_enable('t', 'n:counter')", []).contains("new node id"));
    assert_ne!(text(&a, "SELECT crdt_node_id()", []), id);
    run(&a, "INSERT INTO t VALUES ('1', 2)");
    swap(&a, &b);
    same(&a, &b, "t");
    assert_eq!(rows(&a, "SELECT n FROM t"), ["7"]);
    assert!(!text(&a, "SELECT crdt_enable('t', 'n:counter')", []).contains("new node id"));
    assert_eq!(status(&a)["forks"], 0, "that is no copied file");
}

/// The same where a script of `crdt_schema` makes it anew, also where all tables were purged.
#[test]
fn counters_of_a_table_that_a_script_makes_anew() {
    for others in ["CREATE TABLE o(id TEXT PRIMARY KEY NOT NULL, v)", TASKS] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let sql =
            format!("{others}; CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, n); SELECT crdt_enable('t', 'n:counter')");
        let (a, b) = (file_node(&path, "a", &sql), node("b", &sql));
        run(&a, "INSERT INTO t VALUES ('1', 5)");
        send(&a, &b);
        run(&a, "SELECT crdt_disable('t', 'purge'); DELETE FROM t");
        let script = text(&a, "SELECT crdt_schema('t', 'n:counter')", []);
        drop(a);
        let bare = rusqlite::Connection::open(&path).unwrap();
        run(&bare, &script);
        run(&bare, "INSERT INTO t VALUES ('1', 2)");
        drop(bare);
        let a = crate::common::open_file(&path);
        swap(&a, &b);
        same(&a, &b, "t");
        assert_eq!(rows(&a, "SELECT n FROM t"), ["7"]);
        assert_eq!(status(&a)["forks"], 0);
    }
}

/// Two tables swap their names, and one of them is rebuilt: the record of the name that it had does not speak for the other.
#[test]
fn names_that_were_swapped_before_a_rebuild() {
    let table =
        |name| format!("CREATE TABLE {name}(id TEXT PRIMARY KEY NOT NULL, x TEXT); SELECT crdt_enable('{name}');");
    let a = node("a", &format!("{}{}", table("t"), table("u")));
    run(&a, "INSERT INTO t VALUES ('k', 't'); INSERT INTO u VALUES ('k', 'u'); SELECT crdt_cursor()");
    run(&a, "ALTER TABLE t RENAME TO z; ALTER TABLE u RENAME TO t; ALTER TABLE z RENAME TO u");
    run(
        &a,
        "CREATE TABLE new_u(id TEXT PRIMARY KEY NOT NULL, x TEXT); INSERT INTO new_u SELECT * FROM u; DROP TABLE u",
    );
    run(&a, "ALTER TABLE new_u RENAME TO u; SELECT crdt_enable('u')");
    sound(&a);
    assert_eq!(status(&a)["warnings"], serde_json::json!([]));
    assert_eq!(rows(&a, "SELECT \"table\" FROM crdt_tables() ORDER BY 1"), ["'t'", "'u'"]);
    assert_eq!(rows(&a, "SELECT \"table\", field FROM crdt_fields() ORDER BY 1"), ["'t', 'x'", "'u', 'x'"]);
    run(&a, "UPDATE t SET x = 'new t'; UPDATE u SET x = 'new u'");
    let b = node("b", &format!("{}{}", table("t"), table("u")));
    send(&a, &b);
    assert_eq!([only(&b, "t"), only(&b, "u")], ["'k', 'new t'", "'k', 'new u'"]);
}

fn only(conn: &rusqlite::Connection, name: &str) -> String {
    rows(conn, &format!("SELECT * FROM {name}")).concat()
}
