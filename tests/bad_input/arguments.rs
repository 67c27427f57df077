//! Wrong numbers and types of arguments, tables that cannot be what is asked, writes that a column cannot take.

use super::target::Target;

/// Statements that must fail: the function that the message names, then the call, one a line.
const CALLS: &str = "
crdt_version(1)
crdt_node_id(1)
crdt_node_id(NULL)
crdt_node_id('')
crdt_node_id('a~b')
crdt_node_id('_base')
crdt_node_id(x'61')
crdt_node_id('new')
crdt_node_id('a', 'b')
crdt_node_id(printf('%.256c', 'n'))
crdt_node_id('a' || char(0))
crdt_node_id(CAST(x'ff' AS TEXT))
crdt_sync()
crdt_sync('http://127.0.0.1:9/sync')
crdt_sync('http://127.0.0.1:9/sync', '{}', 1)
crdt_fork(1)
crdt_enable()
crdt_enable(NULL)
crdt_enable(7)
crdt_enable(x'00')
crdt_enable('')
crdt_enable('nothing')
crdt_enable('keyless')
crdt_enable('seen')
crdt_enable('words')
crdt_enable('words_data')
crdt_enable('passing')
crdt_enable('away')
crdt_enable('other.away')
crdt_enable('sqlite_schema')
crdt_enable('sqlite_master')
crdt_enable('_crdt_mine')
crdt_enable('_crdt_log')
crdt_enable('_tasks_crdt')
crdt_enable('reserved')
crdt_enable('hidden', 'kept:none')
crdt_enable('plain', NULL)
crdt_enable('plain', 7)
crdt_enable('plain', '')
crdt_enable('plain', 'v')
crdt_enable('plain', 'v:')
crdt_enable('plain', ':counter')
crdt_enable('plain', 'v:nonsense')
crdt_enable('plain', 'v:Counter:x')
crdt_enable('plain', 'w:counter')
crdt_enable('plain', 'id:counter')
crdt_enable('plain', 'v:counter', 'v:set')
crdt_enable('plain', 'v:counter', 'w:set')
crdt_schema()
crdt_schema(NULL)
crdt_schema('nothing')
crdt_schema('plain', 'v:nonsense')
crdt_disable()
crdt_disable(NULL)
crdt_disable('nothing')
crdt_disable('plain')
crdt_disable('tasks', 'everything')
crdt_disable('tasks', 7)
crdt_disable('tasks', 'purge', 1)
crdt_pragma()
crdt_pragma(NULL)
crdt_pragma(7)
crdt_pragma('')
crdt_pragma('nothing')
crdt_pragma('nothing', 1)
crdt_pragma('hlc', 1)
crdt_pragma('node_id', 'b')
crdt_pragma('format', 2)
crdt_pragma('tombstone_ttl', 'soon')
crdt_pragma('tombstone_ttl', '')
crdt_pragma('tombstone_ttl', '-1s')
crdt_pragma('tombstone_ttl', -1)
crdt_pragma('tombstone_ttl', '7 weeks')
crdt_pragma('tombstone_ttl', '99999999999999999999d')
crdt_pragma('tombstone_ttl', x'37')
crdt_pragma('max_drift', 'd')
crdt_pragma('max_drift', '1.5.5h')
crdt_pragma('max_drift', 9e999)
crdt_pragma('max_drift', 9223372036854775807)
crdt_pragma('page_bytes', -1)
crdt_pragma('page_bytes', 'many')
crdt_pragma('page_bytes', 1.5)
crdt_pragma('max_value_bytes', 0)
crdt_pragma('max_value_bytes', '1 MiB')
crdt_pragma('max_key_bytes', 65537)
crdt_pragma('max_push_changes', 0)
crdt_pragma('max_push_changes', NULL)
crdt_pragma('a', 'b', 'c')
crdt_hook()
crdt_hook('h', 'before_inbound')
crdt_hook(NULL, 'before_inbound', 'SELECT :change')
crdt_hook('', 'before_inbound', 'SELECT :change')
crdt_hook(7, 'before_inbound', 'SELECT :change')
crdt_hook(printf('%.256c', 'h'), 'before_inbound', 'SELECT :change')
crdt_hook('a' || char(0), 'before_inbound', 'SELECT :change')
crdt_hook('h', NULL, 'SELECT :change')
crdt_hook('h', 'inbound', 'SELECT :change')
crdt_hook('h', 'before_inbound', NULL)
crdt_hook('h', 'before_inbound', x'00')
crdt_hook('h', 'before_inbound', '')
crdt_hook('h', 'before_inbound', 'SELECT :nothing')
crdt_hook('h', 'before_inbound', 'SELECT :change' || char(0) || '; DELETE FROM tasks')
crdt_hook('h', 'before_inbound', 'DELETE FROM tasks')
crdt_hook('h', 'before_inbound', 'SELECT :change', 7)
crdt_hook('h', 'before_inbound', 'SELECT :change', x'2a')
crdt_hook('h', 'before_inbound', 'SELECT :change', CAST(x'ff' AS TEXT))
crdt_hook('h', 'before_inbound', 'SELECT :change', '*', 1)
crdt_unhook()
crdt_unhook(NULL)
crdt_unhook('nothing')
crdt_unhook('a', 'b')
crdt_now(1)
crdt_cursor(1)
crdt_changes_since()
crdt_changes_since(7)
crdt_changes_since(1.5)
crdt_changes_since(x'ff')
crdt_changes_since('')
crdt_changes_since(NULL, 7)
crdt_changes_since(NULL, x'00')
crdt_changes_since(NULL, 'nothing')
crdt_changes_since(NULL, NULL, -1)
crdt_changes_since(NULL, NULL, 0)
crdt_changes_since(NULL, NULL, 'ten')
crdt_changes_since(NULL, NULL, 1.5)
crdt_changes_since(NULL, NULL, NULL, 7)
crdt_changes_since(NULL, NULL, NULL, json_object('format', 'tiny'))
crdt_changes_since(NULL, NULL, NULL, NULL, NULL)
crdt_merge()
crdt_merge(NULL)
crdt_merge(7)
crdt_merge(1.5)
crdt_merge('[]', '[]')
crdt_convert()
crdt_convert('[]')
crdt_convert('[]', NULL)
crdt_convert('[]', 7)
crdt_convert('[]', 'tiny')
crdt_convert(NULL, 'compact')
crdt_convert(7, 'compact')
crdt_convert('', 'compact')
crdt_convert('{}', 'grove')
crdt_convert('[{}]', 'compact')
crdt_convert('[]', 'grove', 0)
crdt_convert('[]', 'grove', 'much')
crdt_convert('[]', 'grove', 1, 1)
crdt_pull('{}', json_object('end', 1))
crdt_pull(json_object('since', json_object('ts', 1, 'c', 0, 'node', '')), json_object('end', json('true')))
crdt_pull()
crdt_pull(NULL)
crdt_pull(7)
crdt_pull('{}', '{}', '{}')
crdt_pull('{}', '')
crdt_pull('{}', 7)
crdt_pull('{}', '[]')
crdt_pull('{}', 7)
crdt_pull('{}', json_object('format', 'tiny'))
crdt_pull('{}', json_object('filter', json_object('nothing', '1')))
crdt_pull('{}', json_object('filter', json_object('tasks', '1; 2')))
crdt_pull('{}', '{}', 1)
crdt_filter()
crdt_filter(NULL)
crdt_filter(7)
crdt_filter('nothing')
crdt_filter('nothing', '1')
crdt_filter('tasks', 7)
crdt_filter('tasks', x'31')
crdt_filter('tasks', '')
crdt_filter('tasks', '1) OR (1')
crdt_filter('tasks', '(SELECT 1)')
crdt_filter('tasks', 'nothing')
crdt_filter('tasks', '1', 2)
crdt_push()
crdt_push(NULL)
crdt_push(7)
crdt_push('{\"node_id\":\"x\",\"changes\":[]}', 7)
crdt_push('{}', '{}', '{}')
crdt_inspect()
crdt_inspect('tasks')
crdt_inspect(NULL, 't1')
crdt_inspect('tasks', NULL)
crdt_inspect('nothing', 't1')
crdt_inspect('plain', 't1')
crdt_inspect('tasks', 't1', 1)
crdt_state('nothing', 't1')
crdt_state('tasks', 't1', 'incoming')
crdt_state('tasks', 't1', 'coming')
crdt_state('tasks', 't1', 1)
crdt_state('tasks', NULL)
crdt_state('tasks')
crdt_digest()
crdt_digest(NULL)
crdt_digest('nothing')
crdt_digest('plain')
crdt_digest('tasks', 'half')
crdt_digest('tasks', 'full', 1)
crdt_cleanup_tombstones('nothing')
crdt_cleanup_tombstones('plain')
crdt_cleanup_tombstones(7)
crdt_cleanup_tombstones('tasks', 'what')
crdt_status(1)";

