//! One node: a database file with two tables full of constraints, and its columns as they are called by now.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::common::{load, text};
use crate::support::script::Script;
use crate::support::{clock, merge, rows, run, sound, try_run};

/// The tables as they begin. Rivals for a value of the unique index are all inside of a filter over `grp`, or all outside.
const TABLES: &str = "
    PRAGMA foreign_keys = ON;
    CREATE TABLE parent(id TEXT PRIMARY KEY NOT NULL, name TEXT);
    CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, grp INTEGER, code TEXT, note TEXT DEFAULT 'n', n INTEGER, s TEXT,
      p TEXT REFERENCES parent(id) ON DELETE CASCADE, gone TEXT, low INTEGER DEFAULT 0, high INTEGER DEFAULT 0, CHECK (low <= high));
    CREATE UNIQUE INDEX codes ON t(grp, code);
    CREATE TABLE audit(name TEXT, pk TEXT, field TEXT, value);
    SELECT crdt_enable('parent'); SELECT crdt_enable('t', 'n:counter', 's:set');";
/// The tables as they are in the end.
const GROWN: &str = "
    CREATE TABLE parent(id TEXT PRIMARY KEY NOT NULL, name TEXT);
    CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, team INTEGER, code TEXT, remark TEXT DEFAULT 'n', votes INTEGER, \"s 2\" TEXT,
      p TEXT REFERENCES parent(id) ON DELETE CASCADE, low INTEGER DEFAULT 0, high INTEGER DEFAULT 0, late DEFAULT 'none',
      tally INTEGER DEFAULT 0, CHECK (low <= high));
    CREATE UNIQUE INDEX codes ON t(team, code);
    SELECT crdt_enable('parent'); SELECT crdt_enable('t', 'votes:counter', 's 2:set', 'tally:counter')";
const PARENTS: &str = "INSERT INTO parent VALUES ('p0', 'zero'), ('p1', 'one')";
/// What a connection begins with.
pub const PRAGMAS: &str = "PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY";

/// What every node does to its table, in this order, sooner or later.
pub const STEPS: [&str; 7] = [
    "ALTER TABLE t RENAME COLUMN note TO remark; SELECT crdt_enable('t')",
    "ALTER TABLE t ADD COLUMN late DEFAULT 'none'; SELECT crdt_enable('t')",
    "ALTER TABLE t RENAME COLUMN n TO votes; SELECT crdt_enable('t')",
    "SELECT crdt_alter('t', 'DROP COLUMN gone')",
    "SELECT crdt_alter('t', 'RENAME COLUMN grp TO team')",
    "ALTER TABLE t ADD COLUMN tally INTEGER DEFAULT 0; SELECT crdt_enable('t', 'tally:counter')",
    "ALTER TABLE t RENAME COLUMN s TO \"s 2\"; SELECT crdt_enable('t')",
];

pub struct Node {
    pub conn: Connection,
    pub name: &'static str,
    path: PathBuf,
    /// How many of the steps it has done.
    pub step: usize,
    /// Its hook alters values.
    pub hooked: bool,
}

impl Node {
    pub fn new(dir: &Path, name: &'static str) -> Node {
        let node = Node::with(dir, name, TABLES);
        run(&node.conn, PARENTS);
        node
    }

    /// The statements that make node `i`, for a script.
    pub fn tell(script: &mut Script, i: usize, name: &str) {
        script.open(i, true, PRAGMAS);
        script.clock(i, 1_700_000_000_000);
        script.line(i, &format!("SELECT crdt_node_id('{name}')"));
        script.line(i, TABLES.trim().trim_end_matches(';'));
        script.line(i, PARENTS);
    }

    /// A node that begins with the tables as they are in the end, and nothing in them.
    #[allow(dead_code)] // For the soak.
    pub fn empty(dir: &Path, name: &'static str) -> Node {
        Node { step: STEPS.len(), ..Node::with(dir, name, GROWN) }
    }

    fn with(dir: &Path, name: &'static str, tables: &str) -> Node {
        let path = dir.join(format!("{name}.db"));
        let node = Node { conn: connect(&path), name, path, step: 0, hooked: false };
        text(&node.conn, "SELECT crdt_node_id(?1)", [name]);
        run(&node.conn, tables);
        node
    }

