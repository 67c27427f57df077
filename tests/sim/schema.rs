//! The table shapes that the simulation runs over, and how a row is found by its wire key.

use super::cell::Cell;
use super::json::{parse, Kind as J};

/// What a column is to the simulation: its type on the wire and which values are written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// lww, any value.
    Any,
    /// lww, any value but NULL.
    NotNull,
    /// lww in a STRICT table: values of one class.
    Int,
    Real,
    Text,
    Blob,
    /// lww, declared JSON: mostly JSON texts.
    Json,
    /// lww, declared BOOLEAN: mostly 0 and 1.
    Bool,
    /// lww under a UNIQUE index or a CHECK: few values, so that records meet.
    Claim,
    /// lww that refers to a key of the table, or NULL.
    Parent,
    /// lww in a column that comes on the way, with the default 'none'.
    Late,
    Counter,
    /// A counter that is NOT NULL DEFAULT 0.
    Count0,
    Set,
    /// Not tracked.
    Local,
}

/// One table, the same on every node.
pub struct Shape {
    pub table: &'static str,
    pub ddl: &'static str,
    /// Has a rowid that is not the key.
    pub rowid: bool,
    /// Key columns in the order of the key's declaration.
    pub key: &'static [&'static str],
    /// Keys to write, as SQL literals; the first ones are written most.
    pub keys: &'static [&'static [&'static str]],
    pub columns: &'static [(&'static str, Kind)],
    /// The columns of each UNIQUE index besides the key.
    pub unique: &'static [&'static [&'static str]],
    /// The table CHECKs that the first of these columns is not above the second.
    pub ordered: Option<[&'static str; 2]>,
    /// The table as it becomes, and the statements that make it so.
    pub grown: Option<(&'static Shape, &'static str)>,
}

/// A table that no constraint is on but its key's.
pub const FREE: Shape = Shape {
    table: "",
    ddl: "",
    rowid: false,
    key: &[],
    keys: &[],
    columns: &[],
    unique: &[],
    ordered: None,
    grown: None,
};

/// Every shape; a case takes a few.
pub static SHAPES: &[Shape] = &[
    Shape {
        table: "tasks",
        ddl: "CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, priority INTEGER DEFAULT 0,
              tags TEXT DEFAULT '[]', done INTEGER DEFAULT 0)",
        rowid: true,
        key: &["id"],
        keys: &[
            &["'a'"],
            &["'b'"],
            &["'c'"],
            &["'A'"],
            &["''"],
            &["'é😀'"],
            &["'x' || char(0)"],
            &["CAST(x'ff' AS TEXT)"],
            &["'[1]'"],
            &["'a\"b''c'"],
            &["7"],
            &["x'61'"],
            &["'[{\"$blob\":\"61\"}]'"],
        ],
        columns: &[
            ("title", Kind::Any),
            ("priority", Kind::Counter),
            ("tags", Kind::Set),
            ("done", Kind::Any),
        ],
        ..FREE
    },
    Shape {
        table: "num",
        ddl: "CREATE TABLE num(id INTEGER PRIMARY KEY, a REAL, b NUMERIC, n INTEGER, m)",
        rowid: false,
        key: &["id"],
        keys: &[
            &["1"],
            &["2"],
            &["3"],
            &["-1"],
            &["0"],
            &["-9223372036854775808"],
            &["9223372036854775806"],
        ],
        columns: &[
            ("m", Kind::Any),
            ("n", Kind::Counter),
            ("a", Kind::Any),
            ("b", Kind::Any),
        ],
        ..FREE
    },
    Shape {
        table: "pair",
        ddl: "CREATE TABLE pair(a TEXT NOT NULL, b INTEGER NOT NULL, v, w BLOB,
              c INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(b, a))",
        rowid: true,
        key: &["b", "a"],
        keys: &[
            &["1", "'x'"],
            &["1", "'y'"],
            &["2", "'x'"],
            &["-5", "''"],
            &["1", "x'00'"],
            &["'t'", "'x'"],
            &["1", "char(0)"],
        ],
        columns: &[("v", Kind::Any), ("c", Kind::Count0), ("w", Kind::Any)],
        ..FREE
    },
    Shape {
        table: "wr o\"w",
        ddl: "CREATE TABLE \"wr o\"\"w\"(\"key\" PRIMARY KEY, \"select\", \"it's\" TEXT, \"a b\") WITHOUT ROWID",
        rowid: false,
        key: &["key"],
        keys: &[
            &["1"],
            &["'1'"],
            &["x'31'"],
            &["2.5"],
            &["'k'"],
            &["9e999"],
            &["CAST(x'ff' AS TEXT)"],
            &["-1e-7"],
        ],
        columns: &[
            ("select", Kind::Any),
            ("it's", Kind::Set),
            ("a b", Kind::Any),
        ],
        ..FREE
    },
    Shape {
        table: "st",
        ddl: "CREATE TABLE st(id TEXT PRIMARY KEY NOT NULL, x ANY, i INT, r REAL, t TEXT, b BLOB, s TEXT, c INTEGER) STRICT",
        rowid: true,
        key: &["id"],
        keys: &[&["'a'"], &["'b'"], &["'c'"], &["'[\"a\"]'"]],
        columns: &[
            ("x", Kind::Any),
            ("s", Kind::Set),
            ("c", Kind::Counter),
            ("i", Kind::Int),
            ("r", Kind::Real),
            ("t", Kind::Text),
            ("b", Kind::Blob),
        ],
        ..FREE
    },
    Shape {
        table: "bare",
        ddl: "CREATE TABLE bare(k TEXT PRIMARY KEY)",
        rowid: true,
        key: &["k"],
        keys: &[&["'a'"], &["'b'"], &["'c'"], &["x'00'"], &["NULL"]],
        columns: &[],
        ..FREE
    },
    Shape {
        table: "typed",
        ddl: "CREATE TABLE typed(id TEXT PRIMARY KEY NOT NULL, j JSON, f BOOLEAN, nn NOT NULL, mine)",
        rowid: true,
        key: &["id"],
        keys: &[&["'a'"], &["'b'"], &["'c'"]],
        columns: &[
            ("nn", Kind::NotNull),
            ("j", Kind::Json),
            ("f", Kind::Bool),
            ("mine", Kind::Local),
        ],
        ..FREE
    },
    Shape {
        table: "wi",
        ddl: "CREATE TABLE wi(id INTEGER PRIMARY KEY, n, v TEXT) WITHOUT ROWID",
        rowid: false,
        key: &["id"],
        keys: &[&["1"], &["2"], &["'x'"], &["x'00'"], &["1.5"], &["'[1]'"]],
        columns: &[("v", Kind::Any), ("n", Kind::Counter)],
        ..FREE
    },
    Shape {
        table: "uq",
        ddl: "CREATE TABLE uq(id TEXT PRIMARY KEY NOT NULL, u TEXT UNIQUE, v, w INTEGER, n INTEGER, x, UNIQUE(v, w))",
        rowid: true,
        key: &["id"],
        keys: &[&["'a'"], &["'b'"], &["'c'"], &["'d'"]],
        columns: &[
            ("u", Kind::Claim),
            ("v", Kind::Claim),
            ("w", Kind::Claim),
            ("n", Kind::Counter),
            ("x", Kind::Any),
        ],
        unique: &[&["u"], &["v", "w"]],
        ..FREE
    },
    Shape {
        table: "tree",
        ddl: "CREATE TABLE tree(id TEXT PRIMARY KEY NOT NULL, up TEXT REFERENCES tree(id), low INTEGER, high INTEGER, c TEXT UNIQUE,
              n INTEGER, CHECK (low <= high))",
        rowid: true,
        key: &["id"],
        keys: TREE_KEYS,
        columns: TREE,
        unique: &[&["c"]],
        ordered: Some(["low", "high"]),
        ..FREE
    },
    Shape {
        table: "twig",
        ddl: "CREATE TABLE twig(id TEXT PRIMARY KEY NOT NULL, up TEXT REFERENCES twig(id) ON DELETE CASCADE ON UPDATE CASCADE,
              low INTEGER, high INTEGER, c TEXT UNIQUE, n INTEGER, CHECK (low <= high)) WITHOUT ROWID",
        key: &["id"],
        keys: TREE_KEYS,
        columns: TREE,
        unique: &[&["c"]],
        ordered: Some(["low", "high"]),
        ..FREE
    },
    Shape {
        table: "grow",
        ddl: "CREATE TABLE grow(id TEXT PRIMARY KEY NOT NULL, a, n INTEGER)",
        rowid: true,
        key: &["id"],
        keys: &[&["'a'"], &["'b'"], &["'c'"], &["'[1]'"]],
        columns: &[("a", Kind::Any), ("n", Kind::Counter)],
        grown: Some((
            &GROWN,
            "ALTER TABLE grow ADD COLUMN late DEFAULT 'none'; ALTER TABLE grow ADD COLUMN votes INTEGER;
             ALTER TABLE grow ADD COLUMN tags TEXT DEFAULT '[]'",
        )),
        ..FREE
    },
];

