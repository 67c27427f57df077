//! A table as it was in an earlier generation of its fields: what the triggers wrote then is read by the rules of then.

use std::cell::OnceCell;
use std::rc::Rc;

use super::{Catalog, Field, Form, Table};
use crate::conn::Conn;
use crate::error::Result;

impl Catalog {
    /// The next place in the log after `from` that some table has a note of.
    pub fn next_place(&self, from: i64) -> Option<i64> {
        let notes = self.tables().iter().map(|table| &table.notes);
        let all = notes.flat_map(|notes| notes.past.iter().chain(notes.due.as_ref().map(|due| &due.since)));
        all.map(|past| past.until).filter(|until| *until > from).min()
    }

    /// The tables that had other fields than now when the log's row `seq` was written.
    pub fn tables_at(&self, conn: &Conn, seq: i64) -> Result<Vec<Rc<Table>>> {
        let mut all = Vec::new();
        for table in self.tables() {
            if let Some(past) = table.notes.past.iter().find(|past| past.until >= seq) {
                all.push(Rc::new(table.at(conn, past.gen)?));
            }
        }
        Ok(all)
    }
}

impl Table {
    fn at(&self, conn: &Conn, gen: u32) -> Result<Table> {
        let fields: Vec<Field> = self.fields.iter().map(|field| field.at(gen)).collect();
        let mut then = Table {
            id: self.id,
            name: self.name.clone(),
            enabled: self.enabled,
            captured: self.captured,
            replaced: self.replaced,
            gen,
            covered: fields.iter().filter(|f| f.covered_in(gen)).map(|f| f.id).collect(),
            ended: Table::any_ended(&fields),
            fields,
            listed: self.listed.clone(),
            aliases: self.aliases.clone(),
            has_aliases: self.has_aliases,
            heirs: Vec::new(),
            notes: Default::default(),
            form: OnceCell::new(),
            places: OnceCell::new(),
        };
        if let Some(now) = self.form_if_usable(conn)? {
            // The triggers tell only of the fields of now.
            let column = |f: &Field| match self.field(f.id).filter(|f| f.is_local()) {
                Some(_) => now.tracked(f.id).map(|tracked| &tracked.column),
                None => now.shape.column(&f.name),
            };
            let form = Form::new(now.shape.clone(), &then, column);
            then.form = OnceCell::from(form);
        }
        Ok(then)
    }
}

impl Field {
    fn at(&self, gen: u32) -> Field {
        let by_then = |g: &u32| *g <= gen;
        Field { born: self.born.filter(by_then), died: self.died.filter(by_then), ..self.clone() }
    }
}
