"""Runs the story of the *.sql files in Python: host.py sqlite3|apsw LIBRARY FOLDER. Leaves phone.db and laptop.db."""

import json
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
DRIVER, LIBRARY, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])


def sql(name):
    return (HERE / name).read_text(encoding="utf-8")


class Sqlite3:
    """Python's own module. Its close() never fails: whether it really closed shows in the WAL file that goes."""

    def __init__(self, path, mode="rwc", extension=True):
        import sqlite3

        self.conn = sqlite3.connect(f"file:{path}?mode={mode}", uri=True)
        if extension:
            self.conn.enable_load_extension(True)
            self.conn.load_extension(LIBRARY)
            self.conn.enable_load_extension(False)

    def script(self, text):
        self.conn.executescript(text)

    def value(self, text, *args):
        return self.conn.execute(text, args).fetchone()[0]

    def close(self):
        self.conn.close()


class Apsw(Sqlite3):
    """apsw, with the SQLite that it brings along. Its close() fails when statements are open. (The older
    names of its methods: Debian's knows no others.)"""

    def __init__(self, path, mode="rwc", extension=True):
        try:
            import apsw
        except ImportError:
            sys.exit("no apsw here: `make test` installs it; GROVE_SKIP_HOSTS=apsw leaves it out")
        flags = {"ro": apsw.SQLITE_OPEN_READONLY, "rwc": apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE}[mode]
        self.conn = apsw.Connection(str(path), flags=flags)
        if extension:
            self.conn.enableloadextension(True)
            self.conn.loadextension(LIBRARY)
            self.conn.enableloadextension(False)

    def script(self, text):
        self.conn.execute(text).fetchall()


open_database = {"sqlite3": Sqlite3, "apsw": Apsw}[DRIVER]


def digest(db):
    return db.value("SELECT crdt_digest('tasks')")


def send(source, target):
    changes = source.value("SELECT crdt_changes_since(NULL)")
    return json.loads(target.value("SELECT crdt_merge(?)", changes))


def same(left, right, what):
    assert left == right, f"{what}:\n{left}\nis not\n{right}"


def check(phone, laptop, expected):
    same(phone.value(sql("rows.sql")), sql(expected).strip(), "phone's rows")
    same(laptop.value(sql("rows.sql")), sql(expected).strip(), "laptop's rows")
    same(digest(phone), digest(laptop), "digests")


def story(phone, laptop):
    """Both start alike, part, and meet again."""
    for db in (phone, laptop):
        db.script("PRAGMA trusted_schema = OFF; PRAGMA journal_mode = WAL;" + sql("schema.sql"))
    phone.script(sql("seed.sql"))
    send(phone, laptop)
    phone.script(sql("phone.sql"))
    time.sleep(0.02)
    laptop.script(sql("laptop.sql"))
    send(phone, laptop)
    send(laptop, phone)
    same(send(phone, laptop)["merged"], 0, "changes merged when nothing is new")
    check(phone, laptop, "merged.txt")
    assert phone.value("SELECT count(*) FROM _tasks_crdt") > 0




def main():
    phone, laptop = open_database(":memory:"), open_database(":memory:")
    story(phone, laptop)
    phone.close()
    laptop.close()

    files = FOLDER / "phone.db", FOLDER / "laptop.db"
    phone, laptop = map(open_database, files)
    story(phone, laptop)
    phone.close()
    laptop.close()
    for path in files:
        assert not os.path.exists(f"{path}-wal"), f"{path} is still open after close()"

    bare = open_database(files[0], extension=False)
    bare.script(sql("bare.sql"))
    bare.close()

    reader = open_database(files[0], mode="ro")
    laptop = open_database(files[1])
    assert "peers" in json.loads(reader.value("SELECT crdt_status()"))
    read_only = digest(reader)
    send(reader, laptop)
    reader.close()
    phone = open_database(files[0])
    same(digest(phone), read_only, "digests, read-only and not")
    check(phone, laptop, "final.txt")
    print(digest(phone))
    phone.close()
    laptop.close()


main()
