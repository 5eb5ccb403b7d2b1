"""`doctor`: what this machine has, and what is missing for a run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from debias_cli.errors import MissingError
from debias_cli.resources import local_model
from debias_cli.stages.fingerprints import package_version
from debias_cli.ui.output import Output

_PACKAGES = ("debias-core", "debias-data", "debias-eval", "torch", "transformers", "pyarrow")
_MISSING = 4
_SPACE_BYTES = 2 << 30

Status = Literal["ok", "note", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    status: Status
    text: str


def examine(output: Output) -> int:
    """Prints every finding; exit code 4 when something that a run needs is missing."""
    findings = list(_findings())
    for finding in findings:
        output.say(f"{finding.status:<8} {finding.name}: {finding.text}")
    missing = [finding.name for finding in findings if finding.status == "missing"]
    output.emit(
        {
            "ok": not missing,
            "findings": [
                {"name": item.name, "status": item.status, "text": item.text} for item in findings
            ],
        }
    )
    return _MISSING if missing else 0


def _findings() -> Iterator[Finding]:
    installed = True
    for name in _PACKAGES:
        found = package_version(name)
        here = found != "not installed"
        installed = installed and here
        yield Finding(name, "ok" if here else "missing", found if here else f"pip install {name}")
    yield _testbed()
    yield _space(Path.cwd())
    if installed:
        yield _device()
        yield _sandbox()


def _testbed() -> Finding:
    try:
        return Finding("embedded test bed", "ok", str(local_model("testbed")))
    except MissingError as error:
        return Finding("embedded test bed", "missing", str(error))


def _space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    status: Status = "ok" if free > _SPACE_BYTES else "note"
    return Finding("disk", status, f"{free / 2**30:.1f} GiB free in {folder}")


def _device() -> Finding:
    import torch  # noqa: PLC0415 - only this command asks for devices

    if not torch.cuda.is_available():
        text = f"no CUDA device; the CPU with {torch.get_num_threads()} threads will be used"
        return Finding("device", "note", text)
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return Finding("device", "ok", ", ".join(names))


def _sandbox() -> Finding:
    from debias_eval.execution import available_levels, probe  # noqa: PLC0415 - as above

    levels = available_levels()
    if levels and levels[0] != "process":
        return Finding("sandbox", "ok", f"{levels[0]} (works here: {', '.join(levels)})")
    reason = probe("hardened").reason
    text = f"generated programs cannot be isolated here ({reason}); code benchmarks need it"
    return Finding("sandbox", "missing", text)
