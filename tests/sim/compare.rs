//! What must be equal: a node with its twin, a node with the model, a node with another.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::cell::Cell;
use super::claims::waiting;
use super::json::{canonical, parse, Json};
use super::model::{Model, Shown};
use super::node::Node;
use super::schema::{quote, Kind, Shape};

/// One row: key cells in the order of the key, then the other columns. The rowid matters to the twin only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub cells: Vec<Cell>,
    pub rowid: Option<i64>,
}

impl Row {
    fn split(&self, shape: &Shape) -> (&[Cell], &[Cell]) {
        self.cells.split_at(shape.key.len())
    }
}

/// The rows of a table, sorted by type and bytes.
pub fn dump(db: &Connection, shape: &Shape) -> Result<Vec<Row>, String> {
    let columns: Vec<_> = shape.all_columns().map(quote).collect();
    let rowid = if shape.rowid { "rowid" } else { "NULL" };
    let sql = format!("SELECT {rowid}, {} FROM {}", columns.join(", "), shape.quoted());
    let read = || -> rusqlite::Result<Vec<Row>> {
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map([], |row| {
            let cells = (1..=columns.len()).map(|i| Ok(Cell::of(row.get_ref(i)?)));
            Ok(Row { cells: cells.collect::<rusqlite::Result<_>>()?, rowid: row.get(0)? })
        })?;
        rows.collect()
    };
    let mut rows = read().map_err(|e| format!("{sql}: {e}"))?;
    rows.sort();
    Ok(rows)
}

/// The set in a cell: its elements in canonical form. NULL is the empty set. None: not an array.
fn elements(cell: &Cell) -> Option<Vec<Json>> {
    match cell {
        Cell::Null => Some(Vec::new()),
        Cell::Text(text) => {
            let json = parse(std::str::from_utf8(text).ok()?).ok()?;
            Some(json.items().ok()?.to_vec())
        }
        _ => None,
    }
}

/// Whether a row holds what the library must refuse: a NULL key, a counter or set that is none.
pub fn refused(shape: &Shape, row: &Row) -> Option<String> {
    let (key, cells) = row.split(shape);
    if key.contains(&Cell::Null) {
        return Some("a NULL key".into());
    }
    let bad = |(name, kind): &(&str, Kind), cell: &Cell| match kind {
        Kind::Counter | Kind::Count0 if !matches!(cell, Cell::Null | Cell::Int(_)) => {
            Some(format!("{name} = {cell:?} is no counter"))
        }
        Kind::Set if elements(cell).is_none() => Some(format!("{name} = {cell:?} is no set")),
        _ => None,
    };
    shape.columns.iter().zip(cells).find_map(|(column, cell)| bad(column, cell))
}

/// A row as plain SQLite and the library must agree on it: NULL counts 0, a set is its elements in any order.
/// Where counters may saturate (`edges`) only the state decides what they show.
pub fn normal(shape: &Shape, row: &Row, edges: bool) -> Vec<String> {
    let (key, cells) = row.split(shape);
    let mut out: Vec<_> = key.iter().map(|cell| format!("{cell:?}")).collect();
    for ((_, kind), cell) in shape.columns.iter().zip(cells) {
        out.push(match (kind, cell) {
            (Kind::Counter | Kind::Count0, _) if edges => "*".into(),
            (Kind::Counter, Cell::Null) => "0".into(),
            (Kind::Set, cell) => {
                let set: BTreeSet<_> = elements(cell).unwrap_or_default().iter().map(canonical).collect();
                format!("{set:?}")
            }
            (_, cell) => format!("{cell:?}"),
        });
    }
    out
}

/// A row as every node must show it: the key and the tracked cells, to the byte.
pub fn replicated(shape: &Shape, rows: &[Row]) -> Vec<Vec<Cell>> {
    let tracked = |row: &Row| {
        let (key, cells) = row.split(shape);
        let columns = shape.columns.iter().zip(cells);
        let columns = columns.filter(|((_, kind), _)| *kind != Kind::Local);
        key.iter().chain(columns.map(|(_, cell)| cell)).cloned().collect()
    };
    rows.iter().map(tracked).collect()
}

/// How much has arrived.
#[derive(Clone, Copy)]
pub struct When {
    /// Every field of every record. If not, records of which some field is unknown may be absent, and only their known
    /// cells are compared.
    pub complete: bool,
    /// Rival claims have been decided since the last write.
    pub settled: bool,
}

