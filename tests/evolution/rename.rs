//! RENAME COLUMN: the same field under another name, on nodes that do it at different times.

use rusqlite::Connection;

use crate::common::text;
use crate::support::*;

const PARTS: &str = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a TEXT, n INTEGER, s TEXT, z);
    SELECT crdt_enable('t', 'n:counter', 's:set');";
const RENAME: &str = "ALTER TABLE t RENAME COLUMN a TO aa; ALTER TABLE t RENAME COLUMN n TO nn;
    ALTER TABLE t RENAME COLUMN s TO \"s \"\"S\";";
const ENABLE: &str = "SELECT crdt_enable('t')";

fn fields(conn: &Connection) -> Vec<String> {
    rows(conn, "SELECT field, crdt_type FROM crdt_fields('t') ORDER BY 1")
}

/// Until crdt_enable is called everything works under the old name.
#[test]
fn a_renamed_column_syncs_under_its_old_name_until_enabled() {
    let [a, b] = nodes(["a", "b"], PARTS);
    run(&a, "INSERT INTO t VALUES ('1', 'x', 1, '[\"p\"]', 0)");
    send(&a, &b);
    run(&a, RENAME);
    run(&a, "UPDATE t SET aa = 'y', nn = nn + 4, \"s \"\"S\" = '[\"p\",\"q\"]' WHERE id = '1'");
    run(&a, "INSERT INTO t VALUES ('2', 'new', 7, '[]', 1)");
    send(&a, &b);
    assert_eq!(table(&b, "t"), ["'1', 'y', 5, '[\"p\",\"q\"]', 0", "'2', 'new', 7, '[]', 1"]);
    same(&a, &b, "t");
    run(&b, "UPDATE t SET a = 'from b', n = n - 1, s = '[\"q\"]' WHERE id = '1'; DELETE FROM t WHERE id = '2'");
    send(&b, &a);
    assert_eq!(table(&a, "t"), ["'1', 'from b', 4, '[\"q\"]', 0"]);
    same(&a, &b, "t");
    let inspected = text(&a, "SELECT crdt_inspect('t', '1')", []);
    assert!(inspected.contains("a (lww): from b") && inspected.contains("n (counter): 4"), "{inspected}");
    assert!(inspected.find("a (lww)").unwrap() < inspected.find("n (counter)").unwrap(), "{inspected}");
    assert_eq!(
        rows(&a, "SELECT DISTINCT field_name FROM _t_crdt WHERE tombstone = 0 ORDER BY 1"),
        ["'a'", "'n'", "'s'", "'z'"]
    );
    assert_eq!(rows(&a, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    assert_eq!(fields(&a), ["'a', 'lww'", "'n', 'counter'", "'s', 'set'", "'z', 'lww'"]);
}

/// crdt_enable gives the field its new name: number, stamps and state stay, nothing is sent again.
#[test]
fn enabling_takes_the_new_name_and_exports_nothing() {
    let [a, b] = nodes(["a", "b"], PARTS);
    run(&a, "INSERT INTO t VALUES ('1', 'x', 1, '[\"p\"]', 0)");
    send(&a, &b);
    run(&b, "UPDATE t SET a = 'b', n = 3");
    send(&b, &a);
    let before = since(&a, None);
    let place = mark(&a);
    run(&a, RENAME);
    let answer = text(&a, ENABLE, []);
    assert!(answer.contains(r#""fields":{"aa":"lww","nn":"counter","s \"S":"set","z":"lww"}"#), "{answer}");
    assert_eq!(since(&a, Some(&place)).changes, Vec::<serde_json::Value>::new());
    let old_name = |name: &str| name.replace("aa", "a").replace("nn", "n").replace("s \"S", "s");
    let after = since(&a, None);
    let stamps = |page: &Page| {
        let change =
            |c: &serde_json::Value| format!("{} {} {}", old_name(c["field"].as_str().unwrap()), c["hlc"], c["value"]);
        page.changes.iter().map(change).collect::<Vec<_>>()
    };
    assert_eq!(stamps(&before), stamps(&after));
    sound(&a);
    run(&b, RENAME);
    run(&b, ENABLE);
    same(&a, &b, "t");
    run(&a, "UPDATE t SET aa = 'last', nn = nn + 1");
    send(&a, &b);
    assert_eq!(rows(&b, "SELECT aa, nn FROM t"), ["'last', 4"]);
    same(&a, &b, "t");
}

/// Two nodes rename at different times and write in between on both sides; a third only passes on.
#[test]
fn renaming_at_different_times_loses_nothing() {
    for by_relay in [false, true] {
        let [a, b, relay] = nodes(["a", "b", "relay"], PARTS);
        let go = |from: &Connection, to: &Connection| {
            if by_relay {
                send(from, &relay);
                send(&relay, to);
            } else {
                send(from, to);
            }
        };
        run(
            &a,
            "INSERT INTO t VALUES ('1', 'x', 1, '[\"p\"]', 0), ('2', 'x', 1, '[\"p\"]', 0), ('3', 'x', 0, '[]', 0)",
        );
        go(&a, &b);
        run(&a, RENAME);
        run(&a, ENABLE);
        run(&a, "UPDATE t SET aa = 'a', nn = nn + 10, \"s \"\"S\" = '[\"p\",\"from a\"]' WHERE id IN ('1', '2')");
        run(&a, "INSERT INTO t VALUES ('4', 'new', 5, '[\"n\"]', 0)");
        run(&b, "UPDATE t SET a = 'b', n = n + 100, s = '[\"from b\"]' WHERE id IN ('1', '3')");
        go(&a, &b);
        assert_eq!(
            rows(&b, "SELECT count(*) FROM crdt_pending() WHERE field = 'aa'"),
            ["4"],
            "1, 2, 3 and 4 wait for the column"
        );
        go(&b, &a);
        // A write at b after a's is there, under the old name; and one at a.
        run(&b, "UPDATE t SET a = 'b again', n = n + 1000 WHERE id = '2'");
        run(&a, "UPDATE t SET aa = 'a again' WHERE id = '3'");
        go(&b, &a);
        assert_eq!(rows(&a, "SELECT aa, nn FROM t WHERE id = '2'"), ["'b again', 1011"], "the old name is known");
        run(&b, RENAME);
        run(&b, ENABLE);
        assert_eq!(rows(&b, "SELECT count(*) FROM crdt_pending()"), ["0"]);
        sound(&b);
        let merged = rows(&b, "SELECT nn, \"s \"\"S\" FROM t ORDER BY id");
        assert_eq!(
            merged,
            ["111, '[\"from a\",\"from b\"]'", "1011, '[\"from a\",\"p\"]'", "100, '[\"from b\"]'", "5, '[\"n\"]'"]
        );
        if by_relay {
            run(&relay, RENAME);
            run(&relay, ENABLE);
        }
        go(&a, &b);
        go(&b, &a);
        assert_eq!(rows(&a, "SELECT aa FROM t ORDER BY id"), ["'b'", "'b again'", "'a again'", "'new'"]);
        same(&a, &b, "t");
        if by_relay {
            same(&a, &relay, "t");
        }
    }
}

/// What had come under the new name is shown when it is renamed, and logged for peers that have seen neither.
#[test]
fn state_under_the_new_name_is_merged_shown_and_passed_on() {
    let [a, b] = nodes(["a", "b"], PARTS);
    run(&a, "INSERT INTO t VALUES ('1', 'x', 1, '[]', 0)");
    send(&a, &b);
    run(&a, RENAME);
    run(&a, ENABLE);
    run(&a, "UPDATE t SET aa = 'new name'");
    send(&a, &b);
    assert_eq!(rows(&b, "SELECT a FROM t"), ["'x'"]);
    let place = mark(&b);
    run(&b, RENAME);
    run(&b, ENABLE);
    assert_eq!(rows(&b, "SELECT aa FROM t"), ["'new name'"]);
    assert_eq!(since(&b, Some(&place)).fields(), ["1.aa"]);
    let c = node(
        "c",
        &PARTS
            .replace("a TEXT, n INTEGER, s TEXT", "aa TEXT, nn INTEGER, \"s \"\"S\" TEXT")
            .replace("'n:", "'nn:")
            .replace("'s:", "'s \"S:"),
    );
    send(&b, &c);
    same(&b, &c, "t");
    same(&a, &b, "t");
}

/// A node's own changes come back under a name that it does not have yet: it was not copied.
#[test]
fn ones_own_changes_under_the_new_name() {
    let [a, b] = nodes(["a", "b"], PARTS);
    run(&b, "INSERT INTO t VALUES ('1', 'x', 1, '[\"p\"]', 0)");
    send(&b, &a);
    run(&a, RENAME);
    run(&a, ENABLE);
    send(&a, &b);
    assert_eq!((status(&b)["forks"].clone(), text(&b, "SELECT crdt_node_id()", [])), (0.into(), "b".to_string()));
    run(&b, RENAME);
    run(&b, ENABLE);
    same(&a, &b, "t");
    // A copied file is still noticed, by a change of the same column that was never made here.
    let mut change = since(&b, None).change("aa").clone();
    change["hlc"]["ts"] = (change["hlc"]["ts"].as_i64().unwrap() + 1000).into();
    take(&b, &[change]);
    assert_eq!(status(&b)["forks"], 1);
}

/// A row that the late node could not show, as the new column was to hold a NOT NULL value, comes with the rename.
#[test]
fn a_row_that_waited_for_the_rename() {
    let [a, b] =
        nodes(["a", "b"], "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a TEXT NOT NULL); SELECT crdt_enable('t');");
    run(&a, "ALTER TABLE t RENAME COLUMN a TO b; SELECT crdt_enable('t'); INSERT INTO t VALUES ('1', 'x')");
    send(&a, &b);
    assert_eq!(table(&b, "t").len(), 0);
    run(&b, "ALTER TABLE t RENAME COLUMN a TO b; SELECT crdt_enable('t')");
    assert_eq!(table(&b, "t"), ["'1', 'x'"]);
    assert_eq!(rows(&b, "SELECT count(*) FROM crdt_pending()"), ["0"]);
    same(&a, &b, "t");
}

/// More columns than one word of the mask holds, renamed in one go, two of them swapped.
#[test]
fn many_columns_and_names_that_are_swapped() {
    let columns = (0..70).map(|i| format!("c{i}")).collect::<Vec<_>>().join(", ");
    let sql = format!("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, {columns}); SELECT crdt_enable('t');");
    let [a, b] = nodes(["a", "b"], &sql);
    run(&a, "INSERT INTO t(id, c3, c65, c69) VALUES ('1', 'three', 'sixty-five', 'sixty-nine')");
    send(&a, &b);
    let swap_names = "ALTER TABLE t RENAME COLUMN c3 TO tmp; ALTER TABLE t RENAME COLUMN c65 TO c3;
        ALTER TABLE t RENAME COLUMN tmp TO c65; ALTER TABLE t RENAME COLUMN c69 TO last;";
    run(&a, swap_names);
    run(&a, "UPDATE t SET c3 = 'was 65', last = 'was 69'");
    send(&a, &b);
    assert_eq!(rows(&b, "SELECT c3, c65, c69 FROM t"), ["'three', 'was 65', 'was 69'"]);
    same(&a, &b, "t");
    let place = mark(&a);
    run(&a, ENABLE);
    assert_eq!(since(&a, Some(&place)).changes.len(), 0);
    run(&b, swap_names);
    run(&b, ENABLE);
    same(&a, &b, "t");
    run(&b, "UPDATE t SET c3 = 'b', c65 = 'bb', last = 'bbb'");
    send(&b, &a);
    same(&a, &b, "t");
    assert_eq!(rows(&a, "SELECT c3, c65, last FROM t"), ["'b', 'bb', 'bbb'"]);
}

/// The alias ends where a column of the old name exists again.
#[test]
fn a_new_column_under_the_old_name() {
    let [a, b] = nodes(["a", "b"], "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a); SELECT crdt_enable('t');");
    run(&a, "INSERT INTO t VALUES ('1', 'x')");
    send(&a, &b);
    run(&a, "ALTER TABLE t RENAME COLUMN a TO b; SELECT crdt_enable('t'); ALTER TABLE t ADD COLUMN a DEFAULT 'd'");
    run(&b, "UPDATE t SET a = 'for the new one'");
    // Not enabled yet: it is kept for the column, and not taken for the renamed one.
    send(&b, &a);
    assert_eq!(table(&a, "t"), ["'1', 'x', 'd'"]);
    run(&a, ENABLE);
    assert_eq!(table(&a, "t"), ["'1', 'x', 'for the new one'"]);
    run(&a, "UPDATE t SET b = 'bb', a = 'aa'");
    run(&b, "ALTER TABLE t RENAME COLUMN a TO b; SELECT crdt_enable('t'); ALTER TABLE t ADD COLUMN a DEFAULT 'd'; SELECT crdt_enable('t')");
    send(&a, &b);
    assert_eq!(table(&b, "t"), ["'1', 'bb', 'aa'"]);
    send(&b, &a);
    assert_eq!(table(&a, "t"), table(&b, "t"));
    assert_eq!(digest(&a, "t"), digest(&b, "t"));
    sound(&a);
    sound(&b);
}

/// A name that went through several, and back.
#[test]
fn renamed_again_and_back() {
    let [a, b] = nodes(["a", "b"], "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a); SELECT crdt_enable('t');");
    run(&a, "INSERT INTO t VALUES ('1', 'x')");
    send(&a, &b);
    for name in ["b", "c", "a"] {
        let now = rows(&a, "SELECT name FROM pragma_table_info('t') WHERE cid = 1")[0].trim_matches('\'').to_string();
        run(&a, &format!("ALTER TABLE t RENAME COLUMN {now} TO {name}; SELECT crdt_enable('t')"));
        run(&b, &format!("UPDATE t SET a = 'while it is {name} there'"));
        send(&b, &a);
        assert_eq!(table(&a, "t"), [format!("'1', 'while it is {name} there'")]);
    }
    same(&a, &b, "t");
    // Only the spelling: no alias, no new field.
    run(&a, "ALTER TABLE t RENAME COLUMN a TO A; SELECT crdt_enable('t'); UPDATE t SET A = 'spelled'");
    send(&a, &b);
    same(&a, &b, "t");
}

/// Key columns: the wire does not name them.
#[test]
fn renamed_key_columns() {
    for ddl in [
        "CREATE TABLE t(k, l TEXT, v, n INTEGER, PRIMARY KEY (l, k))",
        "CREATE TABLE t(k, l TEXT, v, n INTEGER, PRIMARY KEY (l, k)) WITHOUT ROWID",
    ] {
        let [a, b] = nodes(["a", "b"], &format!("{ddl}; SELECT crdt_enable('t', 'n:counter');"));
        run(&a, "INSERT INTO t VALUES (1, 'x', 'v', 2); ALTER TABLE t RENAME COLUMN k TO \"key k\"; ALTER TABLE t RENAME COLUMN v TO w");
        run(&a, "UPDATE t SET w = 'w', n = n + 1; INSERT INTO t VALUES (2, 'y', 'z', 0)");
        send(&a, &b);
        same(&a, &b, "t");
        run(&a, ENABLE);
        run(&a, "UPDATE t SET \"key k\" = 3 WHERE \"key k\" = 2; UPDATE OR REPLACE t SET n = 9");
        run(&b, "UPDATE t SET v = 'from b' WHERE k = 1");
        send(&b, &a);
        send(&a, &b);
        assert_eq!(rows(&a, "SELECT * FROM t ORDER BY 1"), ["1, 'x', 'from b', 9", "3, 'y', 'z', 9"]);
        run(
            &b,
            "ALTER TABLE t RENAME COLUMN k TO \"key k\"; ALTER TABLE t RENAME COLUMN v TO w; SELECT crdt_enable('t')",
        );
        same(&a, &b, "t");
    }
}

/// Unique columns and expressions, renamed: the triggers that watch them go on.
#[test]
fn renamed_unique_columns() {
    let sql = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, e TEXT UNIQUE, f TEXT);
        CREATE UNIQUE INDEX low ON t(lower(f)) WHERE f <> 'none'; SELECT crdt_enable('t');";
    let [a, b] = nodes(["a", "b"], sql);
    run(&a, "INSERT INTO t VALUES ('1', 'e', 'F'), ('2', 'ee', 'FF')");
    send(&a, &b);
    run(&a, "SELECT crdt_alter('t', 'RENAME COLUMN e TO mail'), crdt_alter('t', 'RENAME COLUMN f TO \"first name\"')");
    run(&a, "INSERT OR REPLACE INTO t VALUES ('3', 'e', 'x'); INSERT OR REPLACE INTO t VALUES ('4', 'y', 'ff')");
    assert_eq!(rows(&a, "SELECT id FROM t ORDER BY 1"), ["'3'", "'4'"]);
    sound(&a);
    // The same by plain ALTER TABLE, also before the triggers are made anew.
    run(&b, "ALTER TABLE t RENAME COLUMN e TO mail; ALTER TABLE t RENAME COLUMN f TO \"first name\"");
    run(&b, "INSERT INTO t VALUES ('5', 'five', 'V'), ('6', 'six', 'VI'); INSERT OR REPLACE INTO t VALUES ('7', 'five', 'vi')");
    sound(&b);
    run(&b, "SELECT crdt_enable('t')");
    swap(&a, &b);
    same(&a, &b, "t");
    assert_eq!(rows(&b, "SELECT id FROM t ORDER BY 1"), ["'3'", "'4'", "'7'"]);
}

/// A column of type none: there is no trigger that would tell, so crdt_enable warns.
#[test]
fn a_renamed_column_that_is_not_synced() {
    let a = node("a", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, mine, v); SELECT crdt_enable('t', 'mine:none');");
    run(&a, "INSERT INTO t VALUES ('1', 'secret', 'v'); ALTER TABLE t RENAME COLUMN mine TO still_mine");
    let told = text(&a, "SELECT crdt_enable('t', 'still_mine:none')", []);
    assert!(told.contains("\"warnings\":[]"), "{told}");
    run(&a, "ALTER TABLE t RENAME COLUMN still_mine TO theirs");
    let told = text(&a, "SELECT crdt_enable('t')", []);
    assert!(told.contains("'theirs' is new here") && told.contains("'still_mine', of type none"), "{told}");
}

/// A client without the extension renames, runs the script of crdt_schema, and writes on.
#[test]
fn a_script_of_crdt_schema_renames_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let b = node("b", PARTS);
    {
        let a = file_node(&path, "a", PARTS);
        run(&a, "INSERT INTO t VALUES ('1', 'x', 1, '[\"p\"]', 0)");
        send(&a, &b);
        run(&b, RENAME);
        run(&b, ENABLE);
        run(&b, "UPDATE t SET aa = 'from b', nn = nn + 5");
        send(&b, &a);
    }
    let bare = Connection::open(&path).unwrap();
    run(&bare, RENAME);
    run(&bare, "UPDATE t SET nn = nn + 1");
    drop(bare);
    let script = {
        let a = crate::common::open_file(&path);
        text(&a, "SELECT crdt_schema('t')", [])
    };
    let bare = Connection::open(&path).unwrap();
    run(&bare, &script);
    run(&bare, "UPDATE t SET nn = nn + 10");
    drop(bare);
    let a = crate::common::open_file(&path);
    send(&a, &b);
    send(&b, &a);
    assert_eq!(rows(&a, "SELECT aa, nn FROM t"), ["'from b', 17"]);
    same(&a, &b, "t");
    assert_eq!(text(&a, "SELECT crdt_schema('t')", []), "");
}

/// What a peer sent under the new name is shown once the column has it here: as in a merge, what triggers do about that is put back.
#[test]
fn what_triggers_write_as_a_renamed_column_is_shown_is_put_back() {
    let sql = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v); CREATE TABLE u(id TEXT PRIMARY KEY NOT NULL, n);
               SELECT crdt_enable('t'), crdt_enable('u')";
    let [a, b] = nodes(["a", "b"], sql);
    run(&a, "CREATE TRIGGER g AFTER UPDATE ON t BEGIN UPDATE u SET n = n || '!' WHERE id = 'u'; END");
    let keys: Vec<String> = (1..20).map(|i| format!("('{i}', 'x')")).collect();
    run(&a, &format!("INSERT INTO t VALUES {}; INSERT INTO u VALUES ('u', 'n')", keys.join(",")));
    send(&a, &b);
    let rename = "ALTER TABLE t RENAME COLUMN v TO w; SELECT crdt_enable('t')";
    run(&b, &format!("{rename}; UPDATE t SET w = 'new'"));
    send(&b, &a);
    run(&a, rename);
    swap(&a, &b);
    for node in [&a, &b] {
        assert_eq!(rows(node, "SELECT n, (SELECT count(*) FROM t WHERE w = 'new') FROM u"), ["'n', 19"]);
        sound(node);
    }
    same(&a, &b, "t");
    same(&a, &b, "u");
}
