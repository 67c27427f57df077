-- What the laptop does on its own, after the phone has done its part.
UPDATE tasks SET title = 'Buy soy milk', priority = 4, tags = '["urgent"]' WHERE id = 't1';
UPDATE tasks SET title = 'Call Ann today' WHERE id = 't2';
INSERT INTO tasks(id, title, tags) VALUES ('t5', 'Book train', '["trip"]');
