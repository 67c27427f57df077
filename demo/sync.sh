#!/usr/bin/env bash
# A hub and two edges: both write, each goes to the hub, and in the end all hold the same. `make demo-sync` builds grove-sync and
# runs this. It fails when the digests differ.
set -eu
cd "$(dirname "$0")/.."
target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
folder=$target/demo-sync
rm -rf "$folder"
mkdir "$folder"
cp "$target"/release/libgrove_crdt.* "$folder"
cd "$folder"
sync=$target/http/release/grove-sync

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || title() { printf '\n%s\n' "$*"; }

# shell DATABASE < SQL: the sqlite3 shell with the extension.
shell() { { echo ".load ./libgrove_crdt"; echo ".timeout 5000"; cat; } | sqlite3 -bail "$1"; }

cat >schema.sql <<'SQL'
CREATE TABLE IF NOT EXISTS tasks(id TEXT PRIMARY KEY NOT NULL, title TEXT, votes INTEGER DEFAULT 0, tags TEXT DEFAULT '[]');
SELECT crdt_enable('tasks', 'votes:counter', 'tags:set');
SQL

title "A hub, on a port that is free."
"$sync" serve hub.db --init schema.sql --listen 127.0.0.1:0 >hub.out 2>hub.log &
hub=$!
runs=()
trap 'kill "$hub" ${runs[@]+"${runs[@]}"} 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  grep -q listening hub.out && break
  sleep 0.1
done
cat hub.out
url=$(sed -n 's/^listening on //p' hub.out)

title "Two edges write without knowing of each other."
for edge in phone laptop; do
  shell $edge.db <schema.sql >/dev/null
done
shell phone.db <<<"INSERT INTO tasks VALUES ('t1', 'Buy milk', 1, '[\"shop\"]');"
shell laptop.db <<<"INSERT INTO tasks VALUES ('t2', 'Call Ann', 2, '[]');"

title "One round each: grove-sync sync"
for edge in phone laptop phone; do
  printf '%-7s' $edge
  "$sync" sync $edge.db --peer "$url"
done

title "Staying with the hub: grove-sync run. A commit on one edge is on the other at once."
for edge in phone laptop; do
  RUST_LOG=error "$sync" run $edge.db --peer "$url" &
  runs+=($!)
done
sleep 1
shell phone.db <<<"UPDATE tasks SET votes = votes + 5, tags = '[\"phone\",\"urgent\"]' WHERE id = 't2';"
shell laptop.db <<<"UPDATE tasks SET votes = votes + 1, title = 'Call Ann today' WHERE id = 't2';"
digest() { shell "$1" <<<"SELECT crdt_digest('tasks', 'full');"; }
for _ in $(seq 100); do
  [ "$(digest phone.db)" = "$(digest laptop.db)" ] && [ "$(digest phone.db)" = "$(digest hub.db)" ] && break
  sleep 0.1
done
for database in phone.db laptop.db hub.db; do
  echo "$database"
  printf '.mode table\nSELECT * FROM tasks ORDER BY id;\n' | shell $database
done
votes=$(shell hub.db <<<"SELECT votes FROM tasks WHERE id = 't2';")
if [ "$(digest phone.db)" != "$(digest laptop.db)" ] || [ "$(digest phone.db)" != "$(digest hub.db)" ] || [ "$votes" != 8 ]; then
  echo "they differ" >&2
  exit 1
fi
echo "all three hold the same"
