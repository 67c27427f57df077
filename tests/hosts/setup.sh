#!/usr/bin/env bash
# Brings the hosts that the tests load the extension into: setup.sh [shell|python|apsw|node]... (all of them without
# arguments). Node and apsw go into target/hosts; the shell and Python come from Debian. Hosts named in GROVE_SKIP_HOSTS
# (a comma between two) are left out. Also, where they are named: chromium (for the hub's status page), valgrind, llvm (for
# `make coverage`), deny (for `make check`).
set -eu
cd "$(dirname "$0")/../.."
folder=${CARGO_TARGET_DIR:-target}/hosts

# A program, not one of the functions below.
has() { type -P "$1" >/dev/null; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# Installs Debian packages, with fresh package lists when the present ones do not do; fails where it may not.
debian() {
  has apt-get && as_root true 2>/dev/null || return 1
  echo "installing $* with apt-get" >&2
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@")
  as_root "${install[@]}" >/dev/null 2>&1 && return
  as_root apt-get update >/dev/null && as_root "${install[@]}" >/dev/null
}

shell() { has sqlite3 || { debian sqlite3 && has sqlite3; }; }

python() { [ -x /usr/bin/python3 ] || debian python3; }

apsw() {
  local try="import apsw"
  python || return 1
  PYTHONPATH=$folder/apsw /usr/bin/python3 -c "$try" 2>/dev/null && return
  if /usr/bin/python3 -m pip --version >/dev/null 2>&1; then
    /usr/bin/python3 -m pip install --quiet --root-user-action=ignore --target "$folder/apsw" apsw || true
  fi
  PYTHONPATH=$folder/apsw /usr/bin/python3 -c "$try" 2>/dev/null || debian python3-apsw
}

node() {
  local binary=$folder/node/node_modules/.bin/node
  "$binary" --version >/dev/null 2>&1 && return
  has npm || debian npm || return 1
  npm install --prefix "$folder/node" --no-save --no-package-lock --loglevel=error node@24 >&2
  "$binary" --version >/dev/null 2>&1
}

chromium() { has chromium || debian chromium; }

valgrind() { [ -x /usr/bin/valgrind ] || debian valgrind; }

# Of this version on they read the counts of today's rustc.
llvm() { [ -x /usr/lib/llvm-19/bin/llvm-cov ] || [ -n "$(find "$(rustc --print sysroot)" -name llvm-cov)" ] || debian llvm-19; }

deny() {
  cargo deny --version >/dev/null 2>&1 && return
  echo "installing cargo-deny, which takes minutes" >&2
  # Unoptimised: it has few crates to look at, and builds in half the time.
  env -u CARGO_TARGET_DIR cargo install cargo-deny --version 0.20.2 --locked --debug
}

[ $# -gt 0 ] || set -- shell python apsw node
for host in "$@"; do
  case ",${GROVE_SKIP_HOSTS:-}," in *",$host,"*) echo "$host is left out, as GROVE_SKIP_HOSTS says" >&2; continue ;; esac
  "$host" || {
    echo "There is no $host host here, and it could not be installed. Install it, or set GROVE_SKIP_HOSTS=$host." >&2
    exit 1
  }
done
