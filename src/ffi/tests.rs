use super::testing::open;
use super::*;
use crate::error::{Error, Kind, Result};
use std::cell::Cell;
use std::rc::Rc;

struct Count {
    rows: Vec<i64>,
    at: usize,
}

impl RowCursor for Count {
    fn next(&mut self) -> Result<bool> {
        self.at += 1;
        if self.rows.get(self.at - 1) == Some(&13) {
            panic!("thirteen");
        }
        Ok(self.at <= self.rows.len())
    }
    fn column(&self, i: usize) -> Result<Out> {
        match self.rows.get(self.at - 1) {
            Some(7) => Err(Error::caller("seven\0!")),
            Some(&n) if i == 0 => Ok(Out::Int(n)),
            _ => Ok(Out::Null),
        }
    }
    fn rowid(&self) -> i64 {
        self.at as i64
    }
}

struct CountTo;

impl TableFunction for CountTo {
    type State = Cell<i32>;
    type Cursor = Count;
    const SCHEMA: &'static std::ffi::CStr = c"CREATE TABLE x(n, a HIDDEN, b HIDDEN)";
    const FIRST_HIDDEN: usize = 1;
    const N_HIDDEN: usize = 2;
    fn open(_: &Rc<Cell<i32>>, args: &[Option<Value>]) -> Result<Count> {
        let [from, to] = args else {
            return Err(Error::internal("two arguments"));
        };
        let number = |value: &Option<Value>| match value {
            Some(Value::Integer(n)) => Some(*n),
            _ => None,
        };
        match (number(from), number(to)) {
            (Some(from), to) => Ok(Count { rows: (from..=to.unwrap_or(from)).collect(), at: 0 }),
            (None, Some(to)) => Ok(Count { rows: vec![-to], at: 0 }),
            (None, None) => Err(Error::caller("count needs a number")),
        }
    }
    fn disconnect(state: &Rc<Cell<i32>>) {
        state.set(state.get() + 1);
    }
}

fn rows(conn: &rusqlite::Connection, sql: &str) -> rusqlite::Result<Vec<i64>> {
    conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// Registers on a fresh connection what the crate itself does not have.
fn registrar(db: Db) -> Registrar {
    Registrar::for_tests(db)
}

#[test]
fn table_functions() {
    let (db, conn) = open();
    let state = Rc::new(Cell::new(0));
    registrar(db).table::<CountTo>(c"count_to", &state).unwrap();
    let all = |sql| rows(&conn, sql);
    assert_eq!(all("SELECT n FROM count_to(2, 4)").unwrap(), [2, 3, 4]);
    assert_eq!(all("SELECT n FROM count_to(2)").unwrap(), [2]);
    assert_eq!(all("SELECT n FROM count_to WHERE b = 5").unwrap(), [-5]);
    assert_eq!(all("SELECT a FROM count_to(3)").unwrap(), [3]);
    assert_eq!(all("SELECT n FROM count_to(3, 2)").unwrap(), [0i64; 0]);
    assert_eq!(all("SELECT c.n FROM count_to(1, 2) AS o, count_to(o.n, 2) AS c").unwrap(), [1, 2, 2]);
    assert_eq!(all("SELECT c.n FROM count_to AS c, (SELECT 3 AS v) AS s WHERE c.a = s.v").unwrap(), [3]);
    assert_eq!(all("SELECT n FROM count_to(1, 3) WHERE a = 2").unwrap(), [0i64; 0]);
    let message = |sql| all(sql).unwrap_err().to_string();
    assert!(message("SELECT n FROM count_to").contains("count needs a number"));
    assert!(message("SELECT n FROM count_to(7)").contains("seven\u{fffd}!"));
    assert!(message("SELECT n FROM count_to(12, 13)").contains("internal error"));
    assert!(conn.execute_batch("CREATE VIRTUAL TABLE t USING count_to").is_err());
    assert_eq!((state.get(), Rc::strong_count(&state)), (0, 3));
    conn.close().unwrap();
    assert_eq!((state.get(), Rc::strong_count(&state)), (1, 1));
}

#[test]
fn functions() {
    let (db, conn) = open();
    let state = Rc::new(41);
    let mut registrar = registrar(db);
    registrar
        .function(c"f", -1, Flags::DIRECTONLY, &state, |call| {
            let text = call.arg(0).as_str().unwrap_or("");
            Ok(match text {
                "null" => Out::Null,
                "state" => Out::Int(**call.state() + 1),
                "real" => Out::Value(Value::Real(0.5)),
                "empty" => Out::Text(String::new()),
                "echo" => Out::Value(call.arg(1).to_value()),
                "panic" => panic!("oh {}", call.len()),
                "busy" => return Err(Error::sqlite(517, "snap\0shot").context("while")),
                "long" => Out::Text("x".repeat(2_000_000)),
                _ => return Err(Error::caller("unknown")),
            })
        })
        .unwrap();
    let get = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0));
    let text = |sql: &str| format!("{:?}", get(sql).unwrap());
    assert_eq!(text("SELECT f('null')"), "Null");
    assert_eq!(text("SELECT f('state')"), "Integer(42)");
    assert_eq!(text("SELECT f('real')"), "Real(0.5)");
    assert_eq!(text("SELECT f('empty')"), "Text(\"\")");
    for (sql, expected) in [
        ("x''", "Blob([])"),
        ("''", "Text(\"\")"),
        ("NULL", "Null"),
        ("x'00ff'", "Blob([0, 255])"),
        ("zeroblob(2)", "Blob([0, 0])"),
        ("'é'", "Text(\"é\")"),
        ("-9223372036854775808", "Integer(-9223372036854775808)"),
        ("1e999", "Real(inf)"),
    ] {
        assert_eq!(text(&format!("SELECT f('echo', {sql})")), expected);
    }
    let error = |sql: &str| match get(sql).unwrap_err() {
        rusqlite::Error::SqliteFailure(code, message) => (code.extended_code, message.unwrap()),
        other => panic!("{other}"),
    };
    assert_eq!(error("SELECT f('what')"), (1, "unknown".into()));
    assert_eq!(error("SELECT f('busy')"), (517, "while: snap\u{fffd}shot".into()));
    let (code, message) = error("SELECT f('panic', 1)");
    assert_eq!(code, 2);
    assert!(message.starts_with("grove-crdt: internal error (a bug, please report): oh 2"));
    conn.set_limit(rusqlite::limits::Limit::SQLITE_LIMIT_LENGTH, 1_000_000).unwrap();
    assert_eq!(error("SELECT f('long')").0, 18);
    conn.close().unwrap();
    assert_eq!(Rc::strong_count(&state), 1);
}

