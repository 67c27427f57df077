# The one door to building, trying and testing: `make help` lists what is behind it.

SCHEDULES ?= 2000
SEED ?= 1
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))

.DEFAULT_GOAL := help
.PHONY: help demo demo-sync check test test-sync test-release asan valgrind coverage soak laws crash power faults concurrency fuzz fuzz-smoke bench bench-large bench-compare bench-sync soak-log build clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## two databases written apart with the sqlite3 shell, then merged
	@tests/hosts/setup.sh shell
	@cargo build --release --locked
	@demo/run.sh

demo-sync: ## a hub and two edges: written apart, equal in the end
	@tests/hosts/setup.sh shell
	@cargo build --release --locked
	@cargo build --release --locked -p grove-sync --target-dir $(TARGET)/http
	@demo/sync.sh

build: ## the extension, optimised, in target/release
	cargo build --release --locked

check: ## formatting, lints, licences and sources of what is linked, examples in the documentation
	cargo fmt -p grove-crdt -p grove-sync --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	tests/hosts/setup.sh deny
	cargo deny --locked check bans licenses sources
	cargo deny --locked --manifest-path sync/Cargo.toml --config sync/deny.toml check bans licenses sources
	cargo test --locked --doc

test: ## all tests, after bringing the hosts that they load the extension into
	tests/hosts/setup.sh
	cargo test --locked --no-fail-fast
	$(MAKE) --no-print-directory soak SCHEDULES=2000
	$(MAKE) --no-print-directory test-sync

test-sync: ## crdt_sync and grove-sync: real processes, sockets, a browser
	tests/hosts/setup.sh node chromium
	cargo test --locked --no-fail-fast --features http --test remote --target-dir $(TARGET)/http
	cargo test --locked --no-fail-fast -p grove-sync --target-dir $(TARGET)/http

test-release: ## the extension's tests again, with the optimised library: its windows are larger than those of a debug build
	tests/hosts/setup.sh
	cargo build --locked --release
	GROVE_LIBRARY=$$(ls $(TARGET)/release/libgrove_crdt.so $(TARGET)/release/libgrove_crdt.dylib 2>/dev/null) cargo test --locked --no-fail-fast --tests

asan: ## all tests under AddressSanitizer, SQLite too (SIM_CASES and the like set how much)
	tests/tools/asan.sh

valgrind: ## the optimised extension in the sqlite3 shell and in Python, under valgrind
	tests/tools/valgrind.sh

coverage: ## which lines of src the tests run; fails below 100 % of the pure ones, 90 % of the rest
	tests/tools/coverage.sh

bench: ## what everything costs against plain SQLite and rivals (BENCH_ROWS, BENCH_ROUNDS, BENCH_ONLY, BENCH_SKIP)
	@tests/hosts/setup.sh python
	@benches/rivals.sh || true
	cargo bench --locked --bench speed
	@/usr/bin/python3 benches/system.py $(TARGET)/release/deps/libgrove_crdt.so

bench-large: ## the same for what takes minutes: 3 million rows, crdt_enable on a million
	BENCH_LARGE=1 BENCH_KEYS=$(or $(BENCH_KEYS),UUIDv4) BENCH_ROUNDS=$(or $(BENCH_ROUNDS),5) cargo bench --locked --bench speed

bench-compare: ## two files of `make bench`, line by line (OLD, NEW)
	@/usr/bin/python3 benches/compare.py $(OLD) $(NEW)

bench-sync: ## what a hub does in a second, how soon, with how much memory; 100 clients at a hub that is killed
	cargo bench --locked -p grove-sync --bench hub --target-dir $(TARGET)/http
	SWARM_CLIENTS=100 SWARM_KILLS=10 SWARM_SECONDS=5 cargo test --release --locked -p grove-sync --target-dir $(TARGET)/http --test hub all_are_equal -- --nocapture

soak: ## random schedules against a model, on all cores (SCHEDULES, SEED); docs/soak.md
	@cargo build --locked --profile soak --example wall_clock
	@SOAK_SCHEDULES=$(SCHEDULES) SOAK_SEED=$(SEED) cargo test --locked --profile soak --test soak

soak-log: ## what a million updates of a thousand rows leave behind (SOAK_ROWS, SOAK_UPDATES)
	cargo bench --locked --bench soak

laws: ## the laws of the merge, on random changes (CASES of each)
	LAWS=$(or $(CASES),1000000) cargo test --locked --profile soak --lib merge::

crash: ## kill -9 of a process at work, for the record (ROUNDS)
	CRASH_ROUNDS=$(or $(ROUNDS),2000) cargo test --locked --test crash -- --nocapture

power: ## power loss: disks that lost what was not synced, for the record (IMAGES)
	POWER_IMAGES=$(or $(IMAGES),5000) cargo test --locked --test power -- --nocapture

faults: ## every I/O and every allocation fails once, in every kind, for the record
	FAULTS=all cargo test --locked --test faults -- --nocapture
	cargo test --locked --profile soak --test faults_memory --no-run
	for i in 1 2; do FAULTS=all FAULTS_PART=$$i/2 cargo test --locked --profile soak --test faults_memory -- --nocapture & p="$$p $$!"; done; \
	for i in $$p; do wait $$i || exit 1; done

concurrency: ## processes and threads on one file, for the record (PROCESSES, TRANSACTIONS)
	PROCESSES=$(or $(PROCESSES),8) TRANSACTIONS=$(or $(TRANSACTIONS),10000) cargo test --locked --test concurrency -- --nocapture

fuzz-smoke: ## each fuzz target for a minute; crashes go to fuzz/artifacts
	@fuzz/run.sh all 60

fuzz: ## the fuzz target TARGET, or all, for SECONDS seconds (1200 each)
	@fuzz/run.sh $(if $(filter command,$(origin TARGET)),$(TARGET),all) $(or $(SECONDS),1200)

clean: ## everything that the above made
	cargo clean
