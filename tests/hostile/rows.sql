INSERT INTO tasks VALUES ('t1', 'Milk', 3, '["shop",1]', '{"a":[1]}', 1), ('t2', NULL, 0, '[]', NULL, 0), ('t3', 'x', 1, '[2]', '[]', 0);
INSERT INTO pairs VALUES (1, 2, x'00ff', 5), ('a', 0, -0.0, NULL);
INSERT INTO nums VALUES (1, 'a@x', 1.5, NULL), (2, 'b@x', NULL, 1), (3, NULL, 2, 2);
SELECT crdt_cursor();
UPDATE tasks SET title = 'Oat milk', votes = votes - 1, tags = '[1,{"k":null}]' WHERE id = 't1';
DELETE FROM tasks WHERE id = 't3';
SELECT crdt_merge('[
  {"table":"tasks","pk":"t2","field":"title","crdt_type":"lww","hlc":{"ts":1700000000000000000,"c":0,"node":"x"},"value":"of x"},
  {"table":"tasks","pk":"t4","field":"colour","crdt_type":"lww","hlc":{"ts":1700000000000000001,"c":0,"node":"x"},"value":"red"},
  {"table":"tasks","pk":"t4","field":"title","crdt_type":"text","hlc":{"ts":1700000000000000002,"c":0,"node":"y"},"value":7},
  {"table":"tasks","pk":"t1","field":"votes","crdt_type":"counter","hlc":{"ts":1700000000000000003,"c":9,"node":"y"},"counter_delta":{"inc":2,"dec":9}},
  {"table":"tasks","pk":"t9","field":"title","crdt_type":"lww","hlc":{"ts":9000000000000000000,"c":0,"node":"y"},"value":"later"},
  {"table":"nums","pk":"9","field":"email","crdt_type":"lww","hlc":{"ts":1700000000000000004,"c":0,"node":"y"},"value":"a@x"},
  {"table":"nums","pk":"8","field":"boss","crdt_type":"lww","hlc":{"ts":1700000000000000005,"c":0,"node":"y"},"value":77},
  {"table":"pairs","pk":"[1,3]","field":"_tombstone","crdt_type":"","tombstone":true,"hlc":{"ts":1700000000000000006,"c":0,"node":"y"}}]');
SELECT crdt_pull('{"node_id":"peer"}');
INSERT INTO tasks(id, title) VALUES ('t5', 'in the tail');
