"""What an interval and an estimate are, and Wilson's interval of a proportion.

The bounds may be infinite: data that say nothing about their own spread (one cluster) leave every
value possible. Such bounds become ``None`` in plain data, and every decision that needs an
interval inside a margin, or away from 0, comes out undecided by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from debias_eval.statistics.errors import StatisticsError


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval; a bound may be infinite.

    Attributes:
        low: lower bound.
        high: upper bound.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if math.isnan(self.low) or math.isnan(self.high) or self.low > self.high:
            raise StatisticsError(f"not an interval: [{self.low}, {self.high}]")

    @property
    def is_bounded(self) -> bool:
        """Whether both bounds are finite."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def excludes(self, value: float) -> bool:
        """Whether ``value`` lies outside."""
        return value < self.low or value > self.high

    def within(self, margin: float) -> bool:
        """Whether the whole interval lies strictly inside ±``margin``."""
        return -margin < self.low and self.high < margin

    def to_list(self) -> list[float | None]:
        """Return ``[low, high]`` with ``None`` for an infinite bound."""
        return [finite_or_none(self.low), finite_or_none(self.high)]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval.

    Attributes:
        value: the point estimate, finite.
        low: lower bound of the interval, may be ``-inf``.
        high: upper bound of the interval, may be ``inf``.
    """

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise StatisticsError(f"the estimate {self.value} is not a finite number")
        Interval(self.low, self.high)

    @property
    def interval(self) -> Interval:
        """The interval alone."""
        return Interval(self.low, self.high)

    def excludes(self, value: float) -> bool:
        """Whether the interval leaves ``value`` out."""
        return self.interval.excludes(value)

    def within(self, margin: float) -> bool:
        """Whether the whole interval lies strictly inside ±``margin``."""
        return self.interval.within(margin)

    def scaled(self, factor: float) -> Estimate:
        """Return the estimate of ``factor`` times the quantity."""
        bounds = sorted((self.low * factor, self.high * factor)) if factor else (0.0, 0.0)
        return Estimate(self.value * factor, bounds[0], bounds[1])

    def to_dict(self) -> dict[str, float | None]:
        """Return plain data; an infinite bound is ``None``."""
        return {
            "value": self.value,
            "low": finite_or_none(self.low),
            "high": finite_or_none(self.high),
        }


def finite_or_none(value: float) -> float | None:
    """Return ``value``, or ``None`` where JSON has no number for it."""
    return value if math.isfinite(value) else None


def check_confidence(confidence: float) -> float:
    """Return ``confidence``; raises StatisticsError unless it lies strictly between 0 and 1."""
    if not 0.0 < confidence < 1.0:
        raise StatisticsError(f"confidence must lie between 0 and 1, got {confidence}")
    return confidence


def wilson_interval(k: int, n: int, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of the proportion ``k/n``.

    With no trials (``n == 0``) nothing is known: the interval is [0, 1]. Never leaves [0, 1], and
    has a width above 0 also at ``k = 0`` and ``k = n``.

    Args:
        k: successes.
        n: trials.
        confidence: coverage, 0.95 by default.

    Raises:
        StatisticsError: unless ``0 <= k <= n``.

    Source: Wilson, E. B. (1927), "Probable inference", JASA 22, 209-212.
    """
    z = NormalDist().inv_cdf(0.5 + check_confidence(confidence) / 2)
    if not 0 <= k <= n:
        raise StatisticsError(f"{k} successes of {n} trials is impossible")
    if n == 0:
        return Interval(0.0, 1.0)
    share = k / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At the ends the formula is exact, rounding is not: 0 of 10 must give exactly 0.
    low = 0.0 if k == 0 else max(0.0, centre - half)
    high = 1.0 if k == n else min(1.0, centre + half)
    return Interval(low, high)


def difference_of_estimates(first: Estimate, second: Estimate) -> Estimate:
    """Return second - first with an interval made of the two intervals alone.

    Each side of the interval is the root of the summed squares of the two reaches on that side
    (MOVER). It takes the two for independent; for scores on the same items, which go together,
    it is wider than a paired interval would be.

    Source: Zou, G. Y. and Donner, A. (2008), Statistics in Medicine 27, 1693-1702.
    """
    value = second.value - first.value
    down = math.hypot(second.value - second.low, first.high - first.value)
    up = math.hypot(second.high - second.value, first.value - first.low)
    return Estimate(value, value - down, value + up)
