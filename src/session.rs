//! How a function of ours gets at the state: in a savepoint, with the log's tail folded.

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::fold::{fold, unfolded, Into};
use crate::schema::{compare, heirs, purged, rekey, upgrade, Catalog, FORMAT};
use crate::sql::SCHEMA;
use crate::store::Store;
use crate::tail::{self, Mark, Tail};
use crate::{pending, places, rollback};

/// Runs `work` with write access: all of it happens, or nothing. Our tables are made if they are not there yet.
pub fn write<T>(conn: &Conn, mut work: impl FnMut(&mut Store<'_>) -> Result<T>) -> Result<T> {
    write_new(conn, |conn| {
        let mut store = open(conn)?;
        store.may_write.set(true);
        catch_up(&mut store)?;
        pending::release(&mut store)?;
        work(&mut store)
    })
}

/// Folds the log's tail, and does what `crdt_enable` or a script of `crdt_schema` has left to be done. In the caller's savepoint.
pub fn catch_up(store: &mut Store<'_>) -> Result<()> {
    if store.catalog.counts_anew {
        purged::count_anew(store)?;
    }
    if store.catalog.compare_due {
        rekey::settle_due(store)?;
    }
    fold(store, Into::Database)?;
    if store.catalog.compare_due {
        compare::settle_due(store)?;
        fold(store, Into::Database)?;
    }
    heirs::settle(store)
}

/// As [`write`], for work that may change which tables are enabled: it opens the state itself.
pub fn write_new<T>(conn: &Conn, mut work: impl FnMut(&Conn) -> Result<T>) -> Result<T> {
    if conn.db.is_readonly() {
        return Err(Error::sqlite(8, "the database is read-only"));
    }
    let rowid = conn.db.last_insert_rowid();
    let whole = || {
        conn.savepoint("crdt", || {
            lock(conn)?;
            work(conn)
        })
    };
    let outcome = fresh_catalog(conn, || {
        forwards(conn, || rollback::again(conn, whole)).map_err(|e| {
            match e.message().contains("cannot open savepoint") {
                true => Error::caller(
                    "call this as a statement of its own (SELECT …): a statement that writes is under way",
                ),
                false => e,
            }
        })
    });
    conn.db.set_last_insert_rowid(rowid);
    outcome
}

/// Does `work` with rows in the order of their tables: a setting for tests of applications turns that round, also for statements that cannot
/// ask for an order, as UPDATE. <https://sqlite.org/pragma.html#pragma_reverse_unordered_selects>
fn forwards<T>(conn: &Conn, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if conn.int("PRAGMA reverse_unordered_selects", &[])? != Some(1) {
        return work();
    }
    conn.run("PRAGMA reverse_unordered_selects = OFF", &[])?;
    let outcome = work();
    conn.run("PRAGMA reverse_unordered_selects = ON", &[]).and(outcome)
}

/// Takes the write lock before anything is read: what is read afterwards cannot be out of date when it is written back.
/// Makes our tables, and this database's node id, if they are not there.
fn lock(conn: &Conn) -> Result<()> {
    if !is_locked(conn)? {
        // SQLite waits for another's lock only where nothing was read yet.
        conn.change_schema(crate::sql::first(SCHEMA))?;
        upgrade::check_bare(conn)?;
        if !is_locked(conn)? {
            conn.change_schema(&crate::schema::enable::install_script())?;
        }
    }
    match Catalog::current(conn)? {
        Some(catalog) if catalog.format < FORMAT => upgrade::upgrade(conn, catalog.format),
        _ => Ok(()),
    }
}

/// Takes the write lock; false where our tables are not there.
fn is_locked(conn: &Conn) -> Result<bool> {
    match conn.run("UPDATE main._crdt_state SET one = 1", &[]) {
        Err(e) if e.message().starts_with("no such table") => Ok(false),
        outcome => outcome.map(|_| true),
    }
}

/// Runs `work` on a consistent view of the state. Writes the fold with it if it can; on a read-only database, within a
/// transaction of the caller's, or while another connection holds the write lock, it folds in memory. None in a database
/// without our tables.
///
/// `work` may run twice: the lock may turn out to be held when the fold is committed.
pub fn read<T>(conn: &Conn, work: impl Fn(&Store<'_>) -> Result<T>) -> Result<Option<T>> {
    read_by(conn, |_| Ok(false), work)
}

/// As [`read`], for work that tells records one by one: a short tail of updates is told as it is, and not folded.
pub fn read_lightly<T>(conn: &Conn, work: impl Fn(&Store<'_>) -> Result<T>) -> Result<Option<T>> {
    let as_it_is = |store: &mut Store<'_>| {
        let end = store.last_seq()?;
        let taken = !pending::is_due(store)? && !heirs::due(store) && unfolded::take(store, end)?;
        if taken {
            places::note(conn, end)?;
        }
        Ok(taken)
    };
    read_by(conn, as_it_is, work)
}

fn read_by<T>(
    conn: &Conn,
    as_it_is: impl Fn(&mut Store<'_>) -> Result<bool>,
    work: impl Fn(&Store<'_>) -> Result<T>,
) -> Result<Option<T>> {
    // In a transaction of the caller's nothing is written that its rollback would take back.
    if conn.db.autocommit() && !conn.db.is_readonly() {
        let whole = || {
            let Some(mut store) = Store::open(conn)? else { return Ok(None) };
            store.may_write.set(true);
            if store.catalog.format < FORMAT {
                lock(conn)?;
                store = open(conn)?;
                store.may_write.set(true);
            }
            if store.last_seq()? == store.folded
                && !pending::is_due(&store)?
                && !heirs::due(&store)
                && !store.catalog.compare_due
            {
                return work(&store).map(Some);
            }
            if as_it_is(&mut store)? {
                store.may_write.set(false);
                return work(&store).map(Some);
            }
            catch_up(&mut store)?;
            pending::release(&mut store)?;
            work(&store).map(Some)
        };
        let folded = forwards(conn, || rollback::again(conn, || conn.savepoint("crdt", whole)));
        match folded {
            Err(e) if e.is_busy() || e.is_readonly() => {}
            outcome => return outcome,
        }
    }
    peek(conn, work)
}

/// As [`read`], without ever writing: also for what a view calls, where the schema cannot be trusted.
pub fn peek<T>(conn: &Conn, work: impl FnOnce(&Store<'_>) -> Result<T>) -> Result<Option<T>> {
    peek_with(conn, |store| {
        fold_in_memory(store)?;
        work(store)
    })
}

/// As [`peek`], for work that is done piece by piece: with what the piece before folded, if nothing was written since. The work is
/// told what the fold was made from.
pub fn peek_from<T>(
    conn: &Conn,
    tail: Option<Tail>,
    work: impl FnOnce(&mut Store<'_>, Mark) -> Result<T>,
) -> Result<Option<T>> {
    peek_with(conn, |store| {
        let mark = tail::mark(store)?;
        if !tail.is_some_and(|tail| tail.give(store, mark)) {
            fold_in_memory(store)?;
        }
        work(store, mark)
    })
}

/// What is folded so may be handed out: to the fold in the database its times are ones to go by.
fn fold_in_memory(store: &mut Store<'_>) -> Result<()> {
    fold(store, Into::Memory)?;
    store.conn.issued.set(store.conn.issued.get().max(store.clock));
    Ok(())
}

fn peek_with<T>(conn: &Conn, work: impl FnOnce(&mut Store<'_>) -> Result<T>) -> Result<Option<T>> {
    let in_memory = || {
        // A statement that is not at its end holds the view. A savepoint would too, but to release it fails where the caller is
        // interrupted, and the transaction would stay open.
        let mut view = conn.stmt("SELECT 1 FROM main.sqlite_schema")?;
        view.step()?;
        let Some(mut store) = Store::open(conn)? else { return Ok(None) };
        work(&mut store).map(Some)
    };
    conn.outermost.set(conn.db.autocommit());
    let outcome = fresh_catalog(conn, || forwards(conn, in_memory));
    outcome.map_err(|e| upgrade::explain(conn, e))
}

/// In a transaction that has written, what is read of the schema may be rolled back: it is not kept.
fn fresh_catalog<T>(conn: &Conn, work: impl FnOnce() -> T) -> T {
    let unsure = !conn.db.autocommit() && conn.db.txn_state() == 2;
    let outcome = work();
    if unsure {
        conn.catalog.replace(None);
    }
    outcome
}

/// The state of a database that has our tables.
pub fn open(conn: &Conn) -> Result<Store<'_>> {
    Store::open(conn)?.ok_or_else(|| Error::internal("the tables that were just made are not there"))
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
