//! The places in the log on which cursors stand that nobody said were theirs: pruning leaves their rows, or who comes back would start over.

use crate::conn::Conn;
use crate::error::Result;

/// Places that are kept.
const MOST: usize = 48;

/// How many a connection adds before it makes the list sparser, the first time at once.
const ADDED: u32 = 24;

/// Where the log ended lately, when a cursor was handed out.
pub fn all(conn: &Conn) -> Result<Vec<i64>> {
    let text = conn.first("SELECT places FROM main._crdt_state", &[], |row| row.text(0).map(str::to_owned))?;
    Ok(text.flatten().unwrap_or_default().split(',').filter_map(|place| place.parse().ok()).collect())
}

/// Notes a place, for a cursor on a log row that is not folded yet.
///
/// # Errors
/// SQLite's. That another connection holds the write lock is none: the cursor may have to start over then.
pub fn note(conn: &Conn, place: i64) -> Result<()> {
    let text = place.to_string();
    let values = [text.as_str().into()];
    let is_noted = "SELECT substr(',' || places, -length(?1) - 1) = ',' || ?1 FROM main._crdt_state";
    if conn.int(is_noted, &values)? == Some(1) {
        return Ok(());
    }
    let noted = match sparser(conn, place)? {
        None => conn.run("UPDATE main._crdt_state SET places = coalesce(places || ',', '') || ?1", &values),
        Some(places) => conn.run("UPDATE main._crdt_state SET places = ?1", &[places.as_str().into()]),
    };
    match noted {
        Err(e) if e.is_busy() || e.is_readonly() => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// The list with one more, older ones sparser, when it is time for that: to take it apart each time costs more than all the rest.
pub fn sparser(conn: &Conn, place: i64) -> Result<Option<String>> {
    let saves = conn.saves.get();
    conn.saves.set(saves.wrapping_add(1));
    if !saves.is_multiple_of(ADDED) {
        return Ok(None);
    }
    let mut places = all(conn)?;
    if place > 0 && places.last() != Some(&place) {
        places.push(place);
    }
    while places.len() > MOST {
        let (old, recent) = places.split_at(MOST / 2);
        places = old.iter().step_by(2).chain(recent).copied().collect();
    }
    Ok(Some(places.iter().map(i64::to_string).collect::<Vec<_>>().join(",")))
}
