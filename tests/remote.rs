//! `crdt_sync`: rounds with a peer over real sockets.

#[path = "remote/bounds.rs"]
mod bounds;
mod common;
#[path = "remote/endpoint.rs"]
mod endpoint;
#[path = "remote/examples.rs"]
mod examples;
#[path = "remote/faults.rs"]
mod faults;
#[path = "remote/grove.rs"]
mod grove;
#[path = "remote/passed_over.rs"]
mod passed_over;
#[path = "remote/permissions.rs"]
mod permissions;
#[path = "remote/quiet.rs"]
mod quiet;
#[path = "remote/refusals.rs"]
mod refusals;
#[path = "remote/replaced.rs"]
mod replaced;
#[path = "remote/rounds.rs"]
mod rounds;

use rusqlite::Connection;

const TASKS: &str =
    "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, votes INTEGER DEFAULT 0, tags TEXT DEFAULT '[]')";

/// A database with the table `tasks`, enabled, under the node id `name`.
fn database(name: &str) -> Connection {
    let conn = common::open();
    prepare(&conn, name);
    conn
}

fn prepare(conn: &Connection, name: &str) {
    conn.execute_batch(TASKS).unwrap();
    common::text(conn, "SELECT crdt_node_id(?)", [name]);
    common::text(conn, "SELECT crdt_enable('tasks', 'votes:counter', 'tags:set')", []);
}

fn sync(conn: &Connection, url: &str) -> String {
    common::text(conn, "SELECT crdt_sync(?)", [url])
}

fn digest(conn: &Connection) -> String {
    common::text(conn, "SELECT crdt_digest('tasks', 'full')", [])
}
