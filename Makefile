# The one door to building, trying and testing: `make help` lists what is behind it.

SCHEDULES ?= 2000
SEED ?= 1
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))

.DEFAULT_GOAL := help
.PHONY: help demo check test bench bench-enable soak soak-log build clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## two databases written apart with the sqlite3 shell, then merged
	@tests/hosts/setup.sh shell
	@cargo build --release --locked
	@demo/run.sh

build: ## the extension, optimised, in target/release
	cargo build --release --locked

check: ## formatting, lints, examples in the documentation
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo test --locked --doc

test: ## all tests, after bringing the hosts that they load the extension into
	tests/hosts/setup.sh
	cargo test --locked --no-fail-fast
	$(MAKE) --no-print-directory soak SCHEDULES=2000

bench: ## what capture, sync and storage cost against plain SQLite (BENCH_ROWS, BENCH_ROUNDS)
	@tests/hosts/setup.sh python
	cargo bench --locked --bench capture
	@/usr/bin/python3 benches/system.py $(TARGET)/release/deps/libgrove_crdt.so

bench-enable: ## what crdt_enable costs on a million rows, against copying the table (BENCH_ROWS, BENCH_ROUNDS)
	cargo bench --locked --bench enable

soak: ## random schedules against a model, on all cores (SCHEDULES, SEED); docs/soak.md
	@cargo build --locked --profile soak --example wall_clock
	@SOAK_SCHEDULES=$(SCHEDULES) SOAK_SEED=$(SEED) cargo test --locked --profile soak --test soak

soak-log: ## what a million updates of a thousand rows leave behind (SOAK_ROWS, SOAK_UPDATES)
	cargo bench --locked --bench soak

clean: ## everything that the above made
	cargo clean
