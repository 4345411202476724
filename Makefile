# Two commands: `make lab` opens the course, `make test` proves it. `make help` lists the rest.
# start.py has the environment and both of them, so that they work without make as well.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PAGES  := course_utils/apps

.PHONY: help environment lab test pages outputs processors environments variants mutants figures catalogue reproduce bench bench-doctor bench-rivals bench-widgets lock clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# Complete, or made anew; start.py says so before anything is installed where it could not work.
environment:
	@$(PYTHON) start.py environment

lab: ## open JupyterLab on notebook 01 (prints the address on a machine without a screen)
	@$(PYTHON) start.py lab

test: ## lint, types, and pytest --nbval over tests and notebooks
	@$(PYTHON) start.py test

pages: ## bundle the playgrounds' pages, after a change in apps/*/page
	@$(PYTHON) start.py npm run format
	@$(PYTHON) start.py npm run build

outputs: environment ## run every notebook afresh, store its outputs, normalise its metadata
	@$(BIN)/python -m tests.tools.store_outputs $(NOTEBOOKS)

processors: environment ## run every notebook as other processors would, and see that all say the same
	@$(BIN)/python -m tests.tools.processors $(NOTEBOOKS)

environments: environment ## the course as others meet it: other versions, paths, networks, disks, and what was seen
	@$(BIN)/python -m tests.tools.environments $(ONLY)

variants: environment ## run every notebook with other constants and on real pictures, and see that all it says holds
	@$(BIN)/python -m tests.tools.variants $(NOTEBOOKS)

mutants: environment ## make about 290 small faults, one at a time, and see that a test notices each
	@$(BIN)/python -m tests.tools.mutate

figures: environment ## draw images/ again
	@for script in images/draw*.py images/inline.py images/screenshot.py; do $(BIN)/python $$script; done

catalogue: environment ## write docs/doctor: a page for each fault that the loop doctor knows
	@$(BIN)/python -m benchmarks.doctor.pages

reproduce: environment ## the source notes' experiments at full length, theirs beside ours
	@$(BIN)/python -m benchmarks.reproduce

bench: environment ## the course's loop beside the notes', one by hand, and this machine's limit; memory; start-up
	@$(BIN)/python -m benchmarks.speed
	@$(BIN)/python -m benchmarks.steps
	@$(BIN)/python -m benchmarks.memory
	@$(BIN)/python -m benchmarks.startup

bench-doctor: environment ## the loop doctor on about 1,000 small programs, faulty and healthy
	@$(BIN)/python -m benchmarks.doctor
	@$(BIN)/python -m benchmarks.doctor.overhead

bench-rivals: environment ## the same programs under other tools, each in an environment of its own under out/
	@$(BIN)/python -m benchmarks.doctor.rivals

bench-widgets: environment ## how soon the playgrounds answer, in a real JupyterLab
	@$(BIN)/python -m benchmarks.widgets
	@$(BIN)/python -m benchmarks.live

lock: environment ## resolve pyproject.toml into requirements.lock
	@$(BIN)/python -m uv pip compile pyproject.toml --extra course --extra test --extra dev --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock

clean: ## remove the environment and everything the tools leave behind
	rm -rf $(VENV) .venv.turn .pytest_cache .mypy_cache .ruff_cache .hypothesis build out *.egg-info $(PAGES)/node_modules
	find . -name __pycache__ -prune -exec rm -rf {} +
