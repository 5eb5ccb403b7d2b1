"""Sphinx configuration."""

project = "debias"
author = "The debias authors"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "debias"
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
