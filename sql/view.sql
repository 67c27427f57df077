-- The readable view of one table: pages, and their rows. No table-valued function of ours, nor a view that all tables share: SQLite
-- without the extension would refuse to rename anything then.
CREATE VIEW {view}(pk_hash,field_name,hlc_ts,hlc_counter,node_id,tombstone,crdt_state) AS
SELECT crdt_shadow(v,0),crdt_shadow(v,1),crdt_shadow(v,2),crdt_shadow(v,3),crdt_shadow(v,4),crdt_shadow(v,5),crdt_shadow(v,6)
FROM(SELECT r.value v FROM json_each(crdt_shadow({t},NULL))p,json_each(crdt_shadow({t},p.value))r)
