# Everything runs from .venv, which is made from hashed lock files and remade when they change.
BIN := .venv/bin
STAMP := .venv/.complete
# Tests wait for processes and clocks more than they compute.
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2)

.PHONY: help env serve test coverage fuzz audit lint format types lock bench clean

help: ## print this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

env: $(STAMP) ## make .venv: the project, all extras, the development tools

$(STAMP): pyproject.toml requirements/all.txt requirements/weights.txt requirements/uv.txt scripts/env
	@scripts/env
	@touch $@

serve: $(STAMP) ## start the gateway on http://127.0.0.1:8080 (ARGS="--port 9000" and the like)
	@exec $(BIN)/prysm serve $(ARGS)

test: lint types ## lint, types, import contracts, tests (ARGS="tests/core -k name" and the like)
	$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

coverage: $(STAMP) ## the tests, and which lines and branches none of them reaches
	$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal --cov --cov-report term:skip-covered $(ARGS)

fuzz: $(STAMP) ## hostile clients at length: minutes of random requests, thousands of broken inputs, slow tests
	FUZZ=long $(BIN)/pytest --numprocesses $(WORKERS) --timeout 1800 -m "slow or not slow" tests/hostile $(ARGS)

audit: $(STAMP) ## known vulnerabilities of the locked packages (asks the package index)
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
		--requirement requirements/all.txt --requirement requirements/weights.txt $(ARGS)

lint: $(STAMP) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP) ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

lock: ## write requirements/*.txt from pyproject.toml (ARGS=--upgrade for newer versions)
	@scripts/lock $(ARGS)

bench: $(STAMP) ## CPU per request against a bare handler
	$(BIN)/python -m bench $(ARGS)

clean: ## remove what make made; .prysm, the data, stays
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* htmlcov build dist
	find . -name __pycache__ -prune -exec rm -rf {} +