/// Reads of table-valued functions that must fail, one a line.
const TABLES: &str = "
crdt_changes(7, NULL)
crdt_changes('x', NULL)
crdt_changes(NULL, 7)
crdt_changes(NULL, 'nothing')
crdt_changes(NULL, NULL, NULL)
crdt_fields('nothing')
crdt_fields(7)
crdt_fields('tasks', 1)
crdt_tables(1)
crdt_peers(1)
crdt_pending(1)";

/// Writes to an enabled table that its columns cannot take, one a line.
const WRITES: &str = "
INSERT INTO tasks(id) VALUES (NULL)
INSERT INTO tasks(id, priority) VALUES ('n', 'many')
INSERT INTO tasks(id, priority) VALUES ('n', 1.5)
INSERT INTO tasks(id, priority) VALUES ('n', 9e999)
INSERT INTO tasks(id, priority) VALUES ('n', x'01')
UPDATE tasks SET priority = 'many'
UPDATE tasks SET priority = 9223372036854775807 + 1
INSERT INTO tasks(id, tags) VALUES ('n', 'home')
INSERT INTO tasks(id, tags) VALUES ('n', '{}')
INSERT INTO tasks(id, tags) VALUES ('n', '\"home\"')
INSERT INTO tasks(id, tags) VALUES ('n', '')
INSERT INTO tasks(id, tags) VALUES ('n', '[')
INSERT INTO tasks(id, tags) VALUES ('n', '[1')
INSERT INTO tasks(id, tags) VALUES ('n', x'00')
UPDATE tasks SET tags = '7'
UPDATE tasks SET id = NULL
INSERT OR REPLACE INTO tasks(id, tags) VALUES ('t1', 'home')
INSERT INTO _tasks_crdt VALUES ('t1', 'title', 1, 0, 'x', 0, NULL)
UPDATE _tasks_crdt SET hlc_ts = 0
DELETE FROM _tasks_crdt";