/// Where the rows of a table differ from what the model says they show.
pub fn against_model(shape: &Shape, model: &Model, rows: &[Row], when: When) -> Vec<String> {
    let mut out = Vec::new();
    let alive = model.alive(shape.table);
    let mut shown = BTreeMap::new();
    // A wire key may be a text itself or be an array of one: rows that it alone can name come first.
    let names = |row: &Row| -> Vec<&str> {
        let (key, _) = row.split(shape);
        let mut names: Vec<_> = alive.keys().copied().filter(|pk| shape.may_name(pk, key)).collect();
        names.sort_by_key(|pk| !shape.is_plain(pk, key));
        names
    };
    let mut named: Vec<_> = rows.iter().map(|row| (names(row), row)).collect();
    named.sort_by_key(|(names, _)| names.len());
    for (names, row) in named {
        let (key, cells) = row.split(shape);
        let Some(pk) = names.into_iter().find(|pk| !shown.contains_key(pk)) else {
            out.push(format!("{}: row {key:?} is shown, no live record has that key", shape.table));
            continue;
        };
        shown.insert(pk, key);
        for ((name, kind), cell) in shape.columns.iter().zip(cells) {
            let state = alive[pk].shown(name);
            if let Some(fault) = cell_fault(*kind, cell, state.as_ref(), when.complete) {
                out.push(format!("{}[{pk:?}].{name}: {fault}", shape.table));
            }
        }
    }
    if shape.is_constrained() && !when.settled {
        return out;
    }
    let waiting = waiting(shape, &alive);
    for pk in waiting.iter().filter(|pk| shown.contains_key(*pk)) {
        out.push(format!("{}: {pk:?} is shown, the table cannot hold it: {:?}", shape.table, alive[pk]));
    }
    for (pk, record) in alive {
        let mut tracked = shape.columns.iter().filter(|(_, kind)| *kind != Kind::Local);
        let whole = tracked.all(|(name, _)| record.fields.contains_key(*name));
        if (whole || when.complete) && !shown.contains_key(pk) && !waiting.contains(pk) {
            out.push(format!("{}: live record {pk:?} is not shown: {record:?}", shape.table));
        }
    }
    out
}

fn cell_fault(kind: Kind, cell: &Cell, state: Option<&Shown>, complete: bool) -> Option<String> {
    let differs = || Some(format!("shows {cell:?}, the state is {state:?}"));
    match (kind, state) {
        (Kind::Local, _) => None,
        (Kind::Counter | Kind::Count0, None) => (!matches!(cell, Cell::Null | Cell::Int(0))).then(differs).flatten(),
        (Kind::Set, None | Some(Shown::Elements(_))) => {
            let Some(items) = elements(cell) else {
                return differs();
            };
            if !items.windows(2).all(|pair| pair[0].raw.as_bytes() < pair[1].raw.as_bytes()) {
                return Some(format!("{cell:?} is not in canonical order"));
            }
            let have: BTreeSet<_> = items.iter().map(canonical).collect();
            let want = match state {
                Some(Shown::Elements(want)) => want.clone(),
                _ => BTreeSet::new(),
            };
            (have != want).then(differs).flatten()
        }
        (Kind::Late, None) if *cell == Cell::Text(b"none".to_vec()) => None,
        (_, None) => complete.then(|| format!("shows {cell:?}, no change ever spoke of it")),
        (Kind::Counter | Kind::Count0, Some(Shown::Count(None))) => (*cell != Cell::Null).then(differs).flatten(),
        (Kind::Counter | Kind::Count0, Some(Shown::Count(Some(n)))) => (*cell != Cell::Int(*n)).then(differs).flatten(),
        (_, Some(Shown::Value(values))) => (!values.contains(cell)).then(differs).flatten(),
        _ => differs(),
    }
}

/// Where `crdt_pending()` differs from what the model says waits: records that the table cannot hold, fields of live records
/// for which it has no column, changes put aside for their stamps.
pub fn waits(node: &Node, model: &Model, settled: bool) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    let mut pending = node.pending()?;
    let later: BTreeSet<_> = node.aside.iter().map(|c| (&c.table, &c.pk, &c.field)).collect();
    for shape in &node.tables {
        let alive = model.alive(shape.table);
        let waiting = waiting(shape, &alive);
        for (pk, record) in &alive {
            let fields = record.fields.keys().filter(|name| !shape.columns.iter().any(|(column, _)| column == name));
            for field in fields {
                if !pending.remove(&(shape.table.to_string(), pk.to_string(), field.clone())) {
                    out.push(format!("{}[{pk:?}].{field}: no column shows it, and it is not pending", shape.table));
                }
            }
            let row = pending.remove(&(shape.table.to_string(), pk.to_string(), String::new()));
            let mut tracked = shape.columns.iter().filter(|(_, kind)| *kind != Kind::Local);
            let whole = tracked.all(|(name, _)| record.fields.contains_key(*name));
            // Without all of its fields a NOT NULL may keep it out.
            if row != waiting.contains(pk) && whole && (settled || !shape.is_constrained()) {
                out.push(format!("{}: {pk:?} is pending: {row}, should be: {}", shape.table, waiting.contains(pk)));
            }
        }
    }
    // What was put aside may be known already from elsewhere, and is told of then as well.
    pending.retain(|(table, pk, field)| !later.contains(&(table, pk, field)));
    out.extend(pending.iter().map(|what| format!("{what:?} is pending, and nothing says why")));
    Ok(out)
}
