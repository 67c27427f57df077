//! How a function of ours gets at the state: in a savepoint, with the log's tail folded.

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::fold::{fold, Into};
use crate::pending;
use crate::store::Store;

/// Runs `work` with write access: all of it happens, or nothing. Our tables are made if they are not there yet.
pub fn write<T>(conn: &Conn, work: impl FnOnce(&mut Store<'_>) -> Result<T>) -> Result<T> {
    if conn.db.is_readonly() {
        return Err(Error::sqlite(8, "the database is read-only"));
    }
    conn.savepoint("crdt", || {
        ensure_installed(conn)?;
        // The write lock first: what is read afterwards cannot be out of date when it is written back.
        conn.run("UPDATE main._crdt_state SET one = 1", &[])?;
        let mut store = open(conn)?;
        fold(&mut store, Into::Database)?;
        pending::release(&mut store)?;
        work(&mut store)
    })
    .map_err(|e| if e.message().contains("cannot open savepoint") { in_progress() } else { e })
}

fn in_progress() -> Error {
    Error::caller("call this as a statement of its own (SELECT …): a statement that writes is under way")
}

/// Runs `work` on a consistent view of the state. Writes the fold if it can; else folds in memory, as on a read-only
/// database or while another connection holds the write lock. None in a database without our tables.
pub fn read<T>(conn: &Conn, work: impl FnOnce(&Store<'_>) -> Result<T>) -> Result<Option<T>> {
    let mut work = Some(work);
    let mut run = |store: &Store<'_>| match work.take() {
        Some(work) => work(store),
        None => Err(Error::internal("the work was done already")),
    };
    let written = conn.savepoint("crdt", || {
        let Some(mut store) = Store::open(conn)? else { return Ok(Some(None)) };
        let waiting = store.last_seq()? > store.folded || pending::is_due(&store)?;
        if waiting {
            if conn.db.is_readonly() {
                return Ok(None);
            }
            match fold(&mut store, Into::Database).and_then(|()| pending::release(&mut store)) {
                Err(e) if e.is_busy() || e.is_readonly() => return Err(e),
                outcome => outcome?,
            }
        }
        Ok(Some(Some(run(&store)?)))
    });
    match written {
        Ok(Some(done)) => return Ok(done),
        Ok(None) => {}
        Err(e) if e.is_busy() || e.is_readonly() => {}
        Err(e) => return Err(e),
    }
    peek(conn, run)
}

/// The state of a database that has our tables.
pub fn open(conn: &Conn) -> Result<Store<'_>> {
    Store::open(conn)?.ok_or_else(|| Error::internal("the tables that were just made are not there"))
}

/// Makes our tables, and this database's node id, unless they are there.
pub fn ensure_installed(conn: &Conn) -> Result<()> {
    if crate::schema::Catalog::current(conn)?.is_none() {
        conn.db.exec(&crate::schema::enable::install_script())?;
    }
    Ok(())
}

/// Refuses to hand out what a rollback could take back.
pub fn refuse_after_writes(conn: &Conn, function: &str) -> Result<()> {
    if !conn.db.autocommit() && conn.db.txn_state() == 2 {
        return Err(Error::caller(format!(
            "{function}: this transaction has written; commit first, for a rollback would take back what was handed out"
        )));
    }
    Ok(())
}

/// As [`write`], for work that may change which tables are enabled: it opens the state itself.
pub fn write_new<T>(conn: &Conn, work: impl FnOnce(&Conn) -> Result<T>) -> Result<T> {
    if conn.db.is_readonly() {
        return Err(Error::sqlite(8, "the database is read-only"));
    }
    conn.savepoint("crdt", || work(conn)).map_err(|e| {
        if e.message().contains("cannot open savepoint") {
            in_progress()
        } else {
            e
        }
    })
}

/// As [`read`], without ever writing: also for what a view calls, where the schema cannot be trusted.
pub fn peek<T>(conn: &Conn, work: impl FnOnce(&Store<'_>) -> Result<T>) -> Result<Option<T>> {
    let in_memory = || {
        let Some(mut store) = Store::open(conn)? else { return Ok(None) };
        fold(&mut store, Into::Memory)?;
        work(&store).map(Some)
    };
    match conn.run("SAVEPOINT crdt", &[]) {
        Ok(_) => {
            let outcome = in_memory();
            conn.run("RELEASE crdt", &[])?;
            outcome
        }
        // A writing statement of the caller's is under way: its transaction is the view.
        Err(e) if e.is_busy() => in_memory(),
        Err(e) => Err(e),
    }
}
