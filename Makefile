# Everything that a developer runs. Each step leaves a stamp in .make/ and is repeated only when its sources have changed.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11 python,$(shell \
	$(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
BIN := .venv/bin
WEB := backend/web
CLIENT := tests/optimoroute/client
WEB_SOURCES := $(shell find $(WEB) -type f \( -name '*.ts' -o -name '*.css' -o -name '*.html' -o -name '*.json' -o -name '*.svg' \) \
	-not -path '*/node_modules/*' -not -path '*/static/*' 2>/dev/null)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start hundreds of processes, each of which would compile all of our modules by itself
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install wheel demo test system lint format bench load torture soak lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .make/venv .make/web .make/client ## create .venv with the project and everything its commands and tests need; build the web pages

wheel: .make/venv .make/web ## build dist/codriver-*.whl, with the web pages in it
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

demo: install ## simulate a day of driving on a server of its own, and open the live map
	@$(BIN)/codriver demo

test: install system .make/load lint ## set everything up and run every test
	@scripts/npm test --silent
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: .make/venv ## check style, formatting, types and the allowed imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy

format: .make/venv ## fix what the linter can fix by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: install system ## run the benchmarks, which print ratios
	@for program in $(wildcard benchmarks/[a-z]*.py); do echo "$$program"; $(BIN)/python "$$program"; done

torture: install system ## kill a server 200 times under load and fail the disk at every step; KILLS=20 for fewer, DATABASE=postgresql for two processes
	@$(BIN)/python -m pytest tests/whole_day/test_torture.py tests/store/test_faults.py --kills $(or $(KILLS),200) --database $(or $(DATABASE),sqlite) -s

soak: install system ## simulate a week on one server and check for leaks of memory and files; DAYS=3 for fewer days
	@$(BIN)/python -m pytest tests/whole_day/test_soak.py --days $(or $(DAYS),7) -s

load: install .make/load ## run a two-minute load test against a server of its own; SHAPE=storm, OPTIONS=… for others
	@$(BIN)/python -m loadtests.run --locust .venv-load/bin/locust --shape $(or $(SHAPE),steady) $(OPTIONS)

lock: .make/venv ## update the lock files to the newest releases that pyproject.toml allows
	@$(BIN)/uv pip compile pyproject.toml --group dev --extra scale --extra report --extra telemetry --universal --python-version 3.11 \
		--generate-hashes --no-header --upgrade --quiet --output-file requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra scale --extra telemetry --constraint requirements.lock --universal \
		--python-version 3.11 --generate-hashes --no-annotate --no-header --quiet --output-file deploy/requirements.lock
	@$(BIN)/uv pip compile --group load --universal --python-version 3.11 \
		--generate-hashes --no-header --upgrade --quiet --output-file loadtests/requirements.lock

clean: ## remove everything that was built
	@rm -rf .venv .venv-load .make .pytest_cache .hypothesis .ruff_cache .mypy_cache .import_linter_cache build dist $(WEB)/node_modules $(WEB)/static $(CLIENT)/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

system: # the programs beside Python that the tests drive
	@scripts/system-packages chromium postgresql pgbouncer redis-server caddy gcc libc6-dev

.make/venv: pyproject.toml requirements.lock
	@[ -n "$(PYTHON)" ] || { echo "Codriver needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python" >&2; exit 1; }
	@[ -x $(BIN)/python ] && $(BIN)/python -m pip --version >/dev/null 2>&1 || scripts/make-venv "$(PYTHON)"
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@mkdir -p $(@D) && touch $@

.make/load: loadtests/requirements.lock
	@$(BIN)/python -m venv --without-pip .venv-load
	@$(BIN)/python -m pip --python .venv-load/bin/python install --quiet --require-hashes --requirement loadtests/requirements.lock
	@mkdir -p $(@D) && touch $@

.make/web: .make/venv $(WEB_SOURCES)
	@scripts/npm ci --silent
	@scripts/npm run --silent build
	@mkdir -p $(@D) && touch $@

.make/client: .make/venv $(CLIENT)/package.json $(CLIENT)/package-lock.json
	@scripts/npm --prefix "$(CURDIR)/$(CLIENT)" ci --silent --ignore-scripts
	@mkdir -p $(@D) && touch $@
