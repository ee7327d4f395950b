# Every target does its own set-up in .venv: Python 3.11, git and make are enough.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.made-for-$(shell cksum < pyproject.toml | cut -d' ' -f1)

.PHONY: help demo test check lint clean

help:
	@echo "make demo    the sample shop: import, lint, plan, run, answers, the next touches (no account, no network)"
	@echo "make test    all tests"
	@echo "make check   what CI checks beside the tests: style, types, floors, omni lint"
	@echo "make clean   take away .venv and what was built"

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("omni needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || { echo "Making .venv (once) …"; $(PYTHON) -m venv .venv; }
	@echo "Installing omni and what it needs (once) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@rm -f .venv/.made-for-* && touch $(STAMP)

demo: $(STAMP)
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh samples/demo.sh

test: $(STAMP)
	@$(BIN)/python -m pytest -q -n 2

lint check: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/omni lint --profile production

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .hypothesis omni-demo
