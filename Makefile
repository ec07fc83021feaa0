# `make` alone lists what there is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# rustup's folder, for a shell that was open before Rust was installed.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help run env test check chaos bench bench-peers bench-pieces bench-instructions fuzz fmt migration clean need-rust

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: need-rust ## Build the hub with its page and start it (ARGS="..." goes to it)
	@scripts/page
	@cargo build --release --locked
	@exec "$${CARGO_TARGET_DIR:-target}/release/roomcast" $(ARGS)

env: ## Write a .env with secrets of its own (for run and docker compose)
	@scripts/env

test: ## Run all tests on both databases (ARGS="..." goes to cargo test)
	@scripts/test $(ARGS)

check: need-rust ## Check format, lints and documentation
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked
	@scripts/npm run --silent check

bench: need-rust ## Measure the hub beside a bare writer, on both databases (RUNS=3, ROWS="...")
	@scripts/bench

bench-pieces: need-rust ## Measure the hot pieces one by one, and what they allocate (ARGS="..." picks some)
	@scripts/with-services bash -c 'DATABASE_URL=$$ROOMCAST_TEST_POSTGRES_URL exec cargo bench --locked --bench pieces -- "$$@"' - $(ARGS)

bench-instructions: need-rust ## Count their instructions, beside the recorded ones (ARGS="--record" or words of a name)
	@scripts/instructions $(ARGS)

bench-peers: need-rust ## Measure other servers and the hub with one generator (PEERS="nchan ws ...")
	@scripts/bench-peers

fuzz: need-rust ## Run every fuzz target for a minute (SECONDS=60, TARGETS="...")
	@scripts/fuzz --seconds "$(or $(SECONDS),60)" $(TARGETS)

chaos: need-rust ## Let everything fail on three nodes for ten minutes (SECONDS=600, SEED=...)
	@scripts/chaos --seconds "$(or $(SECONDS),600)" $(if $(SEED),--seed "$(SEED)") $(ARGS)

fmt: need-rust ## Format the code
	cargo fmt --all
	@scripts/npm run --silent format

# The names reach the recipe through the environment, so that the shell never reads them as code.
migration: export NAME := $(NAME)
migration: export STORE := $(or $(STORE),tenant)
migration: ## Add a pair of empty migrations (NAME=add_things [STORE=central])
	@fail() { echo "$$*" >&2; exit 1; }; \
	[[ $$NAME =~ ^[a-z][a-z0-9_]{0,59}$$ ]] || \
		fail 'Please name the migration in lower case, digits and underscores: make migration NAME=add_things'; \
	[[ $$STORE == tenant || $$STORE == central ]] || fail 'STORE is "tenant" (the default) or "central".'; \
	while version=$$(date -u +%Y-%m-%d-%H%M%S); compgen -G "migrations/*/*/$${version}_*" >/dev/null; do \
		sleep 0.2; \
	done; \
	for database in sqlite postgres; do \
		folder="migrations/$$database/$$STORE/$${version}_$$NAME"; \
		mkdir -p "$$folder"; \
		echo '-- Why this change, where its name does not say it.' >"$$folder/up.sql"; \
		echo '-- Takes back what up.sql does.' >"$$folder/down.sql"; \
		echo "$$folder/{up,down}.sql"; \
	done

clean: need-rust ## Delete what was built
	cargo clean
	rm -rf node_modules sdk/typescript/dist sdk/typescript/test/runtimes/node_modules

need-rust:
	@command -v cargo >/dev/null && command -v cc >/dev/null || { \
		echo 'Please install Rust (https://rustup.rs) and a C compiler (sudo apt-get install build-essential).' >&2; \
		exit 1; \
	}
