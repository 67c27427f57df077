CREATE VIEW {view} AS
WITH RECURSIVE page(rows) AS (
  SELECT crdt_shadow({table}, NULL)
  UNION ALL
  SELECT crdt_shadow({table}, rows) FROM page WHERE rows IS NOT NULL)
SELECT
  (SELECT atom FROM json_each(r.value) WHERE key = 0) AS pk_hash,
  (SELECT atom FROM json_each(r.value) WHERE key = 1) AS field_name,
  (SELECT atom FROM json_each(r.value) WHERE key = 2) AS hlc_ts,
  (SELECT atom FROM json_each(r.value) WHERE key = 3) AS hlc_counter,
  (SELECT atom FROM json_each(r.value) WHERE key = 4) AS node_id,
  (SELECT atom FROM json_each(r.value) WHERE key = 5) AS tombstone,
  (SELECT atom FROM json_each(r.value) WHERE key = 6) AS crdt_state
FROM page, json_each(page.rows) AS r;
