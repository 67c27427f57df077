-- Capture: what records the application's writes. Built-in functions only, so that a connection without the extension
-- can write too. One appended row for each written row; src/fold.rs gives the rows their meaning.
-- SQLite reads all of this whenever a database is opened, and compiles it with every statement: no word too many. So rows that
-- seldom go away do so through views that all tables of a width share, and that nobody reads: moved, for a row that gets another
-- key, and stood, for one that stands in another's way.
-- A suspect is one row at most: an index that was dropped since would let several match.

-- section: insert
CREATE TRIGGER {name} AFTER INSERT ON {table} BEGIN
  INSERT INTO _crdt_log(t,m,at,{log_keys}{log_parts}) VALUES ({t},-1,julianday(),{new_keys}{new_parts});
END;

-- section: update
CREATE TRIGGER {name} AFTER UPDATE OF {columns} ON {table} BEGIN
  INSERT INTO _crdt_log(t,m,at,{log_keys}{log_words}) VALUES ({t},{m},julianday(),{new_keys}{words});
END;

-- section: parts
CREATE TRIGGER {name} AFTER UPDATE OF {column} ON {table}
WHEN (old.{column} IS NOT new.{column}{binary} OR typeof(old.{column})<>typeof(new.{column})) AND NOT ({key_changed}) BEGIN
  INSERT INTO _crdt_log(t,m,at,{log_keys},v0,v1,v2) VALUES ({t},-5,julianday(),{new_keys},{field},old.{column},{checked});
END;

-- section: key
CREATE TRIGGER {name} AFTER UPDATE OF {columns} ON {table} WHEN {key_changed} BEGIN
  INSERT INTO {moved} VALUES ({t},{new_keys}{new_parts},{old_keys}{old_values});
END;

-- section: delete
CREATE TRIGGER {name} AFTER DELETE ON {table} BEGIN
  INSERT INTO _crdt_log(t,m,at,{log_keys}{grave_columns}) VALUES ({t},-9,julianday(),{old_keys}{old_values});
END;

-- section: wide delete
CREATE TRIGGER {name} AFTER DELETE ON {table} BEGIN
  INSERT INTO _crdt_log(t,m,at,{log_keys}) VALUES ({t},-2,julianday(),{old_keys});
  INSERT INTO _crdt_grave(seq{grave_columns}) VALUES (last_insert_rowid(){old_values});
END;

-- section: suspect
CREATE TRIGGER {name} BEFORE {event} ON {table}{when} BEGIN
  INSERT INTO {stood} SELECT {t},{row_keys}{row_values} FROM {table} AS o WHERE {found}{limit};
END;

-- section: shared view
CREATE VIEW IF NOT EXISTS {view}(t{columns}) AS SELECT NULL{nulls};

-- section: moved
CREATE TRIGGER IF NOT EXISTS {name} INSTEAD OF INSERT ON {view} BEGIN
  INSERT INTO _crdt_log(t,m,at{log_keys}) VALUES (new.t,-2,julianday(){old_keys});
  INSERT INTO _crdt_grave(seq{grave_columns}) VALUES (last_insert_rowid(){old_values});
  INSERT INTO _crdt_log(t,m,at{log_keys}{log_parts}) VALUES (new.t,-1,julianday(){new_keys}{new_parts});
END;

-- section: stood
CREATE TRIGGER IF NOT EXISTS {name} INSTEAD OF INSERT ON {view} BEGIN
  INSERT INTO _crdt_log(t,m,at{log_keys}) VALUES (new.t,-3,julianday(){old_keys});
  INSERT INTO _crdt_grave(seq{grave_columns}) VALUES (last_insert_rowid(){old_values});
END;
