"""Four ways to capture writes, against a plain table: what the choice in design.md rests on. Ratios of processor time, and of
file size, medians of five rounds, for 100,000 rows with random keys in one transaction: insert, update of one column, file."""

import os
import random
import sqlite3
import statistics
import tempfile

from measuring import database, key, size, spent

ROWS, ROUNDS, COLUMNS = 100_000, 5, "abcde"
TABLE = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a, b, c, d, e);"
MASK = " | ".join(f"((old.{c} IS NOT new.{c}) << {i})" for i, c in enumerate(COLUMNS))


def trigger(name, event, *statements, when=""):
    return f"CREATE TRIGGER {name} AFTER {event} ON t {when} BEGIN {'; '.join(statements)}; END;"


def log(mask):
    return f"INSERT INTO log(t, m, at, k0) VALUES (1, {mask}, julianday('now'), new.id)"


def clock(seq, field=None):
    names, values = (", f", f", '{field}'") if field else ("", "")
    return f"INSERT OR REPLACE INTO clock(pk{names}, at, seq) VALUES (new.id{values}, julianday('now'), {seq})"


DESIGNS = {
    "plain table": "",
    "a row of a log for each written row": "CREATE TABLE log(seq INTEGER PRIMARY KEY, t, m, at, k0);"
    + trigger("i", "INSERT", log("-1"))
    + trigger("u", "UPDATE", log(MASK)),
    "a keyed row for each record, with an index by sequence": "CREATE TABLE clock(pk PRIMARY KEY, at, seq) WITHOUT ROWID;"
    "CREATE INDEX by_seq ON clock(seq);"
    + trigger("i", "INSERT", clock("new.rowid"))
    + trigger("u", "UPDATE", clock("new.rowid + 1000000")),
    "a keyed row for each field, with an index by sequence": "CREATE TABLE clock(pk, f, at, seq, PRIMARY KEY(pk, f)) WITHOUT ROWID;"
    "CREATE INDEX by_seq ON clock(seq);"
    + trigger("i", "INSERT", *(clock("new.rowid", c) for c in COLUMNS))
    + "".join(
        trigger(f"u{c}", f"UPDATE OF {c}", clock("new.rowid + 1000000", c), when=f"WHEN old.{c} IS NOT new.{c}") for c in COLUMNS
    ),
}


def measure(design, rows):
    with tempfile.TemporaryDirectory() as folder:
        conn = database(os.path.join(folder, "a.db"), TABLE + design)
        insert = spent(conn, "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", rows)
        bytes_used = size(conn)
        update = spent(conn, "UPDATE t SET a = 'z' WHERE id = ?", [row[:1] for row in rows])
        conn.close()
        return insert, update, bytes_used


def main():
    chance = random.Random(1)
    rows = [(key(chance), f"title {i}", "description " * 2, i % 5, '["a"]', 0) for i in range(ROWS)]
    rounds = [{name: measure(design, rows) for name, design in DESIGNS.items()} for _ in range(ROUNDS)]
    print(f"SQLite {sqlite3.sqlite_version}")
    for name in DESIGNS:
        ratios = [[one / plain for one, plain in zip(r[name], r["plain table"])] for r in rounds]
        print(f"{name:<56}", *(f"{statistics.median(column):6.2f}" for column in zip(*ratios)))


main()