#[test]
fn wrong_arguments() {
    let mut target = Target::new();
    // Where crdt_sync is built in, it tries, and notes that it tried: tests/remote.rs.
    let tries = |call: &&str| cfg!(feature = "http") && *call == "crdt_sync('http://127.0.0.1:9/sync')";
    for call in CALLS.lines().skip(1).filter(|call| !tries(call)) {
        let function = call.split('(').next().unwrap();
        target.refuses(function, &format!("SELECT {call}"), &[]);
    }
    for call in TABLES.lines().skip(1) {
        let function = call.split('(').next().unwrap();
        target.refuses(function, &format!("SELECT * FROM {call}"), &[]);
    }
    target.finish(120);
}

#[test]
fn writes_that_a_column_cannot_take() {
    let mut target = Target::new();
    for sql in WRITES.lines().skip(1) {
        target.refuses("", sql, &[]);
    }
    target.finish(15);
}

/// A message says what was given and what was expected.
#[test]
fn messages_that_help() {
    let mut target = Target::new();
    for (call, parts) in [
        ("crdt_enable('plain', 'v:nonsense')", &["nonsense", "lww", "counter", "set"][..]),
        ("crdt_enable('plain', 'w:counter')", &["w", "plain"]),
        ("crdt_enable('keyless')", &["keyless", "PRIMARY KEY"]),
        ("crdt_enable('seen')", &["seen", "view"]),
        ("crdt_digest('plain')", &["plain", "enable"]),
        ("crdt_pragma('tombstone_ttl', 'soon')", &["tombstone_ttl", "soon"]),
        ("crdt_pragma('hlc', 1)", &["hlc", "read"]),
        ("crdt_changes_since(NULL, 'nothing')", &["nothing"]),
        ("crdt_node_id('new')", &["crdt_fork"]),
        ("crdt_merge('[{]')", &["JSON"]),
        ("crdt_version(1)", &["crdt_version()"]),
        ("crdt_disable('plain')", &["'plain' is not enabled: there is nothing to disable"]),
        ("crdt_disable('plain', 'x')", &["the word 'purge'", "not text 'x'"]),
        ("crdt_changes_since(NULL, NULL, -1)", &["an INTEGER above 0", "not integer -1"]),
        ("crdt_pull('{}', '{\"counters\":\"x\"}')", &["'totals'", "'operations'", "'none'"]),
        ("crdt_merge('{\"format\":\"zip\",\"changes\":[]}')", &["format 'zip' is not one of: grove, compact"]),
    ] {
        let function = call.split('(').next().unwrap();
        target.refuses_saying(function, &format!("SELECT {call}"), &[], parts);
    }
    target.finish(1);
}

/// Functions that write may not hide in a view.
#[test]
fn writers_hidden_in_a_view() {
    let mut target = Target::new();
    for function in ["merge", "enable", "fork", "pragma", "hook", "unhook", "cleanup_tombstones"] {
        target.refuses(&format!("crdt_{function}"), &format!("SELECT * FROM trap_{function}"), &[]);
    }
    target.finish(1);
}
