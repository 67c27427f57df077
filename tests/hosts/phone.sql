-- What the phone does on its own, before the laptop does its part.
UPDATE tasks SET title = 'Buy whole milk', priority = priority + 2 WHERE id = 't1';
UPDATE tasks SET tags = '["home","shop"]' WHERE id = 't1';
DELETE FROM tasks WHERE id IN ('t2', 't3');
INSERT INTO tasks(id, title) VALUES ('t4', 'Water plants');
