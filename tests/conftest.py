"""Shared by the tests across packages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder with real models and data, beside the checkout."""
    folder = Path(os.environ.get("DEBIAS_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set DEBIAS_SHARED")
    return folder


@pytest.fixture(scope="session")
def debias_cli() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`debias-cli` with these arguments in a folder, offline; further names are variables."""

    def run(*arguments: object, cwd: Path, **variables: object) -> subprocess.CompletedProcess[str]:
        given = {name: str(value) for name, value in variables.items()}
        return subprocess.run(
            [sys.executable, "-m", "debias_cli", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "HF_HUB_OFFLINE": "1", **given},
            capture_output=True,
            text=True,
            check=False,
            timeout=1200,
        )

    return run
