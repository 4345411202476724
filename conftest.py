"""pytest's root: notebooks and tests alike run with the repaired nbval of tests/nbval_repairs.py."""

pytest_plugins = ["nbval_repairs"]
