# shellcheck shell=bash
# For other scripts: wrap_hosts TARGET FOLDER COMMAND... puts scripts before the sqlite3 shell, Python and Node of the tests
# that are built in FOLDER, which run them by COMMAND. TARGET is where `tests/hosts/setup.sh` put the hosts.
wrap_hosts() {
  local target=$1 folder=$2 name
  shift 2
  local node=hosts/node/node_modules/.bin/node
  rm -rf "$folder/hosts" "$folder/bin"
  mkdir -p "$folder/bin" "$folder/$(dirname $node)"
  [ ! -e "$target/hosts/apsw" ] || ln -s "$target/hosts/apsw" "$folder/hosts/apsw"
  for name in "$(command -v sqlite3)=bin/sqlite3" "/usr/bin/python3=bin/python3" "$target/$node=$node"; do
    printf '#!/bin/sh\nexec %s %s "$@"\n' "$(printf "'%s' " "$@")" "${name%%=*}" >"$folder/${name#*=}"
    chmod +x "$folder/${name#*=}"
  done
  export PATH=$folder/bin:$PATH GROVE_PYTHON=$folder/bin/python3
}
