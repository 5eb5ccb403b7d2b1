"""From an objective's config to what the trainer minimises, with the state it carries.

The pure functions stand in `debias_core.objectives`; here they meet the anchors (KL, level), the
score-function term and, for `constrained`, the multipliers that are updated after every step.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from debias_core import objectives
from debias_core.config import (
    GROUPS,
    CdaConfig,
    ConsistencyConfig,
    ConstrainedConfig,
    DirectGapConfig,
    EmConfig,
    GeeConfig,
    GroupGapConfig,
    ObjectiveConfig,
    PairGapConfig,
    PlaceboConfig,
    PluginConfig,
)
from debias_core.errors import ConfigError, DataError
from debias_core.losses.score_function import score_function_term
from debias_core.losses.terms import Layout, Terms
from debias_core.plugins import PluginObjective, load_objective


class TrainingObjective:
    """A loss of the whole effective batch, its anchors, and the multipliers of the constraint.

    Attributes:
        crossed: every answer has to be scored under every prompt of its pair.
        on_references: the answers are the data's reference answers; nothing is sampled.
        shuffled: the labels of each pair are to be shuffled.
        needs_reference: the loss uses the reference model.
        needs_logprob: the loss uses the log-probability of the answers.
        needs_divergence: the loss uses the divergence between the sides.
        needs_first_pass: the coefficients depend on terms that sampling does not give.
        linear: the loss is linear in every term; its coefficients depend on none.
        multipliers: of the constraint, one a group; 0 and unused for other objectives.
    """

    def __init__(
        self,
        config: ObjectiveConfig,
        *,
        groups: Sequence[str] = GROUPS,
        score_function: bool = False,
    ) -> None:
        self.config, self._groups = config, groups
        self._score_function = score_function
        self.crossed = isinstance(config, DirectGapConfig | ConsistencyConfig)
        self.on_references = isinstance(config, CdaConfig)
        self.shuffled = isinstance(config, PlaceboConfig)
        self.needs_reference = config.kl > 0 or config.level > 0
        self.needs_logprob = self.on_references or score_function
        self.needs_divergence = isinstance(config, ConsistencyConfig)
        self.needs_first_pass = (
            isinstance(config, DirectGapConfig)
            or config.level > 0
            or (score_function and (self.needs_reference or self.crossed))
        )
        self.linear = (
            isinstance(config, CdaConfig | ConsistencyConfig | EmConfig)
            and config.level == 0
            and not score_function
        )
        self._plugin: PluginObjective | None = None
        if isinstance(config, PluginConfig):
            self._plugin = load_objective(config.name, config.options)
        self.multipliers = [0.0] * len(groups)

    def loss(self, terms: Terms, layout: Layout) -> Tensor:
        """Returns the loss of the effective batch."""
        total = self._plain_loss(terms, layout)
        if self._score_function and torch.is_grad_enabled():
            total = total + score_function_term(
                lambda changed: self._plain_loss(changed, layout), terms, layout
            )
        return total

    def observe(self, gaps: Sequence[float]) -> None:
        """Updates the multipliers with the gaps (to their mean) of the batch just stepped on."""
        if isinstance(self.config, ConstrainedConfig):
            # two groups lie half the signed gap from their mean
            step = self.config.eta * len(gaps) / (len(gaps) - 1)
            self.multipliers = [
                old + step * gap for old, gap in zip(self.multipliers, gaps, strict=True)
            ]

    @property
    def multiplier(self) -> float:
        """The multiplier of the signed gap; with more than two groups, the largest, signed."""
        # with two, they are opposite but for rounding
        return self.multipliers[0] if len(self.multipliers) == 2 else max(self.multipliers, key=abs)

    def _plain_loss(self, terms: Terms, layout: Layout) -> Tensor:
        total = self._bias_loss(terms, layout)
        if self.config.kl > 0:
            total = total + self.config.kl * _present(terms.kl, "KL").mean()
        if self.config.level > 0:
            before = _present(terms.reference_entropy, "reference entropy").mean()
            total = total + self.config.level * (terms.entropy.mean() - before).square()
        return total

    def _bias_loss(self, terms: Terms, layout: Layout) -> Tensor:
        """Returns the objective itself, without its anchors."""
        names = self._groups
        own = terms.entropy[layout.own], layout.groups[layout.own]
        pairs = layout.pairs[layout.own]
        match self.config:
            case GroupGapConfig(norm=norm, scale=scale):
                loss = objectives.group_gap(*own, norm=norm, scale=scale, declared=names)
            case GeeConfig(lambda_=lambda_):
                loss = objectives.gee(*own, lambda_=lambda_, declared=names)
            case EmConfig():
                loss = objectives.em(*own, declared=names)
            case PairGapConfig(scale=scale, estimator=estimator):
                loss = objectives.pair_gap(
                    *own, pairs=pairs, scale=scale, estimator=estimator, declared=names
                )
            case DirectGapConfig(scale=scale):
                loss = objectives.direct_gap(
                    terms.entropy,
                    layout.groups,
                    answers=layout.answers,
                    scale=scale,
                    declared=names,
                )
            case ConstrainedConfig(rho=rho):
                loss = objectives.constrained(
                    *own, pairs=pairs, multiplier=self.multipliers, rho=rho, declared=names
                )
            case CdaConfig():
                loss = objectives.cda(_present(terms.logprob, "log-probability"), layout.lengths)
            case ConsistencyConfig(scale=scale):
                loss = objectives.consistency(_present(terms.divergence, "divergence"), scale=scale)
            case PluginConfig() if self._plugin is not None:
                loss = self._plugin(*own, pairs=pairs)
            case _:
                raise ConfigError(f"there is no objective for {type(self.config).__name__}")
        return loss


def _present(term: Tensor | None, name: str) -> Tensor:
    if term is None:
        raise DataError(f"this objective needs the {name} of every row")
    return term
