//! The table-valued functions: what there is, as rows.

use std::rc::Rc;

use crate::conn::Conn;
use crate::error::{Error, Result};
use crate::ffi::{Out, Registrar, RowCursor, TableFunction, Value};
use crate::outbound::{Ahead, Export, Item, Items, Reached, Scope, SMALL_WINDOW};
use crate::schema::Kind;
use crate::session;
use crate::store::Store;

/// Changes read ahead by `crdt_changes`: bounds its memory.
const BATCH: usize = 2_000;

/// Bytes that most changes take as JSON: one that takes more is moved as it grows.
const CHANGE: usize = 512;

/// Registers every table-valued function.
pub fn register(to: &mut Registrar, conn: &Rc<Conn>) -> Result<()> {
    to.table::<Changes>(c"crdt_changes", conn)?;
    to.table::<crate::batch::Batch>(c"_crdt_batch", conn)?;
    to.table::<Tables>(c"crdt_tables", conn)?;
    to.table::<Fields>(c"crdt_fields", conn)?;
    to.table::<Peers>(c"crdt_peers", conn)?;
    to.table::<Pending>(c"crdt_pending", conn)?;
    to.table::<crate::conflicts::Conflicts>(c"crdt_conflicts", conn)
}

fn text_arg(args: &[Option<Value>], i: usize, name: &str) -> Result<Option<String>> {
    match args.get(i).and_then(Option::as_ref) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(bytes)) => match String::from_utf8(bytes.clone()) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Error::caller(format!("argument {} ({name}) is not UTF-8", i + 1))),
        },
        Some(other) => Err(Error::caller(format!(
            "argument {} ({name}) is TEXT or NULL, not {}",
            i + 1,
            other.as_ref().type_name()
        ))),
    }
}

/// `crdt_changes(since, tables)`: one row a change, as many as there are, in constant memory.
struct Changes;

/// The rows of `crdt_changes`.
struct ChangeRows {
    conn: Rc<Conn>,
    /// This node, what is exported, and how far that has come; None in a database without our tables.
    going: Option<(Rc<str>, Scope, Export)>,
    /// The batch at hand: items, and how far the export has come after each.
    batch: std::vec::IntoIter<(Item, Reached)>,
    /// Where the log ended then.
    logged: i64,
    now: Option<(Item, Reached)>,
    row: i64,
}

impl TableFunction for Changes {
    type State = Conn;
    type Cursor = ChangeRows;
    const SCHEMA: &'static std::ffi::CStr =
        c"CREATE TABLE x(\"table\" TEXT, pk TEXT, field TEXT, crdt_type TEXT, hlc_ts INTEGER, \
         hlc_c INTEGER, node_id TEXT, value, tombstone INTEGER, change TEXT, cursor TEXT, since HIDDEN, tables HIDDEN)";
    const FIRST_HIDDEN: usize = 11;
    const N_HIDDEN: usize = 2;

    fn open(conn: &Rc<Conn>, args: &[Option<Value>]) -> Result<ChangeRows> {
        crate::hooks::refuse_inside(conn, "crdt_changes", args.len())?;
        session::refuse_after_writes(conn, "crdt_changes")?;
        let in_error = |e: Error| e.context("crdt_changes");
        let since = text_arg(args, 0, "since").map_err(in_error)?;
        let tables = text_arg(args, 1, "tables").map_err(in_error)?;
        let names = tables.as_deref().map(crate::functions::table_names).transpose().map_err(in_error)?;
        let start = session::read(conn, |store| {
            let scope = Scope::new(store, names.as_deref())?;
            let export = Export::new(store, since.as_deref(), &scope)?.by(SMALL_WINDOW, usize::MAX);
            Ok((Rc::clone(&store.me), scope, export))
        });
        let going = start.map_err(in_error)?;
        let (conn, batch) = (Rc::clone(conn), Vec::new().into_iter());
        Ok(ChangeRows { conn, going, batch, logged: 0, now: None, row: 0 })
    }

    fn disconnect(conn: &Rc<Conn>) {
        conn.finalise();
    }
}

impl ChangeRows {
    /// Reads the next batch: each on a view of the state that is consistent in itself.
    fn refill(&mut self) -> Result<()> {
        let Some((_, scope, start)) = &self.going else { return Ok(()) };
        session::refuse_after_writes(&self.conn, "crdt_changes")?;
        let read = session::read(&self.conn, |store| {
            let (mut export, scope) = (start.clone(), scope.renewed(store)?);
            let logged = store.last_seq()?;
            if !scope.filters.is_empty() && logged != self.logged {
                export.gather_again(); // the application has written since
            }
            let mut batch: Vec<(Item, Reached)> = Vec::new();
            let (mut ahead, mut items) = (Ahead::new(), Items::default());
            let mut here = export.reached();
            while (batch.len() < BATCH || export.is_told(&ahead))
                && export.write_next(store, &scope, &mut ahead, &mut items)?
            {
                // Within a record the place to go on from is the one before it: a record is never split.
                let after = export.reached();
                let last = items.told.len().saturating_sub(1);
                let told = items.told.drain(..).enumerate();
                batch.extend(told.map(|(i, item)| (item, if i == last { after } else { here })));
                here = after;
            }
            Ok((batch, logged, (Rc::clone(&store.me), scope, export)))
        })?;
        if let Some((batch, logged, going)) = read {
            self.batch = batch.into_iter();
            (self.logged, self.going) = (logged, Some(going));
        }
        Ok(())
    }
}

