"""pytest's root: notebooks and tests alike run with the repaired nbval of tests/nbval_repairs.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "tests"))

pytest_plugins = ["nbval_repairs"]
