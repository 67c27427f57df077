//! Abstract writes as SQL statements that a person can replay: literals only, no parameters.

use super::ops::{Tag, Verb, Write};
use super::schema::{quote, Kind, Shape};
use super::values::{BLOBS, BOOLS, CLAIMS, COUNTS, EDGES, ELEMENTS, INTS, JSONS, PARENTS, REALS, TEXTS, VALUES};

/// What the renderer needs to know of the case.
pub struct Render<'a> {
    pub tables: &'a [&'static Shape],
    pub edges: bool,
}

impl Render<'_> {
    /// The statement.
    pub fn sql(&self, write: &Write) -> String {
        match write {
            Write::Insert { table, verb, rows, rowid } => self.insert(self.table(*table), *verb, rows, *rowid),
            Write::Update { table, key, mask, values, verb } => {
                let shape = self.table(*table);
                let sets = self.assignments(shape, *mask, values);
                self.update(shape, *key, *verb, &sets)
            }
            Write::Rekey { table, from, to, verb } => {
                let shape = self.table(*table);
                let values = shape.keys[usize::from(*to) % shape.keys.len()];
                let sets: Vec<_> = shape.key.iter().zip(values).map(|(k, v)| format!("{} = {v}", quote(k))).collect();
                // A cascade that deletes the very row that is moved fires no trigger for the one that it replaces.
                let cascades = shape.ddl.contains("CASCADE") && *verb == Verb::Replace;
                self.update(shape, Some(*from), if cascades { Verb::Plain } else { *verb }, &sets.join(", "))
            }
            Write::Rerow { table, key, to } => {
                let shape = self.table(*table);
                if shape.rowid {
                    return self.update(shape, Some(*key), Verb::Replace, &format!("rowid = {to}"));
                }
                self.sql(&Write::Rekey { table: *table, from: *key, to: *to, verb: Verb::Replace })
            }
            Write::Delete { table, key } => {
                let shape = self.table(*table);
                format!("DELETE FROM {}{}", shape.quoted(), condition(shape, *key))
            }
            Write::Count { table, key, add, n } => {
                let (shape, column) = self.with(*table, &[Kind::Counter, Kind::Count0]);
                let Some(column) = column.map(quote) else {
                    return self.other(*table, key.unwrap_or(*n), *n);
                };
                let pool = if self.edges { EDGES } else { COUNTS };
                let value = pick(pool, *n);
                let value = if *add { format!("coalesce({column}, 0) + {value}") } else { value.to_string() };
                self.update(shape, *key, Verb::Plain, &format!("{column} = {value}"))
            }
            Write::Tag { table, key, how } => self.tag(*table, *key, how),
            Write::Bad { table, key, how } => self.bad(*table, *key, *how),
        }
    }

    /// One of the case's tables.
    fn table(&self, index: usize) -> &'static Shape {
        self.tables[index % self.tables.len()]
    }

    /// The first table from `index` on with a column of one of these kinds.
    fn with(&self, index: usize, kinds: &[Kind]) -> (&'static Shape, Option<&'static str>) {
        let hits = (0..self.tables.len()).map(|i| self.table(index + i));
        let mut hits = hits.filter_map(|s| Some((s, *s.of_kind(kinds).first()?)));
        hits.next().map_or((self.table(index), None), |(s, c)| (s, Some(c)))
    }

    fn value(&self, kind: Kind, byte: u8) -> String {
        match kind {
            Kind::Any | Kind::Local | Kind::Late => pick(VALUES, byte).into(),
            Kind::NotNull => format!("coalesce({}, 'nn')", pick(VALUES, byte)),
            Kind::Int => pick(INTS, byte).into(),
            Kind::Real => pick(REALS, byte).into(),
            Kind::Text => pick(TEXTS, byte).into(),
            Kind::Blob => pick(BLOBS, byte).into(),
            Kind::Json => pick(JSONS, byte).into(),
            Kind::Bool => pick(BOOLS, byte).into(),
            Kind::Claim => pick(CLAIMS, byte).into(),
            Kind::Parent => pick(PARENTS, byte).into(),
            Kind::Counter if self.edges => pick(EDGES, byte).into(),
            Kind::Counter => pick(COUNTS, byte).into(),
            Kind::Count0 => format!("coalesce({}, 0)", pick(COUNTS, byte)),
            Kind::Set if byte % 8 == 7 => "NULL".into(),
            Kind::Set => array(&(0..byte % 4).map(|i| byte.rotate_left(i.into())).collect::<Vec<_>>()),
        }
    }

    fn insert(&self, shape: &Shape, verb: Verb, rows: &[(u8, [u8; 8])], rowid: Option<u8>) -> String {
        let rowid = rowid.filter(|_| shape.rowid);
        let mut columns: Vec<_> = shape.all_columns().map(quote).collect();
        if rowid.is_some() {
            columns.insert(0, "rowid".into());
        }
        let rows: Vec<_> = rows
            .iter()
            .zip(0..)
            .map(|((key, values), i)| {
                let key = shape.keys[usize::from(*key) % shape.keys.len()];
                let mut cells: Vec<String> = rowid.iter().map(|r| (r + i).to_string()).collect();
                cells.extend(key.iter().map(ToString::to_string));
                let columns = shape.columns.iter().zip(values);
                cells.extend(columns.map(|((_, kind), byte)| self.value(*kind, *byte)));
                format!("({})", cells.join(", "))
            })
            .collect();
        let (into, after) = match verb {
            Verb::Plain => ("INSERT", String::new()),
            Verb::Replace => ("INSERT OR REPLACE", String::new()),
            Verb::Ignore => ("INSERT OR IGNORE", String::new()),
            Verb::Fail => ("INSERT OR FAIL", String::new()),
            Verb::UpsertNothing => ("INSERT", " ON CONFLICT DO NOTHING".into()),
            Verb::Upsert => ("INSERT", self.upsert(shape)),
        };
        format!("{into} INTO {}({}) VALUES {}{after}", shape.quoted(), columns.join(", "), rows.join(", "))
    }

    /// On conflict: the lww columns take the new values, counters add them (unless that may overflow), sets stay.
    fn upsert(&self, shape: &Shape) -> String {
        let key: Vec<_> = shape.key.iter().map(|k| quote(k)).collect();
        let sets: Vec<_> = shape
            .columns
            .iter()
            .filter(|(_, kind)| *kind != Kind::Set)
            .map(|(name, kind)| {
                let name = quote(name);
                match kind {
                    Kind::Counter | Kind::Count0 if !self.edges => {
                        format!("{name} = coalesce({}.{name}, 0) + coalesce(excluded.{name}, 0)", shape.quoted())
                    }
                    _ => format!("{name} = excluded.{name}"),
                }
            })
            .collect();
        if sets.is_empty() {
            return format!(" ON CONFLICT({0}) DO UPDATE SET {0} = excluded.{0}", key.join(", "));
        }
        format!(" ON CONFLICT({}) DO UPDATE SET {}", key.join(", "), sets.join(", "))
    }

    fn update(&self, shape: &Shape, key: Option<u8>, verb: Verb, sets: &str) -> String {
        let or = match verb {
            Verb::Replace => " OR REPLACE",
            Verb::Ignore => " OR IGNORE",
            Verb::Fail => " OR FAIL",
            _ => "",
        };
        format!("UPDATE{or} {} SET {sets}{}", shape.quoted(), condition(shape, key))
    }

    /// The columns of the mask, at least one; the key to itself when there are no others.
    fn assignments(&self, shape: &Shape, mask: u8, values: &[u8; 8]) -> String {
        let of = |i: usize| {
            let (name, kind) = shape.columns[i];
            format!("{} = {}", quote(name), self.value(kind, values[i]))
        };
        let count = shape.columns.len();
        if count == 0 {
            let key = quote(shape.key[0]);
            return format!("{key} = {key}");
        }
        let some: Vec<_> = (0..count).filter(|i| mask >> i & 1 == 1).map(of).collect();
        if some.is_empty() {
            of(usize::from(mask) % count)
        } else {
            some.join(", ")
        }
    }

    /// Instead of a write to a column that no table has.
    fn other(&self, table: usize, key: u8, seed: u8) -> String {
        let values = [0, 1, 2, 3, 4, 5, 6, 7].map(|i| seed.wrapping_add(i));
        self.insert(self.table(table), Verb::Replace, &[(key, values)], None)
    }

    fn tag(&self, table: usize, key: Option<u8>, how: &Tag) -> String {
        let (shape, column) = self.with(table, &[Kind::Set]);
        let Some(column) = column.map(quote) else {
            return self.other(table, key.unwrap_or(0), 7);
        };
        let value = match how {
            Tag::Assign(elements) => array(elements),
            Tag::Add(e) => {
                let element = pick(ELEMENTS, *e);
                format!("json_insert(coalesce({column}, '[]'), '$[#]', json('{element}'))")
            }
            Tag::DropFirst => format!("json_remove({column}, '$[0]')"),
            Tag::DropLast => format!("json_remove({column}, '$[#-1]')"),
            Tag::Null => "NULL".into(),
        };
        self.update(shape, key, Verb::Plain, &format!("{column} = {value}"))
    }

    fn bad(&self, table: usize, key: u8, how: u8) -> String {
        let counts = &[Kind::Counter, Kind::Count0][..];
        let (kinds, pool) = match how % 2 {
            0 => (counts, &["'x'", "1.5", "x'00'", "9e999", "''", "'4'", "4.0"][..]),
            _ => (&[Kind::Set][..], &["'{}'", "'x'", "''", "5", "'\"a\"'", "'[1'", "'null'"][..]),
        };
        let (shape, column) = self.with(table, kinds);
        let value = pick(pool, how / 2);
        match column.map(quote) {
            Some(column) if how < 128 => self.update(shape, Some(key), Verb::Plain, &format!("{column} = {value}")),
            Some(column) => {
                let key = shape.keys[usize::from(key) % shape.keys.len()].join(", ");
                let names: Vec<_> = shape.key.iter().map(|k| quote(k)).collect();
                let names = names.join(", ");
                format!("INSERT OR REPLACE INTO {}({names}, {column}) VALUES ({key}, {value})", shape.quoted())
            }
            None => {
                let sets = format!("{} = NULL", quote(shape.key[0]));
                self.update(shape, Some(key), Verb::Plain, &sets)
            }
        }
    }
}