impl RowCursor for ChangeRows {
    fn next(&mut self) -> Result<bool> {
        if self.batch.as_slice().is_empty() {
            self.refill()?;
        }
        self.now = self.batch.next();
        self.row += 1;
        Ok(self.now.is_some())
    }

    fn column(&self, i: usize) -> Result<Out> {
        let Some((item, reached)) = &self.now else { return Ok(Out::Null) };
        Ok(match i {
            0 => Out::Text(item.table.name.clone()),
            1 => Out::Text(item.pk.to_string()),
            2 => Out::Text(item.field.to_string()),
            3 => Out::Text(item.crdt_type().to_owned()),
            4..=6 if item.is_left() => Out::Null,
            4 => Out::Int(item.hlc.ts),
            5 => Out::Int(i64::from(item.hlc.c)),
            6 => Out::Text(item.hlc.node.to_string()),
            7 => item.value()?,
            8 => Out::Int(i64::from(item.is_tombstone())),
            9 => {
                let mut json = String::with_capacity(CHANGE);
                item.write_json(&mut json);
                Out::Text(json)
            }
            10 => match &self.going {
                // Only where it is asked for: it costs as much as the record.
                Some((me, scope, export)) => Out::Text(export.cursor_at(&self.conn, me, scope, *reached)?),
                None => Out::Null,
            },
            _ => Out::Null,
        })
    }

    fn rowid(&self) -> i64 {
        self.row
    }
}

/// Rows computed all at once: for what is small.
struct Listed {
    rows: std::vec::IntoIter<Vec<Out>>,
    now: Vec<Out>,
    row: i64,
}

impl Listed {
    fn new(rows: Option<Vec<Vec<Out>>>) -> Listed {
        Listed { rows: rows.unwrap_or_default().into_iter(), now: Vec::new(), row: 0 }
    }
}

