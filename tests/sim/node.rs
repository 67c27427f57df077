//! One node: a database with the extension, and its twin, a plain one that runs the same statements.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rusqlite::{params_from_iter, Connection};

use super::cell::Cell;
use super::clock;
use super::compare::{dump, normal, refused, Row};
use super::json::{parse, Json};
use super::model::Model;
use super::ops::NodeConfig;
use super::schema::{quote, Shape};
use super::wire::{Change, Export, Stamp};
use crate::common;

/// What came of a merge.
#[derive(Debug, PartialEq)]
pub struct Merged {
    pub merged: i128,
    pub pending: i128,
}

pub struct Node {
    pub id: String,
    pub config: NodeConfig,
    pub tables: Vec<&'static Shape>,
    pub edges: bool,
    /// All that this node exported or merged, but for what it put aside.
    pub known: Model,
    /// Merged, but stamped so far in the future that it need not be taken yet. It is when its time has come.
    pub aside: Vec<Change>,
    /// Whose stamps it may be the first to tell of: the nodes whose file it is a copy of.
    pub ancestors: Vec<String>,
    /// Own stamps that were exported, and the latest stamp that the next new one must exceed.
    pub own: BTreeSet<Stamp>,
    pub floor: Option<Stamp>,
    /// Wrote since its last whole export.
    pub dirty: bool,
    db: Option<Connection>,
    path: Option<PathBuf>,
    twin: Connection,
}

type Outcome<T = ()> = Result<T, String>;

pub fn text<E: ToString>(error: E) -> String {
    error.to_string()
}

