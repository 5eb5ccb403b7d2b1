"""Where rows come from: versions, processor and commit, in one row that others name by its id."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

_PACKAGES = (
    "debias-core", "debias-data", "debias-eval", "torch", "transformers", "tokenizers", "numpy",
    "scipy",
)  # fmt: skip


def environment() -> dict[str, object]:
    """What this process runs on; `id` changes with anything else in it."""
    found: dict[str, object] = {
        "commit": _commit(),
        "python": platform.python_version(),
        "versions": {name: number for name in _PACKAGES if (number := _version(name))},
        "machine": f"{platform.system()} {platform.machine()}, {_processor()}",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    text = json.dumps(found, sort_keys=True)
    return {"id": hashlib.sha256(text.encode()).hexdigest()[:8], **found}


def _version(name: str) -> str | None:
    """The version of a package; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of the checkout, with `-dirty` where files differ; None outside of one."""
    done = subprocess.run(
        ["git", "--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or None


def _processor() -> str:
    """The processor's name where the system tells it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "processor unknown"
