-- What the phone writes and the laptop takes over before they part.
INSERT INTO tasks(id, title, priority, tags) VALUES
  ('t1', 'Buy milk', 1, '["shop"]'),
  ('t2', 'Call Ann', 0, '[]'),
  ('t3', 'Pay rent', 0, '[]');
