-- What a connection writes that never loaded the extension.
UPDATE tasks SET done = 1, priority = priority + 10 WHERE id = 't4';
INSERT INTO tasks(id, title, tags) VALUES ('t6', 'Feed cat', '["home"]');
DELETE FROM tasks WHERE id = 't5';
