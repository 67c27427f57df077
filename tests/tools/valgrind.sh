#!/usr/bin/env bash
# The optimised extension in the sqlite3 shell, Python's sqlite3 and apsw, under valgrind: valgrind.sh [cargo test's
# arguments]. These programs are as their makers built them. Node is left out: V8's own code trips valgrind.
set -eu
cd "$(dirname "$0")/../.."
tests/hosts/setup.sh shell python apsw valgrind
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
folder=$target/valgrind
logs=$folder/logs
rm -rf "$logs"
mkdir -p "$logs"

. tests/tools/hosts.sh
wrap_hosts "$target" "$folder" env PYTHONMALLOC=malloc valgrind -q --error-exitcode=99 --leak-check=no \
  --log-file="$logs/%p" --num-callers=30
# The shell frees what it uses: what is lost there, the extension lost.
sed -i "s/'--leak-check=no'/'--leak-check=full' '--errors-for-leak-kinds=definite' '--show-leak-kinds=definite'/" "$folder/bin/sqlite3"

cargo build --locked --release
export GROVE_SKIP_HOSTS=node GROVE_LIBRARY=$target/release/libgrove_crdt.so
code=0
cargo test --locked --no-fail-fast --test hosts --test ffi_smoke --test docs "$@" || code=$?
echo "$(find "$logs" -type f | wc -l) programs ran under valgrind; $(find "$logs" -type f -size +0 | wc -l) of them with complaints"
find "$logs" -type f -size +0 -exec cat {} +
[ -z "$(find "$logs" -type f -size +0)" ] || exit 1
exit "$code"
