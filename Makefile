# `make run` and `make test` need Python >= 3.11, make and the network; everything goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PLUGINS := $(sort $(wildcard plugins/hashzoo-*))
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
DEPENDENCIES := pyproject.toml constraints.txt
SAY := @printf '%s\n'

.PHONY: run install test lint format-check types unit chaos bench boards site picture clean

run: $(VENV)/.core ## train and evaluate GreedyHash on the embedded digits
	$(SAY) "Running hashzoo run --method greedyhash"
	@$(BIN)/hashzoo run --method greedyhash

install: $(VENV)/.installed ## the core with what tune, plot and site need, and every plugin, editable

test: $(VENV)/.installed-test lint format-check types unit ## everything that CI runs

$(BIN)/python:
	$(SAY) "Making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# torch is named first: where a build for this machine is at hand, pip then keeps it. Building without isolation
# spares an environment of its own for each plugin.
$(VENV)/.core: $(DEPENDENCIES) plugins/hashzoo-greedyhash/pyproject.toml | $(BIN)/python
	$(SAY) "Installing torch and the build backend"
	@$(PIP) -c constraints.txt torch hatchling editables
	$(SAY) "Installing hashzoo"
	@$(PIP) -c constraints.txt --no-build-isolation -e ".[lite0]" -e plugins/hashzoo-greedyhash
	@touch $@

$(VENV)/.installed: $(VENV)/.core $(wildcard plugins/*/pyproject.toml)
	$(SAY) "Installing $(words $(PLUGINS)) plugins"
	@$(PIP) -c constraints.txt --no-build-isolation -e ".[lite0,tune,site]" $(addprefix -e ,$(PLUGINS))
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(SAY) "Installing what the tests need"
	@$(PIP) -c constraints.txt --no-build-isolation -e ".[lite0,mat73,parquet,tune,site,test,lint,bench]"
	@touch $@

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .

format-check: $(VENV)/.installed-test
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

unit: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

bench: $(VENV)/.installed-test ## ratios, written to benchmarks/results
	$(BIN)/python benchmarks/bench_startup.py
	$(BIN)/python benchmarks/bench_evaluation.py

chaos: $(VENV)/.installed-test ## attacks on readers, runs and plugins; counts in benchmarks/results/chaos.md
	$(BIN)/python -m benchmarks.chaos

boards: $(VENV)/.installed ## rewrite what is made from leaderboards/records
	$(BIN)/hashzoo leaderboard --write
	$(BIN)/hashzoo claims leaderboards/records --format markdown --output leaderboards/claims.md
	$(BIN)/python docs/make_readme.py

site: $(VENV)/.installed ## the boards as a static site, in site/
	$(BIN)/hashzoo site leaderboards site

picture: $(VENV)/.installed ## docs/site.png, the picture of the site in README.md; needs Chromium
	@$(PIP) -c constraints.txt --no-build-isolation -e ".[lite0,site]"
	$(BIN)/python docs/make_picture.py

clean:
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache
