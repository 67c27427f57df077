CREATE VIEW {view} AS
WITH RECURSIVE page(rows) AS (
  SELECT crdt_shadow({table}, NULL)
  UNION ALL
  SELECT crdt_shadow({table}, rows) FROM page WHERE rows IS NOT NULL)
SELECT
  crdt_shadow(value, 0) AS pk_hash,
  crdt_shadow(value, 1) AS field_name,
  crdt_shadow(value, 2) AS hlc_ts,
  crdt_shadow(value, 3) AS hlc_counter,
  crdt_shadow(value, 4) AS node_id,
  crdt_shadow(value, 5) AS tombstone,
  crdt_shadow(value, 6) AS crdt_state
FROM page, json_each(rows);
