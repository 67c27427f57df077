"""The writes of the benchmark, its export and its merges again, on the SQLite that Debian's Python brings: system.py LIBRARY. benches/speed brings a SQLite
of its own. All-lww table; BENCH_ROWS and BENCH_ROUNDS as there. Prints ratios of processor time, and keeps them in
bench-system.json beside bench.json."""

import json
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time

from measuring import database, key, size, spent

LIBRARY = sys.argv[1]
ROWS = int(os.environ.get("BENCH_ROWS", 100_000))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 5))
TABLE = """CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, description TEXT, priority INTEGER DEFAULT 0,
    tags TEXT, completed INTEGER DEFAULT 0)"""
INSERT = "INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?)"
UPDATE = "UPDATE tasks SET title = 'one' WHERE id = ?"
DELETE = "DELETE FROM tasks WHERE id = ?"


def rows(ordered):
    chance = random.Random(42)
    for i in range(ROWS):
        name = key(chance)
        if ordered:
            head = f"{1_795_000_000_000 + i:012x}"
            name = f"{head[:8]}-{head[8:]}-7{name[15:]}"
        words = "write the report before friday " * chance.randint(1, 3)
        yield name, words[: chance.randint(8, 24)], words, chance.randint(0, 4), '["home","week"]', chance.randint(0, 1)


def alone(conn, keys):
    """Processor time of updates that are a transaction each."""
    start = time.process_time()
    for one in keys:
        conn.execute("UPDATE tasks SET title = 'two' WHERE id = ?", one)
    return time.process_time() - start


def in_hundreds(conn, data):
    """Processor time of inserts of a hundred rows a transaction, into the emptied table."""
    conn.execute("DELETE FROM tasks")
    start = time.process_time()
    for i in range(0, len(data), 100):
        spent(conn, INSERT, data[i : i + 100])
    return time.process_time() - start


def export(conn):
    """Processor time of an export of all there is; of a plain table, of fetching its rows."""
    tracked = conn.execute("SELECT count(*) FROM sqlite_schema WHERE name = '_crdt_state'").fetchone()[0]
    if tracked:
        conn.execute("SELECT crdt_cursor()").fetchone()  # folds
    start = time.process_time()
    if not tracked:
        conn.execute("SELECT * FROM tasks").fetchall()
        return time.process_time() - start
    cursor = None
    while True:
        page = conn.execute("SELECT crdt_changes_since(?)", [cursor]).fetchone()[0]
        cursor, _, more = page[page.rindex('],"latest_hlc":') + 15 :].rpartition(',"has_more":')
        if more != "true}":
            return time.process_time() - start


def works(data):
    """Name, target, what is done, one after the other in the same table."""
    keys = [row[:1] for row in data]
    return (
        ("insert, one transaction", 1.7, lambda conn: spent(conn, INSERT, data)),
        ("file before the fold", 1.4, size),
        ("export all, to SELECT into Python's objects", 6, export),
        ("update one column", 1.7, lambda conn: spent(conn, UPDATE, keys)),
        ("update, autocommit", 1.6, lambda conn: alone(conn, keys[: ROWS // 20])),
        ("delete a tenth", 2.2, lambda conn: spent(conn, DELETE, keys[: ROWS // 10])),
        ("insert, 100 rows a transaction", 1.8, lambda conn: in_hundreds(conn, data)),
    )


UPSERT = f"""{INSERT} ON CONFLICT(id) DO UPDATE SET title = excluded.title, description = excluded.description,
    priority = excluded.priority, tags = excluded.tags, completed = excluded.completed"""
SENT = "UPDATE tasks SET title = title || '.', description = description || '.', priority = priority + 1, tags = tags || ' ', completed = 1 - completed"
NEWER = (
    "UPDATE tasks SET title = title || '!', description = description || '!' WHERE rowid % 2",
    "UPDATE tasks SET title = title || '!', priority = priority + 2, tags = tags || '  ' WHERE NOT rowid % 2",
)


def merges(sender, receiver, plain, data):
    """Name, target, ratio of a merge to an upsert of the same rows into a plain table in the same state."""

    def sent(since):
        page = sender.execute("SELECT crdt_changes_since(?)", [since]).fetchone()[0]
        return page, sender.execute("SELECT crdt_cursor()").fetchone()[0]

    def ratio(payload):
        upsert = spent(plain, UPSERT, data)
        start = time.process_time()
        receiver.execute("SELECT crdt_merge(?)", (payload,)).fetchone()
        return (time.process_time() - start) / upsert

    sender.execute(f"SELECT crdt_pragma('page_bytes', {1 << 30})").fetchone()
    spent(sender, INSERT, data)
    payload, cursor = sent(None)
    yield "merge into an empty peer, to executemany", 3.5, ratio(payload)
    yield "merge what is known, to executemany", 2.5, ratio(payload)
    sender.execute(SENT)
    time.sleep(0.002)  # the clock: what follows is later
    for newer in NEWER:
        receiver.execute(newer)
    receiver.execute("SELECT crdt_cursor()").fetchone()  # a fold has a line of its own
    yield "merge, half the fields newer, to executemany", 5, ratio(sent(cursor)[0])


def enabled(conn):
    conn.enable_load_extension(True)
    conn.load_extension(LIBRARY)
    conn.execute("SELECT crdt_enable('tasks')").fetchall()
    return conn


def measure(data):
    """The median ratio of each work."""
    ratios = {}
    for turn in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            plain, tracked = (database(os.path.join(folder, name), TABLE) for name in ("plain.db", "tracked.db"))
            pair = [plain, enabled(tracked)]
            for name, target, do in works(data):
                took = {conn: do(conn) for conn in (pair[::-1] if turn % 2 else pair)}
                ratios.setdefault((name, target), []).append(took[pair[1]] / took[pair[0]])
            third, fourth, empty = (database(os.path.join(folder, name), TABLE) for name in ("from.db", "to.db", "empty.db"))
            for name, target, ratio in merges(enabled(third), enabled(fourth), empty, data):
                ratios.setdefault((name, target), []).append(ratio)
            for conn in [*pair, third, fourth, empty]:
                conn.close()
    return {what: statistics.median(all_rounds) for what, all_rounds in ratios.items()}


def main():
    print(f"{ROWS} rows, {ROUNDS} rounds, Python's SQLite {sqlite3.sqlite_version}")
    lines = []
    for place in ("UUIDv4", "UUIDv7"):
        for (name, target), ratio in measure(list(rows(place == "UUIDv7"))).items():
            print(f"{name:<52} {place:<13} ratio {ratio:5.2f}  target {target}{' !' if ratio > target else ''}")
            line = {"workload": name, "place": place, "target": f"{target:.2f}", "figure": ratio, "reached": ratio <= target}
            lines.append(line)
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(LIBRARY))))
    with open(os.path.join(folder, "bench-system.json"), "w") as file:
        json.dump({"rows": ROWS, "rounds": ROUNDS, "sqlite": sqlite3.sqlite_version, "lines": lines}, file, indent=2)


main()
