# `make demo` and `make test` set up everything that they need on a new machine.
PYTHON ?= $(shell sh resources/setup/find-python.sh)
VENV   := .venv
BIN    := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo demo-landcover demo-pictures bench docs test lite lint format typecheck clean

help:
	@echo "make demo      set up, extract roads from a real image, draw a picture   (IMAGE=path for your own image)"
	@echo "make demo-landcover   the same for land cover"
	@echo "make test      set up, lint, type-check, run all tests   (GROUPS=\"faults plugin-dialogs\" for some groups)"
	@echo "make fuzz      fuzz the readers of models, images and messages   (FUZZ_SECONDS=600 for each)"
	@echo "make explore   run the property tests with new examples each time   (ROUNDS=10)"
	@echo "make faults    run all fault tests, with 100 kills and 200 cancellations, then random kills, rivals and disks"
	@echo "make bench     measure speed and memory, as ratios within one run"
	@echo "make docs      build the documentation site in out/docs"
	@echo "make lint      ruff and mypy"
	@echo "make package   build the zip of the QGIS plugin and check it by the plugin site's rules"
	@echo "make link      link the plugin into your QGIS profiles, for development"

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

# Kernels and models are compiled now, not in the first command, and again after their source has changed.
$(VENV)/.prepared: $(VENV)/.engine $(wildcard engine/vector/*.py engine/vector/*/*.py engine/vector/*/kernels/*.py)
	$(BIN)/python -m terraspore prepare
	touch $@

demo: $(VENV)/.prepared
	$(BIN)/python docs/demo/roads.py $(if $(IMAGE),--image "$(IMAGE)")

demo-landcover: $(VENV)/.prepared
	$(BIN)/python docs/demo/landcover.py $(if $(IMAGE),--image "$(IMAGE)")

# The pictures of the README, drawn from the results of the two demos.
demo-pictures: demo demo-landcover
	$(BIN)/python docs/demo/pictures.py

# BENCH=quick is a short run, BENCH=large adds vectors of 50,000 x 50,000 pixels, a larger mosaic for the cluster and, for
# the join of partitions, blocks of a virtual raster of 507,904 x 507,904; ONLY="startup memory" selects
# parts; IMAGE=path repeats your own image.
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
	MYPYPATH=$(VENV)/typecheck MYPY_CACHE_DIR=$(VENV)/mypy $(BIN)/mypy -p terraspore.engine -p terraspore.training

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# MindSpore Lite needs a separate interpreter; without CPython 3.7 its tests are skipped.
lite:
	@test -e $(VENV)-lite/.ready || sh resources/setup/make-lite.sh $(VENV)-lite

# Test groups as processes; all failures are reported. GROUPS="engine-pipeline plugin-dialogs" selects some, JOBS=4 runs
# four at a time instead of one more than there are cores.
RUN_ALL = $(BIN)/python tests/run_all.py $(if $(JOBS),--jobs $(JOBS))
test: setup lite qgis-setup qt6-setup translations chroot
	$(RUN_ALL) $(if $(QGIS),--chroot "$(CHROOTS)/$(QGIS)") $(GROUPS)

# The QGIS and the Python of a Debian suite in a chroot, for the groups $(QGIS)-*: trixie has QGIS 3.40 and Python 3.13,
# sid newer ones; QGIS= for none.
.PHONY: chroot
QGIS    ?= trixie
CHROOTS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/terraspore-chroots
chroot:
	@$(if $(and $(QGIS),$(if $(GROUPS),$(filter $(QGIS)-%,$(GROUPS)),all)), \
		sh resources/setup/make-chroot.sh $(QGIS) "$(CHROOTS)/$(QGIS)" || test $$? = 3)

# Each target runs for FUZZ_SECONDS; the corpus in out/fuzz is kept and extended by later runs.
FUZZ_SECONDS ?= 600
FUZZ_TARGETS := checkpoint card mindir onnx vrt command event torch raster vector
fuzz: setup
	for target in $(FUZZ_TARGETS); do \
		OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz/run.py $$target out/fuzz $(FUZZ_SECONDS) || exit 1; done

# Property tests with different examples in each run; `make test` always uses the same ones.
.PHONY: explore
ROUNDS ?= 10
explore: setup
	for round in $$(seq $(ROUNDS)); do \
		TERRASPORE_EXAMPLES=explore $(BIN)/python -m pytest -q -m hypothesis tests/engine tests/training || exit 1; done

# `make test` runs the fault tests with fewer kills and cancellations.
.PHONY: faults
faults: setup
	TERRASPORE_KILLS=50 TERRASPORE_CANCELS=200 $(BIN)/python -m pytest tests/faults
	TERRASPORE_KILLS=10 $(BIN)/python -m pytest tests/engine/cluster/test_faults.py
	$(BIN)/python tests/faults/run_faults.py --kills 100 --rivals 100

# ---- The QGIS plugin. QGIS uses a different Python, so it has a separate virtual environment. ----
QGIS_VENV := .venv-qgis
.PHONY: qgis-setup test-qgis translations package link

$(QGIS_VENV)/.ready: $(VENV)/.engine plugin/engine/env_profiles.py resources/setup/make-qgis.sh
	@sh resources/setup/make-qgis.sh $(QGIS_VENV) $(BIN)/python || test $$? = 3

qgis-setup: $(QGIS_VENV)/.ready

# PyQt6, for the plugin's windows on Qt 6.
QT6_VENV := .venv-qt6
.PHONY: qt6-setup
$(QT6_VENV)/.ready: resources/setup/make-qt6.sh | qgis-setup
	@sh resources/setup/make-qt6.sh $(QT6_VENV) || test $$? = 3

qt6-setup: $(QT6_VENV)/.ready

# Only the plugin's tests.
test-qgis: setup qgis-setup qt6-setup translations
	$(RUN_ALL) $(if $(wildcard $(QT6_VENV)/.ready),plugin-qt6) $(notdir $(patsubst tests/plugin/test_%.py,plugin-%,$(wildcard tests/plugin/test_*.py)))

translations: $(VENV)/.engine
	$(BIN)/python tools/translations.py

# Build the zip for the plugin site and check it.
package: qgis-setup translations
	@if test -e $(QGIS_VENV)/.ready; then $(QGIS_VENV)/bin/python tools/package.py --check; else $(BIN)/python tools/package.py; fi

# Into the profiles of QGIS 3 and QGIS 4; PROFILE=name selects one other than the default.
link:
	$(PYTHON) tools/link.py $(if $(PROFILE),--profile "$(PROFILE)")

clean:
	rm -rf $(VENV) $(VENV)-lite $(QGIS_VENV) $(QT6_VENV) build out
