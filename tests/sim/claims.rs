//! Which of the live records a table with constraints shows, and which wait.

use std::collections::{BTreeMap, BTreeSet};

use super::cell::Cell;
use super::model::{Field, Record};
use super::schema::Shape;
use super::wire::Stamp;

/// The records that wait: oldest claim first (the latest stamp over the unique columns, then the key), each takes all
/// its claims or none.
pub fn waiting<'a>(shape: &Shape, alive: &BTreeMap<&'a str, &Record>) -> BTreeSet<&'a str> {
    let mut order: Vec<_> = alive.iter().map(|(pk, record)| (latest(shape, record), *pk, *record)).collect();
    order.sort_by_key(|(stamp, pk, _)| (*stamp, *pk));
    let mut taken = BTreeSet::new();
    let mut out = BTreeSet::new();
    for (_, pk, record) in order {
        let claims = claims(shape, record);
        if claims.iter().any(|claim| taken.contains(claim)) {
            out.insert(pk);
        } else {
            taken.extend(claims);
            if !fits(shape, record) {
                out.insert(pk);
            }
        }
    }
    orphans(shape, alive, &mut out);
    out
}

/// Whether the table's CHECK lets the record in: a comparison with NULL does.
fn fits(shape: &Shape, record: &Record) -> bool {
    let Some(columns) = shape.ordered else {
        return true;
    };
    match columns.map(|name| value(record, name).map(|cell| number(&cell))) {
        // In an INTEGER column numbers come before texts, and those before blobs.
        [Some(low), Some(high)] if low != Cell::Null && high != Cell::Null => low <= high,
        _ => true,
    }
}

/// Adds those whose parent is not shown, until all that are left have theirs.
fn orphans<'a>(shape: &Shape, alive: &BTreeMap<&'a str, &Record>, out: &mut BTreeSet<&'a str>) {
    let Some(parent) = shape.parent() else {
        return;
    };
    loop {
        let has = |record: &Record| match value(record, parent) {
            Some(Cell::Text(key)) => alive.keys().any(|pk| pk.as_bytes() == key.as_slice() && !out.contains(pk)),
            _ => true,
        };
        let lost: Vec<_> = alive.iter().filter(|(pk, r)| !out.contains(*pk) && !has(r)).map(|(pk, _)| *pk).collect();
        if lost.is_empty() {
            return;
        }
        out.extend(lost);
    }
}

fn value(record: &Record, name: &str) -> Option<Cell> {
    match record.fields.get(name) {
        Some(Field::Lww(_, cells)) => cells.last().cloned(),
        _ => None,
    }
}

/// The latest stamp over the record's unique columns.
fn latest<'a>(shape: &Shape, record: &'a Record) -> Option<&'a Stamp> {
    let columns = shape.unique.iter().flat_map(|index| index.iter());
    let stamps = columns.filter_map(|name| match record.fields.get(*name) {
        Some(Field::Lww(stamp, _)) => Some(stamp),
        _ => None,
    });
    stamps.max()
}

/// The index and values of each claim; an index with a NULL claims nothing.
fn claims(shape: &Shape, record: &Record) -> Vec<(usize, Vec<Cell>)> {
    let claimed = |name: &&str| value(record, name).map(|cell| number(&cell)).filter(|c| *c != Cell::Null);
    let claim = |index: &&[&str]| index.iter().map(claimed).collect::<Option<Vec<_>>>();
    let all = shape.unique.iter().map(claim);
    all.enumerate().filter_map(|(i, claim)| Some((i, claim?))).collect()
}

/// As an index compares: 1.0 is 1.
fn number(cell: &Cell) -> Cell {
    match cell {
        Cell::Real(bits) => match f64::from_bits(*bits) {
            real if real.fract() == 0.0 && real.abs() < 9.0e18 => Cell::Int(real as i64),
            _ => cell.clone(),
        },
        _ => cell.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::SHAPES;
    use super::*;

    /// A record of `uq` with a stamp and value for each of u, v, w.
    fn record(cells: [(i64, Cell); 3]) -> Record {
        let mut record = Record::default();
        for (name, (ts, cell)) in ["u", "v", "w"].into_iter().zip(cells) {
            let node = "n".to_string();
            let stamp = Stamp { ts, c: 0, node };
            let field = Field::Lww(stamp, BTreeSet::from([cell]));
            record.fields.insert(name.to_string(), field);
        }
        record
    }

    fn wait(records: &[(&'static str, &Record)]) -> Vec<&'static str> {
        let shape = SHAPES.iter().find(|s| s.table == "uq").unwrap();
        let alive = records.iter().copied().collect();
        waiting(shape, &alive).into_iter().collect()
    }

    #[test]
    fn the_oldest_claim_is_shown_and_nulls_claim_nothing() {
        let int = Cell::Int;
        let old = record([(1, int(1)), (1, int(2)), (1, int(3))]);
        let moved = record([(1, int(1)), (9, int(8)), (1, int(8))]);
        let real = record([(5, Cell::Null), (5, Cell::Real(2f64.to_bits())), (5, int(3))]);
        let null = record([(5, Cell::Null), (5, int(2)), (5, Cell::Null)]);
        assert_eq!(wait(&[("a", &moved), ("b", &old)]), ["a"]);
        assert_eq!(wait(&[("a", &real), ("b", &old), ("c", &null)]), ["a"]);
        assert_eq!(wait(&[("a", &old), ("b", &old)]), ["b"]);
    }

    #[test]
    fn who_waits_for_one_claim_takes_none() {
        let int = Cell::Int;
        let first = record([(1, int(1)), (1, int(1)), (1, int(1))]);
        let second = record([(2, int(1)), (2, int(2)), (2, int(2))]);
        let third = record([(3, int(3)), (3, int(2)), (3, int(2))]);
        assert_eq!(wait(&[("a", &first), ("b", &second), ("c", &third)]), ["b"]);
    }
}
