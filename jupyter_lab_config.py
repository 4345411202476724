"""How JupyterLab shows the course: `make lab` and `jupyter lab --config=jupyter_lab_config.py` read this file."""

import os
import sys
from pathlib import Path

from traitlets.config import get_config

ROOT = Path(__file__).resolve().parent
c = get_config()

c.ServerApp.root_dir = str(ROOT)  # the pictures and the package lie beside the notebooks
c.LabApp.default_url = "/lab/tree/notebooks/01_optimizer_overview.ipynb"
c.LabApp.app_settings_dir = str(ROOT / "lab")  # overrides.json: no news, links of the contents that land, and so on

# Loopback and a token are what JupyterLab takes anyway; root and a machine without a screen need a word.
c.ServerApp.ip = os.environ.get("COURSE_IP", "127.0.0.1")
c.ServerApp.allow_root = getattr(os, "geteuid", lambda: 1)() == 0
has_a_screen = sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
c.ServerApp.open_browser = bool(has_a_screen)
