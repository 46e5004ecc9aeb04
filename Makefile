# Needs Python 3.11 or newer, make and git. Everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
PROMPT ?=
ARGS ?=
export PROMPT

.DEFAULT_GOAL := help
.PHONY: help install run dev test test-vllm check format bench lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

install: .venv/installed ## make .venv with everything that running and testing need

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "A2IA needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: install ## talk to the embedded model; PROMPT="..." or no terminal: one prompt about examples/
	@if [ -z "$$PROMPT" ] && [ -t 0 ] && [ -t 1 ]; then \
	  $(BIN)/a2ia-cli --backend embedded --workspace examples $(ARGS); \
	else \
	  $(BIN)/a2ia-cli --backend embedded --workspace examples -p "$${PROMPT:-What is Jonas's phone number, and what is Maria's? Read contacts/jonas.txt and contacts/maria.txt.}" $(ARGS) </dev/null; \
	fi

dev: install ## serve the agent to LangGraph clients with `langgraph dev`, on examples/
	A2IA_WORKSPACE=$${A2IA_WORKSPACE:-examples} $(BIN)/langgraph dev --no-browser $(ARGS)

check: install ## lint, format check, strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check ## all checks and all tests, a short run of the real model included
	$(BIN)/a2ia-cli models pull && $(BIN)/a2ia-cli models pull qwen2.5-coder-0.5b || echo "WARNING: no weights to be had; the tests of the real model are SKIPPED"
	$(BIN)/pytest $(ARGS)

test-vllm: install ## A2IA on a real vLLM on this CPU: built once (2 GB, minutes), started, tested, stopped
	$(BIN)/python -m tests.real_vllm.build
	A2IA_REAL_VLLM=1 $(BIN)/pytest tests/real_vllm -m vllm -s $(ARGS)

format: install ## rewrite the code in the house's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## the benchmarks of benchmarks/README.md that end within half an hour
	$(BIN)/python -m benchmarks.help_time
	$(BIN)/python -m benchmarks.prompt_time
	$(BIN)/python -m benchmarks.cold_warm
	$(BIN)/python -m benchmarks.tasks --set final

# Where a pin has an extra, pip 23 asks in hash mode for a pin of the bare name too.
define BARE_TOO
function out() { if (block ~ /^[^ ]*\[/) { bare = block; sub(/\[[^]]*\]/, "", bare); printf "%s", bare } printf "%s", block; block = "" }
/^[^ ]/ { out() }
{ block = block $$0 "\n" }
END { out() }
endef
export BARE_TOO

lock: ## write requirements.lock anew from pyproject.toml
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet pip-tools
	.venv-lock/bin/pip-compile --quiet --no-strip-extras --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	  --extra dev --all-build-deps --output-file requirements.lock pyproject.toml
	awk "$$BARE_TOO" requirements.lock > .venv-lock/out && cp .venv-lock/out requirements.lock
	rm -r .venv-lock

clean: ## remove what was built; weights and settings of the user stay
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -r {} +
