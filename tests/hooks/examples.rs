//! What hooks are for: tenants kept apart, an audit log.

use crate::common::text;
use crate::hook;
use crate::support::*;

/// The tenant is part of the key, as in docs/hooks.md: every change of a row names it, its delete too.
const ROOMS: &str =
    "CREATE TABLE rooms(tenant TEXT, id TEXT, title TEXT, guests INTEGER DEFAULT 0, tags TEXT DEFAULT '[]',
        PRIMARY KEY(tenant, id)) WITHOUT ROWID;
    SELECT crdt_enable('rooms', 'guests:counter', 'tags:set')";
const OURS: &str = "SELECT :change WHERE json_extract(:pk, '$[0]') = 'acme'";

const WRITES: &str = "INSERT INTO rooms VALUES ('acme', 'r1', 'blue', 2, '[1]'), ('acme', 'r2', 'red', 0, '[]'),
        ('umbrella', 'r1', 'hive', 9, '[2]'), ('umbrella', 'r2', 'lab', 0, '[]');
    UPDATE rooms SET title = title || '!'; DELETE FROM rooms WHERE id = 'r2'";

#[test]
fn a_tenant_gets_only_its_own_rows() {
    let [hub, acme] = nodes(["hub", "acme"], ROOMS);
    run(&hub, WRITES);
    hook(&acme, "tenant", "before_inbound", OURS);
    send(&hub, &acme);
    assert_eq!(table(&acme, "rooms"), ["'acme', 'r1', 'blue!', 2, '[1]'"]);
    // Deletes: its own arrives, others leave no trace.
    run(&hub, "DELETE FROM rooms");
    send(&hub, &acme);
    assert_eq!(table(&acme, "rooms"), [] as [&str; 0]);
    assert_eq!(rows(&acme, "SELECT count(*) FROM _crdt_clock"), ["2"]);
    assert!(!export(&acme).contains("umbrella"));
    sound(&acme);
}

#[test]
fn a_tenant_is_sent_only_its_own_rows() {
    let [hub, acme] = nodes(["hub", "acme"], ROOMS);
    run(&hub, WRITES);
    hook(&hub, "tenant", "before_outbound", OURS);
    send(&hub, &acme);
    assert_eq!(table(&acme, "rooms"), ["'acme', 'r1', 'blue!', 2, '[1]'"]);
    let sent = export(&hub);
    assert!(sent.contains("_tombstone") && !sent.contains("umbrella"), "{sent}");
    // What it writes itself goes to the hub, and nothing of it is left out on the way back.
    run(&acme, "UPDATE rooms SET guests = guests + 1; INSERT INTO rooms(tenant, id) VALUES ('acme', 'r3')");
    swap(&acme, &hub);
    assert_eq!(rows(&hub, "SELECT guests FROM rooms WHERE tenant = 'acme' ORDER BY id"), ["3", "0"]);
    text(&hub, "SELECT crdt_unhook('tenant')", []);
    run(&hub, "DELETE FROM rooms WHERE tenant = 'acme'");
    hook(&hub, "tenant", "before_outbound", OURS);
    send(&hub, &acme);
    assert_eq!(table(&acme, "rooms"), [] as [&str; 0]);
}

/// Both ways at both ends: what one tenant writes for another goes nowhere.
#[test]
fn a_tenant_cannot_write_for_another() {
    let [hub, acme] = nodes(["hub", "acme"], ROOMS);
    for event in ["before_inbound", "before_outbound"] {
        hook(&hub, event, event, OURS);
    }
    run(&hub, WRITES);
    run(&acme, "INSERT INTO rooms(tenant, id, title) VALUES ('umbrella', 'r1', 'taken over'), ('acme', 'r9', 'ours')");
    run(&acme, "INSERT INTO rooms(tenant, id) VALUES ('umbrella', 'r7'); DELETE FROM rooms WHERE id = 'r7'");
    send(&acme, &hub);
    assert_eq!(rows(&hub, "SELECT title FROM rooms WHERE tenant = 'umbrella'"), ["'hive!'"]);
    assert_eq!(rows(&hub, "SELECT title FROM rooms WHERE id = 'r9'"), ["'ours'"]);
}

/// The tenant in a column of its own: the way out asks crdt_state, which knows it of deleted rows as well.
#[test]
fn a_tenant_in_a_column() {
    let setup = "CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, tenant TEXT, body TEXT); SELECT crdt_enable('notes')";
    let [hub, acme] = nodes(["hub", "acme"], setup);
    run(&hub, "INSERT INTO notes VALUES ('n1', 'acme', 'a'), ('n2', 'umbrella', 'b'), ('n3', 'acme', 'c')");
    let ours = "SELECT :change WHERE json_extract(crdt_state(:table, :pk), '$.fields.tenant.value') = 'acme'";
    hook(&hub, "tenant", "before_outbound", ours);
    send(&hub, &acme);
    assert_eq!(table(&acme, "notes"), ["'n1', 'acme', 'a'", "'n3', 'acme', 'c'"]);
    run(&hub, "DELETE FROM notes WHERE id <> 'n3'");
    let page = since(&hub, None);
    assert!(page.fields().contains(&"n1._tombstone".to_owned()) && !page.json.contains("n2"), "{}", page.json);
    merge(&acme, &page.json);
    assert_eq!(table(&acme, "notes"), ["'n3', 'acme', 'c'"]);
}