const TREE_KEYS: &[&[&str]] = &[&["'a'"], &["'b'"], &["'c'"], &["'d'"]];
const TREE: &[(&str, Kind)] =
    &[("up", Kind::Parent), ("low", Kind::Claim), ("high", Kind::Claim), ("c", Kind::Claim), ("n", Kind::Counter)];

static GROWN: Shape = Shape {
    table: "grow",
    ddl: "CREATE TABLE grow(id TEXT PRIMARY KEY NOT NULL, a, n INTEGER, late DEFAULT 'none', votes INTEGER, tags TEXT DEFAULT '[]')",
    rowid: true,
    key: &["id"],
    keys: &[&["'a'"], &["'b'"], &["'c'"], &["'[1]'"]],
    columns: &[
        ("a", Kind::Any),
        ("n", Kind::Counter),
        ("late", Kind::Late),
        ("votes", Kind::Counter),
        ("tags", Kind::Set),
    ],
    ..FREE
};

impl Shape {
    pub fn quoted(&self) -> String {
        quote(self.table)
    }

    /// Whether the table may refuse a record that was merged.
    pub fn is_constrained(&self) -> bool {
        !self.unique.is_empty() || self.ordered.is_some()
    }

    /// The column that refers to the table's own key.
    pub fn parent(&self) -> Option<&'static str> {
        self.of_kind(&[Kind::Parent]).first().copied()
    }

    /// Key columns, then the others.
    pub fn all_columns(&self) -> impl Iterator<Item = &'static str> {
        let others = self.columns.iter().map(|(name, _)| *name);
        self.key.iter().copied().chain(others)
    }

    /// The columns of these kinds.
    pub fn of_kind(&self, kinds: &[Kind]) -> Vec<&'static str> {
        let hits = self.columns.iter().filter(|(_, kind)| kinds.contains(kind));
        hits.map(|(name, _)| *name).collect()
    }

    /// The call that starts replication.
    pub fn enable(&self) -> String {
        let mut args = vec![self.table.to_string()];
        for (name, kind) in self.columns {
            match kind {
                Kind::Counter | Kind::Count0 => args.push(format!("{name}:counter")),
                Kind::Set => args.push(format!("{name}:set")),
                Kind::Local => args.push(format!("{name}:none")),
                _ => {}
            }
        }
        let args: Vec<_> = args.iter().map(|a| format!("'{}'", a.replace('\'', "''"))).collect();
        format!("SELECT crdt_enable({})", args.join(", "))
    }

    /// Whether a wire key is the row's one TEXT or INTEGER itself.
    pub fn is_plain(&self, pk: &str, key: &[Cell]) -> bool {
        match key {
            [Cell::Text(t)] if self.declares("TEXT") => t.as_slice() == pk.as_bytes(),
            [Cell::Int(i)] if self.declares("INTEGER") => *pk == i.to_string(),
            _ => false,
        }
    }

    /// Whether a wire key may name the row with these key cells: plain, or a JSON array of them (as which also a TEXT
    /// goes that looks like another key's array).
    pub fn may_name(&self, pk: &str, key: &[Cell]) -> bool {
        let listed = match parse(pk).map(|json| json.kind) {
            Ok(J::Arr(items)) => items.iter().map(Cell::from_wire).collect::<Result<Vec<_>, _>>(),
            _ => Err(String::new()),
        };
        self.is_plain(pk, key) || listed.as_deref() == Ok(key)
    }

    /// Whether the first key column is declared with this type.
    fn declares(&self, class: &str) -> bool {
        let name = self.key.first().copied().unwrap_or_default();
        self.ddl.contains(&format!("{name} {class}"))
    }
}

pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(table: &str) -> &'static Shape {
        SHAPES.iter().find(|s| s.table == table).unwrap()
    }

    #[test]
    fn wire_keys_name_rows() {
        let text = |s: &str| Cell::Text(s.as_bytes().to_vec());
        let named = |table: &str, pk, key: &[Cell]| shape(table).may_name(pk, key);
        assert!(named("tasks", "a", &[text("a")]));
        assert!(named("tasks", "", &[text("")]));
        assert!(named("tasks", "[1]", &[text("[1]")]));
        assert!(named("tasks", r#"["[1]"]"#, &[text("[1]")]));
        assert!(!named("tasks", "a", &[text("b")]));
        assert!(named("num", "-1", &[Cell::Int(-1)]));
        assert!(named("pair", r#"[1,"x"]"#, &[Cell::Int(1), text("x")]));
        assert!(named("wr o\"w", "[1]", &[Cell::Int(1)]));
        assert!(!named("wr o\"w", "1", &[Cell::Int(1)]));
        assert!(named("wi", r#"["x"]"#, &[text("x")]));
        assert!(!named("wi", "x", &[text("x")]));
        assert!(named("wi", "1", &[Cell::Int(1)]));
    }

    #[test]
    fn enabling_names_every_column_that_is_not_lww() {
        let sql = shape("tasks").enable();
        assert_eq!(sql, "SELECT crdt_enable('tasks', 'priority:counter', 'tags:set')");
        let sql = shape("wr o\"w").enable();
        assert_eq!(sql, "SELECT crdt_enable('wr o\"w', 'it''s:set')");
    }
}
