//! What becomes of a table's fields under `crdt_enable`. Pure.

use crate::record::FieldId;
use crate::schema::shape::{Column, Shape};
use crate::schema::{Field, Kind, Table, Tracked};
use crate::types::Type;

/// A table's fields as they will be, and what is new of them.
pub struct Fields {
    /// All of them, in the order of their numbers.
    pub all: Vec<Field>,
    /// The generation of this set of fields.
    pub gen: u32,
    /// Whether it differs from the one before.
    pub changed: bool,
    /// Fields that become tracked now.
    pub new: Vec<FieldId>,
    /// Those of them that were known before.
    pub kept: Vec<FieldId>,
}

impl Fields {
    /// Fields that are wished for no more die; those that are new are born, or reborn under their old number.
    pub fn new(known: Option<&Table>, wishes: &[(&Column, Kind)]) -> Fields {
        let mut all: Vec<Field> = known.map(|table| table.fields.clone()).unwrap_or_default();
        let gen = known.map_or(1, |table| table.gen + 1);
        let wished = |f: &Field| wishes.iter().any(|(column, kind)| column.name == f.name && *kind == f.kind);
        let mut changed = known.is_none();
        for field in all.iter_mut().filter(|f| f.born.is_some() && f.died.is_none()) {
            if !wished(field) {
                field.died = Some(gen);
                changed = true;
            }
        }
        let (mut new, mut kept) = (Vec::new(), Vec::new());
        for (column, kind) in wishes {
            let same = |f: &Field| f.name == column.name && f.kind == *kind;
            if all.iter().any(|f| same(f) && f.born.is_some() && f.died.is_none()) {
                continue;
            }
            changed = true;
            let lww = *kind == Kind::Known(Type::Lww);
            let bit = lww.then(|| all.iter().filter_map(|f| f.bit).max().map_or(0, |b| b + 1));
            match all.iter_mut().find(|f| same(f)) {
                Some(field) => {
                    *field = Field { born: Some(gen), died: None, bit: field.bit.or(bit), ..field.clone() };
                    new.push(field.id);
                    kept.push(field.id);
                }
                None => {
                    let id = all.iter().map(|f| f.id).max().unwrap_or(0) + 1;
                    let (name, kind) = (column.name.clone(), kind.clone());
                    all.push(Field { id, name, kind, bit, born: Some(gen), died: None });
                    new.push(id);
                }
            }
        }
        let gen = if changed { gen } else { gen - 1 };
        Fields { all, gen, changed, new, kept }
    }

    /// The columns of `shape` that are tracked as these fields.
    pub fn tracked(&self, shape: &Shape) -> Vec<Tracked> {
        let local = self.all.iter().filter(|f| f.is_local());
        local
            .filter_map(|f| match (&f.kind, shape.column(&f.name)) {
                (Kind::Known(ty), Some(column)) => {
                    Some(Tracked { field: f.id, ty: *ty, bit: f.bit, column: column.clone() })
                }
                _ => None,
            })
            .collect()
    }
}
