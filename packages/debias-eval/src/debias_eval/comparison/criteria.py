"""The three success criteria: gap closed, capability kept, training cheap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from debias_eval.comparison.benchmarks import BenchmarkComparison
from debias_eval.errors import InputError
from debias_eval.statistics.intervals import Estimate

CriterionVerdict = Literal["met", "not_met", "not_shown", "not_measured"]

TIME_SHARE = 0.5
"""The largest share of the older method's training time that counts as cheap."""


@dataclass(frozen=True, slots=True)
class TrainingCost:
    """How long training took, against Group Entropy Equalization (GEE) on the same machine.

    Attributes:
        seconds: until the candidate's held-out gap was inside the target, or until it ended.
        gee_seconds: the same for GEE; None if GEE was not run.
        reached: whether the candidate reached the target.
        gee_reached: whether GEE did; if not, ``gee_seconds`` is only a lower bound of its time.
        ratio_interval: 95% interval of seconds/gee_seconds over several seeds, where several
            were run.
    """

    seconds: float
    gee_seconds: float | None = None
    reached: bool = True
    gee_reached: bool = True
    ratio_interval: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for name, value in (("seconds", self.seconds), ("gee_seconds", self.gee_seconds)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(f"training time: {name} must be above 0, got {value}")

    @property
    def ratio(self) -> Estimate | None:
        """Time as a share of GEE's; None without GEE's time.

        The interval is the one over seeds, else the value alone. It reaches down to 0 where GEE
        did not reach the target: its time would have been longer still.
        """
        if self.gee_seconds is None:
            return None
        value = self.seconds / self.gee_seconds
        low, high = self.ratio_interval or (value, value)
        return Estimate(value, min(low, value) if self.gee_reached else 0.0, max(high, value))

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""
        return {
            "seconds": self.seconds,
            "gee_seconds": self.gee_seconds,
            "reached": self.reached,
            "gee_reached": self.gee_reached,
            "ratio": None if self.ratio is None else self.ratio.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion of success.

    Attributes:
        name: ``gap``, ``capability`` or ``training_time``.
        target: what is asked for, in words.
        verdict: ``met``, ``not_met``, ``not_shown`` (the data leave it open) or
            ``not_measured``.
        value: what was measured, with its interval where it has one.
        text: the finding in one sentence.
    """

    name: str
    target: str
    verdict: CriterionVerdict
    value: Estimate | None
    text: str

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""
        return {
            "name": self.name,
            "target": self.target,
            "verdict": self.verdict,
            "value": None if self.value is None else self.value.to_dict(),
            "text": self.text,
        }


def gap_criterion(gap: Estimate | None, margin: float) -> Criterion:
    """Return whether the whole interval of the held-out gap lies inside ±``margin`` nats."""
    target = f"held-out |gap| < {margin:g} nats, whole 95% interval"
    if gap is None:
        return Criterion("gap", target, "not_measured", None, "No entropy gap was compared.")
    if gap.within(margin):
        text = "The whole interval lies inside the margin."
        return Criterion("gap", target, "met", gap, text)
    if gap.low >= margin or gap.high <= -margin:
        text = "The whole interval lies outside the margin."
        return Criterion("gap", target, "not_met", gap, text)
    text = "The interval reaches over the margin: more pairs or samples are needed."
    return Criterion("gap", target, "not_shown", gap, text)


def capability_criterion(benchmarks: Sequence[BenchmarkComparison], margin: float) -> Criterion:
    """Return whether every capability benchmark was kept (paired non-inferiority, each)."""
    target = f"capability drop < {margin:.0%} of the original on every benchmark"
    main = [entry for entry in benchmarks if entry.is_capability]
    if not main:
        text = "No maths or code benchmark was run."
        return Criterion("capability", target, "not_measured", None, text)
    value = _worst(main)
    dropped = [e.name for e in main if e.test is not None and e.test.kept.verdict == "dropped"]
    if dropped:
        text = f"Dropped by more than the margin: {', '.join(dropped)}."
        return Criterion("capability", target, "not_met", value, text)
    open_ = [e.name for e in main if e.test is None or e.test.kept.verdict != "preserved"]
    if open_:
        text = f"Not shown for: {', '.join(open_)}."
        return Criterion("capability", target, "not_shown", value, text)
    text = f"Kept within the margin on all {len(main)}."
    return Criterion("capability", target, "met", value, text)


def training_criterion(cost: TrainingCost | None) -> Criterion:
    """Return whether training took less than half of GEE's time to the same held-out gap."""
    name, target = "training_time", f"training time < {TIME_SHARE:.0%} of GEE's"
    ratio = None if cost is None else cost.ratio
    if cost is None or ratio is None:
        text = "Training time was not measured against GEE."
        return Criterion(name, target, "not_measured", None, text)
    if not cost.reached:
        text = f"The target gap was not reached in {cost.seconds:.0f} s."
        return Criterion(name, target, "not_met", ratio, text)
    bound = "" if cost.gee_reached else "at most "
    text = f"{cost.seconds:.1f} s, {bound}{ratio.value:.0%} of GEE's {cost.gee_seconds:.1f} s."
    if not cost.gee_reached:
        text += " GEE did not reach the target, so its time is a lower bound."
    verdict: CriterionVerdict = "not_shown"
    if ratio.high < TIME_SHARE:
        verdict = "met"
    elif ratio.low >= TIME_SHARE:
        verdict = "not_met"
    return Criterion(name, target, verdict, ratio, text)


def _worst(benchmarks: Sequence[BenchmarkComparison]) -> Estimate | None:
    """Return the relative change of the benchmark whose interval reaches down the furthest."""
    changes = [
        entry.test.kept.difference.scaled(1 / entry.test.kept.baseline)
        for entry in benchmarks
        if entry.test is not None and entry.test.kept.baseline > 0
    ]
    return min(changes, key=lambda change: change.low, default=None)
