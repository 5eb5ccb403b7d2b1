"""Sends the log of a run to trackers (TensorBoard, Weights & Biases, Trackio), through accelerate.

Off by default and never needed: the same numbers are in the events, the result and the files.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debias_core.config import TrainConfig
from debias_core.errors import MissingPackageError
from debias_core.training.distributed import is_main
from debias_core.training.heldout import DevEvaluation
from debias_core.training.progress import EventHandler, StepLog

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

PROJECT = "debias"


@contextlib.contextmanager
def tracking(config: TrainConfig, folder: Path) -> Iterator[EventHandler]:
    """Gives a handler that sends events to the trackers of a run; they are closed afterwards.

    Args:
        config: of the run; its values are sent once.
        folder: where trackers that write files do so (`folder/debias`).

    Raises:
        MissingPackageError: a tracker's package is not installed.
    """
    if not config.trackers or not is_main():
        yield _send_nowhere
        return
    for name in config.trackers:
        if not _installed(name):
            raise MissingPackageError(
                f"the tracker {name!r} needs the package {name}: pip install {name}"
            )
    started = [_start(name, folder) for name in config.trackers]
    settings = _flat(asdict(config) | {"objective.kind": config.objective.kind})
    for tracker in started:
        tracker.store_init_configuration(settings)

    def send(event: StepLog | DevEvaluation) -> None:
        for tracker in started:
            tracker.log(values_of(event, config.groups), step=event.step)

    try:
        yield send
    finally:
        for tracker in started:
            tracker.finish()


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # a module that was blocked has no spec
        return False


def _start(name: str, folder: Path) -> GeneralTracker:
    # not through an Accelerator: another one would reset what a launcher set up for the process
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS  # noqa: PLC0415 - seconds to import

    kind = LOGGER_TYPE_TO_CLASS[name]
    tracker: GeneralTracker = (
        kind(PROJECT, str(folder)) if kind.requires_logging_directory else kind(PROJECT)
    )
    tracker.start()
    return tracker


def values_of(event: StepLog | DevEvaluation, groups: tuple[str, ...]) -> dict[str, float]:
    """Returns the numbers of an event by name: `train/loss`, `heldout/gap`, ..."""
    if isinstance(event, StepLog):
        found = {f"train/{name}": value for name, value in asdict(event).items() if name != "step"}
    else:
        found = {f"heldout/{name}": getattr(event.gap, name) for name in ("gap", "low", "high")}
        shares = ("kl", "truncated", "empty", "accuracy")
        found |= {f"heldout/{name}": getattr(event, name) for name in shares}
        entropies = zip(groups, event.entropies, strict=True)
        found |= {f"heldout/entropy_{group}": entropy for group, entropy in entropies}
    return {name: float(value) for name, value in found.items() if value is not None}


def _send_nowhere(event: StepLog | DevEvaluation) -> None:
    del event


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, int | float | str | bool]:
    """Returns nested values by dotted names; what is no number and no text is written as one."""
    flat: dict[str, int | float | str | bool] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value if isinstance(value, int | float | str) else str(value)
    return flat
