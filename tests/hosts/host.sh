#!/usr/bin/env bash
# Runs the story of the *.sql files in the sqlite3 shell: host.sh FOLDER, where the folder holds the library. Leaves
# phone.db and laptop.db. Each step is a shell of its own, which must close without a word.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"

fail() { echo "$*" >&2; exit 1; }

# db FILE [OPTION...] < SQL: a shell with the extension.
db() {
  { echo ".load ./libgrove_crdt"; echo "PRAGMA trusted_schema = OFF;"; cat; } | sqlite3 -bail "${@:2}" "$1" 2>errors \
    || fail "$1: $(cat errors)"
  [ ! -s errors ] || fail "$1: $(cat errors)"
}

send() {
  printf '.once changes.json\nSELECT crdt_changes_since(NULL);\n' | db "$1" "${@:3}"
  echo "SELECT json_extract(crdt_merge(readfile('changes.json')), '\$.merged');" | db "$2"
}

digest() { echo "SELECT crdt_digest('tasks');" | db "$@"; }

check() {
  for file in phone.db laptop.db; do
    db "$file" <"$here/rows.sql" | diff - "$here/$1" || fail "rows of $file"
  done
  [ "$(digest phone.db)" = "$(digest laptop.db)" ] || fail "digests differ"
}

for file in phone.db laptop.db; do
  echo "PRAGMA journal_mode = WAL;" | sqlite3 "$file" >wal
  db "$file" <"$here/schema.sql" >enabled
done
db phone.db <"$here/seed.sql"
send phone.db laptop.db >/dev/null
db phone.db <"$here/phone.sql"
sleep 0.02
db laptop.db <"$here/laptop.sql"
send phone.db laptop.db >/dev/null
send laptop.db phone.db >/dev/null
[ "$(send phone.db laptop.db)" = 0 ] || fail "merged what was known"
check merged.txt
[ "$(echo 'SELECT count(*) > 0 FROM _tasks_crdt;' | db phone.db)" = 1 ] || fail "the view is empty"
[ ! -e phone.db-wal ] || fail "phone.db was not closed"

sqlite3 phone.db <"$here/bare.sql"
read_only=$(digest phone.db -readonly)
[ "$(echo "SELECT json_type(crdt_status(), '\$.peers');" | db phone.db -readonly)" = array ] || fail "no status"
send phone.db laptop.db -readonly >/dev/null
[ "$(digest phone.db)" = "$read_only" ] || fail "digests differ, read-only and not"
check final.txt

db :memory: <<SQL >memory
$(cat "$here/schema.sql" "$here/seed.sql")
SELECT crdt_merge(readfile('changes.json')) IS NOT NULL;
SQL
digest phone.db
