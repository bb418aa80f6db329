# Every target is one or two lines of `uv run`; CI calls the same targets.
.DEFAULT_GOAL := help
.PHONY: help setup fmt lint types imports deps test test-embedded test-chaos test-seeds test-million test-removals test-kills test-wheels test-arq check docs build changelog clean

RUN := uv run --all-packages --all-groups
TIMES ?= 1

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install everything into .venv, and the git hooks
	uv sync --all-packages --all-groups
	$(RUN) pre-commit install

fmt: ## Format, and mend what can be mended
	$(RUN) ruff check --fix
	$(RUN) ruff format

lint: ## Rules, format, spelling, workflow security
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) codespell
	$(RUN) zizmor --offline --quiet .github

types: ## mypy --strict over packages, apps and tests
	$(RUN) mypy

imports: ## The import rule: apps -> adapters -> core
	$(RUN) lint-imports

deps: ## Every import is declared, every declaration is used
	@for package in packages/* apps/*; do \
		echo "$$package"; $(RUN) deptry $$package/src --config $$package/pyproject.toml || exit 1; \
	done

test: ## All tests, with real servers
	$(RUN) pytest

test-embedded: ## All tests, with the servers that come as wheels
	WORKFLOWS_TEST_SOURCE=embedded $(RUN) pytest

test-chaos: ## The tests that kill real processes and servers, again and again up to the first failure: make test-chaos TIMES=20
	@for time in $$(seq $(TIMES)); do \
		echo "$$time of $(TIMES)"; $(RUN) pytest tests/chaos tests/e2e/test_kill.py tests/integration/sqlalchemy/test_kills.py || exit 1; \
	done

test-seeds: ## The simulations, with 200 seeds for each scenario
	$(RUN) pytest tests/simulation/test_chaos.py --simulation-seeds=200

test-million: ## The plans of statements, with a million finished instances
	WORKFLOWS_TEST_FINISHED=1000000 $(RUN) pytest tests/integration/sqlalchemy/test_plans.py -k "not crowd"

test-removals: ## Take away what the guarantees rest on, one at a time, and see the tests fail that are named for it
	WORKFLOWS_TEST_REMOVALS=1 $(RUN) pytest tests/removals

test-kills: ## Kill a worker every three seconds for two minutes under 2,000 workflows, with each executor; 40 minutes
	WORKFLOWS_TEST_KILLS=40 $(RUN) pytest tests/conformance/executors -k killed_again_and_again

test-wheels: build ## All tests, against the built wheels in a clean environment
	uv export --quiet --locked --all-packages --all-groups --no-emit-workspace --output-file dist/requirements.txt
	uv venv --quiet --clear .venv-wheels
	uv pip install --quiet --python .venv-wheels --requirements dist/requirements.txt dist/*.whl
	.venv-wheels/bin/pytest

test-arq: ## Tests of workflows-arq with the redis-py that arq asks for, older than the one that all packages together use
	uv venv --quiet --clear .venv-arq
	uv pip install --quiet --no-config --python .venv-arq pytest-timeout ./packages/workflows-core ./packages/workflows-arq \
		"./packages/workflows-sqlalchemy[postgresql]" "./packages/workflows-testing[servers,hypothesis]"
	.venv-arq/bin/pytest tests/unit/arq tests/conformance/executors/test_arq.py

check: lint types imports test ## What must pass before a pull request

docs: ## Build the documentation; a warning is an error
	$(RUN) sphinx-build -W -n --keep-going -b html docs docs/_build/html

build: ## Build the wheel of every package and app into dist/
	rm -rf dist
	uv build --quiet --all-packages --wheel --out-dir dist

changelog: ## Preview the release notes from docs/changelog.d
	$(RUN) towncrier build --draft --version unreleased

clean: ## Remove what the tools left behind
	rm -rf dist docs/_build .venv-wheels .venv-arq .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage*