fn condition(shape: &Shape, key: Option<u8>) -> String {
    let Some(key) = key else {
        return String::new();
    };
    let values = shape.keys[usize::from(key) % shape.keys.len()];
    let tests: Vec<_> = shape.key.iter().zip(values).map(|(k, v)| format!("{} = {v}", quote(k))).collect();
    format!(" WHERE {}", tests.join(" AND "))
}

/// A JSON array literal, with spaces, in the order given, repeats and all: not canonical.
fn array(elements: &[u8]) -> String {
    let parts: Vec<_> = elements.iter().map(|e| pick(ELEMENTS, *e)).collect();
    format!("'[ {} ]'", parts.join(" , "))
}

fn pick<'a>(pool: &[&'a str], index: u8) -> &'a str {
    pool[usize::from(index) % pool.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::random::Random;
    use super::super::schema::SHAPES;
    use super::*;

    #[test]
    fn generated_statements_run_on_plain_sqlite() {
        let tables: Vec<&Shape> = SHAPES.iter().collect();
        let render = Render { tables: &tables, edges: false };
        let db = rusqlite::Connection::open_in_memory().unwrap();
        for shape in SHAPES {
            db.execute_batch(shape.ddl).unwrap();
        }
        let mut random = Random::new(1);
        let mut ends = BTreeMap::new();
        for _ in 0..3000 {
            let write = random.write();
            let sql = render.sql(&write);
            let end = match db.execute(&sql, []) {
                Ok(0) => "nothing".to_string(),
                Ok(_) => "done".to_string(),
                Err(e) => e.to_string(),
            };
            let said = ["syntax", "no such", "has no", "values for"];
            assert!(!said.iter().any(|s| end.contains(s)), "{end}: {sql}");
            *ends.entry(end).or_insert(0) += 1;
        }
        assert!(ends["done"] > 1500, "{ends:#?}");
    }
}
