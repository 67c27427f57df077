use rusqlite::{Connection, Result};

fn open(path: &str) -> Result<Connection> {
    let conn = Connection::open(path)?;
    // SAFETY: the library is grove-crdt, and no other SQL runs while loading is allowed.
    unsafe {
        conn.load_extension_enable()?;
        conn.load_extension("./libgrove_crdt", None::<&str>)?;
    }
    conn.load_extension_disable()?;
    conn.execute_batch("CREATE TABLE IF NOT EXISTS tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT)")?;
    conn.query_row("SELECT crdt_enable('tasks')", [], |_| Ok(()))?;
    Ok(conn)
}

fn main() -> Result<()> {
    let (laptop, phone) = (open("laptop.db")?, open("phone.db")?);
    laptop.execute("INSERT OR IGNORE INTO tasks VALUES ('t1', 'Buy milk')", [])?;
    let changes: String = laptop.query_row("SELECT crdt_changes_since(NULL)", [], |row| row.get(0))?;
    phone.query_row("SELECT crdt_merge(?1)", [changes], |_| Ok(()))?;
    let title: String = phone.query_row("SELECT title FROM tasks WHERE id = 't1'", [], |row| row.get(0))?;
    println!("{title}");
    Ok(())
}
