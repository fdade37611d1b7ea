# Everything a fresh machine needs: `make demo` and `make test` do their own set-up.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup test lint format typecheck clean

help:
	@echo "make demo      set up, extract roads from a real image, make a picture   (IMAGE=path for your own)"
	@echo "make test      set up, lint, type-check, run every test"
	@echo "make bench     measure speed and memory, write docs/performance.md"
	@echo "make lint      ruff and mypy"

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[training,accelerate,dev]'
	mkdir -p $(VENV)/typecheck && ln -sfn "$(CURDIR)" $(VENV)/typecheck/terraspore
	touch $@

setup: $(VENV)/.ready

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=$(VENV)/typecheck $(BIN)/mypy -p terraspore.engine -p terraspore.training

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint
	$(BIN)/python -m pytest
