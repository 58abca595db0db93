# Every target sets up what it needs first (local/setup; costs nothing when done).
.DEFAULT_GOAL := help
.PHONY: help demo test check format bench crash soak rehearse clean setup setup-browser setup-bench
PYTHON := .venv/bin/python

help: ## this list
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | column -t -s '|'

demo: setup ## the whole local stack: plays the main job, then serves the demo page (ONCE=1: ends after the proof)
	@$(PYTHON) -m local.demo $(if $(ONCE),--once)

test: setup-browser ## every test, browser tests included (ARGS=... goes to pytest)
	@$(PYTHON) -m pytest $(ARGS)

check: setup-browser ## format, lint, types, import rules, infrastructure, every test
	.venv/bin/ruff format --check --quiet
	.venv/bin/ruff check --quiet
	.venv/bin/mypy
	.venv/bin/lint-imports
	@if [ -x infra/check ]; then echo infra/check; infra/check; fi
	@$(MAKE) --no-print-directory test

format: setup ## rewrite the code in the house format
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

bench: setup-bench ## the benchmarks, as ratios (ARGS="submission --quick"; --write updates bench/RESULTS.md)
	@$(PYTHON) -m bench $(ARGS)

crash: setup ## real hosts killed and paused at every step of accept and drain (eight minutes)
	@$(PYTHON) -m tests.breaking

soak: setup ## ten minutes of random faults: nothing lost, nothing sent twice
	@$(PYTHON) -m tests.soak

rehearse: setup ## the deployment with the real az CLI against a local stand-in
	@$(PYTHON) -m tests.infra.rehearse

clean: ## remove everything that the other targets made
	rm -rf .venv .cache local/*/node_modules bench/node_modules test-results
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup:
	@local/setup

setup-browser:
	@local/setup --browser

setup-bench:
	@local/setup --bench
