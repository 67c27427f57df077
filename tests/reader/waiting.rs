//! Records that wait: what happens to their cells, their children and what triggers make of them.

use super::family::{of, FAMILY};
use crate::support::{export, nodes, page, rows, run, same, send, sound, table, take};

#[test]
fn two_swapped_unique_values_take_no_children_with_them() {
    let [a, b] = nodes(["a", "b"], FAMILY);
    run(
        &a,
        "INSERT INTO parent(id, email) VALUES ('1', 'x'), ('2', 'y'); INSERT INTO child VALUES ('c', '1', 'hello')",
    );
    send(&a, &b);
    run(
        &a,
        "UPDATE parent SET email = 'z' WHERE id = '1'; UPDATE parent SET email = 'x' WHERE id = '2';
         UPDATE parent SET email = 'y' WHERE id = '1'",
    );
    send(&a, &b);
    assert_eq!(table(&b, "parent"), ["'1', 0, 'y'", "'2', 0, 'x'"]);
    assert_eq!(table(&b, "child"), ["'c', '1', 'hello'"]);
    same(&a, &b, "child");
}

#[test]
fn what_triggers_do_when_a_waiting_record_is_shown_is_put_back() {
    let sql = format!(
        "{FAMILY} CREATE TRIGGER counted AFTER INSERT ON child BEGIN UPDATE parent SET n = n + 1 WHERE id = new.p; END;"
    );
    let [a, b] = nodes(["a", "b"], &sql);
    run(&a, "INSERT INTO parent(id) VALUES ('1'); INSERT INTO child VALUES ('c', '1', 'hello')");
    let changes = page(&export(&a)).changes;
    take(&b, &of(&changes, "child"));
    take(&b, &of(&changes, "parent"));
    same(&a, &b, "child");
    same(&a, &b, "parent");
}

#[test]
fn a_waiting_cell_is_no_local_write_when_its_table_is_enabled_again() {
    let [a, b] = nodes(["a", "b"], FAMILY);
    run(&a, "INSERT INTO parent(id, email) VALUES ('2', 'old')");
    send(&a, &b);
    run(&b, "INSERT INTO parent(id, email) VALUES ('1', 'x')");
    run(&a, "UPDATE parent SET email = 'x' WHERE id = '2'");
    send(&a, &b);
    run(&b, "SELECT crdt_disable('parent'); SELECT crdt_enable('parent')");
    let changes = page(&export(&b)).changes;
    let email = changes.iter().find(|c| c["pk"] == "2" && c["field"] == "email").unwrap();
    assert_eq!((&email["value"], &email["node_id"]), (&"x".into(), &"a".into()));
}

#[test]
fn a_local_write_to_a_waiting_record_leaves_its_other_cells_waiting() {
    let sql = "
        CREATE TABLE parent(id TEXT PRIMARY KEY NOT NULL);
        CREATE TABLE u(id TEXT PRIMARY KEY NOT NULL, p TEXT, n INTEGER DEFAULT 0);
        CREATE TRIGGER known BEFORE UPDATE OF p ON u WHEN new.p NOT IN (SELECT id FROM parent)
        BEGIN SELECT RAISE(ABORT, 'no such parent'); END;
        SELECT crdt_enable('parent'); SELECT crdt_enable('u', 'n:counter');";
    let [a, b] = nodes(["a", "b"], sql);
    run(&a, "INSERT INTO u VALUES ('2', NULL, 5)");
    send(&a, &b);
    run(&a, "INSERT INTO parent VALUES ('1'); UPDATE u SET p = '1', n = n + 3");
    let changes = page(&export(&a)).changes;
    take(&b, &of(&changes, "u"));
    assert_eq!(rows(&b, "SELECT pk FROM crdt_pending()"), ["'2'"]);
    run(&b, "UPDATE u SET n = n + 1");
    sound(&b);
    take(&b, &of(&changes, "parent"));
    assert_eq!(table(&b, "u"), ["'2', '1', 9"]);
    send(&b, &a);
    same(&a, &b, "u");
}

#[test]
fn children_of_a_row_that_gives_way_to_an_older_claim_wait_with_it() {
    let [a, b] = nodes(["a", "b"], FAMILY);
    run(&a, "INSERT INTO parent(id, email) VALUES ('1', 'x')");
    std::thread::sleep(std::time::Duration::from_millis(5));
    run(&b, "INSERT INTO parent(id, email) VALUES ('2', 'x'); INSERT INTO child VALUES ('c', '2', 'hello')");
    send(&a, &b);
    sound(&b);
    send(&b, &a);
    same(&a, &b, "parent");
    same(&a, &b, "child");
    run(&a, "DELETE FROM parent WHERE id = '1'");
    send(&a, &b);
    send(&b, &a);
    assert_eq!(table(&b, "child"), ["'c', '2', 'hello'"]);
    same(&a, &b, "parent");
    same(&a, &b, "child");
}
