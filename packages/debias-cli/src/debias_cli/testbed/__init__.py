"""The embedded test bed: a tiny model with a planted, known bias, and data to measure it on.

Both are shipped as package data; ``testbed/make.py`` in the repository makes them from nothing.
What was measured on the model stands in ``card.json`` and ``README.md`` beside this file.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def model_path() -> Path:
    """Return the folder of the model in the hub's layout (config, weights, tokenizer)."""
    return _folder("model")


def data_path() -> Path:
    """Return the folder of the data: ``arithmetic.jsonl``, ``code.jsonl``, ``winogender/``."""
    return _folder("data")


def card_path() -> Path:
    """Return the file with the model's measured figures (JSON)."""
    return _root() / "card.json"


def _root() -> Path:
    root = resources.files(__name__)
    if not isinstance(root, Path):
        # transformers and pyarrow open real files; a wheel is always unpacked when installed.
        raise FileNotFoundError(
            f"the test bed must lie in a folder, not in an archive ({root}): install debias-cli "
            "with pip"
        )
    return root


def _folder(name: str) -> Path:
    folder = _root() / name
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is missing: reinstall debias-cli, or make it with "
            f"`python testbed/make.py --out {folder.parent}` from the repository"
        )
    return folder
