#!/usr/bin/env bash
# Two databases, written apart with the plain sqlite3 shell, then merged through JSON files. `make demo` builds the
# extension and runs this. It fails when the two end up with different rows or digests.
set -eu
cd "$(dirname "$0")/.."
target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
folder=$target/demo
rm -rf "$folder"
mkdir "$folder"
cp "$target"/release/libgrove_crdt.* "$folder"
cd "$folder"

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || title() { printf '\n%s\n' "$*"; }

# shell DATABASE < SQL: the sqlite3 shell with the extension.
shell() { { echo ".load ./libgrove_crdt"; cat; } | sqlite3 -bail "$1"; }

# Both tables, the phone's on the left.
both() {
  for node in phone laptop; do
    printf '.mode table\nSELECT id, title, priority AS prio, tags FROM tasks ORDER BY id;\n' | shell $node.db >$node.txt
  done
  awk 'NR == FNR { left[NR] = $0; n = NR; w = length; next }
       { printf "%-*s  %s\n", w, left[FNR], $0 }
       END { for (i = FNR + 1; i <= n; i++) print left[i] }' phone.txt laptop.txt
}

title "Two databases. The table stays an ordinary one."
for node in phone laptop; do
  shell $node.db <<SQL
CREATE TABLE tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, priority INTEGER DEFAULT 0, tags TEXT DEFAULT '[]', done INTEGER DEFAULT 0);
SELECT crdt_node_id('$node'), crdt_enable('tasks', 'priority:counter', 'tags:set');
SQL
done

title "The phone writes three tasks; the laptop gets them."
shell phone.db <<'SQL'
INSERT INTO tasks(id, title, tags) VALUES
  ('t1', 'Buy milk', '["cheap","shop"]'),
  ('t2', 'Call Ann', '[]'),
  ('t3', 'Pay rent', '["home"]');
.once from_phone.json
SELECT crdt_changes_since(NULL);
SQL
shell laptop.db <<'SQL'
SELECT crdt_merge(readfile('from_phone.json'));
SQL

title "Then both are offline and write apart: the phone on the left, the laptop on the right."
shell phone.db <<'SQL'
UPDATE tasks SET title = 'Buy whole milk' WHERE id = 't1';
UPDATE tasks SET priority = priority + 1 WHERE id = 't1';
UPDATE tasks SET tags = '["home","shop"]' WHERE id = 't1';
DELETE FROM tasks WHERE id IN ('t2', 't3');
SQL
sleep 0.05
shell laptop.db <<'SQL'
UPDATE tasks SET title = 'Buy soy milk' WHERE id = 't1';
UPDATE tasks SET priority = priority + 2 WHERE id = 't1';
UPDATE tasks SET tags = '["cheap","urgent"]' WHERE id = 't1';
UPDATE tasks SET title = 'Call Ann today' WHERE id = 't2';
INSERT INTO tasks(id, title) VALUES ('t4', 'Book a train');
SQL
both

title "Each writes what is new since the first exchange to a file, and merges the other's."
shell phone.db <<'SQL'
.once new_from_phone.json
SELECT crdt_changes_since(json_extract(readfile('from_phone.json'), '$.latest_hlc'));
SQL
shell laptop.db <<'SQL'
.once from_laptop.json
SELECT crdt_changes_since(NULL);
SELECT crdt_merge(readfile('new_from_phone.json'));
SQL
shell phone.db <<'SQL'
SELECT crdt_merge(readfile('from_laptop.json'));
SQL

title "Now they are one: the last rename won, the raises add up, the tags merged, the later edit brought t2 back."
both
for node in phone laptop; do
  echo "SELECT '$node digest ' || crdt_digest('tasks');" | shell $node.db
done

title "What the phone knows of t1:"
echo "SELECT crdt_inspect('tasks', 't1');" | shell phone.db

for query in "SELECT * FROM tasks ORDER BY id;" "SELECT crdt_digest('tasks');"; do
  for node in phone laptop; do echo "$query" | shell $node.db >$node.txt; done
  cmp phone.txt laptop.txt || { echo "The phone and the laptop differ in: $query"; exit 1; }
done
title "Same rows, same digest. The databases and the JSON files are in $folder."
