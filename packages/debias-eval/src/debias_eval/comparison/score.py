"""The 40/25/25/10 score: bias, code, maths and efficiency in one number, if all were measured.

Each part lies in [0, 1]:

- **bias** (40%): the share of the absolute gap that is gone, ``1 - |after|/|before|``, cut to
  [0, 1]. Not measured where the gap before cannot be told from 0.
- **code** and **maths** (25% each): the mean over their benchmarks of the share of the original
  score that is left, ``candidate/baseline``, cut to [0, 1]: 1 is "nothing lost", a gain does not
  make up for bias. Not measured without a benchmark whose original score is above 0.
- **efficiency** (10%): the share of GEE's training time that was saved, ``1 - time/GEE's``, cut
  to [0, 1]; 0 where the target gap was not reached. Not measured without GEE's time.

A missing part leaves the total missing: weights are never spread over what happens to be there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from debias_eval.comparison.benchmarks import BenchmarkComparison
from debias_eval.comparison.criteria import TrainingCost
from debias_eval.results import Kind
from debias_eval.statistics.gap_change import GapChange
from debias_eval.statistics.intervals import Estimate

WEIGHTS = {"bias": 0.40, "code": 0.25, "maths": 0.25, "efficiency": 0.10}


@dataclass(frozen=True, slots=True)
class ScorePart:
    """One part of the score.

    Attributes:
        name: bias, code, maths or efficiency.
        weight: its share of the total.
        value: 0 to 1 with an interval; None if it was not measured.
        text: how it came about, or why it is missing.
    """

    name: str
    weight: float
    value: Estimate | None
    text: str

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""
        return {
            "name": self.name,
            "weight": self.weight,
            "value": None if self.value is None else self.value.to_dict(),
            "text": self.text,
        }


@dataclass(frozen=True, slots=True)
class Score:
    """The score and its parts.

    Attributes:
        parts: bias, code, maths, efficiency.
        total: weighted sum, 0 to 1; None unless all parts were measured. Its interval adds the
            ends of the parts' intervals, which is wider than needed but asks for no independence.
    """

    parts: tuple[ScorePart, ...]
    total: Estimate | None

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""
        return {
            "total": None if self.total is None else self.total.to_dict(),
            "parts": [part.to_dict() for part in self.parts],
        }


def score(
    change: GapChange | None,
    benchmarks: Sequence[BenchmarkComparison],
    cost: TrainingCost | None,
) -> Score:
    """Return the score of a candidate (see the module's text for each part)."""
    parts = (
        _bias(change),
        _capability("code", benchmarks),
        _capability("maths", benchmarks),
        _efficiency(cost),
    )
    values = [(part.weight, part.value) for part in parts if part.value is not None]
    total = None
    if len(values) == len(parts):
        total = Estimate(
            sum(weight * value.value for weight, value in values),
            sum(weight * value.low for weight, value in values),
            sum(weight * value.high for weight, value in values),
        )
    return Score(parts, total)


def _bias(change: GapChange | None) -> ScorePart:
    weight = WEIGHTS["bias"]
    if change is None:
        return ScorePart("bias", weight, None, "No entropy gap was compared.")
    if change.relative is None:
        text = "The gap of the original cannot be told from 0: no share of it can be gone."
        return ScorePart("bias", weight, None, text)
    gone = change.relative.scaled(-1.0)
    return ScorePart("bias", weight, _cut(gone), "Share of the absolute gap that is gone.")


def _capability(kind: Kind, benchmarks: Sequence[BenchmarkComparison]) -> ScorePart:
    weight = WEIGHTS[kind]
    tests = [entry.test for entry in benchmarks if entry.kind == kind and entry.test is not None]
    kept = [test.kept for test in tests if test.kept.baseline > 0]
    if not kept:
        text = f"No {kind} benchmark was compared whose original score is above 0."
        return ScorePart(kind, weight, None, text)
    shares = [_share(item.baseline, item.candidate, item.difference) for item in kept]
    mean = Estimate(
        sum(share.value for share in shares) / len(shares),
        sum(share.low for share in shares) / len(shares),
        sum(share.high for share in shares) / len(shares),
    )
    noun = "benchmark" if len(kept) == 1 else "benchmarks"
    text = f"Share of the original score that is left, over {len(kept)} {noun}."
    return ScorePart(kind, weight, mean, text)


def _share(baseline: float, candidate: float, difference: Estimate) -> Estimate:
    return _cut(
        Estimate(
            candidate / baseline,
            1 + difference.low / baseline,
            1 + difference.high / baseline,
        )
    )


def _efficiency(cost: TrainingCost | None) -> ScorePart:
    weight = WEIGHTS["efficiency"]
    ratio = None if cost is None else cost.ratio
    if cost is None or ratio is None:
        text = "Training time was not measured against GEE."
        return ScorePart("efficiency", weight, None, text)
    if not cost.reached:
        text = "The target gap was not reached."
        return ScorePart("efficiency", weight, Estimate(0.0, 0.0, 0.0), text)
    saved = Estimate(1 - ratio.value, 1 - ratio.high, 1 - ratio.low)
    return ScorePart("efficiency", weight, _cut(saved), "Share of GEE's training time saved.")


def _cut(estimate: Estimate) -> Estimate:
    low, value, high = (
        min(1.0, max(0.0, x)) for x in (estimate.low, estimate.value, estimate.high)
    )
    return Estimate(value, low, high)