impl RowCursor for Listed {
    fn next(&mut self) -> Result<bool> {
        self.row += 1;
        match self.rows.next() {
            Some(row) => {
                self.now = row;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    fn column(&self, i: usize) -> Result<Out> {
        Ok(self.now.get(i).cloned().unwrap_or(Out::Null))
    }

    fn rowid(&self) -> i64 {
        self.row
    }
}

macro_rules! listed {
    ($(#[$doc:meta])* $name:ident, $function:literal, $schema:literal, $first:literal, $hidden:literal, $rows:expr) => {
        $(#[$doc])*
        struct $name;

        impl TableFunction for $name {
            type State = Conn;
            type Cursor = Listed;
            const SCHEMA: &'static std::ffi::CStr = $schema;
            const FIRST_HIDDEN: usize = $first;
            const N_HIDDEN: usize = $hidden;

            fn open(conn: &Rc<Conn>, args: &[Option<Value>]) -> Result<Listed> {
                crate::hooks::refuse_inside(conn, $function, args.len())?;
                let rows: fn(&Conn, &[Option<Value>]) -> Result<Option<Vec<Vec<Out>>>> = $rows;
                rows(conn, args).map(Listed::new).map_err(|e| e.context($function))
            }

            fn disconnect(conn: &Rc<Conn>) {
                conn.finalise();
            }
        }
    };
}

listed!(
    /// `crdt_tables()`: the tables that are or were enabled.
    Tables,
    "crdt_tables",
    c"CREATE TABLE x(\"table\" TEXT, enabled INTEGER, records INTEGER, tombstones INTEGER, pending INTEGER)",
    5,
    0,
    |conn, _| session::read(conn, |store| {
        let row = |table: &Rc<crate::schema::Table>| {
            let counts = crate::status::counts(store, table)?;
            Ok(vec![
                Out::Text(table.name.clone()),
                Out::Int(i64::from(table.enabled)),
                Out::Int(counts.records),
                Out::Int(counts.tombstones),
                Out::Int(counts.pending),
            ])
        };
        store.catalog.tables().iter().filter(|table| !table.replaced).map(row).collect()
    })
);

listed!(
    /// `crdt_fields(table)`: a table's columns and their types; without the argument, those of all enabled tables.
    Fields,
    "crdt_fields",
    c"CREATE TABLE x(\"table\" TEXT, field TEXT, crdt_type TEXT, tracked INTEGER, named HIDDEN)",
    4,
    1,
    |conn, args| {
        let name = text_arg(args, 0, "table")?;
        session::read(conn, |store| {
            let tables = match &name {
                Some(name) => vec![Rc::clone(store.catalog.enabled(name)?)],
                None => store.catalog.tables().iter().filter(|t| t.enabled && !t.replaced).cloned().collect(),
            };
            let mut rows = Vec::new();
            for table in &tables {
                for field in table.fields.iter().filter(|f| f.died.is_none()) {
                    rows.push(vec![
                        Out::Text(table.name.clone()),
                        Out::Text(field.name.clone()),
                        Out::Text(field.kind.name().to_owned()),
                        Out::Int(i64::from(field.is_local())),
                    ]);
                }
            }
            Ok(rows)
        })
    }
);

listed!(
    /// `crdt_peers()`: who pulled or pushed, how far behind they are (log rows), when they were last seen (nanoseconds).
    Peers,
    "crdt_peers",
    c"CREATE TABLE x(node_id TEXT, cursor INTEGER, lag INTEGER, seen INTEGER)",
    4,
    0,
    |conn, _| session::read(conn, |store| {
        let end = store.last_seq()?;
        let mut peers = conn.stmt("SELECT node, seq, seen FROM main._crdt_peers ORDER BY node")?;
        let mut rows = Vec::new();
        while peers.step()? {
            let seq = peers.i64(1).unwrap_or(0);
            let node = peers.text(0).unwrap_or_default().to_owned();
            rows.push(vec![Out::Text(node), Out::Int(seq), Out::Int(end - seq), Out::Int(peers.i64(2).unwrap_or(0))]);
        }
        Ok(rows)
    })
);

listed!(
    /// `crdt_pending()`: what is kept but not shown: which record, which field (NULL for the whole row), why, since when
    /// (nanoseconds), and for a change from the future its stamp and text.
    Pending,
    "crdt_pending",
    c"CREATE TABLE x(\"table\" TEXT, pk TEXT, field TEXT, reason TEXT, since INTEGER, hlc_ts INTEGER, change TEXT)",
    7,
    0,
    |conn, _| session::read(conn, pending_rows)
);

fn pending_rows(store: &Store<'_>) -> Result<Vec<Vec<Out>>> {
    let mut rows = Vec::new();
    let mut waiting = store.conn.stmt("SELECT t, pk, reason, since FROM main._crdt_pending ORDER BY since, t, pk")?;
    while waiting.step()? {
        let Some(table) = store.table(waiting.i64(0).unwrap_or(0)) else { continue };
        let pk = crate::key::Pk::from_stored(waiting.column(1))?;
        rows.push(vec![
            Out::Text(table.name.clone()),
            Out::Text(pk.wire().into_owned()),
            Out::Null,
            Out::Text(waiting.text(2).unwrap_or_default().to_owned()),
            Out::Int(waiting.i64(3).unwrap_or(0)),
            Out::Null,
            Out::Null,
        ]);
    }
    drop(waiting);
    crate::pending::aside(store, i64::MAX, |aside| {
        let (change, since) = (aside.change?, aside.since);
        let ts = change.hlc.ts;
        let why = match ts <= store.limit() {
            true => "; its time has come, but a hook refuses it, a foreign key breaks, or its table is not enabled",
            false => "",
        };
        let mut json = String::new();
        change.write_json(&mut json);
        rows.push(vec![
            Out::Text(change.table.to_string()),
            Out::Text(change.pk.to_string()),
            Out::Text(change.field.to_string()),
            Out::Text(format!(
                "stamped {ts} when the wall clock stood at {since} (nanoseconds): more than max_drift ahead{why}"
            )),
            Out::Int(since),
            Out::Int(ts),
            Out::Text(json),
        ]);
        Ok(())
    })?;
    for table in store.catalog.tables().iter().filter(|table| table.enabled) {
        unshown_fields(store, table, &mut rows)?;
    }
    Ok(rows)
}

/// Fields for which this table has no column, or one of another type.
fn unshown_fields(store: &Store<'_>, table: &Rc<crate::schema::Table>, rows: &mut Vec<Vec<Out>>) -> Result<()> {
    let hidden: Vec<_> = table.fields.iter().filter(|f| !f.is_local() && f.kind != Kind::None).collect();
    if hidden.is_empty() {
        return Ok(());
    }
    crate::digest::each(store, table, |pk, record| {
        for field in &hidden {
            let Some(stamp) = record.stamp_of(field.id).filter(|_| record.alive()) else { continue };
            if !crate::pending::waits(store, table, pk, record, field)? {
                continue;
            }
            let local = table.fields.iter().find(|f| f.name.eq_ignore_ascii_case(&field.name) && f.is_local());
            let reason = match local {
                Some(local) => {
                    format!("the column is {} here and {} at {}", local.kind.name(), field.kind.name(), stamp.node)
                }
                None => "this table tracks no such column".to_owned(),
            };
            rows.push(vec![
                Out::Text(table.name.clone()),
                Out::Text(pk.wire().into_owned()),
                Out::Text(field.name.clone()),
                Out::Text(reason),
                Out::Int(stamp.ts),
                Out::Int(stamp.ts),
                Out::Null,
            ]);
        }
        Ok(())
    })
}