    /// Closes the database and opens it again.
    pub fn reopen(&mut self) {
        let old = std::mem::replace(&mut self.conn, Connection::open_in_memory().unwrap());
        old.close().unwrap();
        self.conn = connect(&self.path);
    }

    /// All that the node knows, by a connection that cannot write.
    pub fn export_read_only(&self) -> String {
        let path = self.path.to_str().unwrap();
        let conn = Connection::open_with_flags_and_vfs(path, OpenFlags::SQLITE_OPEN_READ_ONLY, "settable").unwrap();
        load(&conn).unwrap();
        text(&conn, "SELECT crdt_changes_since(NULL)", [])
    }

    /// The next change of the schema; false when all are done.
    pub fn alter(&mut self) -> bool {
        let Some(step) = STEPS.get(self.step) else { return false };
        run(&self.conn, step);
        self.step += 1;
        true
    }

    /// A column by its first name.
    pub fn column(&self, first: &'static str) -> &'static str {
        match (first, self.step) {
            ("note", 1..) => "remark",
            ("n", 3..) => "votes",
            ("grp", 5..) => "team",
            ("s", 7..) => "\"s 2\"",
            ("late" | "tally", _) if !self.has(first) => self.column("note"),
            ("gone", 4..) => self.column("note"),
            _ => first,
        }
    }

    fn has(&self, column: &str) -> bool {
        match column {
            "late" => self.step >= 2,
            "tally" => self.step >= 6,
            _ => true,
        }
    }

    /// A local write: a refusal of the table's constraints is all that may go wrong.
    pub fn write(&self, sql: &str) {
        if let Err(error) = try_run(&self.conn, sql) {
            let _ = try_run(&self.conn, "ROLLBACK");
            assert!(error.contains("constraint failed"), "{}: {error}: {sql}", self.name);
        }
    }

    /// Takes changes, perhaps within a transaction of the application's.
    pub fn merge(&self, json: &str, within: bool) {
        if within {
            run(&self.conn, "BEGIN");
        }
        merge(&self.conn, json);
        if within {
            run(&self.conn, "COMMIT");
        }
    }

    /// Rows of both tables.
    pub fn rows(&self, condition: &str) -> Vec<String> {
        // A counter that nobody has written is its default in rows older than the column, NULL in rows that came by a merge.
        let columns = "id, team, code, remark, votes, \"s 2\", p, low, high, late, coalesce(tally, 0)";
        let mut all = rows(&self.conn, &format!("SELECT {columns} FROM t WHERE {condition} ORDER BY id"));
        all.extend(rows(&self.conn, "SELECT * FROM parent ORDER BY id"));
        all
    }

    /// Records and fields that wait.
    pub fn pending(&self) -> Vec<String> {
        rows(&self.conn, "SELECT \"table\", pk, field FROM crdt_pending() WHERE field IS NOT 'gone' ORDER BY 1, 2, 3")
    }

    /// What is kept of the column that was dropped.
    pub fn kept(&self) -> Vec<String> {
        rows(&self.conn, "SELECT * FROM crdt_pending() WHERE field = 'gone' ORDER BY 1, 2")
    }

    pub fn digest(&self) -> String {
        text(&self.conn, "SELECT crdt_digest('t') || crdt_digest('parent')", [])
    }

    /// Nothing in the database contradicts anything else, and all that can be read can be read.
    pub fn check(&self) {
        sound(&self.conn);
        assert_eq!(rows(&self.conn, "SELECT * FROM pragma_foreign_key_check"), [""; 0], "{}", self.name);
        assert_eq!(text(&self.conn, "SELECT json_extract(crdt_status(), '$.forks')", []), "0", "{}", self.name);
        for table in
            ["crdt_conflicts()", "crdt_pending()", "crdt_fields('t')", "crdt_tables()", "crdt_peers()", "_t_crdt"]
        {
            rows(&self.conn, &format!("SELECT * FROM {table}"));
        }
        let nameless = "SELECT * FROM crdt_conflicts() WHERE field = '' OR written = ''";
        assert_eq!(rows(&self.conn, nameless), [""; 0], "{}", self.name);
    }
}

fn connect(path: &Path) -> Connection {
    let conn = clock::open(path.to_str().unwrap());
    run(&conn, PRAGMAS);
    conn
}
