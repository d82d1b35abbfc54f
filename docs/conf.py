"""Sphinx for the site; `make docs` runs it through tools/site_pages.py, which adds the generated pages first."""
from __future__ import annotations

import chipsim

project, author, release = "chipsim", "chipsim developers", chipsim.__version__
extensions = ["myst_nb"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
nb_execution_mode = "off"                      # the tests run the notebook; the site shows its cells
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"chipsim {release}"
exclude_patterns = ["conf.py"]
