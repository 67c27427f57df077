-- The tables that grove-crdt adds to a database, once. Everything about every enabled table is in here.

-- Settings. `format` is the version of this layout. With colons: what a script of crdt_schema leaves to the next call that can write
-- (src/schema/notes.rs).
CREATE TABLE IF NOT EXISTS _crdt_pragma(name TEXT PRIMARY KEY NOT NULL, value) WITHOUT ROWID;

-- Node ids and the small numbers that stand for them. 0 is the shared author of rows from before crdt_enable.
CREATE TABLE IF NOT EXISTS _crdt_node(n INTEGER PRIMARY KEY, node TEXT NOT NULL UNIQUE);

-- One row: this node's number, its clock, the last log row that the clock has stamped, a token for caches, and what
-- crdt_status has to tell (forks made by themselves, twins: two values under one stamp, unreadable sets). places: where the log
-- ended lately, with commas: cursors stand there, so pruning leaves these rows (src/prune.rs).
CREATE TABLE IF NOT EXISTS _crdt_state(
  one INTEGER PRIMARY KEY CHECK (one = 1), self INTEGER NOT NULL, ts INTEGER NOT NULL, c INTEGER NOT NULL,
  folded INTEGER NOT NULL, token INTEGER NOT NULL, forks INTEGER NOT NULL, twins INTEGER NOT NULL, unread TEXT, places TEXT);

-- Tables that are or were enabled. gen counts the changes of its set of fields.
CREATE TABLE IF NOT EXISTS _crdt_table(
  t INTEGER PRIMARY KEY, name TEXT NOT NULL, enabled INTEGER NOT NULL, gen INTEGER NOT NULL);

-- Fields by number within their table. type: lww, counter, set, none, or one that a peer has and this node does not.
-- A base stamp of generation g covers the lww fields with born <= g < died; born is NULL for fields of no column here.
-- bit is a lww field's place in the log's masks.
CREATE TABLE IF NOT EXISTS _crdt_field(
  t INTEGER NOT NULL, f INTEGER NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL, bit INTEGER, born INTEGER, died INTEGER,
  PRIMARY KEY(t, f)) WITHOUT ROWID;

-- The changes in the order in which they arrived here. m: a mask of changed lww fields when >= 0 (further words in v0…),
-- -1 insert, -2 delete, -3 a row that a REPLACE may have removed, -4 taken from a peer (v0: the fields, NULL for all),
-- -5 a counter or set changed (v0: its field, v1: old, v2: new), -6 a row from before crdt_enable (-1, -6: v0… the values of
-- counters and sets), -7 a value from before its column got its type (v0: field, v1: value, v2: 1 for the default that it was added with). at: wall time as a Julian day. Tables that need more key columns k1… or value columns v1… add them.
CREATE TABLE IF NOT EXISTS _crdt_log(seq INTEGER PRIMARY KEY, t, m, at, k0, v0);

-- Rows as they were when they were deleted, until the fold has taken them into the clocks. Wider tables add columns.
CREATE TABLE IF NOT EXISTS _crdt_grave(seq INTEGER PRIMARY KEY, v0);

