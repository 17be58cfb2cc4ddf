SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
# The image that `make demo` imports; empty: one that it builds from Debian's busybox.
SOURCE ?=
# How many workers `make up` starts.
WORKERS ?= 1
# What `make up` and `make demo` import into: registry, or harbor for a stand-in of one.
TARGET ?= registry
# How long `make soak` plays.
MINUTES ?= 10
# How many tests run at once, and what else pytest is told, such as ARGS="-k tokens".
JOBS ?= auto
ARGS ?=

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install what is missing, for the tests, too: Debian packages, and .venv with locked Python packages
	@deploy/local/setup.sh

.PHONY: setup-stack
setup-stack:
	@deploy/local/setup.sh stack

.PHONY: demo
demo: setup-stack ## Import a real image from nothing to verified; SOURCE=docker.io/library/alpine:3.20 for that one
	@$(PYTHON) -m deploy.local.commands.demo --target $(TARGET) $(SOURCE)

.PHONY: up
up: setup-stack ## Start everything and leave it running; WORKERS=n for more workers
	@$(PYTHON) -m deploy.local.commands.up --workers $(WORKERS) --target $(TARGET)

.PHONY: down
down: ## Stop what `make up` started
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m deploy.local.commands.down; fi

.PHONY: test
test: setup check ## Run the checks and every test
	$(PYTHON) -m pytest -n $(JOBS) --maxprocesses 4 $(ARGS)

.PHONY: test-chart
test-chart: setup ## Hold the Helm chart to Kubernetes' own descriptions; needs Go, and two minutes for Helm the first time
	$(PYTHON) -m deploy.helm.tools
	$(PYTHON) -m pytest -q tests/deploy/test_helm.py tests/deploy/test_helm_values.py

.PHONY: soak
soak: setup ## Break things at random and see that the promises hold; MINUTES=n for so long
	$(PYTHON) -m tests.faults --size short --minutes $(MINUTES)

.PHONY: test-deploy
test-deploy: setup ## Run the compose file against a Docker Engine, from build to upgrade; needs root, Go and debootstrap
	@$(PYTHON) -m deploy.local.compose

.PHONY: check
check: setup ## Check format, lint, types, shell scripts and the import rule
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/shellcheck deploy/local/setup.sh .ci/run
	$(PYTHON) -m pytest -q tests/test_import_rule.py

.PHONY: docs
docs: setup ## Bring the reference pages up to date with the code
	@$(PYTHON) -m deploy.reference

.PHONY: format
format: setup ## Rewrite the code in the project's format
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

# Without addresses: a lock must not say where it was made. uv is not a part of the set-up.
LOCK := uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 \
	--custom-compile-command "make lock"

.PHONY: lock
lock: ## Lock the Python packages anew (needs uv); UPGRADE=--upgrade for newer versions
	$(LOCK) $(UPGRADE) pyproject.toml -o requirements.txt
	$(LOCK) $(UPGRADE) pyproject.toml --extra dev -c requirements.txt -o requirements-dev.txt
	$(LOCK) $(UPGRADE) pyproject.toml --extra tracing -c requirements-dev.txt -o requirements-tracing.txt
	$(LOCK) $(UPGRADE) --group build -o requirements-build.txt

.PHONY: clean
clean: down ## Remove everything that was made here
	rm -rf .venv .cache .run .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
