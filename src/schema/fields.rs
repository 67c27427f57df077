//! What becomes of a table's fields under `crdt_enable`. Pure.

use std::collections::BTreeMap;

use crate::record::FieldId;
use crate::schema::heirs::Heir;
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
    /// Those of them whose column was tracked as another type until now.
    pub retyped: Vec<FieldId>,
    /// Names that columns had before they were renamed.
    pub aliases: Vec<(String, FieldId)>,
    /// Fields whose state goes to another, or is to be shown.
    pub heirs: Vec<Heir>,
}

impl Fields {
    /// Fields whose column was renamed take its name. Fields that are wished for no more die; those that are new are born.
    /// `columns` tells which column each field is now.
    pub fn new(known: Option<&Table>, columns: &BTreeMap<FieldId, String>, wishes: &[(&Column, Kind)]) -> Fields {
        let mut fields = Fields {
            all: known.map(|table| table.fields.clone()).unwrap_or_default(),
            gen: known.map_or(1, |table| table.gen.saturating_add(1)),
            changed: known.is_none(),
            new: Vec::new(),
            retyped: Vec::new(),
            aliases: Vec::new(),
            heirs: Vec::new(),
        };
        fields.rename(columns);
        fields.bury(wishes);
        for (column, kind) in wishes {
            fields.bear(column, kind);
        }
        if !fields.changed {
            fields.gen -= 1;
        }
        fields
    }

    fn rename(&mut self, columns: &BTreeMap<FieldId, String>) {
        let mut renamed = Vec::new();
        for field in self.all.iter_mut().filter(|f| f.is_local()) {
            let Some(column) = columns.get(&field.id).filter(|column| **column != field.name) else { continue };
            if !column.eq_ignore_ascii_case(&field.name) {
                self.aliases.push((std::mem::take(&mut field.name), field.id));
            }
            field.name.clone_from(column);
            renamed.push(field.clone());
        }
        self.changed |= !renamed.is_empty();
        for field in renamed {
            self.inherit(&field.name, &field.kind, field.id, false);
        }
    }

    /// State that is there under the name and type of the field `to`, of no column now, goes to it.
    fn inherit(&mut self, name: &str, kind: &Kind, to: FieldId, retyped: bool) {
        let heirs = &mut self.heirs;
        // The column went on under another type when this field ended: it was not dropped.
        let replaced = |f: &Field| f.died.is_some() && self.all.iter().any(|g| g.born == f.died && g.name == f.name);
        for field in self.all.iter().filter(|f| f.id != to && !f.is_local() && is(f, name, kind)) {
            if heirs.iter().all(|heir| heir.from != field.id) {
                heirs.push(Heir { from: field.id, to, retyped: retyped && replaced(field) });
            }
        }
    }

    fn bury(&mut self, wishes: &[(&Column, Kind)]) {
        let wished = |f: &Field| wishes.iter().any(|(column, kind)| column.name == f.name && *kind == f.kind);
        for field in self.all.iter_mut().filter(|f| f.born.is_some() && f.died.is_none()) {
            if !wished(field) {
                field.died = Some(self.gen);
                self.changed = true;
            }
        }
    }

    fn bear(&mut self, column: &Column, kind: &Kind) {
        let here = |f: &Field| f.name == column.name && f.kind == *kind && f.born.is_some() && f.died.is_none();
        if self.all.iter().any(here) {
            return;
        }
        self.changed = true;
        let gen = self.gen;
        let lww = *kind == Kind::Known(Type::Lww);
        let bit = lww.then(|| self.all.iter().filter_map(|f| f.bit).max().map_or(0, |b| b.saturating_add(1)));
        let retyped = self.all.iter().any(|f| f.died == Some(gen) && f.name == column.name);
        // A field that only peers have had becomes the column. One that was a column before does not: its stamps speak of
        // values that went with that column. What is still held of it goes to the new field.
        let fresh = |f: &&mut Field| is(f, &column.name, kind) && (f.born.is_none() || *kind == Kind::None);
        let id = match self.all.iter_mut().find(fresh) {
            Some(field) => {
                let name = column.name.clone();
                *field = Field { name, born: Some(gen), died: None, bit: field.bit.or(bit), ..field.clone() };
                if *kind != Kind::None {
                    self.heirs.push(Heir { from: field.id, to: field.id, retyped: false });
                }
                field.id
            }
            None => {
                let id = self.all.iter().map(|f| f.id).max().unwrap_or(0).saturating_add(1);
                let (name, kind) = (column.name.clone(), kind.clone());
                self.all.push(Field { id, name, kind, bit, born: Some(gen), died: None });
                id
            }
        };
        self.inherit(&column.name, kind, id, retyped);
        self.new.push(id);
        if retyped {
            self.retyped.push(id);
        }
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

fn is(field: &Field, name: &str, kind: &Kind) -> bool {
    field.kind == *kind && field.name.eq_ignore_ascii_case(name)
}
