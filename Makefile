SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV_PYTHON := .venv/bin/python
# The interpreter that creates .venv, 3.11 or later; empty: that of an existing .venv, or python3.
PYTHON ?=
export PYTHON
# The image that `make demo` imports; empty: an image that it builds from Debian's busybox.
SOURCE ?=
# The number of workers that `make up` starts.
WORKERS ?= 1
# The target of `make up` and `make demo`: registry, or harbor for a stand-in.
TARGET ?= registry
# The duration of `make soak`.
MINUTES ?= 10
# The number of tests that run at once, and further arguments for pytest, such as ARGS="-k tokens".
JOBS ?= auto
ARGS ?=
# Where `make wheels` puts its wheels, and the Python that builds them.
DIST ?= dist
BUILDER ?= .cache/build/bin/python

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install what is missing, also for the tests: Debian packages, and locked Python packages in .venv
	@deploy/local/setup.sh

.PHONY: setup-stack
setup-stack: # The same without what only the tests need.
	@deploy/local/setup.sh stack

.PHONY: demo
demo: setup-stack ## Import an image on a fresh stack and verify it; SOURCE=docker.io/library/alpine:3.20 for that image
	@$(VENV_PYTHON) -m deploy.local.commands.demo --target $(TARGET) $(SOURCE)

.PHONY: up
up: setup-stack ## Start everything and leave it running; WORKERS=n for more workers
	@$(VENV_PYTHON) -m deploy.local.commands.up --workers $(WORKERS) --target $(TARGET)

.PHONY: down
down: ## Stop the stack that `make up` started
	@if [ -x $(VENV_PYTHON) ]; then $(VENV_PYTHON) -m deploy.local.commands.down; fi

.PHONY: test
test: setup check ## Run the checks and every test
	$(VENV_PYTHON) -m pytest -n $(JOBS) --maxprocesses 4 $(ARGS)

.PHONY: coverage
coverage: setup ## Run every test and report the coverage, including the services that tests start
	.venv/bin/coverage erase
	status=0; .venv/bin/coverage run -m pytest -n $(JOBS) --maxprocesses 4 $(ARGS) || status=$$?; \
	.venv/bin/coverage combine --quiet; .venv/bin/coverage report; exit $$status

.PHONY: test-chart
test-chart: setup ## Check the Helm chart against Kubernetes' schemas; needs Go, and two minutes for Helm the first time
	$(VENV_PYTHON) -m deploy.helm.tools
	$(VENV_PYTHON) -m pytest -q tests/deploy/test_helm.py tests/deploy/test_helm_values.py

.PHONY: soak
soak: setup ## Inject random faults for MINUTES=n, and check that no import is lost
	$(VENV_PYTHON) -m tests.faults --size short --minutes $(MINUTES)

.PHONY: test-deploy
test-deploy: setup ## Run the compose file against a Docker Engine, from build to upgrade; needs root, Go and debootstrap
	@$(VENV_PYTHON) -m deploy.local.compose

.PHONY: check
check: setup ## Check format, lint, types, shell scripts and the import rule
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/shellcheck deploy/local/setup.sh .ci/run
	$(VENV_PYTHON) -m pytest -q tests/test_import_rule.py

.PHONY: wheels
wheels: .cache/build/ready ## Build the wheels of the server and of the Python client into dist
	$(BUILDER) -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --use-pep517 \
		--wheel-dir $(DIST) . ./longshore_client

# The builder alone, pinned by hash: a wheel needs neither the servers nor the tests' packages.
.cache/build/ready: requirements-build.txt
	$(or $(PYTHON),python3) -m venv --clear .cache/build
	.cache/build/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.txt
	touch $@

.PHONY: docs
docs: setup ## Update the reference pages from the code
	@$(VENV_PYTHON) -m deploy.reference

.PHONY: format
format: setup ## Rewrite the code in the project's format
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

# Without index addresses: they depend on the machine that makes the lock. `make setup` does not install uv.
LOCK := uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 \
	--custom-compile-command "make lock"

.PHONY: lock
lock: ## Update the locks of the Python packages (needs uv); UPGRADE=--upgrade for newer versions
	$(LOCK) $(UPGRADE) pyproject.toml -o requirements.txt
	$(LOCK) $(UPGRADE) pyproject.toml --extra dev -c requirements.txt -o requirements-dev.txt
	$(LOCK) $(UPGRADE) pyproject.toml --extra tracing -c requirements-dev.txt -o requirements-tracing.txt
	$(LOCK) $(UPGRADE) --group build -c requirements-dev.txt -o requirements-build.txt

.PHONY: clean
clean: down ## Remove everything that these commands created
	rm -rf .venv .cache .run .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
