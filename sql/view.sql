-- The readable view of one table: pages, each made from the one before, and their rows. SQLite reads this of every table whenever a
-- database is opened: no word too many, and what needs no function of ours is in a view that all share. With such a function in
-- that one, or a table-valued function of ours, SQLite without the extension would refuse to rename anything. With json_extract in
-- place of json_each SQLite 3.40 would not trust it. Older ones end a text of json_each at U+0000: src/inspect.rs writes U+001A 0 for that,
-- and U+001A 1 for U+001A.

-- section: view
CREATE VIEW {view} AS WITH p(page) AS(SELECT {t} UNION ALL SELECT crdt_shadow(page) FROM p WHERE page NOT NULL)
SELECT pk_hash,field_name,hlc_ts,hlc_counter,node_id,tombstone,crdt_state FROM p NATURAL JOIN _crdt_show

-- section: show
CREATE VIEW IF NOT EXISTS _crdt_show(page,pk_hash,field_name,hlc_ts,hlc_counter,node_id,tombstone,crdt_state) AS
SELECT json,
  (SELECT replace(replace(value,char(26,48),char(0)),char(26,49),char(26)) FROM json_each(row.value) WHERE key=0),
  (SELECT replace(replace(value,char(26,48),char(0)),char(26,49),char(26)) FROM json_each(row.value) WHERE key=1),
  (SELECT value FROM json_each(row.value) WHERE key=2),
  (SELECT value FROM json_each(row.value) WHERE key=3),
  (SELECT replace(replace(value,char(26,48),char(0)),char(26,49),char(26)) FROM json_each(row.value) WHERE key=4),
  (SELECT value FROM json_each(row.value) WHERE key=5),
  (SELECT value FROM json_each(row.value) WHERE key=6)
FROM json_each AS row WHERE type='array'
