-- What both nodes start with.
CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, priority INTEGER DEFAULT 0, tags TEXT DEFAULT '[]', done INTEGER DEFAULT 0);
SELECT crdt_enable('tasks', 'priority:counter', 'tags:set');
