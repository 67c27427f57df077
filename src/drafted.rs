//! Records of a payload taken by those roads that take many at once, without becoming changes first.

use std::collections::HashMap;
use std::rc::Rc;

use crate::change::{Change, Drafts};
use crate::coming::{self, Coming};
use crate::conflicts;
use crate::error::Result;
use crate::inbound::Report;
use crate::key::Pk;
use crate::limits::Limits;
use crate::meet::Write;
use crate::schema::{Form, Kind, Table};
use crate::store::Store;
use crate::types::Type;
use crate::{unique, whole};

/// A record of a payload.
struct Draft<'d> {
    of: &'d Of,
    pk: Pk,
    drafts: &'d Drafts<'d>,
    place: usize,
}

/// A table, and where its columns are: by the number of a field's name, the place of its column.
struct Of {
    table: Rc<Table>,
    places: Vec<Option<usize>>,
}

type Tables = HashMap<u32, Option<Of>, foldhash::fast::RandomState>;

impl<'d> Coming<'d> for Draft<'d> {
    fn table(&self) -> &Rc<Table> {
        &self.of.table
    }

    fn pk(&self) -> &Pk {
        &self.pk
    }

    fn count(&self) -> usize {
        self.drafts.cells(self.place).len()
    }

    fn write(&self, _: &Form, i: usize) -> Option<(usize, Write<'d>)> {
        let cell = self.drafts.cells(self.place).get(i)?;
        let place = self.of.places.get(cell.field as usize).copied().flatten()?;
        Some((place, self.drafts.write(cell)?))
    }
}

/// Takes records that have to do with nothing but themselves; gives the changes of the others. Whether the clock is to be saved.
pub fn take(
    store: &mut Store<'_>,
    drafts: &mut Drafts<'_>,
    limits: &Limits,
    (report, log): (&mut Report, &mut conflicts::Log),
) -> Result<Vec<Change>> {
    drafts.sort();
    let drafts = &*drafts;
    let mut left = Vec::new();
    let tables = tables(store, drafts)?;
    let limit = store.wall.saturating_add(store.max_drift);
    let mut coming = Vec::with_capacity(drafts.records());
    for place in 0..drafts.records() {
        let (table, pk) = drafts.record(place);
        let of = tables.get(&table).and_then(Option::as_ref);
        let fits = |cell| {
            let write: Option<Write<'_>> = drafts.write(cell);
            write.is_some_and(|write| write.hlc.ts <= limit && limits.fit(pk, write.value))
        };
        match of.filter(|_| drafts.cells(place).iter().all(fits)) {
            Some(of) => {
                let pk = Pk::from_wire(&of.table.form(store.conn)?.shape.classes, pk);
                coming.push(Draft { of, pk, drafts, place });
            }
            None => left.push(place),
        }
    }
    coming::sort(&mut coming);
    for record in &coming {
        let writes = drafts.cells(record.place).iter().filter_map(|cell| drafts.write(cell));
        store.clock = writes.fold(store.clock, |clock, write| clock.observe(write.hlc.tick()));
    }
    let (twice, mut coming) = alone(coming);
    left.extend(twice.iter().map(|record| record.place));
    whole::take(store, &mut coming, report, log)?;
    store.folded = store.last_seq()?;
    store.save_clock()?;
    left.extend(coming.iter().map(|record| record.place));
    left.sort_unstable();
    let mut changes = Vec::new();
    left.into_iter().for_each(|place| drafts.changes(place, &mut changes));
    Ok(changes)
}

/// Records that stand there more than once, and the others; sorted both.
fn alone(records: Vec<Draft<'_>>) -> (Vec<Draft<'_>>, Vec<Draft<'_>>) {
    let is_same = |a: &Draft<'_>, b: &Draft<'_>| a.of.table.id == b.of.table.id && a.pk == b.pk;
    let twice: Vec<bool> = (0..records.len())
        .map(|i| {
            let neighbour = |j: Option<usize>| j.and_then(|j| records.get(j));
            let record = records.get(i);
            let same = |other: Option<&Draft<'_>>| record.zip(other).is_some_and(|(a, b)| is_same(a, b));
            same(neighbour(i.checked_sub(1))) || same(neighbour(i.checked_add(1)))
        })
        .collect();
    let mut twice = twice.into_iter();
    records.into_iter().partition(|_| twice.next() == Some(true))
}

/// The tables of records, by the numbers of their names; None for those whose rows have to do with one another.
fn tables(store: &Store<'_>, drafts: &Drafts<'_>) -> Result<Tables> {
    let mut all = Tables::default();
    let mut last = None;
    for place in 0..drafts.records() {
        let (number, _) = drafts.record(place);
        if last == Some(number) || all.contains_key(&number) {
            continue;
        }
        last = Some(number);
        let table = store.catalog.listed(drafts.name(number))?;
        let form = table.form(store.conn)?;
        let apart = !store.any_pending.get() && unique::read(store.conn, form)?.is_empty();
        let lww = Kind::Known(Type::Lww);
        let column = |name| {
            let field = table.named(drafts.name(name), &lww).filter(|field| field.is_local())?;
            form.tracked.binary_search_by_key(&field.id, |tracked| tracked.field).ok()
        };
        let of = || Of { table: Rc::clone(table), places: (0..drafts.names() as u32).map(column).collect() };
        all.insert(number, apart.then(of));
    }
    Ok(all)
}