impl Node {
    /// Opens a database with the case's tables, not enabled yet.
    pub fn new(id: &str, config: &NodeConfig, path: Option<PathBuf>, tables: &[&'static Shape]) -> Outcome<Node> {
        let twin = Connection::open_in_memory().map_err(text)?;
        let mut node = Node {
            id: id.to_string(),
            config: config.clone(),
            tables: tables.to_vec(),
            edges: false,
            known: Model::default(),
            aside: Vec::new(),
            ancestors: Vec::new(),
            own: BTreeSet::new(),
            floor: None,
            dirty: false,
            db: None,
            path,
            twin,
        };
        node.open()?;
        for shape in tables {
            node.run(shape.ddl)?;
            node.twin.execute_batch(shape.ddl).map_err(text)?;
            // SQLite checks a REPLACE in another way where a delete trigger may fire: under recursive_triggers it refuses some.
            let trigger = format!(
                "CREATE TRIGGER {} AFTER DELETE ON {} BEGIN SELECT 1; END",
                quote(&format!("twin {}", shape.table)),
                shape.quoted()
            );
            node.twin.execute_batch(&trigger).map_err(text)?;
        }
        let recursive = u8::from(node.config.recursive_triggers);
        let keys = u8::from(node.has_foreign_keys());
        let pragmas = format!("PRAGMA recursive_triggers={recursive}; PRAGMA foreign_keys={keys}");
        node.twin.execute_batch(&pragmas).map_err(text)?;
        Ok(node)
    }

    /// A node whose database is the file `path`, a copy of this one's.
    pub fn copy(&self, path: PathBuf, config: NodeConfig) -> Outcome<Node> {
        let mut node = Node::new(&self.id, &config, None, &self.tables)?;
        node.path = Some(path);
        node.config = config;
        node.db = None;
        node.open()?;
        node.edges = self.edges;
        node.known = self.known.clone();
        node.aside = self.aside.clone();
        node.floor = self.floor.clone();
        node.dirty = self.dirty;
        node.ancestors = self.ancestors.clone();
        node.ancestors.push(self.id.clone());
        node.reset_twin()?;
        Ok(node)
    }

    /// The same without its connection.
    pub fn closed(mut self) -> Node {
        self.db = None;
        self
    }

    /// After a fork: the id is another one. What its clock stood at stays below its next stamp.
    pub fn forked(&mut self) -> Outcome {
        let id = self.ask_text("SELECT crdt_node_id()", &[])?;
        if id == self.id {
            return Err(format!("{id}: a copied file has not taken an id of its own"));
        }
        self.id = id;
        self.own.clear();
        Ok(())
    }

    fn has_foreign_keys(&self) -> bool {
        self.tables.iter().any(|shape| shape.parent().is_some())
    }

    /// The table gains its later columns. False: it has them, or there are none.
    pub fn grow(&mut self) -> Outcome<Option<String>> {
        for i in 0..self.tables.len() {
            let Some((grown, alter)) = self.tables[i].grown else {
                continue;
            };
            self.twin.execute_batch(alter).map_err(text)?;
            self.tables[i] = grown;
            let sql = format!("{alter}; {}", grown.enable());
            self.run(&sql)?;
            return Ok(Some(sql));
        }
        Ok(None)
    }

    /// The statements that a connection of this node begins with.
    pub fn pragmas(&self) -> String {
        format!(
            "PRAGMA synchronous=OFF; PRAGMA journal_mode={}; PRAGMA foreign_keys={}; PRAGMA recursive_triggers={}; \
             PRAGMA trusted_schema={}",
            if self.config.wal { "WAL" } else { "DELETE" },
            u8::from(self.has_foreign_keys()),
            u8::from(self.config.recursive_triggers),
            u8::from(self.config.trusted_schema),
        )
    }

    fn open(&mut self) -> Outcome {
        let db = match &self.path {
            Some(path) => common::open_file(path),
            None => common::open(),
        };
        clock::take_chance(&db).map_err(text)?;
        db.set_prepared_statement_cache_capacity(60);
        db.execute_batch(&self.pragmas()).map_err(text)?;
        self.db = Some(db);
        Ok(())
    }

    /// Closes the file and opens it again; SQLite must not find statements of ours still open. In memory: nothing.
    pub fn reopen(&mut self) -> Outcome {
        if self.path.is_none() {
            return Ok(());
        }
        if let Some(db) = self.db.take() {
            db.close().map_err(|(_, e)| format!("closing: {e}"))?;
        }
        self.open()
    }

    pub fn db(&self) -> Outcome<&Connection> {
        self.db.as_ref().ok_or_else(|| "the node is closed".into())
    }

    /// Runs statements on the node alone.
    pub fn run(&self, sql: &str) -> Outcome {
        self.db()?.execute_batch(sql).map_err(|e| format!("{sql}: {e}"))
    }

    /// Runs a transaction's frame (BEGIN, SAVEPOINT, COMMIT …) on both.
    pub fn frame(&mut self, sql: &str) -> Outcome {
        self.run(sql)?;
        self.twin.execute_batch(sql).map_err(|e| format!("twin: {sql}: {e}"))?;
        self.same_as_twin()
    }

    /// The one value of a query.
    pub fn ask(&self, sql: &str, arguments: &[&str]) -> Outcome<Cell> {
        let ask = || {
            let mut statement = self.db()?.prepare_cached(sql).map_err(text)?;
            let mut rows = statement.query(params_from_iter(arguments)).map_err(text)?;
            let row = rows.next().map_err(text)?.ok_or("no row")?;
            let cell = Cell::of(row.get_ref(0).map_err(text)?);
            match rows.next() {
                Ok(None) => Ok(cell),
                Ok(Some(_)) => Err("more than one row".to_string()),
                Err(e) => Err(e.to_string()),
            }
        };
        ask().map_err(|e| format!("{}: {sql}: {e}", self.id))
    }

    pub fn ask_text(&self, sql: &str, arguments: &[&str]) -> Outcome<String> {
        match self.ask(sql, arguments)? {
            Cell::Text(bytes) => String::from_utf8(bytes).map_err(text),
            other => Err(format!("{sql} gave {other:?}, not text")),
        }
    }

    fn ask_json(&self, sql: &str, arguments: &[&str]) -> Outcome<Json> {
        parse(&self.ask_text(sql, arguments)?)
    }

    /// A local write. It must do what plain SQLite does, or be refused for what the contract refuses.
    /// With `plain` it runs on a connection of its own that knows nothing of the extension.
    pub fn write(&mut self, sql: &str, plain: bool) -> Outcome {
        let expected = self.write_twin(sql)?;
        self.dirty = true;
        let result = match (&self.path, plain) {
            (Some(path), true) => Connection::open(path)
                .and_then(|db| {
                    db.execute_batch(&self.pragmas())?;
                    db.execute(sql, [])
                })
                .map_err(text),
            _ => self.db()?.execute(sql, []).map_err(text),
        };
        match (expected, result) {
            (Ok(()), Err(e)) => Err(format!("{}: plain SQLite takes this, the node says: {e}: {sql}", self.id)),
            (Err(why), Ok(_)) => Err(format!("{}: should be refused ({why}): {sql}", self.id)),
            _ => self.same_as_twin(),
        }
    }

    /// Runs the statement on the twin: Err with the reason when the node must fail too.
    fn write_twin(&self, sql: &str) -> Outcome<Result<(), String>> {
        self.twin.execute_batch("SAVEPOINT sim_twin").map_err(text)?;
        let result = self.twin.execute(sql, []).map_err(text);
        let mut bad = None;
        for shape in &self.tables {
            let rows = dump(&self.twin, shape)?;
            bad = bad.or_else(|| rows.iter().find_map(|row| refused(shape, row)));
        }
        let end = if bad.is_some() { "ROLLBACK TO sim_twin; RELEASE sim_twin" } else { "RELEASE sim_twin" };
        self.twin.execute_batch(end).map_err(text)?;
        Ok(match bad {
            Some(why) => Err(why),
            None => result.map(|_| ()),
        })
    }

    /// Whether plain SQLite takes the statement and leaves a row whose foreign key names no parent.
    pub fn makes_orphans(&self, sql: &str) -> Outcome<bool> {
        if !self.has_foreign_keys() {
            return Ok(false);
        }
        self.twin.execute_batch("SAVEPOINT sim_try").map_err(text)?;
        let _refused = self.twin.execute(sql, []);
        let check = "SELECT EXISTS (SELECT 1 FROM pragma_foreign_key_check)";
        let found = self.twin.query_row(check, [], |row| row.get(0)).map_err(text);
        self.twin.execute_batch("ROLLBACK TO sim_try; RELEASE sim_try").map_err(text)?;
        found
    }

    /// The rows must be those of the twin. Then the twin takes over the node's bytes (canonical sets, rowids).
    pub fn same_as_twin(&mut self) -> Outcome {
        self.compare_with_twin(false)
    }

    /// The same after a call that folds, which may show a record that waited for a unique value or for its time.
    pub fn same_but_for_waiting(&mut self) -> Outcome {
        self.compare_with_twin(true)
    }

    fn compare_with_twin(&mut self, folded: bool) -> Outcome {
        for shape in self.tables.clone() {
            let mine = dump(self.db()?, shape)?;
            let twin = dump(&self.twin, shape)?;
            let view = |rows: &[Row]| -> BTreeSet<_> { rows.iter().map(|r| normal(shape, r, self.edges)).collect() };
            let strict = !folded || (!shape.is_constrained() && self.aside.is_empty());
            if strict && mine != twin && view(&mine) != view(&twin) {
                return Err(format!(
                    "{}: table {} shows\n  {mine:?}\nplain SQLite would show\n  {twin:?}",
                    self.id, shape.table
                ));
            }
            if mine != twin {
                self.copy_to_twin(shape, &mine)?;
            }
        }
        Ok(())
    }

    /// After a merge: the twin starts again from what the node shows.
    pub fn reset_twin(&mut self) -> Outcome {
        for shape in self.tables.clone() {
            let rows = dump(self.db()?, shape)?;
            if rows != dump(&self.twin, shape)? {
                self.copy_to_twin(shape, &rows)?;
            }
        }
        Ok(())
    }

    fn copy_to_twin(&self, shape: &Shape, rows: &[Row]) -> Outcome {
        let table = shape.quoted();
        let begin = "SAVEPOINT sim_copy; PRAGMA defer_foreign_keys = ON";
        self.twin.execute_batch(begin).map_err(text)?;
        self.twin.execute(&format!("DELETE FROM {table}"), []).map_err(text)?;
        let mut columns: Vec<_> = shape.all_columns().map(quote).collect();
        if shape.rowid {
            columns.insert(0, "rowid".into());
        }
        let marks = vec!["?"; columns.len()].join(", ");
        let sql = format!("INSERT INTO {table}({}) VALUES ({marks})", columns.join(", "));
        for row in rows {
            let rowid = row.rowid.map(Cell::Int);
            let values = rowid.iter().chain(&row.cells);
            let done = self.twin.prepare_cached(&sql).and_then(|mut insert| insert.execute(params_from_iter(values)));
            done.map_err(|e| format!("twin: {sql} {row:?}: {e}"))?;
        }
        let end = self.twin.execute_batch("RELEASE sim_copy; PRAGMA defer_foreign_keys = OFF");
        end.map_err(|e| format!("{}: plain SQLite does not take the rows of {table}: {e}: {rows:?}", self.id))
    }

    pub fn rows(&self, shape: &Shape) -> Outcome<Vec<Row>> {
        dump(self.db()?, shape)
    }

    /// One answer of `crdt_changes_since`.
    pub fn export(&self, since: Option<&str>, tables: Option<&str>, limit: Option<u8>) -> Outcome<Export> {
        let limit = limit.map(|n| n.to_string());
        let answer = match (since, tables, &limit) {
            (None, None, None) => self.ask_text("SELECT crdt_changes_since(NULL)", &[]),
            (Some(since), None, None) => self.ask_text("SELECT crdt_changes_since(?1)", &[since]),
            _ => self.ask_text(
                "SELECT crdt_changes_since(nullif(?1, ''), nullif(?2, ''), CAST(nullif(?3, '') AS INTEGER))",
                &[since.unwrap_or(""), tables.unwrap_or(""), limit.as_deref().unwrap_or("")],
            ),
        };
        Export::read(&answer?).map_err(|e| format!("{}: {e}", self.id))
    }

    pub fn merge(&self, json: &str) -> Outcome<Merged> {
        let report = self.ask_json("SELECT crdt_merge(?1)", &[json])?;
        for key in ["unchanged", "conflicts"] {
            report.get(key)?.integer()?;
        }
        Ok(Merged { merged: report.get("merged")?.integer()?, pending: report.get("pending")?.integer()? })
    }

    /// `crdt_now()`.
    pub fn now(&self) -> Outcome<Stamp> {
        Stamp::read(&self.ask_json("SELECT crdt_now()", &[])?)
    }

    /// `crdt_digest(table, 'full')` of every table.
    pub fn digests(&self) -> Outcome<Vec<String>> {
        let one = |shape: &&Shape| self.ask_text("SELECT crdt_digest(?1, 'full')", &[shape.table]);
        self.tables.iter().map(one).collect()
    }

    /// `crdt_check()` must find nothing.
    pub fn check_storage(&self) -> Outcome {
        match self.ask_text("SELECT crdt_check()", &[])?.as_str() {
            "ok" => Ok(()),
            breach => Err(format!("{}: crdt_check() says {breach}", self.id)),
        }
    }
}
