# Everything a contributor needs. On a fresh clone: Python 3.11 or newer, make and the package
# registries are enough; `make setup` keeps all it installs below .venv/ and tests/stack/.

PYTHON ?= python3
ARGS ?=
PROCESSES ?= logical
SEED ?= 1
EXTRA ?= worker
DOCUMENTS ?= 1000
VENV := .venv
BIN := $(VENV)/bin
UV := VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip
NODE := tests/stack/node_modules
LOCK := requirements.lock
IMAGE_LOCK := deploy/image/requirements.lock
COMPILE := $(UV) compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
  --no-emit-index-url --no-emit-package docpipe-names --no-emit-package docpipe-embeddings --no-emit-package docpipe-recogniser
CODE := docpipe tests examples benchmarks training
# In place of the shell that make may start, which would end without it when make is told to end.
PYTEST := exec $(BIN)/pytest -n $(PROCESSES) --maxprocesses 8
# Some images set it. Then every process that a test starts compiles all that it imports: three seconds for a worker.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-pythons soak bench lint types docs schema sbom licences stack stack-down lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready $(NODE)/.ready  ## Install the locked dependencies, docpipe itself and the test servers

demo: $(VENV)/.ready  ## Read a scanned contract: parties, dates, amounts, and where each stands
	@$(BIN)/python examples/quickstart.py

test: setup  ## Run the tests that are quick, on all cores and real servers (ARGS="-k word" for some)
	$(PYTEST) -m "not slow" $(ARGS)

test-all: setup  ## Run these and all others, in one session: faults, kills, take-overs, hostile files, how-tos, a soak
	$(PYTEST) $(ARGS)

test-pythons: setup  ## Run a part of the quick tests on Python 3.12 and 3.13, where they are installed
	.ci/pythons 3.12 3.13

soak: setup  ## Many documents while workers, Redis and API die at random, 20 minutes (SEED=1 DOCUMENTS=1000 ARGS=--host)
	OUTAGE_SECONDS=60 $(BIN)/pytest tests/faults/test_disasters.py
	$(BIN)/python -m tests.soak --seed $(SEED) --documents $(DOCUMENTS) $(ARGS)

bench: $(VENV)/.ready  ## Accuracy and speed of recognition beside other engines (ARGS="--corpus DIR")
	$(BIN)/python -m benchmarks.ocr $(ARGS)

lint: $(VENV)/.ready  ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: $(VENV)/.ready  ## Check types, strictly
	$(BIN)/mypy

docs: $(VENV)/.ready  ## Build the documentation into site/, warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

schema: setup  ## Write docs/reference/schema.sql anew, after a change of the SQL
	$(BIN)/python -m tests.sql

sbom: $(VENV)/.ready  ## Write sbom.json: what docpipe-celery[worker] brings, with versions and hashes (EXTRA=worker)
	$(BIN)/python -m tests.supply lock $(EXTRA) | $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml \
	  --mc-type library --output-reproducible --output-format JSON --output-file sbom.json -

licences: $(VENV)/.ready  ## Write the table of docs/reference/licences.md anew, after a change of the dependencies
	$(BIN)/python -m tests.supply licences

stack: setup  ## Start Redis, Postgres and a Supabase API, and print their URLs and keys
	@$(BIN)/python -m tests.stack up

stack-down:  ## Stop them and remove their data
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m tests.stack down; fi

lock: $(VENV)/.ready  ## Write the locks anew from pyproject.toml (UPGRADE=--upgrade for newer versions)
	$(COMPILE) $(UPGRADE) --extra worker --extra embed --extra web --group dev \
	  --output-file $(LOCK) pyproject.toml
	$(COMPILE) --constraint $(LOCK) --extra worker --extra metrics --extra otel --group image \
	  --output-file $(IMAGE_LOCK) pyproject.toml
	$(BIN)/npm install --prefix tests/stack --package-lock-only

clean: stack-down  ## Remove what was built and installed, the environment too
	rm -rf $(VENV) $(NODE) .stack site dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.ready: $(LOCK) pyproject.toml names/pyproject.toml embeddings/pyproject.toml recogniser/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "docpipe needs Python 3.11 or newer; $(PYTHON) is older or missing." >&2; \
	  echo "Name another one: make PYTHON=python3.12 setup" >&2; exit 1; }
	@echo "Installing what docpipe needs into $(VENV)/ …"
	@$(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' $(LOCK) > $(VENV)/uv.lock  # pip brings uv, which is six times as fast for the rest
	@$(BIN)/pip install -qq --disable-pip-version-check --root-user-action=ignore --no-deps --require-hashes \
	  -r $(VENV)/uv.lock
	@$(UV) sync --quiet --require-hashes $(LOCK)
	@$(UV) install --quiet --no-deps --editable . --editable names --editable embeddings \
	  --editable recogniser
	@# Python compiles what it imports, but the process that reads documents may not write: here it is read in this one
	@PYTHONDONTWRITEBYTECODE= DOCPIPE_ISOLATE=false XDG_DATA_HOME=$(CURDIR)/$(VENV)/share \
	  $(BIN)/docpipe run --reprocess --store $(VENV)/setup.db examples/documents/contract_scan.pdf >/dev/null
	@touch $@

$(NODE)/.ready: tests/stack/package-lock.json $(VENV)/.ready
	@echo "Installing the test servers into $(NODE)/ …"
	@$(BIN)/npm ci --prefix tests/stack --no-progress --loglevel error >/dev/null
	@touch $@
