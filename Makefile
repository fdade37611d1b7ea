# Everything a fresh machine needs: `make demo` and `make test` do their own set-up.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo bench docs test lite lint format typecheck clean

help:
	@echo "make demo      set up, extract roads from a real image, make a picture   (IMAGE=path for your own)"
	@echo "make test      set up, lint, type-check, run every test"
	@echo "make bench     measure speed and memory, as ratios within one run"
	@echo "make docs      the documentation as a site in out/docs"
	@echo "make lint      ruff and mypy"
	@echo "make package   the zip of the QGIS plugin, checked by the plugin site's rules"
	@echo "make link      link the plugin into your QGIS profile, for development"

# Two steps, so that the demo does not wait for MindSpore (about 800 MB).
$(VENV)/.engine: pyproject.toml
	sh resources/setup/make-venv.sh $(PYTHON) $(VENV)
	$(BIN)/pip install --quiet --editable '.[accelerate,demo]'
	touch $@

$(VENV)/.ready: pyproject.toml
	sh resources/setup/make-venv.sh $(PYTHON) $(VENV)
	$(BIN)/pip install --quiet --editable '.[training,accelerate,demo,dev]'
	mkdir -p $(VENV)/typecheck && ln -sfn "$(CURDIR)" $(VENV)/typecheck/terraspore
	touch $@ $(VENV)/.engine

setup: $(VENV)/.ready

demo: $(VENV)/.engine
	$(BIN)/python docs/demo/roads.py $(if $(IMAGE),--image "$(IMAGE)")

# BENCH=quick for a short look; IMAGE=path to repeat an image of your own.
bench: setup
	$(BIN)/python tests/bench/bench_extract.py $(if $(IMAGE),--image "$(IMAGE)") $(if $(filter quick,$(BENCH)),--size 2048,--size 2048 8192 20000)
	$(BIN)/python tests/bench/bench_vectors.py $(if $(filter quick,$(BENCH)),--quick)
	$(BIN)/python tests/bench/bench_runtimes.py $(if $(IMAGE),--image "$(IMAGE)")

docs: setup
	$(BIN)/pip install --quiet --editable '.[docs]'
	mkdir -p $(VENV)/reference/terraspore
	ln -sfn "$(CURDIR)/engine" "$(CURDIR)/training" "$(CURDIR)/__init__.py" $(VENV)/reference/terraspore/
	$(BIN)/mkdocs build --strict --quiet

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=$(VENV)/typecheck $(BIN)/mypy -p terraspore.engine -p terraspore.training

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# MindSpore Lite lives in an interpreter of its own; without CPython 3.7 its tests are skipped.
lite:
	@test -e $(VENV)-lite/.ready || sh resources/setup/make-lite.sh $(VENV)-lite

# MindSpore keeps mode and device for a whole process: what uses it in different ways has a process of its own.
GRAPHS := tests/engine/mindir tests/training/networks tests/training/export tests/training/weights
test: lint lite
	$(BIN)/python -m pytest --ignore=tests/training --ignore=tests/engine/mindir
	$(BIN)/python -m pytest $(GRAPHS)
	$(BIN)/python -m pytest tests/training/test_commands.py
	$(BIN)/python -m pytest tests/training $(GRAPHS:%=--ignore=%) --ignore=tests/training/test_commands.py
	$(MAKE) test-qgis

# ---- The QGIS plugin. QGIS has a Python of its own, so it has a virtual environment of its own. ----
QGIS := .venv-qgis
.PHONY: qgis-setup test-qgis translations package link

$(QGIS)/.ready: $(VENV)/.engine plugin/environment/families.py resources/setup/make-qgis.sh
	@sh resources/setup/make-qgis.sh $(QGIS) $(BIN)/python || test $$? = 3

qgis-setup: $(QGIS)/.ready

# Each file has a process of its own: widgets that one left would hear of the layers of the next.
# Without QGIS the sentence of make-qgis.sh is all that happens here.
test-qgis: qgis-setup translations
	@test ! -e $(QGIS)/.ready || for file in tests/plugin/test_*.py; do \
		PYTHONPATH=$(QGIS)/plugins $(QGIS)/bin/python -m pytest $$file || exit 1; done

translations: $(VENV)/.engine
	$(BIN)/python tools/translations.py

# The zip for the plugin site, and its checks.
package: qgis-setup translations
	@if test -e $(QGIS)/.ready; then $(QGIS)/bin/python tools/package.py --check; else $(BIN)/python tools/package.py; fi

# PROFILE=name for another profile than QGIS's default one.
link:
	$(PYTHON) tools/link.py $(if $(PROFILE),--profile "$(PROFILE)")

clean:
	rm -rf $(VENV) $(VENV)-lite $(QGIS) build out
