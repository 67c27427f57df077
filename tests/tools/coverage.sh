#!/usr/bin/env bash
# Line coverage of src by the tests: coverage.sh [cargo test's arguments]. Prints a line for each file, fails below what
# coverage.py demands. What it builds and counts goes into target/coverage.
set -eu
cd "$(dirname "$0")/../.."
tests/hosts/setup.sh shell python apsw node llvm
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
folder=$target/coverage
rm -rf "$folder/counts"
mkdir -p "$folder/counts" "$target/hosts"
ln -sfn "$target/hosts" "$folder/hosts"

# rustc's own tools where they are installed; Debian's read the same format.
llvm=$(dirname "$(find "$(rustc --print sysroot)" -name llvm-cov -type f | head -1)")
[ -x "$llvm/llvm-cov" ] || llvm=/usr/lib/llvm-19/bin

export CARGO_TARGET_DIR=$folder RUSTC_WORKSPACE_WRAPPER=$PWD/tests/tools/instrumented.sh
export LLVM_PROFILE_FILE=$folder/counts/%m-%p.profraw
[ $# -gt 0 ] || set -- --lib --tests
cargo test --locked --no-fail-fast "$@"

objects=() # the first one goes without the option
while read -r object; do
  objects+=(-object "$object")
done < <(cargo test --locked --lib --tests --no-run --message-format=json 2>/dev/null \
  | python3 tests/tools/coverage.py objects "$PWD")
# Tests kill processes, in the middle of writing too: a file that cannot be read is left out.
"$llvm/llvm-profdata" merge -sparse --failure-mode=all -o "$folder/all.profdata" "$folder"/counts/*.profraw
"$llvm/llvm-cov" export -format=lcov -instr-profile="$folder/all.profdata" "${objects[@]:1}" -sources "$PWD/src" >"$folder/lcov.info"
python3 tests/tools/coverage.py report "$folder/lcov.info" "$PWD"
