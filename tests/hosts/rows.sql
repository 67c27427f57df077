-- The rows of a node as one text.
SELECT group_concat(line, char(10)) FROM (
  SELECT id || ' ' || title || ' ' || priority || ' ' || tags || ' ' || done AS line FROM tasks ORDER BY id);
