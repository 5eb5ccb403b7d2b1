"""From an objective's config to what the trainer minimises, with the state it carries.

The pure functions stand in `debias_core.objectives`; here they meet the anchors (KL, level) and,
for `constrained`, the multiplier that is updated after every step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from debias_core import objectives
from debias_core.config import (
    ConstrainedConfig,
    DirectGapConfig,
    EmConfig,
    GeeConfig,
    GroupGapConfig,
    ObjectiveConfig,
    PairGapConfig,
)
from debias_core.errors import ConfigError, DataError
from debias_core.gradient import Terms


@dataclass(frozen=True, slots=True)
class Layout:
    """What each scored row of the effective batch is.

    Attributes:
        groups: [n] index of the group of the prompt.
        pairs: [n] index of the pair.
        answers: [n] index of the answer; two rows share one where answers are scored crosswise.
        own: [n] whether the answer was sampled under this very prompt.
    """

    groups: Tensor
    pairs: Tensor
    answers: Tensor
    own: Tensor


LossFunction = Callable[[Terms, Layout], Tensor]


def _own(terms: Terms, layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
    return terms.entropy[layout.own], layout.groups[layout.own], layout.pairs[layout.own]


def _bias_loss(config: ObjectiveConfig, multiplier: Callable[[], float]) -> LossFunction:
    match config:
        case GroupGapConfig(norm=norm, scale=scale):
            return lambda t, s: objectives.group_gap(*_own(t, s)[:2], norm=norm, scale=scale)
        case GeeConfig(lambda_=lambda_):
            return lambda t, s: objectives.gee(*_own(t, s)[:2], lambda_=lambda_)
        case EmConfig():
            return lambda t, s: objectives.em(*_own(t, s)[:2])
        case PairGapConfig(scale=scale):
            return lambda t, s: objectives.pair_gap(
                *(own := _own(t, s))[:2], pairs=own[2], scale=scale
            )
        case DirectGapConfig(scale=scale):
            return lambda t, s: objectives.direct_gap(
                t.entropy, s.groups, answers=s.answers, scale=scale
            )
        case ConstrainedConfig(rho=rho):
            return lambda t, s: objectives.constrained(
                *(own := _own(t, s))[:2], pairs=own[2], multiplier=multiplier(), rho=rho
            )
        case _:
            raise ConfigError(f"there is no objective for {type(config).__name__}")


class TrainingObjective:
    """A loss of the whole effective batch, its anchors, and the multiplier of the constraint.

    Attributes:
        crossed: every answer has to be scored under both prompts of its pair.
        needs_reference: the loss uses the reference model.
        entropy_only: the coefficients depend on the entropies alone, so the entropies that
            sampling computed can stand in for the first pass.
        multiplier: of the constraint; 0 and unused for other objectives.
    """

    def __init__(self, config: ObjectiveConfig) -> None:
        self.config = config
        self.crossed = isinstance(config, DirectGapConfig)
        self.needs_reference = config.kl > 0 or config.level > 0
        self.entropy_only = not self.crossed and config.level == 0
        self.multiplier = 0.0
        self._bias_loss = _bias_loss(config, lambda: self.multiplier)

    def loss(self, terms: Terms, layout: Layout) -> Tensor:
        """Returns the loss of the effective batch."""
        total = self._bias_loss(terms, layout)
        if self.config.kl > 0:
            if terms.kl is None:
                raise DataError("a KL anchor needs the KL of every row")
            total = total + self.config.kl * terms.kl.mean()
        if self.config.level > 0:
            if terms.reference_entropy is None:
                raise DataError("a level anchor needs the reference's entropies")
            drift = terms.entropy.mean() - terms.reference_entropy.mean()
            total = total + self.config.level * drift.square()
        return total

    def observe(self, gap: float) -> None:
        """Updates the multiplier with the gap of the batch that was just stepped on."""
        if isinstance(self.config, ConstrainedConfig):
            self.multiplier += self.config.eta * gap
