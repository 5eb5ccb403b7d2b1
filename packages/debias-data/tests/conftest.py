"""Shared fixtures: where published data lies, when it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def _shared() -> Path | None:
    given = os.environ.get("DEBIAS_SHARED")
    repository = Path(__file__).resolve().parents[3]
    folder = Path(given) if given else repository.parent / "shared"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with published data and cases."""
    folder = _shared()
    if folder is None:
        pytest.skip("no shared data beside the checkout; set DEBIAS_SHARED")
    return folder
