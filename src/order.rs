//! The order in which a merge writes its rows: deletes first, children before their parents; then parents before their children.
//!
//! It saves rounds, and decides nothing: rows in a circle, or that name their parent in ways not seen here, are refused and tried again.

use std::collections::{BTreeMap, HashMap};

use crate::conn::Conn;
use crate::error::Result;
use crate::ffi::Value;
use crate::foreign::Side;
use crate::key::Pk;
use crate::record::Record;
use crate::row;
use crate::schema::Form;
use crate::show::Work;

/// A parent's name: whether it is alive, the key that names it, the values.
type Name = (bool, usize, Vec<Vec<u8>>);

/// The places of the records in the order in which they are to be shown, as `states` says.
pub fn order(conn: &Conn, work: &[Work], states: &[Record]) -> Result<Vec<usize>> {
    let is_alive = |i: &usize| states.get(*i).is_some_and(Record::alive);
    let lone = work.len() < 2 || conn.foreign.borrow().is_empty();
    let all = if lone { (0..work.len()).collect() } else { parents_first(parents(conn, work, states)?) };
    let (living, mut order): (Vec<usize>, Vec<usize>) = all.into_iter().partition(is_alive);
    if !lone {
        order.reverse();
    }
    order.extend(living);
    Ok(order)
}

/// The records among them that each refers to.
fn parents(conn: &Conn, work: &[Work], states: &[Record]) -> Result<Vec<Vec<usize>>> {
    let foreign = conn.foreign.borrow();
    let mut sides: BTreeMap<i64, Vec<Side<'_>>> = BTreeMap::new();
    let (mut named, mut asked): (HashMap<Name, usize>, Vec<(usize, Name)>) = Default::default();
    for (i, (work, state)) in work.iter().zip(states).enumerate() {
        let form = work.table.form(conn)?;
        let sides = sides.entry(work.table.id).or_insert_with(|| foreign.sides(&form.shape.name));
        if sides.is_empty() {
            continue;
        }
        let cells = Cells::of(conn, form, &work.pk, state)?;
        for side in sides {
            let Some(values) = side.columns.iter().map(|column| cells.spelled(column)).collect() else { continue };
            let name = (state.alive(), side.key, values);
            match side.is_child {
                true => asked.push((i, name)),
                false => drop(named.insert(name, i)),
            }
        }
    }
    let mut parents = vec![Vec::new(); work.len()];
    for (i, name) in asked {
        if let (Some(parent), Some(all)) = (named.get(&name), parents.get_mut(i)) {
            all.push(*parent);
        }
    }
    Ok(parents)
}

/// All places, those that a place refers to before it.
fn parents_first(mut parents: Vec<Vec<usize>>) -> Vec<usize> {
    let mut order = Vec::with_capacity(parents.len());
    let mut begun = vec![false; parents.len()];
    let mut begin = |i: usize| begun.get_mut(i).is_some_and(|begun| !std::mem::replace(begun, true));
    for start in 0..parents.len() {
        let mut path: Vec<usize> = if begin(start) { vec![start] } else { continue };
        while let Some(at) = path.last().copied() {
            match parents.get_mut(at).and_then(Vec::pop) {
                Some(parent) if begin(parent) => path.push(parent),
                Some(_) => {}
                None => {
                    order.push(at);
                    path.pop();
                }
            }
        }
    }
    order
}

/// What is known of a row's cells without reading it; of one that is to go, what it holds.
struct Cells<'a> {
    form: &'a Form,
    state: &'a Record,
    key: Vec<Value>,
    live: Option<Vec<Value>>,
}

impl<'a> Cells<'a> {
    fn of(conn: &Conn, form: &'a Form, pk: &Pk, state: &'a Record) -> Result<Cells<'a>> {
        let key = pk.decode(&form.shape.classes).unwrap_or_default();
        let live = if state.alive() { None } else { row::read(conn, form, pk)? };
        Ok(Cells { form, state, key, live })
    }

    /// A cell's value, alike for values that a collation or an affinity may take for one; None for NULL and where it is not known.
    fn spelled(&self, column: &str) -> Option<Vec<u8>> {
        let is_it = |name: &str| name.eq_ignore_ascii_case(column);
        if let Some(at) = self.form.shape.key.iter().position(|name| is_it(name)) {
            return self.key.get(at).and_then(spelled);
        }
        let at = self.form.tracked.iter().position(|tracked| is_it(&tracked.column.name))?;
        match &self.live {
            Some(live) => live.get(at).and_then(spelled),
            None => row::shown(self.state, self.form.tracked.get(at)?).as_ref().and_then(spelled),
        }
    }
}

fn spelled(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Null => None,
        Value::Integer(i) => Some(i.to_string().into_bytes()),
        Value::Real(r) => Some(r.to_string().into_bytes()),
        Value::Text(text) => Some(text.trim_ascii().to_ascii_lowercase()),
        Value::Blob(blob) => Some(blob.clone()),
    }
}