-- One row a record: base stamp (g, ts, c, n), dead (1) or not, and exceptions (src/pack.rs). pk is the key's wire text,
-- or an INTEGER for decimal keys.
CREATE TABLE IF NOT EXISTS _crdt_clock(t INTEGER NOT NULL, pk NOT NULL, g, ts, c, n, dead, x, PRIMARY KEY(t, pk)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS main._crdt_dead ON _crdt_clock(t, pk) WHERE dead;

-- What is too long to stay with the clocks, and changes kept for later versions: parts of counters (e: '' or the
-- operation, n: author), marks of sets (e: element, n: node), kept changes (e: stamp, n: author). s is packed (src/pack.rs).
CREATE TABLE IF NOT EXISTS _crdt_parts(
  t INTEGER NOT NULL, pk NOT NULL, f INTEGER NOT NULL, e TEXT NOT NULL, n INTEGER NOT NULL, s NOT NULL,
  PRIMARY KEY(t, pk, f, e, n)) WITHOUT ROWID;

-- Records whose row cannot be shown: why, and since when (nanoseconds).
CREATE TABLE IF NOT EXISTS _crdt_pending(t INTEGER NOT NULL, pk NOT NULL, reason TEXT NOT NULL, since INTEGER NOT NULL,
  PRIMARY KEY(t, pk)) WITHOUT ROWID;

-- Changes stamped too far in the future: kept aside until their time has come.
CREATE TABLE IF NOT EXISTS _crdt_future(id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, change TEXT NOT NULL UNIQUE, since INTEGER NOT NULL);

-- How far each peer has come with each selection of tables (as the cursor's scope names it): it has all up to seq, and was
-- last sent what lies up to sent.
CREATE TABLE IF NOT EXISTS _crdt_acks(node TEXT NOT NULL, scope TEXT NOT NULL, seq INTEGER NOT NULL, sent INTEGER NOT NULL, PRIMARY KEY(node, scope)) WITHOUT ROWID;

-- What the log no longer tells. pruned, kept: where pruning last ended, and how many rows it left; own: whether it dropped writes
-- of this node; resync: cursors before this place start over, as epitaphs were dropped; until: the latest stamp of those (ns).
CREATE TABLE IF NOT EXISTS _crdt_horizon(
  one INTEGER PRIMARY KEY CHECK (one = 1), pruned INTEGER NOT NULL DEFAULT 0, kept INTEGER NOT NULL DEFAULT 0,
  own INTEGER NOT NULL DEFAULT 0, resync INTEGER NOT NULL DEFAULT 0, until INTEGER NOT NULL DEFAULT 0);

-- Sync hooks: name, event, one statement of SQL, the tables that it stands for as a GLOB. They run in the order of h.
CREATE TABLE IF NOT EXISTS _crdt_hook(
  h INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, event TEXT NOT NULL, sql TEXT NOT NULL, table_glob TEXT NOT NULL);

-- Concurrent writes that met in a merge, oldest first: record, field (f; 0 when one is a delete, then w is the field written
-- against it), whether the incoming one won, value (JSON) and stamp of the local (l…) and of the incoming one (i…), and when
-- (nanoseconds). At most conflict_log rows.
CREATE TABLE IF NOT EXISTS _crdt_conflict(
  id INTEGER PRIMARY KEY, t INTEGER NOT NULL, pk NOT NULL, f INTEGER NOT NULL, w INTEGER NOT NULL, won INTEGER NOT NULL,
  l_value, l_ts INTEGER NOT NULL, l_c INTEGER NOT NULL, l_n INTEGER NOT NULL,
  i_value, i_ts INTEGER NOT NULL, i_c INTEGER NOT NULL, i_n INTEGER NOT NULL, at INTEGER NOT NULL);

-- Peers that pulled or pushed: the place in our log that they have come back with, and when they were last seen (nanoseconds).
CREATE TABLE IF NOT EXISTS _crdt_peers(node TEXT PRIMARY KEY NOT NULL, seq INTEGER NOT NULL, seen INTEGER NOT NULL) WITHOUT ROWID;

-- Filters of what is exported, by number: an expression over a table's rows, the log row up to which the membership of its
-- records is known, when it was last used (nanoseconds), and whether it is the database's own. Row 0: a secret for cursors
-- (expr), the end of the log when the first filter was made (seen), the last number given (used).
CREATE TABLE IF NOT EXISTS _crdt_filter(
  f INTEGER PRIMARY KEY, t INTEGER NOT NULL, expr TEXT NOT NULL, seen INTEGER NOT NULL, used INTEGER NOT NULL, own INTEGER,
  UNIQUE(t, expr));

-- Records that are or were inside a filter: the log rows under which they entered first and last; since is NULL for those
-- that are outside now.
CREATE TABLE IF NOT EXISTS _crdt_inside(f INTEGER NOT NULL, pk NOT NULL, first INTEGER NOT NULL, since INTEGER,
  PRIMARY KEY(f, pk)) WITHOUT ROWID;

-- Records dropped here because they left a peer's filter: the clock as it stood then. Their own stamps may come back.
CREATE TABLE IF NOT EXISTS _crdt_left(t INTEGER NOT NULL, pk NOT NULL, ts INTEGER NOT NULL, c INTEGER NOT NULL,
  PRIMARY KEY(t, pk)) WITHOUT ROWID;

-- What the sender said of records that it told to have left and that stay here, as they hold what it had not seen: the change.
CREATE TABLE IF NOT EXISTS _crdt_stays(t INTEGER NOT NULL, pk NOT NULL, change TEXT NOT NULL,
  PRIMARY KEY(t, pk)) WITHOUT ROWID;

-- Names under which peers may still send a field: its column was renamed here.
CREATE TABLE IF NOT EXISTS _crdt_alias(
  t INTEGER NOT NULL, name TEXT NOT NULL COLLATE NOCASE, f INTEGER NOT NULL, PRIMARY KEY(t, name)) WITHOUT ROWID;

-- Fields whose state is to be merged into another's, or, where that is the same one, to be shown: noted by crdt_enable, done by
-- the next call that can write. retyped: the column held the values under another type meanwhile.
CREATE TABLE IF NOT EXISTS _crdt_heir(
  t INTEGER NOT NULL, f INTEGER NOT NULL, heir INTEGER NOT NULL, retyped INTEGER NOT NULL, PRIMARY KEY(t, f)) WITHOUT ROWID;

-- Counters and sets that a peer has written after their column was dropped or got another type here; was: what the column showed.
CREATE TABLE IF NOT EXISTS _crdt_waiting(
  t INTEGER NOT NULL, f INTEGER NOT NULL, pk NOT NULL, was, PRIMARY KEY(t, f, pk)) WITHOUT ROWID;
