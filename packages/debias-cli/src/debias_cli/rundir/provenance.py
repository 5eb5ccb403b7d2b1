"""Where a run's results come from: versions, commit, hardware, seeds, hashes of what was read."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from debias_cli.config.tree import PipelineConfig
from debias_cli.stages.fingerprints import package_version
from debias_cli.stages.graph import Stage

_PACKAGES = (
    "debias-cli",
    "debias-core",
    "debias-data",
    "debias-eval",
    "torch",
    "transformers",
    "accelerate",
    "datasets",
    "numpy",
    "scipy",
    "pyarrow",
    "pydantic",
    "math-verify",
)
_GIT_SECONDS = 10
_VARIABLES = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "HF_HUB_OFFLINE", "DEBIAS_DATA_DIR")


def provenance(config: PipelineConfig, stages: Sequence[Stage]) -> dict[str, object]:
    """Plain values for `provenance.json`; never environment values that could be secrets."""
    inputs: dict[str, str] = {}
    code: dict[str, str] = {}
    for stage in stages:
        inputs.update(stage.inputs)
        code.update(stage.code)
    return {
        "format": 1,
        "command": sys.argv,
        "packages": {name: package_version(name) for name in _PACKAGES},
        "code": code,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "git": git_state(Path(__file__).parent),
        "hardware": hardware(),
        "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "seeds": {
            "run": config.run.seed,
            "data": None if config.data is None else config.data.seed,
            "train": None if config.train is None else list(config.train.seeds),
        },
        "inputs_sha256": inputs,
        "stage_keys": {stage.name: stage.key for stage in stages},
    }


def git_state(folder: Path) -> dict[str, object] | None:
    """Commit and dirty flag of the checkout that the code runs from; None outside of one."""
    git = shutil.which("git")
    if git is None:
        return None
    commit = _git(git, folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _git(git, folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": bool(changes)}


def _git(git: str, folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            [git, "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def hardware() -> dict[str, object]:
    """Cores, memory and accelerators; accelerators only when torch is loaded anyway."""
    found: dict[str, object] = {
        "machine": platform.machine(),
        "cpu_count": os.cpu_count(),
        "cpus_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "memory_bytes": _memory(),
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        found["accelerators"] = [torch.cuda.get_device_name(index) for index in range(count)]
        found["torch_threads"] = torch.get_num_threads()
    return found


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None
