//! What is done under faults, and on which database: every function, and plain writes to an enabled table.

/// The database that a work begins with; `originals.rs` makes them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum On {
    /// Folded state, an unfolded tail, a deleted record, one that waits, a payload to merge.
    Usual,
    /// Hooks, filters, a peer that has pulled, a record that waits for a unique value, an epitaph, a column renamed but not enabled.
    Rich,
    /// The usual one in UTF-16: text that is read must be converted.
    Utf16,
    /// Tables of the application's only.
    Bare,
    /// A database of an earlier format.
    Format(i64),
}

/// Something to be done: a name, the database, and steps, each of which is done as a whole or not at all.
pub struct Work {
    pub name: &'static str,
    pub on: On,
    pub steps: &'static [&'static str],
}

const fn on(on: On, name: &'static str, steps: &'static [&'static str]) -> Work {
    Work { name, on, steps }
}

const fn usual(name: &'static str, steps: &'static [&'static str]) -> Work {
    on(On::Usual, name, steps)
}

const fn rich(name: &'static str, steps: &'static [&'static str]) -> Work {
    on(On::Rich, name, steps)
}

/// What is done under faults.
pub const WORK: &[Work] = &[
    // Plain writes.
    usual("insert", &["INSERT INTO tasks VALUES ('n1', 'new', 1, '[\"x\"]')"]),
    usual("update", &["UPDATE tasks SET title = 'u', votes = votes + 1, tags = '[]' WHERE id < 't3'"]),
    usual("delete", &["DELETE FROM tasks WHERE id = 't2'"]),
    usual("key", &["UPDATE tasks SET id = 'moved' WHERE id = 't1'"]),
    usual("replace", &["REPLACE INTO tasks VALUES ('t4', 'again', 4, '[]'), ('t9', 'x', 1, NULL)"]),
    usual(
        "transaction",
        &["BEGIN; INSERT INTO tasks(id) VALUES ('a'), ('b'); DELETE FROM tasks WHERE id = 'a'; UPDATE tasks SET votes = 0; COMMIT"],
    ),
    usual(
        "savepoint",
        &["BEGIN; SAVEPOINT s; DELETE FROM tasks; ROLLBACK TO s; UPDATE tasks SET title = 's'; RELEASE s; SELECT crdt_merge((SELECT json FROM inbox)); COMMIT"],
    ),
    rich("replace another", &["REPLACE INTO people VALUES (9, 'a@x', 'Ann again')"]),
    // Setting up.
    on(On::Bare, "first enable", &["SELECT crdt_enable('tasks', 'votes:counter', 'tags:set')"]),
    on(On::Bare, "first node id", &["SELECT crdt_node_id('named')"]),
    on(On::Bare, "first hook", &["SELECT crdt_hook('h', 'after_inbound', 'SELECT :change')"]),
    on(On::Bare, "look at nothing", &["SELECT crdt_version(), crdt_status(), crdt_check(), crdt_pragma('format')"]),
    usual("enable", &["SELECT crdt_enable('plain', 'n:counter')"]),
    usual("enable again", &["BEGIN; ALTER TABLE tasks ADD COLUMN more DEFAULT 1; SELECT crdt_enable('tasks'); COMMIT"]),
    usual("another type", &["SELECT crdt_enable('tasks', 'votes:lww')"]),
    rich("enable renamed", &["SELECT crdt_enable('renamed')"]),
    usual("disable", &["SELECT crdt_disable('tasks')"]),
    usual("disable and enable", &["SELECT crdt_disable('tasks')", "UPDATE tasks SET title = 'unseen'", "SELECT crdt_enable('tasks')"]),
    usual("purge", &["SELECT crdt_disable('tasks', 'purge')"]),
    usual("alter", &["SELECT crdt_alter('tasks', 'DROP COLUMN votes')"]),
    usual("alter add", &["SELECT crdt_alter('tasks', 'ADD COLUMN more')"]),
    rich("alter rename", &["SELECT crdt_alter('people', 'RENAME COLUMN name TO called')"]),
    rich("alter the name", &["SELECT crdt_alter('people', 'RENAME TO persons')"]),
    usual("schema", &["SELECT crdt_schema('plain')"]),
    usual("node", &["SELECT crdt_node_id()"]),
    usual("fork", &["SELECT crdt_fork()"]),
    usual("pragma", &["SELECT crdt_pragma('max_drift', '1m')"]),
    usual("read pragma", &["SELECT crdt_pragma('max_drift'), crdt_pragma('hlc'), crdt_pragma('node_id')"]),
    rich("conflict log", &["SELECT crdt_pragma('conflict_log', 0)"]),
    // Exchange.
    usual("now", &["SELECT crdt_now()"]),
    usual("cursor", &["SELECT crdt_cursor()"]),
    usual("export", &["SELECT crdt_changes_since(NULL)"]),
    usual("export compact", &["SELECT crdt_changes_since(NULL, NULL, NULL, '{\"format\":\"compact\"}')"]),
    rich("export filtered", &["SELECT crdt_changes_since(NULL)"]),
    usual("merge", &["SELECT crdt_merge((SELECT json FROM inbox))"]),
    usual("merge compact", &["SELECT crdt_merge(crdt_convert((SELECT json FROM inbox), 'compact'))"]),
    rich("merge with hooks", &["SELECT crdt_merge((SELECT json FROM inbox))"]),
    usual("push", &["SELECT crdt_push('{\"node_id\":\"p\",\"changes\":' || (SELECT json ->> '$.changes' FROM inbox) || '}')"]),
    usual(
        "push from a place",
        &["SELECT crdt_push('{\"node_id\":\"p\",\"tables\":[\"tasks\"],\"since\":{\"ts\":0,\"c\":0,\"node\":\"\"},\"changes\":' || (SELECT json ->> '$.changes' FROM inbox) || '}')"],
    ),
    rich(
        "push operations",
        &["SELECT crdt_push('{\"node_id\":\"p\",\"changes\":' || (SELECT json ->> '$.changes' FROM inbox) || '}', '{\"counters\":\"operations\"}')"],
    ),
    usual("pull", &["SELECT crdt_pull('{\"node_id\":\"p\"}')"]),
    // What a filter lets through is worked out, and noted, before who asked for it: the first step does the one alone.
    rich(
        "pull on",
        &[
            "SELECT crdt_pull('{\"tables\":null}', '{\"filter\":{\"people\":\"name <> ''Ann''\"}}')",
            "SELECT crdt_pull('{\"node_id\":\"p\",\"since\":' || (SELECT cursor FROM inbox) || '}', '{\"filter\":{\"people\":\"name <> ''Ann''\"}}')",
        ],
    ),
    usual("own news", &["SELECT crdt_merge((SELECT replace(json, '\"peer\"', '\"a\"') FROM inbox))"]),
    rich("filter", &["SELECT crdt_filter('people', 'name IS NOT NULL')", "SELECT crdt_changes_since(NULL)"]),
    rich("lift the filter", &["SELECT crdt_filter('tasks', NULL)", "SELECT crdt_filter('tasks')"]),
    rich("left", &["SELECT crdt_merge((SELECT left FROM inbox))"]),
    usual("hook", &["SELECT crdt_hook('h', 'after_inbound', 'SELECT :change')"]),
    rich("unhook", &["SELECT crdt_unhook('upper')"]),
    usual(
        "resync",
        &["BEGIN; SELECT crdt_disable('tasks', 'purge'); DELETE FROM tasks; SELECT crdt_enable('tasks', 'votes:counter', 'tags:set'); COMMIT",
          "SELECT crdt_merge((SELECT json FROM inbox))"],
    ),
    // Looking, and cleaning up.
    usual("inspect", &["SELECT crdt_inspect('tasks', 't1'), crdt_state('tasks', 't1')"]),
    usual("digest", &["SELECT crdt_digest('tasks', 'full')"]),
    usual("cleanup", &["SELECT crdt_cleanup_tombstones()"]),
    rich("epitaphs", &["SELECT crdt_cleanup_tombstones('tasks', 'epitaphs')"]),
    usual("retry", &["SELECT crdt_retry()"]),
    rich("retry what waits", &["DROP INDEX emails", "SELECT crdt_retry()"]),
    usual("status", &["SELECT crdt_status()"]),
    rich("status of all", &["SELECT crdt_status()"]),
    usual("check", &["SELECT crdt_check()"]),
    rich("check of all", &["SELECT crdt_check()"]),
    usual("changes", &["SELECT count(*) FROM crdt_changes(NULL, NULL)"]),
    rich("tables", &["SELECT * FROM crdt_tables(), crdt_fields('tasks')"]),
    rich("pending", &["SELECT (SELECT count(*) FROM crdt_pending()), (SELECT count(*) FROM crdt_peers()), (SELECT count(*) FROM crdt_conflicts())"]),
    usual("view", &["SELECT count(*) FROM _tasks_crdt"]),
    // Text of another encoding.
    on(On::Utf16, "export UTF-16", &["SELECT crdt_changes_since(NULL)"]),
    on(On::Utf16, "merge into UTF-16", &["SELECT crdt_merge((SELECT json FROM inbox))"]),
    on(On::Utf16, "fold and forget in UTF-16", &["UPDATE tasks SET id = 'né' || id, title = NULL", "SELECT crdt_cleanup_tombstones()"]),
    on(On::Utf16, "look at UTF-16", &["SELECT crdt_inspect('tasks', 't1'), crdt_digest('tasks', 'full'), crdt_check()"]),
    // Earlier formats.
    on(On::Format(1), "upgrade from 1", &["SELECT crdt_cursor()"]),
    on(On::Format(1), "upgrade by a merge", &["SELECT crdt_merge('[]')"]),
    on(On::Format(2), "open format 2", &["SELECT crdt_digest('tasks')"]),
];
