"""The `sweep` section: which fields are varied, and by what the points are compared.

Points are compared by the held-out pairs of the training (split `dev`), never by a benchmark or by
the test split: whatever a choice was made on can no longer tell how good the chosen one is.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, JsonValue, model_validator

from debias_cli.config.base import Section

MAX_POINTS = 500
MAX_CHARACTERS = 10_000  # of the values of a field: every point is checked with them
Criterion = Literal["least_kl", "gap_bound"]
FieldPath = Annotated[
    str,
    Field(
        pattern=r"^(model|data|train|evaluate)(\.[A-Za-z0-9_-]{1,100}){1,19}$",
        description="Dotted path of a field of model, data, train or evaluate.",
    ),
]


class Values(Section):
    """Values that are written out; for a section or a list, a whole one each."""

    kind: Literal["values"] = Field(description="Values that are written out.")
    field: FieldPath
    values: tuple[JsonValue, ...] = Field(
        min_length=1, max_length=MAX_POINTS, description="What the field is set to."
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({repr(value) for value in self.values}) < len(self.values):
            msg = f"values of {self.field} holds a value twice"
            raise ValueError(msg)
        size = len(repr(self.values))
        if size > MAX_CHARACTERS:
            msg = f"values of {self.field} has {size:,} characters; at most {MAX_CHARACTERS:,}"
            raise ValueError(msg)
        return self


class FloatRange(Section):
    """Any number of a range."""

    kind: Literal["float"] = Field(description="Any number of a range.")
    field: FieldPath
    low: float = Field(ge=-1e12, le=1e12, description="Least value.")
    high: float = Field(ge=-1e12, le=1e12, description="Largest value.")
    log: bool = Field(default=False, description="Evenly over orders of magnitude.")

    @model_validator(mode="after")
    def _a_range(self) -> Self:
        _check_range(self.field, self.low, self.high, log=self.log)
        return self


class IntRange(Section):
    """Any whole number of a range."""

    kind: Literal["int"] = Field(description="Any whole number of a range.")
    field: FieldPath
    low: int = Field(ge=-(2**53), le=2**53, description="Least value.")
    high: int = Field(ge=-(2**53), le=2**53, description="Largest value.")
    log: bool = Field(default=False, description="Evenly over orders of magnitude.")

    @model_validator(mode="after")
    def _a_range(self) -> Self:
        _check_range(self.field, self.low, self.high, log=self.log)
        return self


Parameter: TypeAlias = Annotated[Values | FloatRange | IntRange, Field(discriminator="kind")]


class _Sweep(Section):
    """What every kind of sweep takes."""

    criterion: Criterion = Field(
        default="least_kl",
        description=(
            "least_kl: the least KL to the original among the points whose held-out gap is inside "
            "train.target_gap with its whole interval, else as gap_bound. gap_bound: the held-out "
            "gap's interval reaches least far from 0. Over several seeds the worst one counts."
        ),
    )
    evaluate: Literal["best", "all"] = Field(
        default="best",
        description="Which points go through evaluation and report; they are not chosen by it.",
    )


class GridSweep(_Sweep):
    """Every combination of the values."""

    kind: Literal["grid"] = Field(description="Every combination of the values.")
    parameters: tuple[Values, ...] = Field(
        min_length=1, max_length=20, description="Fields that are varied; the last one fastest."
    )

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        _check_fields([item.field for item in self.parameters], self.criterion)
        count = math.prod(len(item.values) for item in self.parameters)
        if count > MAX_POINTS:
            msg = f"a grid of {count:,} points; at most {MAX_POINTS}: take kind: random"
            raise ValueError(msg)
        return self


class _DrawnSweep(_Sweep):
    """A sweep that draws its points."""

    parameters: tuple[Parameter, ...] = Field(
        min_length=1, max_length=20, description="Fields that are varied."
    )
    points: int = Field(default=10, ge=1, le=MAX_POINTS, description="Points at most.")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Seed of the points.")

    @model_validator(mode="after")
    def _fields_are_distinct(self) -> Self:
        _check_fields([item.field for item in self.parameters], self.criterion)
        return self


class RandomSweep(_DrawnSweep):
    """Points drawn at random; a point that was drawn already is left out."""

    kind: Literal["random"] = Field(description="Points drawn at random.")


class OptunaSweep(_DrawnSweep):
    """Points that Optuna chooses, each from those before it; needs the extra `optuna`."""

    kind: Literal["optuna"] = Field(
        description="Points that Optuna's TPE chooses one by one; needs the extra optuna."
    )


Sweep: TypeAlias = Annotated[GridSweep | RandomSweep | OptunaSweep, Field(discriminator="kind")]


def _check_range(field: str, low: float, high: float, *, log: bool) -> None:
    if low >= high:
        msg = f"{field}: low {low} must be less than high {high}"
        raise ValueError(msg)
    if log and low <= 0:
        msg = f"{field}: log needs low above 0, not {low}"
        raise ValueError(msg)


def _check_fields(fields: list[str], criterion: Criterion) -> None:
    twice = sorted(field for field, count in Counter(fields).items() if count > 1)
    if twice:
        msg = f"field {', '.join(twice)} is varied twice"
        raise ValueError(msg)
    inside = [(a, b) for a in fields for b in fields if b.startswith(f"{a}.")]
    if inside:
        msg = f"field {inside[0][1]} is part of {inside[0][0]}, which is varied too"
        raise ValueError(msg)
    if criterion == "least_kl" and "train.target_gap" in fields:
        msg = "train.target_gap decides what least_kl counts; vary it with criterion: gap_bound"
        raise ValueError(msg)
