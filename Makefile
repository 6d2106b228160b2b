# Every command of the project; `make` alone lists them. Needs Python 3.11 or newer with venv, and make.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint imports types migrations deploy-check journey sim crash chaos bench price-diff format requirements clean

VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
WORKERS ?= 2

# A payment's timers for journeys, in seconds. Energy is never faked: chargers charge in real time.
JOURNEY_TIMERS := SWEEP_INTERVAL_SECONDS=0.5 COMMAND_TIMEOUT_SECONDS=6 STOP_TIMEOUT_SECONDS=10 \
	START_TIMEOUT_PLUGGED_SECONDS=10 START_TIMEOUT_UNPLUGGED_SECONDS=10 START_TIMEOUT_MARGIN_SECONDS=3 \
	FINAL_METER_TIMEOUT_SECONDS=10 FULL_BATTERY_GRACE_SECONDS=4 REBOOT_GRACE_SECONDS=20 \
	OCPP_METER_INTERVAL_SECONDS=1

help: ## list what can be done
	@echo "Usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## make the virtual environment (instant when it is there)

$(VENV)/.installed: requirements/dev.txt
	@python=$$(PYTHON="$(PYTHON)" .ci/find-python) || exit 1; \
	echo "Installing into $(VENV) with $$python (about a minute, once)"; \
	test -x $(BIN)/python || $$python -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: setup ## run the demo: portal, virtual terminals, two simulated chargers (PORT=8100 moves it)
	@exec $(BIN)/python manage.py up --demo --port $(PORT)

test: setup ## run all tests; those for PostgreSQL, Redis and Chromium where the machine has them
	$(BIN)/python -m pytest -q -n $(WORKERS) -m "not postgres"
	TEST_DATABASE=postgres $(BIN)/python -m pytest -q -m postgres

check: lint imports types migrations deploy-check ## everything that is checked without running it

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

imports: setup
	$(BIN)/lint-imports

types: setup
	$(BIN)/mypy

migrations: setup
	@EMABLER_VAR_DIR=$$(mktemp -d) $(BIN)/python manage.py makemigrations --check --dry-run

deploy-check: setup
	@set -a; . ./.env.example; set +a; EMABLER_VAR_DIR=$$(mktemp -d) \
		$(BIN)/python manage.py check --deploy --fail-level WARNING

journey: setup ## play complete payments against a running server: every scenario through every door (DOOR=native)
	$(JOURNEY_TIMERS) $(BIN)/python manage.py journey --scenario all --door $(or $(DOOR),all)

price-diff: setup ## price random sessions with two pricers and compare (N=100000, SEED=1 plays one again)
	@$(BIN)/python -m tests.tariffs.price_diff --runs $(or $(N),2000) $(if $(SEED),--seed $(SEED))

sim: setup ## play random payments through both state machines in a world that fails (N=1000000, SEED=1 plays one again)
	@$(BIN)/python -m tests.sim.run --runs $(or $(N),20000) $(if $(SEED),--seed $(SEED))

crash: setup ## kill servers at every named crash point while payments run (N=100 kills a point; docs/reliability.md)
	@$(BIN)/python -m tests.crash.run --runs-per-point $(or $(N),100) $(if $(SEED),--seed $(SEED))

chaos: setup ## fail everything at once around running sessions (N=500 that charge at once; docs/reliability.md)
	@$(BIN)/python -m tests.chaos.run --sessions $(or $(N),500) $(if $(SEED),--seed $(SEED))

bench: setup ## measure it against what this machine can do (docs/performance.md); about six minutes
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	$(BIN)/python -m benchmarks.live_cost
	$(BIN)/python -m benchmarks.http
	$(BIN)/python -m benchmarks.ocpp
	$(BIN)/python -m benchmarks.ocpi
	$(BIN)/python -m benchmarks.ocpi_commands

format: setup ## let ruff lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

requirements: setup ## compile requirements/*.in to pinned and hashed requirements/*.txt
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	@for set in base dev bench; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
			requirements/$$set.in -o requirements/$$set.txt || exit 1; \
	done

clean: ## remove the virtual environment and caches, but no data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
