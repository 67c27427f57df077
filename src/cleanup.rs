//! Forgetting: deleted records older than the tombstone TTL keep their key and tombstone stamp, an epitaph, and nothing else.

use crate::error::Result;
use crate::key::Pk;
use crate::pragma;
use crate::schema::Table;
use crate::store::Store;

/// Forgets what may be forgotten, of one table or all; with `epitaphs` drops old epitaphs instead. The number of records.
pub fn run(store: &mut Store<'_>, table: Option<&str>, epitaphs: bool) -> Result<i64> {
    let ttl = pragma::number(store.conn, "tombstone_ttl")?;
    let limit = store.wall.saturating_sub(ttl);
    let tables = match table {
        Some(name) => vec![std::rc::Rc::clone(store.catalog.enabled(name)?)],
        None => store.catalog.tables().iter().filter(|t| t.enabled).cloned().collect(),
    };
    crate::filter::registry::forget_unused(store.conn, limit)?;
    let mut count = 0;
    for table in tables {
        for pk in dead(store, &table)? {
            let Some(before) = store.load(&table, &pk)? else { continue };
            let old = before.tomb.as_ref().is_some_and(|tomb| tomb.ts <= limit);
            if !old || before.alive() || before.epitaph != epitaphs {
                continue;
            }
            if epitaphs {
                let key = [table.id.into(), pk.as_ref()];
                store.conn.run("DELETE FROM main._crdt_clock WHERE t = ?1 AND pk = ?2", &key)?;
            } else {
                let mut now = before.clone();
                now.forget();
                store.save(&table, &pk, Some(&before), &now)?;
            }
            count += 1;
        }
    }
    Ok(count)
}

fn dead(store: &Store<'_>, table: &Table) -> Result<Vec<Pk>> {
    let mut rows = store.conn.stmt("SELECT pk FROM main._crdt_clock WHERE t = ?1 AND dead")?;
    rows.bind(1, table.id)?;
    let mut all = Vec::new();
    while rows.step()? {
        all.push(Pk::from_stored(rows.column(0))?);
    }
    Ok(all)
}
