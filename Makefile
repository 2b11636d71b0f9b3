# Two commands matter: `make book` and `make test`. Both set up .venv first, show progress, and repeat only what is new.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON      ?= python3
VENV        ?= .venv
PROFILE     ?= cpu
DATA        ?= bazaar
DATA_DIR    ?=
MLLM        ?= tiny
SEED        ?= 0
WORKERS     ?= 2
TORCH_INDEX ?=
WORLDS      ?= 1 2 3
BENCH       ?=

BIN       := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TORCH     := $(shell grep '^torch==' requirements.lock)
PIP       := $(BIN)/python -m pip --disable-pip-version-check
QUIET     := --quiet --quiet # errors only

.PHONY: help install book test lint types release-check bench-mllm bench-extract bench-worlds bench-peers bench-model lock clean clean-cache

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14
	@echo
	@echo "  make book PROFILE=gpu                          smoke | cpu | gpu"
	@echo "  make book DATA=movielens DATA_DIR=<folder>     the same chapters on real pictures and ratings"
	@echo "  make book MLLM=<hub name or folder>            another multimodal LLM"
	@echo "  make bench-peers BENCH=\"--wall 180\"           options of benchmarks/bench_peers.py (--help lists them)"
	@echo "  make ... TORCH_INDEX=<address>                 pip index of another build of torch; the CPU build is several GB smaller"

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	@test -x $(BIN)/python || { echo "creating $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "installing $(TORCH)"
	@$(PIP) install $(QUIET) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --constraint requirements.lock $(TORCH) setuptools
	@echo "installing the rest of requirements.lock (two minutes or so)"
	@$(PIP) install $(QUIET) --no-deps --requirement requirements.lock
	@$(PIP) install $(QUIET) --no-deps --no-build-isolation --editable .
	@touch $@

install: $(INSTALLED) ## create .venv from the lock file

book: $(INSTALLED) ## run all chapters, render _build/html (PROFILE, DATA, DATA_DIR, MLLM, SEED)
	@$(BIN)/dmesr book --profile "$(PROFILE)" --data "$(DATA)" --data-dir "$(DATA_DIR)" --mllm "$(MLLM)" --seed "$(SEED)"

test: lint types ## everything that must hold: lint, types, tests, every chapter in `smoke`, the rendered pages
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --nbmake --nbmake-timeout=1200 --durations=15

lint: $(INSTALLED) ## ruff over the package, the tests and the chapters; the order of imports between the rooms of the package
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-cache --no-logo

types: $(INSTALLED) ## mypy over the package
	@$(BIN)/mypy

release-check: $(INSTALLED) ## refuses a release unless every stored training was made by the present code
	@$(BIN)/dmesr experiment --check --strict

bench-mllm: $(INSTALLED) ## accuracy of the tiny MLLM on fresh pictures of held-out combinations; prints one JSON line
	@$(BIN)/python benchmarks/bench_mllm.py

bench-extract: $(INSTALLED) ## speed of feature extraction against a bare loop of generate; prints one JSON line
	@$(BIN)/python benchmarks/bench_extract.py

bench-worlds: $(INSTALLED) ## the comparison of chapter 6 on other random worlds (WORLDS="1 2 3"); one JSON line each
	@$(BIN)/python benchmarks/bench_worlds.py --worlds $(WORLDS)

bench-peers: $(INSTALLED) ## speed and quality against RecBole, RecTools and RePlay; writes benchmarks/peers.json (BENCH, DMESR_DATA)
	@$(BIN)/python -m benchmarks.bench_peers $(if $(TORCH_INDEX),--torch-index "$(TORCH_INDEX)") $(BENCH)

bench-model: $(INSTALLED) ## cost of DMESR over ID only, item table, ranking, softmax, extraction; writes benchmarks/model.json (BENCH)
	@$(BIN)/python -m benchmarks.bench_model $(BENCH)

lock: ## write requirements.lock anew from .venv (after installing what is wanted there)
	@{ sed -n '/^#/p' requirements.lock; \
	   $(PIP) freeze --all --exclude pip --exclude-editable | sed -E 's/\+[a-z0-9]+$$//' | grep -v ' @ '; \
	   grep "^[a-z].*;" requirements.lock; } > requirements.tmp && mv requirements.tmp requirements.lock

clean: ## remove what was built (_build and the tools' caches); .venv and what `clean-cache` removes stay
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache *.egg-info

clean-cache: $(INSTALLED) ## remove stored trainings, features and drawn pictures from the cache (hours of work; DMESR_CACHE, else ~/.cache/dmesr)
	@$(BIN)/python -c 'from dmesr_core.files import clear_cache; print("cleared:", clear_cache())'
