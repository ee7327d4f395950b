# Every target does its own set-up in .venv: Python 3.11, git and make are enough. What is installed grows with what is asked.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SUM := $(shell cksum < pyproject.toml | cut -d' ' -f1)
MADE := .venv/.made-$(SUM)
# Tests run in random order; the seed stands here so that a failure can be repeated: make test SEED=1
SEED ?= 20261121
# More arguments for pytest: make test MORE="-k webhook"
MORE ?=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test test-postgres reliability check lint clean

help:
	@echo "make demo    the sample shop: import, lint, plan, run, answers, the next touches (no account)"
	@echo "make test    all tests but the crash tests"
	@echo "make test-postgres  those that open a store, on PostgreSQL"
	@echo "make reliability  real processes killed at every point, chaos, each guard off; writes docs/reliability.md"
	@echo "make check   what CI checks beside the tests: style, types, floors, omni lint"
	@echo "make clean   take away .venv and what was built"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("omni needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	@echo "Making .venv (once) …"
	@$(PYTHON) -m venv .venv

$(MADE)-run: pyproject.toml | $(BIN)/python
	@echo "Installing omni (once) …"
	@$(PIP) -e .
	@touch $@

$(MADE)-test: pyproject.toml | $(BIN)/python
	@echo "Installing omni and what its tests need (once) …"
	@$(PIP) -e '.[test]'
	@touch $@ $(MADE)-run

$(MADE)-dev: pyproject.toml | $(BIN)/python
	@echo "Installing the linters (once) …"
	@$(PIP) -e '.[dev]'
	@touch $@ $(MADE)-test $(MADE)-run

demo: $(MADE)-run
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh samples/demo.sh

test: $(MADE)-test
	@$(BIN)/python -m pytest -q -n 2 -p randomly --randomly-seed=$(SEED) -m 'not slow' $(MORE)

# The tests that open a store, once more on PostgreSQL: a server of the system's packages is started in a temporary directory.
ON_POSTGRES := tests/condition tests/store tests/people tests/service tests/campaigns tests/cli/test_upkeep.py
IN_MEMORY := scenario test_always.py test_defect.py test_diff_checked.py test_diff_words.py test_fuzz.py test_keywords.py test_preview_browser.py test_story_coverage.py
test-postgres: $(MADE)-test
	@OMNI_TEST_STORE=postgresql $(BIN)/python -m pytest -q -n 2 -p randomly --randomly-seed=$(SEED) -m 'not slow' $(ON_POSTGRES) \
	$(foreach one,$(IN_MEMORY),--ignore=tests/campaigns/$(one)) $(MORE)

# Where the figures go; OMNI_SIZES=dev|ci|nightly says how much is tried (tests/sizes.toml).
REPORT ?= docs/reliability.md
TRIALS := .trials
reliability: $(MADE)-test
	@rm -rf $(TRIALS) && mkdir -p $(TRIALS)
	@[ -e $(REPORT) ] || cp docs/reliability.md $(REPORT)
	@OMNI_TRIALS=$(CURDIR)/$(TRIALS) $(BIN)/python -m pytest -q -n 2 -m slow --ignore=tests/reliability/test_webhook_load.py \
	--junitxml=$(TRIALS)/tests.xml $(MORE); \
	code=$$?; $(BIN)/python tests/reliability/report.py $(TRIALS) $(TRIALS)/tests.xml $(REPORT) && exit $$code
	@$(BIN)/python -m pytest -q -m slow tests/reliability/test_webhook_load.py

lint check: $(MADE)-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/omni lint --profile production

clean:
	rm -rf .venv .trials build *.egg-info .mypy_cache .ruff_cache .hypothesis omni-demo
