# `make demo` shows the whole stack, `make test` proves it. Both install what they need into .venv.

# The first Python here that is 3.11 or 3.12; tools/install.sh says what to do where there is none.
PYTHON ?= $(shell for python in python3 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null \
	&& { echo "$$python"; exit; }; done; echo python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help install demo demo-retrieval test lint check clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## make .venv with everything the project needs; a second when nothing changed

$(VENV)/.installed: requirements.txt requirements-dev.txt pyproject.toml tools/install.sh
	@sh tools/install.sh $(PYTHON) $(VENV)

demo: install ## from wiki dumps to a Hugging Face checkpoint on this machine, with a report
	@$(BIN)/python examples/tiny/run.py --output runs/tiny

demo-retrieval: install ## the same, and pairs mined out of a small web are part of the training
	@$(BIN)/python examples/tiny/run.py --retrieval

test: install ## all tests
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

lint: install ## style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

check: lint test ## what a change must pass

clean: ## remove what the demo and the tools made, keep .venv
	rm -rf runs .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
