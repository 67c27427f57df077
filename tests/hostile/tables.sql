CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, votes INTEGER DEFAULT 0, tags TEXT DEFAULT '[]',
                   body JSON, done BOOLEAN DEFAULT 0);
CREATE TABLE pairs(a, b INTEGER, v, n INT, PRIMARY KEY (a, b));
CREATE TABLE nums(id INTEGER PRIMARY KEY, email TEXT UNIQUE, low REAL CHECK (low < 100), boss INT REFERENCES nums ON DELETE CASCADE);
PRAGMA foreign_keys = ON;
SELECT crdt_enable('tasks', 'votes:counter', 'tags:set');
SELECT crdt_enable('pairs', 'n:counter');
SELECT crdt_enable('nums');
