"""The `train.objective` union: one class per objective of debias-core, same fields and defaults."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from debias_cli.config.base import Section


class _Anchored(Section):
    """Anchors that every objective can take."""

    kl: float = Field(
        default=0.0,
        ge=0,
        le=1e6,
        description="Weight of KL(model || starting model), nats per answer token; 0 is off.",
    )
    level: float = Field(
        default=0.0,
        ge=0,
        le=1e6,
        description="Weight of the squared change of the mean entropy, nats^2; 0 is off.",
    )


class GroupGap(_Anchored):
    """Pure debiasing: the squared or absolute gap of the group entropies."""

    kind: Literal["group_gap"] = Field(description="Squared or absolute gap of group entropies.")
    norm: Literal["l2", "l1"] = Field(
        default="l2", description="l2 is (H_f - H_m)^2, l1 is |H_f - H_m|."
    )
    scale: float = Field(default=1.0, gt=0, le=1e6, description="Factor in front of the loss.")


class Gee(_Anchored):
    """Group Entropy Equalization, the older method that training time is compared with."""

    kind: Literal["gee"] = Field(description="Mean entropy plus the spread between the groups.")
    lambda_: float = Field(
        default=3.0,
        ge=0,
        le=1e6,
        alias="lambda",
        description="Weight of the spread between the groups.",
    )


class PairGap(_Anchored):
    """The squared gap without the variance term that a plain square adds."""

    kind: Literal["pair_gap"] = Field(description="Unbiased squared gap over pairs.")
    estimator: Literal["u_statistic", "half_split"] = Field(
        default="u_statistic",
        description="All products of two pairs, or the product of the gaps of two halves.",
    )
    scale: float = Field(default=1.0, gt=0, le=1e6, description="Factor in front of the loss.")


class DirectGap(_Anchored):
    """The squared direct effect: the same answer scored under both prompts."""

    kind: Literal["direct_gap"] = Field(description="Squared direct effect per pair.")
    scale: float = Field(default=1.0, gt=0, le=1e6, description="Factor in front of the loss.")


class Constrained(_Anchored):
    """Least change of the model subject to a gap of zero (augmented Lagrangian); recommended."""

    kind: Literal["constrained"] = Field(description="Least KL subject to a gap of zero.")
    rho: float = Field(
        default=80.0, gt=0, le=1e6, description="Weight of the unbiased squared gap."
    )
    eta: float = Field(
        default=1.0, ge=0, le=1e6, description="Step of the multiplier: lambda += eta * gap."
    )
    kl: float = Field(
        default=1.0,
        gt=0,
        le=1e6,
        description="Weight of KL(model || starting model), nats per answer token.",
    )


class Em(_Anchored):
    """Entropy minimisation alone: a baseline that a debiasing claim must beat."""

    kind: Literal["em"] = Field(description="Mean entropy only; a baseline.")


class Placebo(Constrained):
    """`constrained` with shuffled group labels: a baseline that cannot help."""

    kind: Literal["placebo"] = Field(  # type: ignore[assignment] # another tag, the same fields
        description="constrained with the labels of every pair shuffled; a baseline."
    )


class Cda(_Anchored):
    """Counterfactual data augmentation: fine-tuning on the reference answers of both sides."""

    kind: Literal["cda"] = Field(
        description="Fine-tuning on both sides' reference answers; a baseline."
    )


class Consistency(_Anchored):
    """The same distribution on the same answer, whichever side asked: a baseline."""

    kind: Literal["consistency"] = Field(
        description="Symmetric KL between the sides on the same answer; a baseline."
    )
    scale: float = Field(default=1.0, gt=0, le=1e6, description="Factor in front of the loss.")


class Plugin(_Anchored):
    """An objective that another installed package brings."""

    kind: Literal["plugin"] = Field(description="An objective of another installed package.")
    name: str = Field(
        min_length=1, description="Its entry point in the group debias_core.objectives."
    )
    options: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="Keyword arguments of the objective."
    )


Objective: TypeAlias = Annotated[
    Constrained | GroupGap | Gee | PairGap | DirectGap | Em | Placebo | Cda | Consistency | Plugin,
    Field(discriminator="kind"),
]
