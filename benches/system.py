"""The promised ratios again, on the SQLite that Debian's Python brings: system.py LIBRARY. The Rust benchmark in capture/
brings a SQLite of its own. All-lww table, keys UUIDv4; BENCH_ROWS and BENCH_ROUNDS as there."""

import os
import random
import sqlite3
import statistics
import sys
import tempfile

from measuring import database, key, size, spent

LIBRARY = sys.argv[1]
ROWS = int(os.environ.get("BENCH_ROWS", 100_000))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 7))
TABLE = """CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, description TEXT, priority INTEGER DEFAULT 0,
    tags TEXT, completed INTEGER DEFAULT 0)"""
INSERT = "INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?)"
UPDATE = "UPDATE tasks SET title = 'one' WHERE id = ?"
STATEMENT = "UPDATE tasks SET completed = 2"


def rows():
    chance = random.Random(42)
    for _ in range(ROWS):
        name = key(chance)
        words = "write the report before friday " * chance.randint(1, 3)
        yield name, words[: chance.randint(8, 24)], words, chance.randint(0, 4), '["home","week"]', chance.randint(0, 1)


def enabled(conn):
    conn.enable_load_extension(True)
    conn.load_extension(LIBRARY)
    conn.execute("SELECT crdt_enable('tasks')").fetchall()
    return conn


def main():
    data = list(rows())
    keys = [row[:1] for row in data]
    ratios = {name: [] for name in ("bulk insert", "file after insert", "update a column", "update, one statement")}
    for turn in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            plain, tracked = (database(os.path.join(folder, name), TABLE) for name in ("plain.db", "tracked.db"))
            pair = [plain, enabled(tracked)]
            work = (
                lambda conn: spent(conn, INSERT, data),
                size,
                lambda conn: spent(conn, UPDATE, keys),
                lambda conn: spent(conn, STATEMENT, [()]),
            )
            for name, do in zip(ratios, work):
                took = {conn: do(conn) for conn in (pair[::-1] if turn % 2 else pair)}
                ratios[name].append(took[pair[1]] / took[pair[0]])
            for conn in pair:
                conn.close()
    print(f"The same on Python's SQLite {sqlite3.sqlite_version}:")
    for name, target in zip(ratios, (2.0, 1.8, 2.0, 2.0)):
        ratio = statistics.median(ratios[name])
        print(f"{name:<54} | ratio {ratio:5.2f} | target {target}{' !' if ratio > target else ''}")


main()
