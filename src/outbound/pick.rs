//! Which fields of a record are to be sent, and which a row of the log names.

use crate::error::Result;
use crate::ffi::ValueRef;
use crate::log::{Event, Reader};
use crate::outbound::fields::FieldSet;
use crate::record::FieldId;
use crate::schema::Table;

/// The fields of a record that are to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pick {
    /// All of them.
    All,
    /// These.
    Fields(FieldSet),
    /// Those stamped after the cursor's instant.
    Later,
    /// None: the record is gone from the filter.
    Gone,
}

impl Pick {
    /// Takes in another selection.
    pub fn add(&mut self, more: Pick) {
        match (&mut *self, more) {
            (Pick::All | Pick::Gone, _) | (Pick::Later, Pick::Later) => {}
            (_, Pick::Gone) => *self = Pick::Gone,
            (_, Pick::Later) => *self = Pick::All,
            (_, more @ Pick::All) => *self = more,
            // Some by name and some by stamp: both are in all.
            (Pick::Later, _) => *self = Pick::All,
            (Pick::Fields(have), Pick::Fields(more)) => have.add(more),
        }
    }

    /// About how many changes it is, in a table of so many fields.
    pub fn changes(&self, fields: usize) -> usize {
        match self {
            Pick::All | Pick::Later => fields.max(1),
            Pick::Fields(fields) => fields.iter().count().max(1),
            Pick::Gone => 1,
        }
    }

    /// Whether another selection is part of this one.
    pub fn includes(&self, other: &Pick) -> bool {
        match (self, other) {
            (Pick::All, _) => true,
            (Pick::Fields(have), Pick::Fields(want)) => have.includes(want),
            _ => false,
        }
    }

    /// Whether a field is among them.
    pub fn has(&self, field: FieldId) -> bool {
        match self {
            Pick::All | Pick::Later => true,
            Pick::Fields(fields) => fields.has(field),
            Pick::Gone => false,
        }
    }
}

/// Whether an export comes to a record by this row of the log.
pub fn touches(row: &Reader<'_>, table: &Table) -> Result<bool> {
    Ok(picked(row, table)?.is_some())
}

/// The fields that a log row touched; None when it touched nothing.
pub fn picked(row: &Reader<'_>, table: &Table) -> Result<Option<Pick>> {
    Ok(match row.event() {
        Event::Insert | Event::Backfill => Some(Pick::All),
        Event::Delete | Event::Suspect => Some(Pick::Fields(FieldSet::default())),
        Event::Update(mask) => {
            Some(row.masked::<FieldSet>(table, mask)).filter(|fields| !fields.is_empty()).map(Pick::Fields)
        }
        Event::Part if same_set(row.value(1), row.value(2)) => None,
        Event::Part | Event::BackfillField => row
            .value(0)
            .as_i64()
            .and_then(|f| FieldId::try_from(f).ok())
            .map(|f| Pick::Fields(FieldSet::from_iter([f]))),
        Event::Relay => Some(match row.value(0).as_bytes() {
            Some(bytes) => Pick::Fields(crate::pack::unpack_fields(bytes)?),
            None => Pick::All,
        }),
        Event::Unknown => None,
    })
}

/// Whether two values of a set's cell are one set in two spellings.
fn same_set(old: ValueRef<'_>, new: ValueRef<'_>) -> bool {
    let elements = |value: ValueRef<'_>| match value {
        ValueRef::Null => Some(Vec::new()),
        value => crate::types::set::elements(value.as_str()?).ok(),
    };
    // Counters come here too: their values are no arrays.
    (old.as_str().is_some() || new.as_str().is_some()) && elements(old).is_some_and(|old| elements(new) == Some(old))
}