/// The way in asks for the row's tenant: that of the row which is here, else of the row which is coming.
#[test]
fn a_tenant_in_a_column_on_the_way_in() {
    let setup = "CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, tenant TEXT, body TEXT, votes INTEGER);
        SELECT crdt_enable('notes', 'votes:counter')";
    let [hub, acme, thief] = nodes(["hub", "acme", "thief"], setup);
    let ours = "SELECT :change WHERE 'acme' = coalesce(
        json_extract(crdt_state(:table, :pk), '$.fields.tenant.value'),
        json_extract(crdt_state(:table, :pk, 'incoming'), '$.fields.tenant.value'))";
    hook(&acme, "tenant", "before_inbound", ours);
    run(&hub, "INSERT INTO notes VALUES ('n1', 'acme', 'a', 1), ('n2', 'umbrella', 'b', 2), ('n3', 'acme', 'c', 3), ('n4', NULL, 'd', 4)");
    let cursor = mark(&hub);
    send(&hub, &acme);
    assert_eq!(table(&acme, "notes"), ["'n1', 'acme', 'a', 1", "'n3', 'acme', 'c', 3"]);
    // Parts of rows that are here and of rows that are not; deletes of both.
    run(&hub, "UPDATE notes SET body = body || '!'; DELETE FROM notes WHERE id IN ('n2', 'n3')");
    merge(&acme, &since(&hub, Some(&cursor)).json);
    assert_eq!(table(&acme, "notes"), ["'n1', 'acme', 'a!', 1"]);
    assert_eq!(rows(&acme, "SELECT pk FROM _crdt_clock ORDER BY pk"), ["'n1'", "'n3'"]);
    // A row cannot be taken over by naming another tenant along with the write.
    hook(&hub, "tenant", "before_inbound", ours);
    run(&hub, "INSERT INTO notes VALUES ('n5', 'umbrella', 'ours', 0)");
    run(&thief, "INSERT INTO notes VALUES ('n5', 'acme', 'stolen', 9)");
    let answer = send(&thief, &hub);
    assert_eq!((&answer["merged"], &answer["skipped"]), (&0.into(), &3.into()));
    sound(&acme);
}

#[test]
fn an_audit_log() {
    let [a, b] = nodes(["a", "b"], TASKS);
    run(&a, "CREATE TABLE audit(at TEXT DEFAULT CURRENT_TIMESTAMP, node TEXT, tbl TEXT, pk TEXT, field TEXT, value)");
    hook(
        &a,
        "audit",
        "after_inbound",
        "INSERT INTO audit(node, tbl, pk, field, value) VALUES (:node_id, :table, :pk, :field, :value)",
    );
    run(&b, "INSERT INTO tasks VALUES ('t1', 'milk', 2, '[1]', 0); UPDATE tasks SET title = 'oat milk'");
    send(&b, &a);
    send(&b, &a);
    run(&b, "DELETE FROM tasks");
    send(&b, &a);
    run(&a, "INSERT INTO tasks(id) VALUES ('local')");
    let expected = [
        "'b', 'tasks', 't1', '_tombstone', NULL",
        "'b', 'tasks', 't1', 'done', 0",
        "'b', 'tasks', 't1', 'priority', '{\"inc\":2,\"dec\":0}'",
        "'b', 'tasks', 't1', 'tags', '{\"op\":\"add\",\"elements\":[1]}'",
        "'b', 'tasks', 't1', 'title', 'oat milk'",
    ];
    assert_eq!(rows(&a, "SELECT node, tbl, pk, field, value FROM audit ORDER BY field"), expected);
    assert_eq!(rows(&a, "SELECT count(*) FROM audit WHERE at IS NULL"), ["0"]);
}

/// A record that was forgotten: with all changes of the call it is made anew, and where a hook skips the one that makes it, what is
/// older than its delete stays forgotten.
#[test]
fn a_forgotten_record() {
    let forgotten = || {
        let a = node("a", TASKS);
        run(&a, "SELECT crdt_pragma('tombstone_ttl', 0)");
        take(&a, &[lww("title", (1, 0, "b"), "secret"), tombstone((2_000, 0, "c"))]);
        assert_eq!(text(&a, "SELECT crdt_cleanup_tombstones() || ''", []), "1");
        a
    };
    let a = forgotten();
    hook(
        &a,
        "ours",
        "before_inbound",
        "SELECT :change WHERE json_extract(crdt_state(:table, :pk, 'incoming'), '$.fields.title.value') = 'secret'",
    );
    take(&a, &[lww("title", (1, 0, "b"), "secret"), lww("done", (3_000, 0, "b"), 1)]);
    assert_eq!(rows(&a, "SELECT title, done FROM tasks"), ["'secret', 1"]);
    let a = forgotten();
    hook(&a, "no", "before_inbound", "SELECT :change WHERE :node_id <> 'stranger'");
    let answer = take(&a, &[lww("title", (1, 0, "b"), "secret"), lww("done", (3_000, 0, "stranger"), 1)]);
    assert_eq!((&answer["skipped"], &answer["unchanged"]), (&1.into(), &1.into()));
    assert!(!text(&a, "SELECT crdt_state('tasks', 't1')", []).contains("secret"));
    sound(&a);
}
