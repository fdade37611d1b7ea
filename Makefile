# Everything a fresh machine needs: `make demo` and `make test` do their own set-up.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo demo-landcover demo-pictures bench docs test lite lint format typecheck clean

help:
	@echo "make demo      set up, extract roads from a real image, make a picture   (IMAGE=path for your own)"
	@echo "make demo-landcover   the same for land cover"
	@echo "make test      set up, lint, type-check, run every test"
	@echo "make fuzz      fuzz the readers of models, images and messages  (FUZZ_SECONDS=600 for each)"
	@echo "make explore   run the property tests with new examples each time  (ROUNDS=10)"
	@echo "make faults    kill the engine 100 times and cancel it 200 times, with all other faults"
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

demo-landcover: $(VENV)/.engine
	$(BIN)/python docs/demo/landcover.py $(if $(IMAGE),--image "$(IMAGE)")

# The README's pictures, of what the two demos found in their own images.
demo-pictures: demo demo-landcover
	$(BIN)/python docs/demo/pictures.py

# BENCH=quick for a short look, BENCH=large for vectors of 50,000 x 50,000 pixels, too; ONLY="startup memory" for some
# parts; IMAGE=path to repeat an image of your own.
bench: setup
	$(BIN)/python tests/bench/bench.py $(if $(IMAGE),--image "$(IMAGE)") $(if $(filter quick large,$(BENCH)),--$(BENCH)) $(if $(ONLY),--only $(ONLY))

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

# Groups of tests as processes, JOBS at a time; every failure is told. GROUPS="pipeline plugin-dialogs" for some of them.
JOBS ?= 2
test: lint lite qgis-setup translations
	$(BIN)/python tests/run_all.py --jobs $(JOBS) $(GROUPS)

# Each target for FUZZ_SECONDS; what is found goes on from one run to the next in out/fuzz.
FUZZ_SECONDS ?= 600
FUZZ_TARGETS := checkpoint card mindir onnx vrt command event torch
fuzz: setup
	for target in $(FUZZ_TARGETS); do \
		OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz/run.py $$target out/fuzz $(FUZZ_SECONDS) || exit 1; done

# Property tests with examples that differ from run to run; `make test` takes the same ones each time.
.PHONY: explore
ROUNDS ?= 10
explore: setup
	for round in $$(seq $(ROUNDS)); do \
		TERRASPORE_EXAMPLES=explore $(BIN)/python -m pytest -q -m hypothesis tests/engine tests/training || exit 1; done

# The short form is part of `make test`.
.PHONY: faults
faults: setup
	TERRASPORE_KILLS=50 TERRASPORE_CANCELS=200 $(BIN)/python -m pytest tests/faults

# ---- The QGIS plugin. QGIS has a Python of its own, so it has a virtual environment of its own. ----
QGIS := .venv-qgis
.PHONY: qgis-setup test-qgis translations package link

$(QGIS)/.ready: $(VENV)/.engine plugin/engine/env_profiles.py resources/setup/make-qgis.sh
	@sh resources/setup/make-qgis.sh $(QGIS) $(BIN)/python || test $$? = 3

qgis-setup: $(QGIS)/.ready

# The plugin's tests alone.
test-qgis: setup qgis-setup translations
	$(BIN)/python tests/run_all.py --jobs $(JOBS) $(notdir $(patsubst tests/plugin/test_%.py,plugin-%,$(wildcard tests/plugin/test_*.py)))

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
