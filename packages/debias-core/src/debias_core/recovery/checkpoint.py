"""Checkpoints that are whole or not there, and that a run continues from bit for bit.

A checkpoint is a folder `step-000010`: weights, kept weights and optimiser state as safetensors,
everything else as `state.json`, and last `COMPLETE.json` with the size and sha256 of each file.
It is written under a temporary name and renamed; the one before is removed only then. Nothing is
pickled.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from debias_core.errors import CheckpointError

logger = logging.getLogger(__name__)

_MANIFEST = "COMPLETE.json"

Json = dict[str, Any]  # whatever json.loads returns for an object


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything a run needs to go on.

    Attributes:
        step: steps taken.
        key: digest of config and data; another run's checkpoint is not continued from.
        weights: those that are trained; with an adapter, the adapter's.
        kept: the same, as they were when they were worth keeping.
        optimizer: `state_dict()` of the optimiser.
        state: the rest, as plain JSON values.
    """

    step: int
    key: str
    weights: Mapping[str, Tensor]
    kept: Mapping[str, Tensor]
    optimizer: Json
    state: Json


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Writes a checkpoint under `folder`, removes older ones, and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"step-{checkpoint.step:06d}"
    temporary = folder / f".{target.name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    tensors, rest = _flatten_optimizer(checkpoint.optimizer)
    _save_tensors(checkpoint.weights, temporary / "weights.safetensors")
    _save_tensors(checkpoint.kept, temporary / "kept.safetensors")
    _save_tensors(tensors, temporary / "optimizer.safetensors")
    header = {"step": checkpoint.step, "key": checkpoint.key, "optimizer": rest}
    (temporary / "state.json").write_text(json.dumps({**header, "state": checkpoint.state}))
    manifest = {
        path.name: {"size": path.stat().st_size, "sha256": _sha256(path)}
        for path in sorted(temporary.iterdir())
    }
    (temporary / _MANIFEST).write_text(json.dumps(manifest, indent=1))
    for path in temporary.iterdir():
        _fsync(path)
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
    _fsync(folder)
    for old in folder.glob("step-*"):
        if old != target:
            shutil.rmtree(old)
    return target


def load_newest(folder: Path, *, key: str) -> Checkpoint | None:
    """Returns the newest complete checkpoint of this very run, or None.

    A newer one that is incomplete or damaged is passed over with a warning that names the file.

    Raises:
        CheckpointError: the newest complete checkpoint belongs to another config or other data.
    """
    for path in sorted(folder.glob("step-*"), reverse=True):
        try:
            _verify(path)
        except CheckpointError as error:
            logger.warning("passing over a checkpoint: %s", error)
            continue
        checkpoint = _load(path)
        if checkpoint.key != key:
            raise CheckpointError(
                f"{path} belongs to another config or other data; give another folder, or remove "
                "it to begin anew"
            )
        return checkpoint
    return None


def _load(path: Path) -> Checkpoint:
    state = json.loads((path / "state.json").read_text())
    tensors = load_file(path / "optimizer.safetensors")
    return Checkpoint(
        step=state["step"],
        key=state["key"],
        weights=load_file(path / "weights.safetensors"),
        kept=load_file(path / "kept.safetensors"),
        optimizer=_unflatten_optimizer(tensors, state["optimizer"]),
        state=state["state"],
    )


def _verify(path: Path) -> None:
    manifest_path = path / _MANIFEST
    if not manifest_path.is_file():
        raise CheckpointError(f"{path} is incomplete: it has no {_MANIFEST}")
    for name, expected in json.loads(manifest_path.read_text()).items():
        file = path / name
        if not file.is_file():
            raise CheckpointError(f"{file} is missing")
        if file.stat().st_size != expected["size"] or _sha256(file) != expected["sha256"]:
            raise CheckpointError(f"{file} is damaged: its content does not match {_MANIFEST}")


def _save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, path)


def _flatten_optimizer(state: Json) -> tuple[dict[str, Tensor], Json]:
    tensors = {
        f"{index}.{name}": value
        for index, entry in state["state"].items()
        for name, value in entry.items()
    }
    return tensors, {"param_groups": state["param_groups"]}


def _unflatten_optimizer(tensors: Mapping[str, Tensor], rest: Json) -> Json:
    entries: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        entries.setdefault(int(index), {})[name] = value
    return {"state": entries, **rest}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
