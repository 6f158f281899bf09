# One name for each thing a person does here; every target sets the environment up first and does nothing twice.
PYTHON ?= python3
PIP_ARGS ?=
DEMO ?= examples/stdlib.toml
TESTS ?= tests
WORKERS ?= 2
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup demo test check fix docs bench clean help
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(READY)  ## make .venv with the exact versions of constraints.txt; quick when nothing changed

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "there is no $(PYTHON) here: say make setup PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$$($(PYTHON) --version 2>&1) is too old, 3.11 or newer is needed: say make setup PYTHON=/path/to/python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { \
	  echo "python cannot make a virtual environment: install its venv module (on Debian: apt install python3-venv)" >&2; exit 2; }
	$(BIN)/python -m pip install --quiet -c constraints.txt --prefer-binary $(PIP_ARGS) torch
	$(BIN)/python -m pip install --quiet -c constraints.txt --prefer-binary $(PIP_ARGS) -e ".[all,dev]"
	@touch $@

demo: setup  ## a real project from scope to verdict, in about a minute
	$(BIN)/dragoman run $(DEMO)

check: setup  ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: check  ## check, then every test, on WORKERS=2 processes
	$(BIN)/python -m pytest $(TESTS) -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

fix: setup  ## put right what the tools can put right themselves
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup  ## write docs/commands.md anew from the settings
	$(BIN)/python scripts/commands.py

bench: setup  ## side by side with what one would use instead; takes a while
	$(BIN)/python -m pip install --quiet -c constraints.txt --prefer-binary $(PIP_ARGS) -e ".[bench]"
	@set -e; for file in benchmarks/[!_]*.py; do echo "== $$file"; $(BIN)/python -m benchmarks.$$(basename $$file .py); done

clean:  ## remove caches and built packages; the environment and the runs stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
