//! This database's identity: minted once, and given up when the file was copied.

use std::rc::Rc;

use crate::clock::{check_node, BASE_NODE};
use crate::error::{Error, Result};
use crate::pack::Nodes;
use crate::store::Store;

/// A new random node id.
fn mint(store: &Store<'_>) -> Result<Rc<str>> {
    let id = store.conn.first("SELECT lower(hex(randomblob(8)))", &[], |row| row.text(0).map(Rc::from))?;
    id.flatten().ok_or_else(|| Error::internal("SQLite gave no random bytes"))
}

/// Sets the node id of a database that has made no changes yet.
pub fn rename(store: &mut Store<'_>, new: &str) -> Result<()> {
    check_node(new).map_err(|e| Error::caller(format!("crdt_node_id: {}", e.message())))?;
    if new.contains('~') || new == BASE_NODE || new.contains('\0') {
        return Err(Error::caller("crdt_node_id: an id has no '~' and no U+0000, and is not '_base'"));
    }
    if new == &*store.me {
        return Ok(());
    }
    // The fold's own rewriting of a set's text is logged as -5 too: those are told by what they left.
    let own = "SELECT 1 FROM main._crdt_log WHERE m NOT IN (-4, -5, -6, -7)
               UNION ALL SELECT 1 FROM main._crdt_horizon WHERE own
               UNION ALL SELECT 1 FROM main._crdt_clock WHERE n = (SELECT self FROM main._crdt_state) LIMIT 1";
    let parts = store.conn.int("SELECT 1 FROM main._crdt_log WHERE m = -5 LIMIT 1", &[])?.is_some();
    if store.conn.int(own, &[])?.is_some() || parts && crate::restamp::any_by(store, &store.me)? {
        return Err(Error::caller(
            "crdt_node_id: changes of the old id exist, so it stays; after copying a file call crdt_fork()",
        ));
    }
    // An id that this database had itself, without writing, has a number too.
    let met = store.conn.int("SELECT 1 FROM main._crdt_node WHERE node = ?1", &[new.into()])?.is_some();
    if met && crate::restamp::any_by(store, new)? {
        return Err(Error::caller(format!(
            "crdt_node_id: '{}' has written changes that are here: what this database writes would be taken for known; choose another id",
            crate::error::excerpt(new)
        )));
    }
    become_node(store, &Rc::from(new))
}

/// Gives the database a new node id; its data and history stay. Own stamps that lie in the future are made anew.
pub fn fork(store: &mut Store<'_>) -> Result<()> {
    let new = mint(store)?;
    let old = Rc::clone(&store.me);
    become_node(store, &new)?;
    crate::restamp::future(store, &old)
}

/// Gives the database a new node id, as what it is about to write could be taken for what it has written before.
pub fn begin_anew(store: &mut Store<'_>) -> Result<()> {
    let new = mint(store)?;
    become_node(store, &new)
}

/// Forks because a peer told of a change of this node that it never made.
pub fn fork_by_itself(store: &mut Store<'_>) -> Result<()> {
    begin_anew(store)?;
    store.conn.run("UPDATE main._crdt_state SET forks = forks + 1", &[])?;
    Ok(())
}

/// A name in `_crdt_pragma` for an id that this database had. The ids of nodes may hold anything.
const FORMER: &str = "'was/' || hex(?1)";

/// Whether this database had that id before.
pub fn was(store: &Store<'_>, id: &str) -> Result<bool> {
    let sql = format!("SELECT 1 FROM main._crdt_pragma WHERE name = {FORMER}");
    Ok(store.conn.int(&sql, &[id.into()])?.is_some())
}

fn become_node(store: &mut Store<'_>, new: &Rc<str>) -> Result<()> {
    // In an empty log no cursor has a place.
    let sql = format!(
        "INSERT OR IGNORE INTO main._crdt_pragma(name, value) SELECT {FORMER}, 1 WHERE EXISTS (SELECT 1 FROM main._crdt_log)"
    );
    store.conn.run(&sql, &[(&*store.me).into()])?;
    let number = i64::from(store.nodes.number(new)?);
    store.conn.run("UPDATE main._crdt_state SET self = ?1", &[number.into()])?;
    store.me = Rc::clone(new);
    Ok(())
}
