# `make app` and `make test` need nothing but Python (3.10 or newer) and make: they set up .venv on first use.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt
ARGS   ?=
NODE   := javascript/node_modules/.installed
# A worker for each core, up to four: each has its own app and browser. Files stay whole, since their tests share these;
# they go in the order of collection, in which the long ones with a browser come first.
WORKERS ?= --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help

help:           ## say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

app: $(VENV)/.app            ## set up and open the app
	$(BIN)/xlmrxl app $(ARGS)

test: $(VENV)/.dev           ## set up and run the tests, a real browser among them
	@$(BIN)/python tests/browser/chromium.py || $(BIN)/python -m playwright install chromium || true
	$(BIN)/python -m pytest -m "not slow" $(WORKERS) $(ARGS)

test-slow: $(VENV)/.dev      ## run the slow tests, which continuous integration runs as well
	$(BIN)/python -m pytest -m slow $(ARGS)

test-portable: $(VENV)/.dev  ## run all tests with several processor kernels, numbers of threads and Pythons
	@$(BIN)/python tests/browser/chromium.py || $(BIN)/python -m playwright install chromium || true
	$(BIN)/python tests/portable.py $(SETTINGS) -- $(WORKERS) $(ARGS)

test-mutations: $(VENV)/.dev ## damage checkpoints in thousands of ways: each is read right or refused in a sentence
	$(BIN)/python tests/mutations.py $(ARGS)

check: $(VENV)/.dev          ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	# Type checkers do not follow an editable install whose folders are mapped, so they get a copy.
	rm -rf build  # pip builds into build/lib and would carry along what no longer exists
	$(PIP) --no-deps --target build/types .
	cd build/types && MYPYPATH=. ../../$(BIN)/mypy --config-file ../../pyproject.toml -p xlmrxl

docs: $(VENV)/.dev           ## build the site into docs/_build/html; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

build: $(VENV)/.dev          ## build the source distribution and the wheel into dist, with what is installed
	$(BIN)/python -m build --no-isolation --outdir dist .

format: $(VENV)/.dev         ## mend what the linter and the formatter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Only who changes JavaScript needs node (18 or newer): what the package ships is built and committed.
bundles: $(NODE)             ## build the JavaScript that the package ships
	npm --prefix javascript run --silent build

check-js: $(NODE)            ## lint, format and types of the JavaScript, and whether what is shipped is built from it
	npm --prefix javascript run --silent check

test-js: $(NODE)             ## test what the JavaScript computes
	npm --prefix javascript run --silent test

format-js: $(NODE)           ## mend what the linter and the formatter of the JavaScript can mend
	npm --prefix javascript run --silent format

clean:          ## remove the virtual environment and what was built
	rm -rf $(VENV) .portable build dist docs/_build docs/_generated javascript/node_modules *.egg-info .pytest_cache .mypy_cache .ruff_cache

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "xlmrxl needs Python 3.10 or newer; name one with: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing xlmrxl and its app into $(VENV): torch is large, this takes some minutes once."
	$(PIP) --editable '.[app]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing xlmrxl and what its tests need into $(VENV): torch is large, this takes some minutes once."
	$(PIP) --editable '.[dev]'
	@touch $@

$(NODE): javascript/package.json javascript/package-lock.json
	npm --prefix javascript ci --ignore-scripts --silent
	@touch $@

.PHONY: help app test test-slow test-portable test-mutations check docs build format bundles check-js test-js format-js clean