#[test]
fn statements() {
    let (db, _conn) = open();
    db.exec("-- nothing\n").unwrap();
    db.exec("CREATE TABLE t(a, b); -- x\nINSERT INTO t VALUES (1, 'one'), (2, 'two');;").unwrap();
    assert_eq!((db.changes(), db.last_insert_rowid()), (2, 2));
    let error = db.exec("SELECT 1; SELEC").unwrap_err();
    assert!(error.message().contains("SELEC") && error.kind() == Kind::Sqlite(1));
    assert_eq!(db.prepare(" ").err().unwrap().kind(), Kind::Internal);

    let mut stmt = db.prepare("SELECT ?1, typeof(?1), :x AS named").unwrap();
    assert_eq!(stmt.column_count(), 3);
    assert_eq!(stmt.column_name(2), "named");
    assert_eq!(stmt.column(0), ValueRef::Null);
    for value in [
        Value::Null,
        Value::Integer(i64::MIN),
        Value::Real(0.25),
        Value::from(""),
        Value::from("a\0b"),
        Value::Text(vec![0xff, 0xfe]),
        Value::Blob(vec![]),
        Value::Blob(vec![0, 1]),
    ] {
        stmt.bind(1, value.as_ref()).unwrap();
        assert!(stmt.step().unwrap());
        assert_eq!(stmt.column(0).to_value(), value);
        assert_eq!(stmt.text(1), Some(value.as_ref().type_name()));
        assert_eq!((stmt.column(3), stmt.column(usize::MAX)), (ValueRef::Null, ValueRef::Null));
    }
    assert!(!stmt.step().unwrap());
    assert_eq!(stmt.column(0), ValueRef::Null);
    assert_eq!(stmt.bind(3, 1).unwrap_err().kind(), Kind::Sqlite(25));
    assert!(stmt.bind(usize::MAX, 1).is_err());
    stmt.bind_all(&["a".into(), 2.into()]).unwrap();
    assert!(stmt.step().unwrap());
    assert_eq!((stmt.text(0), stmt.i64(2)), (Some("a"), Some(2)));
    stmt.reset_and_clear();
    assert!(stmt.step().unwrap());
    assert_eq!(stmt.column(0), ValueRef::Null);
}

#[test]
fn connection() {
    let (db, _conn) = open();
    assert_eq!(db.version_number(), rusqlite::version_number());
    assert!(db.autocommit() && !db.is_readonly());
    assert_eq!(db.txn_state(), 0);
    db.exec("BEGIN; CREATE TABLE t(a)").unwrap();
    assert_eq!((db.txn_state(), db.autocommit()), (2, false));
    db.exec("COMMIT; INSERT INTO t VALUES (1)").unwrap();
    db.exec("CREATE UNIQUE INDEX i ON t(a)").unwrap();
    let error = db.exec("INSERT INTO t VALUES (1)").unwrap_err();
    assert_eq!(error.kind(), Kind::Sqlite(2067));
    assert_eq!(error.message(), "UNIQUE constraint failed: t.a");
}
