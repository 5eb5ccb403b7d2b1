"""Sphinx configuration."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "debias"
author = "The debias authors"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "generated_pages",
    "plain_docstrings",
]
html_theme = "furo"
html_title = "debias"
exclude_patterns = ["_build", "_ext", "report/findings.md"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_use_ivar = True
# `Raises: ConfigError` names the class of its own package; others have one of that name
suppress_warnings = ["ref.python"]
