-- The readable view of one table: pages, and their rows. No table-valued function of ours, nor a view that all tables share: SQLite
-- without the extension would refuse to rename anything then.

-- section: view
CREATE VIEW {view}(pk_hash,field_name,hlc_ts,hlc_counter,node_id,tombstone,crdt_state) AS
WITH RECURSIVE p(r) AS(SELECT crdt_shadow({t},NULL) UNION ALL SELECT crdt_shadow({t},r) FROM p WHERE r IS NOT NULL)
SELECT crdt_shadow(value,0),crdt_shadow(value,1),crdt_shadow(value,2),crdt_shadow(value,3),crdt_shadow(value,4),crdt_shadow(value,5),crdt_shadow(value,6)
FROM p,json_each(r)
