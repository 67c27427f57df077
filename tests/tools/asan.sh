#!/usr/bin/env bash
# The tests under AddressSanitizer and LeakSanitizer: asan.sh [cargo test's arguments]. The extension, the tests and the
# SQLite that they link are all instrumented; the shell, Python and Node get the sanitizer's runtime preloaded, so that
# what the extension does in them is watched too. Random tests run fewer cases, unless their variables say how many.
set -eu
cd "$(dirname "$0")/../.."
tests/hosts/setup.sh
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
folder=$target/asan
triple=$(rustc -vV | sed -n 's/^host: //p')
runtime=$(find "$(rustc --print sysroot)/lib/rustlib/$triple" -name 'librustc-*_rt.asan.a')
[ -n "$runtime" ] || { echo "this Rust toolchain has no AddressSanitizer for $triple" >&2; exit 1; }

# The runtime as a library, without the object that belongs to programs only. Under its usual name it would refuse to work.
mkdir -p "$folder/runtime"
cp "$runtime" "$folder/runtime/rt.a"
ar d "$folder/runtime/rt.a" asan_preinit.cpp.o
shared=$folder/runtime/preloaded.so
cc -shared -o "$shared" -Wl,--whole-archive "$folder/runtime/rt.a" -Wl,--no-whole-archive -lpthread -ldl -lm -lrt

# gcc's marks of globals say nothing of two functions' statics of one name.
options=detect_odr_violation=0:detect_stack_use_after_return=1:strict_string_checks=1
export ASAN_OPTIONS=$options:detect_leaks=1

# Leaks are not looked for in programs that are not ours.
. tests/tools/hosts.sh
wrap_hosts "$target" "$folder/$triple" env LD_PRELOAD="$shared" ASAN_OPTIONS="$options:detect_leaks=0"

export SIM_CASES=${SIM_CASES:-30} MIXED_CASES=${MIXED_CASES:-40} CLAIMS_CASES=${CLAIMS_CASES:-60}
export FILTER_CASES=${FILTER_CASES:-20} FORGETTING_SEEDS=${FORGETTING_SEEDS:-1..6} CRASH_ROUNDS=${CRASH_ROUNDS:-10}
export PROPTEST_CASES=${PROPTEST_CASES:-64}
# -Z of a stable compiler; C and Rust of the same address checks; what is loaded finds the runtime in the program.
export CARGO_TARGET_DIR=$folder RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=address -Clink-arg=-rdynamic -Cforce-frame-pointers=yes"
export "CFLAGS_${triple//-/_}=-fsanitize=address -fno-omit-frame-pointer"
[ $# -gt 0 ] || set -- --lib --tests
cargo test --locked --no-fail-fast --target "$triple" "$@"
