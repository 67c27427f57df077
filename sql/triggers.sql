-- Capture: what records the application's writes. Built-in functions only, so that a connection without the extension
-- can write too. One appended row for each written row; src/fold.rs gives the rows their meaning.
-- A suspect is one row at most: an index that was dropped since would let several match. changes() tells whether one was logged.
-- SQLite reads all of this whenever a database is opened, and compiles it with every statement: no word too many.

-- section: insert
CREATE TRIGGER {name} AFTER INSERT ON {table} BEGIN
  INSERT INTO _crdt_log(t,m,at,{log_keys}{log_parts}) VALUES ({t},-1,julianday(),{new_keys}{new_parts});
END;

-- section: update
CREATE TRIGGER {name} AFTER UPDATE OF {columns} ON {table} BEGIN
  INSERT INTO _crdt_log(t,m,at,{log_keys}{log_words}) VALUES ({t},{mask},julianday(),{new_keys}{words});
END;

-- section: parts
CREATE TRIGGER {name} AFTER UPDATE OF {column} ON {table}
WHEN (old.{column} IS NOT new.{column}{binary} OR typeof(old.{column})<>typeof(new.{column})) AND NOT ({key_changed}) BEGIN
  INSERT INTO _crdt_log(t,m,at,{log_keys},v0,v1,v2) VALUES ({t},-5,julianday(),{new_keys},{field},old.{column},{checked});
END;

-- section: key
CREATE TRIGGER {name} AFTER UPDATE OF {columns} ON {table} WHEN {key_changed} BEGIN
  INSERT INTO _crdt_log(t,m,at,{log_keys}) VALUES ({t},-2,julianday(),{old_keys});
  INSERT INTO _crdt_grave(seq{grave_columns}) VALUES (last_insert_rowid(){old_values});
  INSERT INTO _crdt_log(t,m,at,{log_keys}{log_parts}) VALUES ({t},-1,julianday(),{new_keys}{new_parts});
END;

-- section: delete
CREATE TRIGGER {name} AFTER DELETE ON {table} BEGIN
  INSERT INTO _crdt_log(t,m,at,{log_keys}) VALUES ({t},-2,julianday(),{old_keys});
  INSERT INTO _crdt_grave(seq{grave_columns}) VALUES (last_insert_rowid(){old_values});
END;

-- section: suspect
CREATE TRIGGER {name} BEFORE {event} ON {table}{when} BEGIN
  INSERT INTO _crdt_log(t,m,at,{log_keys}) SELECT {t},-3,julianday(),{row_keys} FROM {table} AS o WHERE {found}{limit};
  INSERT INTO _crdt_grave(seq{grave_columns}) SELECT last_insert_rowid(){row_values} FROM {table} AS o WHERE {same} LIMIT changes();
END;
