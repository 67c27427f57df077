//! What should be shown, worked out from the changes alone: of each table the oldest claims, of these the rows that it can
//! hold, of these the most so that each has its parents.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::stamp_of;

pub type Stamp = (i64, u64, String);

/// A cell as SQLite holds it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cell {
    Null,
    Int(i64),
    Text(String),
}

impl Cell {
    fn of(value: &Value) -> Cell {
        match value {
            Value::Null => Cell::Null,
            Value::Number(n) => Cell::Int(n.as_i64().unwrap()),
            Value::String(text) => Cell::Text(text.clone()),
            other => panic!("{other}"),
        }
    }

    fn in_column(self, column: &str) -> Cell {
        let number = matches!(column, "grp" | "n" | "w");
        match self {
            Cell::Int(i) if !number => Cell::Text(i.to_string()),
            Cell::Text(text) if number => text.parse().map_or(Cell::Text(text), Cell::Int),
            other => other,
        }
    }

    fn lower(&self) -> Cell {
        match self {
            Cell::Text(text) => Cell::Text(text.to_ascii_lowercase()),
            other => other.clone(),
        }
    }
}

/// A live record: its stamps and cells.
#[derive(Default)]
struct Record {
    stamps: BTreeMap<String, Stamp>,
    cells: BTreeMap<String, Cell>,
}

impl Record {
    fn cell(&self, column: &str) -> Cell {
        let default = match column {
            "n" => Cell::Int(1),
            "v" => Cell::Text("d".into()),
            _ => Cell::Null,
        };
        self.cells.get(column).cloned().unwrap_or(default).in_column(column)
    }

    /// The latest stamp over the columns of unique indexes; over all, where an index is partial or on an expression.
    fn age(&self, table: &str) -> Option<Stamp> {
        let counts = |column: &str| table == "parent" || matches!(column, "u" | "w" | "p");
        self.stamps.iter().filter(|(column, _)| counts(column)).map(|(_, stamp)| stamp.clone()).max()
    }

    fn claims(&self, pk: &str, table: &str, folded: bool) -> Vec<(&'static str, Vec<Cell>)> {
        let mut all = match table {
            "parent" => vec![
                ("code", vec![self.cell("code").lower()]),
                ("grp", vec![self.cell("grp"), self.cell("n")]),
                match self.cell("grp") {
                    Cell::Null => ("name", vec![Cell::Null]),
                    _ => ("name", vec![self.cell("name").lower()]),
                },
            ],
            _ => vec![("u", vec![self.cell("u")]), ("w", vec![self.cell("w"), self.cell("p")])],
        };
        if folded {
            all.push(("id", vec![Cell::Text(pk.to_ascii_lowercase())]));
        }
        all.retain(|(_, cells)| !cells.contains(&Cell::Null));
        all
    }

    /// CHECK and NOT NULL.
    fn fits(&self, table: &str) -> bool {
        match table {
            "parent" => !matches!(self.cell("n"), Cell::Int(..=-1)),
            _ => self.cell("v") != Cell::Null && matches!(self.cell("w"), Cell::Null | Cell::Int(..=2)),
        }
    }
}

/// What a node should show and what it should list as pending.
#[derive(PartialEq, Eq, Debug)]
pub struct Picture {
    /// `table: cells`, in the order of the columns.
    pub rows: BTreeSet<(String, Vec<Cell>)>,
    pub pending: BTreeSet<(String, String)>,
}

/// The columns of a table besides its key.
pub fn columns(table: &str) -> &'static [&'static str] {
    match table {
        "parent" => &["code", "grp", "n", "name", "up"],
        _ => &["p", "c", "u", "v", "w"],
    }
}

/// `folded`: keys are told apart by bytes, but the table takes no two that differ in case alone.
pub fn picture(changes: &[Value], folded: bool) -> Picture {
    let live = records(changes);
    let mut shown: BTreeSet<(String, String)> = BTreeSet::new();
    for table in ["parent", "child"] {
        let mut order: Vec<_> = live.iter().filter(|((t, _), _)| t == table).collect();
        order.sort_by_key(|((_, pk), record)| (record.age(table), pk.clone()));
        let mut taken = BTreeSet::new();
        for (key, record) in order {
            let claims = record.claims(&key.1, table, folded);
            if claims.iter().any(|claim| taken.contains(claim)) {
                continue;
            }
            taken.extend(claims);
            if record.fits(table) {
                shown.insert(key.clone());
            }
        }
    }
    let fold = |cell: Cell| if folded { cell.lower() } else { cell };
    // SQLite finds no parent that is the row itself in another spelling.
    let misspelt =
        |pk: &str, up: Cell| folded && up != Cell::Text(pk.into()) && up.lower() == Cell::Text(pk.into()).lower();
    loop {
        let parents: Vec<_> = shown.iter().filter(|(table, _)| table == "parent").collect();
        let ids: BTreeSet<Cell> = parents.iter().map(|(_, pk)| fold(Cell::Text(pk.clone()))).collect();
        let codes: BTreeSet<Cell> = parents.iter().map(|key| live[*key].cell("code").lower()).collect();
        let has = |set: &BTreeSet<Cell>, cell: Cell| cell == Cell::Null || set.contains(&cell);
        let kept: BTreeSet<_> = shown
            .iter()
            .filter(|key| {
                let record = &live[*key];
                match key.0.as_str() {
                    "parent" => !misspelt(&key.1, record.cell("up")) && has(&ids, fold(record.cell("up"))),
                    _ => has(&ids, fold(record.cell("p"))) && has(&codes, record.cell("c").lower()),
                }
            })
            .cloned()
            .collect();
        if kept.len() == shown.len() {
            break;
        }
        shown = kept;
    }
    let row = |(table, pk): &(String, String)| {
        let record = &live[&(table.clone(), pk.clone())];
        let cells = columns(table).iter().map(|column| record.cell(column));
        (table.clone(), std::iter::once(Cell::Text(pk.clone())).chain(cells).collect())
    };
    let pending = live.keys().filter(|key| !shown.contains(*key)).cloned().collect();
    Picture { rows: shown.iter().map(row).collect(), pending }
}

/// The live records: of each field the latest change, alive while one is later than the latest delete.
fn records(changes: &[Value]) -> BTreeMap<(String, String), Record> {
    type Known = (Record, Option<Stamp>, Option<Stamp>);
    let mut all: BTreeMap<(String, String), Known> = BTreeMap::new();
    for change in changes {
        let text = |key: &str| change[key].as_str().unwrap().to_string();
        let (record, tomb, latest) = all.entry((text("table"), text("pk"))).or_default();
        let (field, stamp) = (text("field"), stamp_of(change));
        if field == "_tombstone" {
            *tomb = tomb.take().max(Some(stamp));
            continue;
        }
        *latest = latest.take().max(Some(stamp.clone()));
        if field != "_row" && record.stamps.get(&field).is_none_or(|held| *held < stamp) {
            record.cells.insert(field.clone(), Cell::of(&change["value"]));
            record.stamps.insert(field, stamp);
        }
    }
    let alive = all.into_iter().filter(|(_, (_, tomb, latest))| latest > tomb);
    alive.map(|(key, (record, _, _))| (key, record)).collect()
}
