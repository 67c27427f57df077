//! Filters of what is exported: who is told what, and what the receiver makes of a record that left.

mod common;
mod support;

#[path = "filters/dropped.rs"]
mod dropped;
#[path = "filters/entering.rs"]
mod entering;
#[path = "filters/evolving.rs"]
mod evolving;
#[path = "filters/expressions.rs"]
mod expressions;
#[path = "filters/leaving.rs"]
mod leaving;
#[path = "filters/peers.rs"]
mod peers;
#[path = "filters/random.rs"]
mod random;
#[path = "filters/shapes.rs"]
mod shapes;

use rusqlite::Connection;

use support::*;

/// A table whose rows have an owner.
const OWNED: &str = "
    CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, owner TEXT, title TEXT, votes INTEGER DEFAULT 0, tags TEXT DEFAULT '[]');
    SELECT crdt_enable('tasks', 'votes:counter', 'tags:set');";

/// A hub that sends Ann's rows, and a peer.
fn pair() -> [Connection; 2] {
    let pair = nodes(["hub", "peer"], OWNED);
    run(&pair[0], "SELECT crdt_filter('tasks', 'owner = ''ann''')");
    pair
}

/// Sends what is new from one database to another; the page, and the cursor moved.
#[track_caller]
fn sync(from: &Connection, to: &Connection, cursor: &mut Option<String>) -> Page {
    let page = since(from, cursor.as_deref());
    merge(to, &page.json);
    *cursor = Some(page.cursor.clone());
    page
}
