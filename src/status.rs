//! `crdt_status`: how this database is doing, as JSON.

use std::fmt::Write;

use crate::cursor;
use crate::error::Result;
use crate::ffi::ValueRef;
use crate::schema::Table;
use crate::store::Store;
use crate::value::write_text;

/// The numbers of one table.
pub struct Counts {
    /// Live records.
    pub records: i64,
    /// Deleted records, epitaphs among them.
    pub tombstones: i64,
    /// Records whose row cannot be shown.
    pub pending: i64,
}

/// Counts the records of a table.
pub fn counts(store: &Store<'_>, table: &Table) -> Result<Counts> {
    let one = |sql: &str| -> Result<i64> { Ok(store.conn.int(sql, &[table.id.into()])?.unwrap_or(0)) };
    let all = one("SELECT count(*) FROM main._crdt_clock WHERE t = ?1")?;
    let mut tombstones = one("SELECT count(*) FROM main._crdt_clock WHERE t = ?1 AND dead")?;
    let mut records = all - tombstones;
    // What has only been folded in memory counts as if it were stored.
    for ((t, pk), record) in &store.overlay {
        if *t != table.id {
            continue;
        }
        let sql = "SELECT coalesce(dead, 0) FROM main._crdt_clock WHERE t = ?1 AND pk = ?2";
        match store.conn.int(sql, &[table.id.into(), pk.as_ref()])? {
            Some(0) => records -= 1,
            Some(_) => tombstones -= 1,
            None => {}
        }
        if record.alive() {
            records += 1;
        } else {
            tombstones += 1;
        }
    }
    let pending = one("SELECT count(*) FROM main._crdt_pending WHERE t = ?1")?;
    Ok(Counts { records, tombstones, pending })
}

/// The whole status as JSON.
pub fn json(store: &Store<'_>) -> Result<String> {
    let conn = store.conn;
    let mut out = String::from("{\"node\":");
    write_text(&mut out, &store.me);
    // Writing to a String cannot fail.
    let _ = write!(out, ",\"version\":\"{}\",\"format\":{}", env!("CARGO_PKG_VERSION"), store.catalog.format);
    out.push_str(",\"clock\":");
    store.clock.by(&store.me).write_json(&mut out);
    let drift = store.clock.ts.saturating_sub(store.wall) / crate::clock::MILLISECOND;
    let _ = write!(
        out,
        ",\"wall\":{},\"drift_ms\":{drift},\"max_drift_ms\":{}",
        store.wall,
        store.max_drift / crate::clock::MILLISECOND
    );
    out.push_str(",\"tables\":[");
    for (i, table) in store.catalog.tables().iter().enumerate() {
        let Counts { records, tombstones, pending } = counts(store, table)?;
        out.push_str(if i > 0 { ",{\"table\":" } else { "{\"table\":" });
        write_text(&mut out, &table.name);
        let enabled = table.enabled;
        let _ = write!(
            out,
            ",\"enabled\":{enabled},\"records\":{records},\"tombstones\":{tombstones},\"pending\":{pending}}}"
        );
    }
    let end = store.last_seq()?;
    let rows = conn.int("SELECT count(*) FROM main._crdt_log", &[])?.unwrap_or(0);
    let future = conn.int("SELECT count(*) FROM main._crdt_future", &[])?.unwrap_or(0);
    let _ = write!(out, "],\"log\":{{\"rows\":{rows},\"last\":{end}}},\"future\":{future}");
    let _ = write!(out, ",\"conflicts\":{}", crate::conflicts::count(conn)?);
    warnings(store, &mut out)?;
    out.push_str(",\"hooks\":");
    crate::hooks::write_json(store, &mut out);
    out.push_str(",\"peers\":[");
    let mut peers = conn.stmt("SELECT node, seq, seen FROM main._crdt_peers ORDER BY node")?;
    let mut first = true;
    while peers.step()? {
        out.push_str(if std::mem::take(&mut first) { "{\"node\":" } else { ",{\"node\":" });
        write_text(&mut out, peers.text(0).unwrap_or_default());
        let (seq, seen) = (peers.i64(1).unwrap_or(0), peers.i64(2).unwrap_or(0));
        let _ = write!(out, ",\"cursor\":{seq},\"lag\":{},\"seen\":{seen}}}", end - seq);
    }
    out.push(']');
    remotes(store, end, &mut out)?;
    out.push('}');
    Ok(out)
}

/// The peers that this database goes to by itself, with each set of tables, once there is one.
fn remotes(store: &Store<'_>, end: i64, out: &mut String) -> Result<()> {
    let known = "SELECT 1 FROM main.sqlite_schema WHERE name = '_crdt_refused'";
    if store.conn.int(known, &[])?.is_none() {
        return Ok(());
    }
    let mut rows = store.conn.stmt(
        "SELECT r.url, r.tables, r.pushed, r.seen, count(f.change), min(f.reason) FROM main._crdt_remote r
         LEFT JOIN main._crdt_refused f ON f.url = r.url AND f.tables = r.tables GROUP BY r.url, r.tables",
    )?;
    out.push_str(",\"remotes\":[");
    let mut first = true;
    while rows.step()? {
        out.push_str(if std::mem::take(&mut first) { "{\"url\":" } else { ",{\"url\":" });
        write_text(out, rows.text(0).unwrap_or_default());
        let pushed = rows.text(2).and_then(cursor::seq_of).unwrap_or(0);
        let (seen, refused) = (rows.i64(3).unwrap_or(0), rows.i64(4).unwrap_or(0));
        let tables: Vec<String> = serde_json::from_str(rows.text(1).unwrap_or_default()).unwrap_or_default();
        let tables = crate::functions::json_strings(&tables);
        let lag = end.saturating_sub(pushed).max(0);
        let _ = write!(out, ",\"tables\":{tables},\"lag\":{lag},\"seen\":{seen},\"refused\":{refused}");
        if let Some(reason) = rows.text(5) {
            out.push_str(",\"reason\":");
            write_text(out, reason);
        }
        out.push('}');
    }
    out.push(']');
    Ok(())
}

/// What went wrong without being an error: forks by themselves, two values under one stamp, sets that cannot be read.
fn warnings(store: &Store<'_>, out: &mut String) -> Result<()> {
    let row = store.conn.first("SELECT forks, twins, unread FROM main._crdt_state", &[], |row| {
        let unread = match row.column(2) {
            ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        };
        (row.i64(0).unwrap_or(0), row.i64(1).unwrap_or(0), unread)
    })?;
    let (forks, twins, unread) = row.unwrap_or((0, 0, None));
    let mut all = Vec::new();
    if forks > 0 {
        all.push(format!("the file was copied or restored: a peer knew changes of this node that it never made, so it took a new id ({forks} times)"));
    }
    if twins > 0 {
        all.push(format!("{twins} changes came with a stamp under which another value is known: a node is broken or was copied without crdt_fork()"));
    }
    if let Some(cells) = unread {
        all.push(format!("sets were written as JSON that cannot be read, and stay as they were: {cells}"));
    }
    for table in store.catalog.tables() {
        all.extend(table.uncaptured(store.conn)?);
    }
    let _ = write!(out, ",\"forks\":{forks},\"warnings\":{}", crate::functions::json_strings(&all)); // cannot fail
    Ok(())
}
