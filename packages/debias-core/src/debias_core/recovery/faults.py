"""What happens when a step goes wrong: no update, a crash dump, an error that names it.

A loss or a gradient that is not finite is written down with the batch it came from; a failed
allocation is explained (`recovery.memory`). Everything else passes through unchanged. In every case
the weights are those of the step before, and the newest checkpoint is whole.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.distributed.tensor import DTensor

from debias_core import __version__
from debias_core.config import ConsistencyConfig, TrainConfig
from debias_core.errors import CheckpointError, NonFiniteError
from debias_core.pairs.encoding import EncodedPair
from debias_core.recovery.memory import explaining_memory, smaller_batch
from debias_core.training.heldout import DevEvaluation

_MOST_NAMES = 20  # a NaN that spread is in every parameter; the first ones tell as much


@dataclass(frozen=True, slots=True)
class Fault:
    """A step or a look that went wrong.

    Attributes:
        step: it happened in, or after.
        what: was not finite.
        pair_ids: of the batch on this process; empty for a look.
    """

    step: int
    what: NonFiniteError
    pair_ids: tuple[str, ...] = ()


class FaultGuard:
    """Watches over the steps of one run."""

    def __init__(
        self, model: torch.nn.Module, config: TrainConfig, *, dumps: Path | None = None
    ) -> None:
        self._model, self._config, self._dumps = model, config, dumps

    @contextlib.contextmanager
    def step(self, step: int, batch: Sequence[EncodedPair]) -> Iterator[None]:
        """Guards the gradient and the update of one step.

        Raises:
            NonFiniteError: names the crash dump.
            NotEnoughMemoryError: names the smaller setting.
        """
        longest = max(len(prompt) for pair in batch for prompt in pair.prompts)
        try:
            with explaining_memory(
                f"in step {step}, {self._scoring(longest)}",
                model=self._model,
                advice=self._smaller(),
            ):
                yield
        except NonFiniteError as error:
            ids = tuple(pair.pair.pair_id for pair in batch)
            message = "no step was taken and the weights are those of the step before"
            raise self._dumped(Fault(step, error, ids), message) from error

    @contextlib.contextmanager
    def look(self, step: int) -> Iterator[None]:
        """Guards a look at the held-out pairs.

        Raises:
            NotEnoughMemoryError: names the smaller setting.
        """
        what = f"looking at the held-out pairs after step {step}, {self._scoring()}"
        with explaining_memory(what, model=self._model, advice=self._smaller()):
            yield

    def check_look(self, look: DevEvaluation) -> DevEvaluation:
        """Returns the look.

        Raises:
            NonFiniteError: its gap or its KL is not finite: the model is of no use any more.
        """
        if math.isfinite(look.gap.gap) and math.isfinite(look.kl):
            return look
        error = NonFiniteError(f"the held-out gap is {look.gap.gap} and the KL {look.kl}")
        raise self._dumped(Fault(look.step, error), "the weights of this step are of no use")

    @contextlib.contextmanager
    def saving(self, step: int, folder: str | Path | None) -> Iterator[None]:
        """Guards the writing of a checkpoint.

        Raises:
            NonFiniteError: a weight is not finite; that state is not saved.
            CheckpointError: it cannot be written: the disk is full, the folder read-only.
        """
        self._check_weights(step)
        try:
            yield
        except (OSError, SafetensorError) as error:
            raise CheckpointError(
                f"the checkpoint of step {step} cannot be written to {folder}: {error}"
                f"{_free_space(folder)}; the newest whole one is untouched, and the same command "
                "continues from it once there is room"
            ) from error

    def _check_weights(self, step: int) -> None:
        for name, parameter in self._model.named_parameters():
            if not bool(torch.isfinite(_own_part(parameter)).all()):
                error = NonFiniteError(f"the weight {name!r} is not finite after the update")
                message = "it is not saved; the newest checkpoint is one from before"
                raise self._dumped(Fault(step, error), message)

    def _scoring(self, longest: int | None = None) -> str:
        config = self._config
        prompt = "" if longest is None else f"prompts of up to {longest} and "
        rows = (
            f"scoring {config.micro_batch_size} rows at once, {prompt}answers of up to "
            f"{config.max_new_tokens} tokens"
        )
        vocabulary = getattr(getattr(self._model, "config", None), "vocab_size", None)
        if not isinstance(vocabulary, int):
            return rows
        logits = 4 * config.micro_batch_size * config.max_new_tokens * vocabulary / 1024**3
        return f"{rows} over a vocabulary of {vocabulary:,} (logits of {logits:.2f} GiB in float32)"

    def _smaller(self) -> str:
        paired = isinstance(self._config.objective, ConsistencyConfig)
        return smaller_batch(
            "micro_batch_size",
            self._config.micro_batch_size,
            multiple=len(self._config.groups) if paired else 1,
            otherwise=f"set max_new_tokens below {self._config.max_new_tokens}, "
            "gradient_checkpointing: true, or train an adapter over a model in bfloat16",
        )

    def _dumped(self, fault: Fault, consequence: str) -> NonFiniteError:
        """Returns the error to raise, with the dump written and named."""
        if self._dumps is None:
            where = "no crash dump: neither `checkpoints` nor `out` was given"
        else:
            where = f"see {write_crash_dump(self._dumps, self._describe(fault))}"
        return NonFiniteError(
            f"step {fault.step}: {fault.what}; {consequence}; {where}",
            loss=fault.what.loss,
            ranges=fault.what.ranges,
        )

    def _describe(self, fault: Fault) -> dict[str, object]:
        parameters = list(self._model.parameters())
        held = {n: p.grad for n, p in self._model.named_parameters() if p.grad is not None}
        bad = [name for name, g in held.items() if not bool(torch.isfinite(_own_part(g)).all())]
        return {
            "format": 1,
            "step": fault.step,
            "what": str(fault.what),
            "loss": fault.what.loss,
            "terms": fault.what.ranges,
            "pair_ids": list(fault.pair_ids),
            # DeepSpeed has taken the gradients away by now: then there is none to look at
            "gradients_not_finite": {
                "count": len(bad),
                "of": len(held),
                "first": bad[:_MOST_NAMES],
            },
            "config": asdict(self._config)
            | {
                "objective": {"kind": self._config.objective.kind, **asdict(self._config.objective)}
            },
            "device": str(parameters[0].device),
            "dtype": str(parameters[0].dtype),
            "versions": versions(),
        }


def _own_part(tensor: Tensor) -> Tensor:
    """Returns what this process holds of a tensor: all of it, or its part of a sharded one."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def _free_space(folder: str | Path | None) -> str:
    if folder is None or not Path(folder).exists():
        return ""
    return f" ({shutil.disk_usage(folder).free / 1024**2:,.0f} MiB are free there)"


def dump_folder(checkpoints: str | Path | None, out: str | Path | None) -> Path | None:
    """Returns where crash dumps go: among the checkpoints, else beside the model, else nowhere."""
    if checkpoints is not None:
        return Path(checkpoints)
    return None if out is None else Path(out).parent


def write_crash_dump(folder: Path, content: Mapping[str, object]) -> Path:
    """Writes `crash-step-000012.json` whole or not at all, and returns its path.

    Numbers that JSON does not know stand as `"nan"`, `"inf"` and `"-inf"`. Every process of a
    distributed run writes its own, since each has its own part of the batch.
    """
    rank = os.environ.get("RANK")
    suffix = "" if rank is None else f"-rank-{int(rank)}"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"crash-step-{content['step']:06d}{suffix}.json"
    temporary = folder / f".{target.name}.tmp"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(_plain(content), file, indent=1, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(target)
    return target


def versions() -> dict[str, str]:
    """Returns the versions of what computes, by name."""
    others = {name: version(name) for name in ("torch", "transformers", "numpy")}
    return {"python": platform.python_version(), "debias-core": __version__, **others}


def _plain(value: object) -> object:
    """Returns the value with every number that JSON does not know as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
