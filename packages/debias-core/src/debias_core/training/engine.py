"""How the model of a run computes: adapter, reference, precision, recomputation, processes.

Everything that the settings change about *how* a forward pass is made stands here, so that steps
and looks only say *what* is to be scored and sampled.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict, Unpack

import torch
from torch import Tensor, nn

from debias_core.config import TrainConfig
from debias_core.errors import ConfigError
from debias_core.linear import CompileHead
from debias_core.losses.terms import Terms
from debias_core.recovery.weights import Copy, TrainedWeights, gathered
from debias_core.sampling.base import Answer, Sampler
from debias_core.scoring.answers import ScoredRow, Wanted, score
from debias_core.scoring.reference import FrozenModel, Reference
from debias_core.training.adapters import Adapter, add_adapter
from debias_core.training.parallel import parallelise, sharding_is_asked
from debias_core.training.precision import (
    checkpointed_layers,
    compute_layers_in_bf16,
    hold_in_float32,
    one_cast_for_all,
    recomputed,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel


_IDLE = ScoredRow([0], [0])

_FUSED = ("cpu", "cuda")  # where torch has AdamW as one kernel, for any kind of float


class How(TypedDict, total=False):
    """What `debias_core.scoring.answers.score` takes beside the rows."""

    reference: Reference | None
    temperature: float
    wanted: Wanted


class Engine:
    """The model of a run, as it computes.

    Attributes:
        model: the causal LM; in eval mode throughout.
        adapter: that is trained in place of its weights, or None.
        reference: what KL is measured against.
        weights: those that are trained.
        optimizer: of them.
        parallel: how the model is wrapped for several processes.
    """

    def __init__(self, model: PreTrainedModel, config: TrainConfig) -> None:
        """Takes the model to be trained, changes it in place, and makes its reference."""
        model.train(mode=False)
        self.model, self._config = model, config
        self.adapter = self._add_adapter()
        finer = self.adapter is None and hold_in_float32(model)
        self._layers_in_bf16 = finer or config.mixed_precision == "bf16"
        frozen = None
        self.reference: Reference
        if self.adapter is not None:
            self.reference = self.adapter.off
        else:
            frozen = FrozenModel.copy_of(model)
            self.reference = frozen
            self._set_precision(frozen.model)
        self._set_precision(model)
        self._recomputed = checkpointed_layers(model) if config.gradient_checkpointing else []
        self.weights = TrainedWeights(model)
        self.optimizer = make_optimizer(model, config)
        self.parallel = parallelise(model, self.optimizer, frozen, config)

    def _add_adapter(self) -> Adapter | None:
        if self._config.lora is None:
            return None
        return add_adapter(self.model, self._config.lora, seed=self._config.seed)

    def _set_precision(self, model: PreTrainedModel) -> None:
        if self._layers_in_bf16:
            compute_layers_in_bf16(model, keep_casts=not sharding_is_asked())

    def score(
        self,
        rows: Sequence[ScoredRow],
        **how: Unpack[How],
    ) -> Terms:
        """Returns the terms of rows; see `debias_core.scoring.answers.score`."""
        recomputing = self._recomputed if torch.is_grad_enabled() else []
        with recomputed(recomputing):
            found = self.parallel.run(_score, rows, compile_head=self._config.compile_head, **how)
        return Terms(**found)

    def score_all(self, chunks: Sequence[Sequence[ScoredRow]], **how: Unpack[How]) -> list[Terms]:
        """Returns the terms of every chunk, without gradient; processes may have more or fewer."""
        missing = self.parallel.missing_passes(len(chunks))
        with torch.no_grad():
            terms = [self.score(chunk, **how) for chunk in chunks]
            for _ in range(missing):
                self.score([_IDLE], **how)
        return terms

    def sample(
        self,
        sampler: Sampler,
        prompts: Sequence[Sequence[int]],
        *,
        seeds: Sequence[Sequence[int]],
    ) -> list[Answer]:
        """Returns one answer a prompt, in order; see `debias_core.sampling.base.Sampler`."""

        def draw(model: PreTrainedModel) -> list[Answer]:
            with self.parallel.in_lockstep(), self._casting_once(model):
                return sampler.sample(prompts, seeds=seeds)

        with torch.no_grad():
            return self.parallel.run(draw)

    def _casting_once(self, model: PreTrainedModel) -> contextlib.AbstractContextManager[None]:
        if not self._layers_in_bf16 or self.parallel.sharded:
            return contextlib.nullcontext()
        return one_cast_for_all(next(model.parameters()).device)

    def restore(self, weights: Copy) -> None:
        """Puts a copy of the trained weights back."""
        self.weights.restore(weights)
        self.parallel.weights_restored()

    def check_unmerged(self) -> None:
        """Raises ConfigError where the adapter was merged: there is nothing left to train."""
        if self.adapter is not None and self.adapter.merged:
            raise ConfigError(
                "the adapter of this trainer was merged at the end of `fit`; make another trainer"
            )

    def whole_state(self) -> dict[str, Tensor] | None:
        """Returns the model's state, whole, where its weights are sharded; None where not."""
        return gathered(self.model.state_dict()) if self.parallel.sharded else None


def _score(
    model: PreTrainedModel,
    rows: Sequence[ScoredRow],
    *,
    compile_head: CompileHead,
    **how: Unpack[How],
) -> dict[str, Tensor]:
    # wrappers look for tensors in dictionaries, not in classes of ours
    return score(model, rows, compile_head=compile_head, **how).present()


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Returns AdamW over the trainable parameters, fused where the device can.

    Raises:
        ConfigError: nothing is trainable.
    """
    trainable = [p for p in model.parameters() if p.requires_grad]
    if not trainable:
        raise ConfigError("the model has no trainable parameter")
    return torch.optim.AdamW(
        trainable,
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        # weights that are to be shared may not be here yet, or on another device
        fused=not sharding_is_asked() and all(p.device.type in _FUSED for p in trainable),
    )
