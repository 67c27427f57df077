"""What the benchmarks in Python share: random keys, databases in files, the processor time of a transaction, file sizes."""

import os
import sqlite3
import tempfile
import time
import uuid


def key(chance):
    """A UUIDv4 from a random.Random."""
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def database(path, script):
    conn = sqlite3.connect(path, isolation_level=None)
    conn.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; {script}")
    return conn


def spent(conn, sql, values):
    """Processor time of one transaction, seconds."""
    start = time.process_time()
    conn.execute("BEGIN")
    conn.executemany(sql, values)
    conn.execute("COMMIT")
    return time.process_time() - start


def size(conn):
    """Bytes of the database's file, vacuumed."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "vacuumed.db")
        conn.execute("VACUUM INTO ?", (path,))
        return os.path.getsize(path)
