//! Indexes and triggers that are made after `crdt_enable`.

use crate::support::*;

const T: &str = "
    CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, u, v, n INTEGER DEFAULT 0, s TEXT DEFAULT '[]');
    SELECT crdt_enable('t', 'n:counter', 's:set');";

fn log(conn: &rusqlite::Connection) -> Vec<String> {
    rows(conn, "SELECT seq, m FROM _crdt_log")
}

/// What a REPLACE removed before the index had its triggers is deleted as of `crdt_enable`; no other cell counts as written.
#[test]
fn an_index_made_afterwards() {
    for index in ["t(u)", "t(u) WHERE v IS NOT NULL", "t(lower(u))"] {
        let [a, b] = nodes(["a", "b"], &format!("{T} CREATE UNIQUE INDEX first ON t(v); SELECT crdt_enable('t')"));
        for conn in [&a, &b] {
            run(conn, &format!("CREATE UNIQUE INDEX another ON {index}"));
        }
        run(
            &a,
            "INSERT INTO t(id, u, v) VALUES ('1', 'mail', 'a'), ('3', 'c', 'c'), ('4', 'd', 'd'); UPDATE t SET n = 1",
        );
        send(&a, &b);
        run(&a, "INSERT OR REPLACE INTO t(id, u, v) VALUES ('2', 'mail', 'x')");
        run(&b, "UPDATE t SET v = 'by b', n = n + 1 WHERE id = '3'");
        run(&a, "SELECT crdt_enable('t')");
        sound(&a);
        let then = log(&a);
        run(&a, "SELECT crdt_enable('t'); INSERT OR REPLACE INTO t(id, u, v) VALUES ('5', 'd', 'y')");
        assert_eq!(log(&a).len(), then.len() + 2, "nothing for the index, then a suspect and an insert: {index}");
        swap(&a, &b);
        let all = ["'2', 'mail', 'x', 0, '[]'", "'3', 'c', 'by b', 2, '[]'", "'5', 'd', 'y', 0, '[]'"];
        assert_eq!(
            (table(&a, "t"), table(&b, "t"), digest(&a, "t")),
            (all.map(String::from).to_vec(), table(&a, "t"), digest(&b, "t")),
            "{index}"
        );
        assert_eq!(rows(&b, "SELECT pk FROM crdt_pending()"), [""; 0], "{index}");
        sound(&b);
    }
}
