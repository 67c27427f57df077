//! The work that is done in a table, the same SQL for every subject.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Statement};

use crate::rows::Row;

pub const INSERT: &str = "INSERT INTO tasks VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const UPSERT: &str = "INSERT INTO tasks VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(id) DO UPDATE SET title = excluded.title, \
    description = excluded.description, priority = excluded.priority, tags = excluded.tags, completed = excluded.completed";

/// Runs a statement for each item, in transactions over `chunk` items each; 0: each is a transaction of its own.
fn each<T>(
    conn: &Connection,
    sql: &str,
    items: &[T],
    chunk: usize,
    mut run: impl FnMut(&mut Statement<'_>, &T) -> usize,
) {
    let mut stmt = conn.prepare(sql).unwrap();
    for items in items.chunks(chunk.max(1)) {
        if chunk > 0 {
            conn.execute_batch("BEGIN").unwrap();
        }
        for item in items {
            assert_eq!(run(&mut stmt, item), 1);
        }
        if chunk > 0 {
            conn.execute_batch("COMMIT").unwrap();
        }
    }
}

fn all_columns(stmt: &mut Statement<'_>, row: &Row) -> usize {
    let Row { id, title, description, priority, tags, completed } = row;
    stmt.execute((id, title, description, priority, tags, completed)).unwrap()
}

/// Inserts rows, `chunk` of them a transaction.
pub fn insert(conn: &Connection, rows: &[Row], chunk: usize) {
    each(conn, INSERT, rows, chunk, all_columns);
}

/// Writes rows over those that are there, or inserts them.
pub fn upsert(conn: &Connection, rows: &[Row]) {
    each(conn, UPSERT, rows, rows.len(), all_columns);
}

/// Sets the title of each row, in one transaction.
pub fn update(conn: &Connection, rows: &[Row], title: &str) {
    let sql = "UPDATE tasks SET title = ?2 WHERE id = ?1";
    each(conn, sql, rows, rows.len(), |stmt, row| stmt.execute((&row.id, title)).unwrap());
}

/// Sets the title of each row, a transaction each.
pub fn update_alone(conn: &Connection, rows: &[Row], title: &str) {
    let sql = "UPDATE tasks SET title = ?2 WHERE id = ?1";
    each(conn, sql, rows, 0, |stmt, row| stmt.execute((&row.id, title)).unwrap());
}

/// Runs a statement with each row's key, in one transaction.
pub fn by_key(conn: &Connection, rows: &[Row], sql: &str) {
    each(conn, sql, rows, rows.len(), |stmt, row| stmt.execute([&row.id]).unwrap());
}

/// Writes all fields of each row.
pub fn rewrite(conn: &Connection, rows: &[Row]) {
    let sql = "UPDATE tasks SET title = title || '!', description = description || '!', priority = priority + 1, \
        tags = json_insert(tags, '$[#]', 'zoo'), completed = 1 - completed WHERE id = ?1";
    by_key(conn, rows, sql);
}

/// Writes half of the fields: two of one row, three of the next.
pub fn update_half(conn: &Connection, rows: &[Row]) {
    let two = "UPDATE tasks SET title = title || '?', description = description || '?' WHERE id = ?1";
    let three = "UPDATE tasks SET priority = priority + 7, tags = json_insert(tags, '$[#]', 'zip'), completed = completed + 7 WHERE id = ?1";
    conn.execute_batch("BEGIN").unwrap();
    let mut both = [two, three].map(|sql| conn.prepare(sql).unwrap());
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(both[i % 2].execute([&row.id]).unwrap(), 1);
    }
    conn.execute_batch("COMMIT").unwrap();
}

/// Inserts rows into `wide`.
pub fn insert_wide(conn: &Connection, rows: &[Row]) {
    let sql = "INSERT INTO wide VALUES (?1, ?2, ?3, ?2, ?3, ?2, ?3, ?2, ?3, ?2, ?3, ?2, ?3)";
    each(conn, sql, rows, rows.len(), |stmt, row| stmt.execute((&row.id, &row.title, row.priority)).unwrap());
}

/// Sets five columns of `wide`, prepared.
pub fn update_five(conn: &Connection, rows: &[Row]) {
    let sql = "UPDATE wide SET a = ?2, d = ?3, e = ?2, h = ?3, k = ?2 WHERE id = ?1";
    each(conn, sql, rows, rows.len(), |stmt, row| stmt.execute((&row.id, &row.tags, row.priority + 1)).unwrap());
}

/// The same, each a text of its own.
pub fn update_five_unprepared(conn: &Connection, rows: &[Row]) {
    conn.execute_batch("BEGIN").unwrap();
    for row in rows {
        let (id, text, number) = (&row.id, &row.tags, row.priority + 1);
        let sql = format!(
            "UPDATE wide SET a = '{text}', d = {number}, e = '{text}', h = {number}, k = '{text}' WHERE id = '{id}'"
        );
        assert_eq!(conn.execute(&sql, []).unwrap(), 1);
    }
    conn.execute_batch("COMMIT").unwrap();
}

/// Every row as JSON: what a program does that sends rows.
pub const AS_JSON: &str =
    "SELECT json_object('id', id, 'title', title, 'description', description, 'priority', priority, \
    'tags', tags, 'completed', completed) FROM tasks";

/// Reads rows by their keys.
pub fn read_points(conn: &Connection, rows: &[Row]) {
    let mut stmt = conn.prepare("SELECT * FROM tasks WHERE id = ?1").unwrap();
    for row in rows {
        let found = stmt.query_row([&row.id], |row| row.get_ref(2).map(|cell| cell.as_str().map(str::len))).unwrap();
        assert!(found.unwrap() > 0);
    }
}

/// Looks at every value where SQLite has it; how many bytes of text there are.
pub fn read_in_place(conn: &Connection, sql: &str) -> usize {
    let mut stmt = conn.prepare(sql).unwrap();
    let width = stmt.column_count();
    let mut rows = stmt.query([]).unwrap();
    let mut bytes = 0;
    while let Some(row) = rows.next().unwrap() {
        for i in 0..width {
            if let ValueRef::Text(text) = std::hint::black_box(row.get_ref(i).unwrap()) {
                bytes += text.len();
            }
        }
    }
    bytes
}

/// Reads all columns of the rows of a query, as values that the program owns; how many rows.
pub fn read_all(conn: &Connection, sql: &str) -> usize {
    let mut stmt = conn.prepare(sql).unwrap();
    let width = stmt.column_count();
    let mut rows = stmt.query([]).unwrap();
    let mut count = 0;
    while let Some(row) = rows.next().unwrap() {
        for i in 0..width {
            std::hint::black_box(row.get::<_, Value>(i).unwrap());
        }
        count += 1;
    }
    count
}
