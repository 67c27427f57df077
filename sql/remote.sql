-- Peers that this database goes to by itself (crdt_sync), one row for each set of tables (JSON array of names, sorted): the cursor
-- in the peer's log up to which everything was merged here, the one in our log up to which the peer has confirmed everything,
-- when everything was last asked of a peer whose cursors may skip something, when one of them last moved (nanoseconds),
-- the peer's node id, where it is one of ours, and whether it stands in for a larger set that the peer refused. Made by the first
-- crdt_sync.
CREATE TABLE IF NOT EXISTS _crdt_remote(
  url TEXT NOT NULL, tables TEXT NOT NULL, pulled TEXT, pushed TEXT, whole INTEGER, seen INTEGER NOT NULL, node TEXT, part INTEGER NOT NULL,
  PRIMARY KEY(url, tables)) WITHOUT ROWID;
-- What such a peer has refused: a hash of each change, the cursor before the page that it was in, why, and when it was sent
-- last (nanoseconds). Its rowids rise.
CREATE TABLE IF NOT EXISTS _crdt_refused(
  url TEXT NOT NULL, tables TEXT NOT NULL, change BLOB NOT NULL, since TEXT, reason TEXT NOT NULL, tried INTEGER NOT NULL,
  UNIQUE(url, tables, change));
