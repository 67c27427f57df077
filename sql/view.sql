-- The readable view of one table: pages, each made from the one before, and their rows. SQLite reads this of every table whenever a
-- database is opened: no word too many, and what needs no function of ours is in a view that all share. With such a function in
-- that one, or a table-valued function of ours, SQLite without the extension would refuse to rename anything. With json_extract in
-- place of json_each SQLite 3.40 would not trust it.

-- section: view
CREATE VIEW {view} AS WITH p(page) AS(SELECT {t} UNION ALL SELECT crdt_shadow(page) FROM p WHERE page NOT NULL)
SELECT pk_hash,field_name,hlc_ts,hlc_counter,node_id,tombstone,crdt_state FROM p NATURAL JOIN _crdt_show

-- section: show
CREATE VIEW IF NOT EXISTS _crdt_show(page,pk_hash,field_name,hlc_ts,hlc_counter,node_id,tombstone,crdt_state) AS
SELECT json,{cells}
FROM json_each AS row WHERE type='array'
