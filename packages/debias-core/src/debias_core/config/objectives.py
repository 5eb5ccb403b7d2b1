"""What can be trained on, and the settings of each: one config an objective.

Its `kind` names the objective (see `debias_core.objectives`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from debias_core.config.checks import check_not_negative, check_positive, require


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """What holds the model near the reference, available to every objective.

    Attributes:
        kl: weight of KL(model || reference), nats per answer token.
        level: weight of (mean entropy - reference mean entropy)^2.
    """

    kl: float = 0.0
    level: float = 0.0

    def __post_init__(self) -> None:
        check_not_negative(self, "kl", "level")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupGapConfig(Anchors):
    """Pure debiasing: `scale * (H_f - H_m)^2` (`l2`) or `scale * |H_f - H_m|` (`l1`)."""

    kind: ClassVar[str] = "group_gap"
    norm: Literal["l1", "l2"] = "l2"
    scale: float = 1.0

    def __post_init__(self) -> None:
        Anchors.__post_init__(self)
        require(self.norm in {"l1", "l2"}, f"norm must be 'l1' or 'l2', not {self.norm!r}")
        check_positive(self, "scale")


@dataclass(frozen=True, slots=True, kw_only=True)
class GeeConfig(Anchors):
    """Group Entropy Equalization: mean entropy + `lambda_` * spread of the group entropies."""

    kind: ClassVar[str] = "gee"
    lambda_: float = 3.0

    def __post_init__(self) -> None:
        Anchors.__post_init__(self)
        check_not_negative(self, "lambda_")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairGapConfig(Anchors):
    """The squared gap over pairs without the variance of the batch, times `scale`.

    Attributes:
        estimator: `u_statistic`, or the product of the gaps of two halves of the pairs.
        scale: factor.
    """

    kind: ClassVar[str] = "pair_gap"
    estimator: Literal["u_statistic", "half_split"] = "u_statistic"
    scale: float = 1.0

    def __post_init__(self) -> None:
        Anchors.__post_init__(self)
        require(
            self.estimator in {"u_statistic", "half_split"},
            f"estimator must be 'u_statistic' or 'half_split', not {self.estimator!r}",
        )
        check_positive(self, "scale")


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectGapConfig(Anchors):
    """The squared direct effect per pair: every answer scored under both prompts."""

    kind: ClassVar[str] = "direct_gap"
    scale: float = 1.0

    def __post_init__(self) -> None:
        Anchors.__post_init__(self)
        check_positive(self, "scale")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstrainedConfig(Anchors):
    """Least KL to the reference subject to a gap of zero, by an augmented Lagrangian.

    Attributes:
        rho: weight of the (unbiased) squared gap.
        eta: step of the multiplier, `lambda += eta * gap` after every step.
        kl: weight of the KL term; 1 is the method, and must not be 0.
    """

    kind: ClassVar[str] = "constrained"
    rho: float = 80.0
    eta: float = 1.0
    kl: float = 1.0

    def __post_init__(self) -> None:
        Anchors.__post_init__(self)
        check_positive(self, "rho", "kl")
        check_not_negative(self, "eta")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmConfig(Anchors):
    """Entropy minimisation: the mean of the group entropies; a baseline."""

    kind: ClassVar[str] = "em"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceboConfig(ConstrainedConfig):
    """`constrained` with the group labels of each pair shuffled: a baseline that cannot help."""

    kind: ClassVar[str] = "placebo"


@dataclass(frozen=True, slots=True, kw_only=True)
class CdaConfig(Anchors):
    """Counterfactual data augmentation: fine-tuning on the reference answers of all sides."""

    kind: ClassVar[str] = "cda"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyConfig(Anchors):
    """Symmetric KL between the sides' next-token distributions on the same answer: a baseline."""

    kind: ClassVar[str] = "consistency"
    scale: float = 1.0

    def __post_init__(self) -> None:
        Anchors.__post_init__(self)
        check_positive(self, "scale")


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginConfig(Anchors):
    """An objective that another package brings (entry points `debias_core.objectives`).

    Attributes:
        name: of the entry point.
        options: keyword arguments of the objective.
    """

    kind: ClassVar[str] = "plugin"
    name: str
    options: Mapping[str, str | int | float | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        Anchors.__post_init__(self)
        require(bool(self.name), "name must be that of an entry point, not empty")


ObjectiveConfig = (
    GroupGapConfig
    | GeeConfig
    | PairGapConfig
    | DirectGapConfig
    | ConstrainedConfig
    | EmConfig
    | PlaceboConfig
    | CdaConfig
    | ConsistencyConfig
    | PluginConfig
)
