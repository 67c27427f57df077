//! What belongs to one connection: its statements, prepared once, and the description of its enabled tables.
//!
//! `sqlite3_close` disconnects virtual tables, then refuses if statements are open, then destroys functions. So the cached
//! statements are finalised when a virtual table of ours is disconnected; it is touched when the first one is cached.
//! <https://sqlite.org/c3ref/close.html>

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::aside::Aside;
use crate::clock::Tick;
use crate::error::{Error, Result};
use crate::ffi::{Attachment, Db, Stmt, ValueRef};
use crate::fold::unfolded::Kept;
use crate::foreign::Foreign;
use crate::rollback::Rollbacks;
use crate::schema::Catalog;
use crate::tail::Tail;

/// Most statements kept; past that the cache starts over.
const MAX_STATEMENTS: usize = 256;

/// A write that can be prepared after an interrupt: SQLite's parser looks for one at spaces and at the end of the text, and
/// leaves at the semicolon. (Switching triggers on or off makes every statement be prepared anew.)
const INTERRUPTED_WRITE: &str = r#"UPDATE"main"."_crdt_state"SET"one"=1;"#;

/// How often a savepoint is tried to be undone.
const TRIES: usize = 4;

const ABORT_ROLLBACK: i32 = 516;

/// The state behind every function and virtual table of one connection.
pub struct Conn {
    /// The connection.
    pub db: Db,
    statements: RefCell<HashMap<String, Stmt, foldhash::fast::RandomState>>,
    touched: Cell<bool>,
    /// The enabled tables as last read, and the marks of what was read.
    pub catalog: RefCell<Option<Rc<Catalog>>>,
    /// The latest stamp that was handed out here, by crdt_now or from a fold in memory, that the stored clock may be behind: a rollback
    /// takes back the clock, not what was handed out.
    pub issued: Cell<Tick>,
    /// Whether the call that reads without writing began outside of a transaction.
    pub outermost: Cell<bool>,
    /// Whether a hook is running: what it calls must not come back here.
    pub in_hook: Cell<bool>,
    /// The record that a before_inbound hook is being asked about.
    pub incoming: crate::hooks::Place,
    /// Whether we have put the checks of foreign keys off.
    pub put_off: Cell<bool>,
    /// Savepoints of ours that are open.
    depth: Cell<u32>,
    /// How often this connection saved the clock or noted a place.
    pub saves: Cell<u32>,
    /// What `_crdt_batch` gives.
    pub batch: RefCell<Rc<crate::batch::Rows>>,
    /// What `_crdt_meet`, `_crdt_give` and `_crdt_edit` ask.
    pub pass: RefCell<Option<crate::pass::Running>>,
    /// Log rows, since pruning was last due, of records that nothing was known of: no earlier ones stand for them.
    pub fresh: Cell<i64>,
    /// Whether a record that was known was logged as a whole, to be told anew: a merge may log more than what came.
    pub retold: Cell<bool>,
    /// The log's end when it was last read at which end pruning is due, and that end.
    pub prune_due: Cell<(i64, i64)>,
    /// The foreign keys, as read when rows began to be shown.
    pub foreign: RefCell<Rc<Foreign>>,
    /// What the page of a readable view shown last was made from.
    pub tail: RefCell<Option<Tail>>,
    /// Updates that an export has told without folding them.
    pub unfolded: RefCell<Option<Kept>>,
    /// What triggers rolled back in the call under way.
    pub rollbacks: Rollbacks,
    /// What rows had that are away for the moment.
    pub aside: Aside,
    _attachment: Attachment,
}

impl Conn {
    /// The state of a new connection.
    pub fn new(db: Db, attachment: Attachment) -> Self {
        Conn {
            db,
            statements: RefCell::default(),
            touched: Cell::new(false),
            catalog: RefCell::default(),
            issued: Cell::default(),
            outermost: Cell::new(false),
            in_hook: Cell::new(false),
            incoming: RefCell::default(),
            put_off: Cell::new(false),
            depth: Cell::new(0),
            prune_due: Cell::default(),
            saves: Cell::new(0),
            fresh: Cell::new(0),
            retold: Cell::new(false),
            batch: RefCell::default(),
            pass: RefCell::default(),
            foreign: RefCell::default(),
            tail: RefCell::default(),
            unfolded: RefCell::default(),
            rollbacks: Rollbacks::default(),
            aside: Aside::default(),
            _attachment: attachment,
        }
    }

