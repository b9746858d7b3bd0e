# Two commands do all the set-up: 'make names' trains on the built-in names, 'make test' runs the tests, one case of each kind;
# 'make test-all' runs every case, 'make test-cluster' those on Ray and torchrun, which need this machine alone;
# 'make docs' writes the derivation pages anew;
# 'make studio' builds the page of 'handgrad studio' from its sources, which needs Node.js.
# Another Python: make names PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
FILES := pyproject.toml constraints.txt

WEB := src/handgrad/studio/web

.PHONY: names test test-all test-cluster lint docs studio studio-check clean

names: .venv/installed
	$(BIN)/handgrad train

test: .venv/installed-dev
	$(BIN)/python -m pytest -n 2

test-all: test
	$(BIN)/python -m pytest -n 2 -m slow

test-cluster: .venv/installed-dev
	$(BIN)/python -m pytest -n 0 -m cluster

lint: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyrefly check

docs: .venv/installed-dev
	$(BIN)/python docs/derivation_pages.py

studio: $(WEB)/node_modules
	cd $(WEB) && node build.mjs

studio-check: $(WEB)/node_modules
	cd $(WEB) && npx tsc && node build.mjs --check

$(WEB)/node_modules: $(WEB)/package-lock.json
	cd $(WEB) && npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "handgrad needs Python 3.11 or later, and $(PYTHON) is %d.%d; try: make PYTHON=python3.12" % sys.version_info[:2] or 0)'
	$(PYTHON) -m venv .venv

.venv/installed: $(FILES) | $(BIN)/python
	@echo "installing into .venv"
	$(PIP) --editable .
	@touch $@

.venv/installed-dev: $(FILES) | $(BIN)/python
	@echo "installing into .venv (PyTorch is large: this can take a few minutes the first time)"
	$(PIP) --editable '.[dev]'
	@touch $@ .venv/installed
