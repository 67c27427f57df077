#!/usr/bin/env bash
# Runs a fuzz target: run.sh <target>|all <seconds>. Crashes go to fuzz/artifacts. What it needs (cargo-fuzz) it installs; without
# a nightly toolchain the stable one is asked for what the sanitizer needs.
set -eu
cd "$(dirname "$0")"
targets="merge_json push_request cursor value_roundtrip tampered schema"
which=${1:?a target, or all: $targets}
seconds=${2:?seconds for each}
[ "$which" = all ] || targets=$which

cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --locked --version 0.13.2
if cargo +nightly --version >/dev/null 2>&1; then
  fuzz() { cargo +nightly fuzz "$@"; }
else
  export RUSTC_BOOTSTRAP=1
  fuzz() { cargo fuzz "$@"; }
fi
# Half the time goes without these into what AddressSanitizer notes of each allocation.
export ASAN_OPTIONS=malloc_context_size=2:detect_stack_use_after_return=0:quarantine_size_mb=32

fuzz build --fuzz-dir .
failed=
for target in $targets; do
  mkdir -p "corpus/$target" "artifacts/$target"
  python3 seeds.py "$target" "corpus/$target"
  echo "$target, $seconds s"
  log=artifacts/$target.log
  if fuzz run --fuzz-dir . "$target" "corpus/$target" -- -max_total_time="$seconds" -dict=words.dict -timeout=30 -rss_limit_mb=2048 \
    -max_len=4096 -print_funcs=0 -len_control=0 -print_final_stats=1 >"$log" 2>&1; then
    grep -E '^stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)' "$log"
  else
    tail -n 40 "$log"
    failed="$failed $target"
  fi
done
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