    /// The statement `sql`, prepared before or now.
    pub fn stmt(&self, sql: &str) -> Result<Cached<'_>> {
        let kept = self.statements.borrow_mut().remove_entry(sql);
        let (sql, stmt) = match kept {
            Some(entry) => entry,
            None => (sql.to_owned(), self.db.prepare(sql)?),
        };
        Ok(Cached { conn: self, sql, stmt: Some(stmt) })
    }

    /// Runs `sql` to its end; the number of rows it changed.
    pub fn run(&self, sql: &str, values: &[ValueRef<'_>]) -> Result<i64> {
        self.check_transaction()?;
        let mut stmt = self.stmt(sql)?;
        stmt.bind_all(values)?;
        while stmt.step()? {}
        self.check_transaction()?;
        Ok(self.db.changes())
    }

    /// As [`Conn::run`], by a statement that is not kept.
    pub fn run_once(&self, sql: &str, values: &[ValueRef<'_>]) -> Result<i64> {
        self.check_transaction()?;
        let mut stmt = self.db.prepare(sql)?;
        stmt.bind_all(values)?;
        while stmt.step()? {}
        self.check_transaction()?;
        Ok(self.db.changes())
    }

    /// Fails where the transaction is gone that a savepoint of ours is in: what was run now would stay. SQLite rolls it back by itself when
    /// memory runs out while it undoes a statement that failed for any reason, and tells that reason only.
    fn check_transaction(&self) -> Result<()> {
        match self.depth.get() > 0 && self.db.autocommit() {
            true => Err(Error::sqlite(
                ABORT_ROLLBACK,
                "SQLite rolled the transaction back, as when memory runs out; try again",
            )),
            false => Ok(()),
        }
    }

    /// Runs statements that change the schema.
    pub fn change_schema(&self, sql: &str) -> Result<()> {
        self.check_transaction()?;
        let outcome = self.db.exec(sql);
        self.forget_schema();
        outcome
    }

    /// Lets go of all that was prepared or read under the schema as it was. When SQLite finds at a step that a statement is to be
    /// prepared anew, and memory runs out while it undoes that step, it rolls the whole transaction back, and runs the statement
    /// outside of it as if nothing had happened.
    pub fn forget_schema(&self) {
        drop(self.statements.take());
        self.catalog.replace(None);
    }

    /// The first column of the first row of `sql`, made into `T`; None when there is no row.
    pub fn first<T>(&self, sql: &str, values: &[ValueRef<'_>], read: impl FnOnce(&Stmt) -> T) -> Result<Option<T>> {
        let mut stmt = self.stmt(sql)?;
        stmt.bind_all(values)?;
        Ok(if stmt.step()? { Some(read(&stmt)) } else { None })
    }

    /// The INTEGER that `sql` gives.
    pub fn int(&self, sql: &str, values: &[ValueRef<'_>]) -> Result<Option<i64>> {
        Ok(self.first(sql, values, |row| row.i64(0))?.flatten())
    }

    /// Whether SQLite orders texts as we do, by their UTF-8.
    pub fn is_utf8(&self) -> Result<bool> {
        Ok(self.first("PRAGMA main.encoding", &[], |row| row.text(0) == Some("UTF-8"))? == Some(true))
    }

    /// Runs `work` in a savepoint: all of it happens, or nothing.
    pub fn savepoint<T>(&self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let outermost = self.db.autocommit();
        self.run(&format!("SAVEPOINT {name}"), &[]).inspect_err(|e| {
            // A progress handler that stops a statement at its end stops it after it has worked.
            match outermost {
                true if !self.db.autocommit() => self.take_back(name, true),
                false if e.is_interrupted() => drop(self.run(&format!("RELEASE {name}"), &[])),
                _ => {}
            }
        })?;
        self.depth.set(self.depth.get() + 1);
        // A panic is caught at the edge to SQLite; the savepoint must not outlive it.
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
            Err(Error::internal("grove-crdt: internal error (a bug, please report): a panic in a savepoint"))
        });
        self.depth.set(self.depth.get().saturating_sub(1));
        let outcome = worked.and_then(|value| {
            self.run(&format!("RELEASE {name}"), &[])?;
            Ok(value)
        });
        if outcome.is_err() {
            self.prune_due.take();
            self.take_back(name, outermost);
        }
        outcome
    }

    /// Undoes a savepoint. The first error is the one to tell: SQLite may have rolled the transaction back already.
    fn take_back(&self, name: &str, outermost: bool) {
        // Releasing the outermost would commit, and touch the file though nothing changed.
        let undone = || match outermost {
            true => self.run("ROLLBACK", &[]).is_ok(),
            false => self
                .run(&format!("ROLLBACK TO {name}"), &[])
                .and_then(|_| self.run(&format!("RELEASE {name}"), &[]))
                .is_ok(),
        };
        // An interrupt stops the rollback too; an interrupted write rolls back the whole transaction. A progress handler may stop
        // the one and not the other. https://sqlite.org/c3ref/interrupt.html
        for _ in 0..TRIES {
            if undone() || self.db.autocommit() {
                return;
            }
            let _ = self.run(INTERRUPTED_WRITE, &[]);
        }
    }

    /// Finalises every cached statement: the connection is about to close.
    pub fn finalise(&self) {
        self.touched.set(false);
        let kept = std::mem::take(&mut *self.statements.borrow_mut());
        drop(kept);
        self.catalog.replace(None);
    }

    fn keep(&self, sql: String, stmt: Stmt) {
        if !self.touched.replace(true) && self.db.prepare("SELECT 1 FROM crdt_tables() LIMIT 0").is_err() {
            // Nothing would finalise it in time, so it is not kept.
            self.touched.set(false);
            return;
        }
        let mut kept = self.statements.borrow_mut();
        if kept.len() >= MAX_STATEMENTS {
            kept.clear();
        }
        kept.insert(sql, stmt);
    }
}

/// A statement on loan from the cache; it goes back, reset, when dropped.
pub struct Cached<'a> {
    conn: &'a Conn,
    sql: String,
    stmt: Option<Stmt>,
}

impl Deref for Cached<'_> {
    type Target = Stmt;

    fn deref(&self) -> &Stmt {
        self.stmt.as_ref().unwrap_or_else(|| unreachable!("only drop takes the statement"))
    }
}

impl DerefMut for Cached<'_> {
    fn deref_mut(&mut self) -> &mut Stmt {
        self.stmt.as_mut().unwrap_or_else(|| unreachable!("only drop takes the statement"))
    }
}

impl Drop for Cached<'_> {
    fn drop(&mut self) {
        if let Some(mut stmt) = self.stmt.take() {
            stmt.reset_and_clear();
            self.conn.keep(std::mem::take(&mut self.sql), stmt);
        }
    }
}
