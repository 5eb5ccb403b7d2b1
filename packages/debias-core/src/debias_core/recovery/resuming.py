"""Saves the state of a run, and restores it where the run is the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from debias_core.config import TrainConfig
from debias_core.losses.lagrangian import TrainingObjective
from debias_core.pairs.encoding import EncodedPair
from debias_core.recovery.checkpoint import Checkpoint, load_newest, save_checkpoint
from debias_core.training.distributed import is_main, wait
from debias_core.training.engine import Engine
from debias_core.training.progress import RunProgress

_MEMORY_ONLY = ("micro_batch_size", "generation_batch_size")


@dataclass(frozen=True, slots=True)
class RunState:
    """Everything of a run that changes from step to step."""

    engine: Engine
    objective: TrainingObjective
    progress: RunProgress


class Saver:
    """Saves and restores a run where a folder for checkpoints was given.

    Attributes:
        folder: for checkpoints, or None.
    """

    def __init__(self, state: RunState, folder: str | Path | None, *, key: str) -> None:
        self._state, self._key = state, key
        self.folder = None if folder is None else Path(folder)

    def save(self, step: int) -> None:
        """Saves the state after a step; without a folder nothing is done."""
        if self.folder is None:
            return
        state, weights = self._state, self._state.engine.weights
        checkpoint = Checkpoint(
            step=step,
            key=self._key,
            weights=weights.whole(),
            kept=weights.whole(state.progress.kept[1]),
            optimizer=state.engine.parallel.optimizer_state(),
            state={
                "run": state.progress.to_json(),
                "multipliers": state.objective.multipliers,
            },
        )
        if is_main():
            save_checkpoint(self.folder, checkpoint)
        wait()

    def restore(self) -> int:
        """Returns the step to continue after; 0 where there is nothing to continue."""
        found = None if self.folder is None else load_newest(self.folder, key=self._key)
        if found is None:
            return 0
        state, weights = self._state, self._state.engine.weights
        state.engine.restore(weights.parts(found.weights))
        state.engine.parallel.load_optimizer_state(found.optimizer)
        state.objective.multipliers = found.state["multipliers"]
        state.progress.restore(found.state["run"], weights.parts(found.kept))
        return found.step


def run_key(config: TrainConfig, train: Sequence[EncodedPair], dev: Sequence[EncodedPair]) -> str:
    """Returns a digest of everything that the course of a run depends on, but the weights.

    How much is computed at once is left out: a run that ran out of memory goes on with less. It is
    then the same but for rounding.
    """
    course = asdict(replace(config, trackers=()))
    for name in _MEMORY_ONLY:
        del course[name]
    pairs = [[p.pair.pair_id, p.pair.cluster_id, p.prompts, p.references] for p in (*train, *dev)]
    text = json.dumps([course, config.objective.kind, pairs], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
