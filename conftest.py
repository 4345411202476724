"""pytest's root: notebooks and tests alike run with the repaired nbval of tests/tools/nbval_repairs.py."""

pytest_plugins = ["tests.tools.nbval_repairs"]
