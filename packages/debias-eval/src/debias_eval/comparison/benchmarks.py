"""One benchmark, two models, the same items."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from debias_eval.comparison.clustered import ClusteredTest, clustered_task, compare_clustered
from debias_eval.comparison.examples import changed_items
from debias_eval.comparison.loading import RIGHT, Outcomes, ResultFolder
from debias_eval.comparison.paired import PairedTest, paired_test
from debias_eval.results import BenchmarkResult, Kind
from debias_eval.statistics.bootstrap import Bootstrap
from debias_eval.statistics.intervals import Estimate, difference_of_estimates
from debias_eval.statistics.significance import holm

BenchmarkStatus = Literal["compared", "listed", "not_comparable"]


@dataclass(frozen=True, slots=True)
class Side:
    """One model's line of a benchmark.

    Attributes:
        score: its score as the evaluation printed it; None where nothing could be scored.
        interval: 95% interval of the score, if any.
        unparsed_rate: share of samples without a readable answer; None if not known.
        truncated_rate: share of samples cut off at the length limit; None if not known.
    """

    score: float | None
    interval: tuple[float, float] | None
    unparsed_rate: float | None = None
    truncated_rate: float | None = None

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""
        return {
            "score": self.score,
            "interval": None if self.interval is None else list(self.interval),
            "unparsed_rate": self.unparsed_rate,
            "truncated_rate": self.truncated_rate,
        }


@dataclass(frozen=True, slots=True)
class BenchmarkComparison:
    """One benchmark of a comparison.

    Attributes:
        name: of the benchmark.
        kind: maths, code, bias or quality.
        metric: what the score is.
        higher_is_better: None where the ideal is in between.
        status: ``compared`` (paired and tested), ``listed`` (both scores shown, no paired test
            exists for it) or ``not_comparable``.
        reason: why it was not compared; None where it was.
        baseline: the first model's line.
        candidate: the second model's line.
        test: the paired test of answers that are right or wrong; None for all else.
        bias_test: the paired test of a bias suite; None for all else.
        change: for a listed benchmark, candidate - baseline with an unpaired interval made of
            the two scores' own; None where a score has no interval.
        protocol_hash: of the baseline's protocol.
    """

    name: str
    kind: Kind
    metric: str
    higher_is_better: bool | None
    status: BenchmarkStatus
    reason: str | None
    baseline: Side
    candidate: Side
    test: PairedTest | None
    protocol_hash: str
    change: Estimate | None = None
    bias_test: ClusteredTest | None = None

    @property
    def is_capability(self) -> bool:
        """Whether it measures what the model can do (maths or code)."""
        return self.kind in RIGHT

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""
        return {
            "name": self.name,
            "kind": self.kind,
            "metric": self.metric,
            "higher_is_better": self.higher_is_better,
            "status": self.status,
            "reason": self.reason,
            "baseline": self.baseline.to_dict(),
            "candidate": self.candidate.to_dict(),
            "test": None if self.test is None else self.test.to_dict(),
            "bias_test": None if self.bias_test is None else self.bias_test.to_dict(),
            "protocol_hash": self.protocol_hash,
            "change": None if self.change is None else self.change.to_dict(),
        }


def compare_benchmark(
    name: str, baseline: ResultFolder, candidate: ResultFolder, *, margin: float, plan: Bootstrap
) -> BenchmarkComparison:
    """Return one benchmark compared, listed, or the reason why it is not comparable.

    Args:
        name: a benchmark of either side.
        baseline: the first model's results.
        candidate: the second model's results.
        margin: acceptable drop as a share of the baseline's score.
        plan: resamples and seed.

    Raises:
        MissingError: the rows of a comparable benchmark are not there.
        InputError: they are damaged.
    """
    first, second = baseline.benchmarks.get(name), candidate.benchmarks.get(name)
    shown = first or second
    if shown is None:
        raise KeyError(name)
    entry = BenchmarkComparison(
        name=name,
        kind=shown.kind,
        metric=shown.metric,
        higher_is_better=shown.higher_is_better,
        status="not_comparable",
        reason=None,
        baseline=_side(first),
        candidate=_side(second),
        test=None,
        protocol_hash=shown.protocol_hash,
    )
    reason = _mismatch(first, second)
    if reason is not None:
        return replace(entry, reason=reason)
    assert first is not None
    if not entry.is_capability:
        return _compare_score(entry, first, (baseline, candidate), plan)
    before, after = baseline.outcomes(name), candidate.outcomes(name)
    entry = replace(
        entry,
        baseline=_with_rates(entry.baseline, before),
        candidate=_with_rates(entry.candidate, after),
    )
    reason = _item_mismatch(before, after)
    if reason is not None:
        return replace(entry, reason=reason)
    test = paired_test(before, after, margin, plan)
    examples = changed_items(name, (baseline, candidate), test.gained, test.lost)
    return replace(entry, status="compared", test=replace(test, examples=examples))


def _compare_score(
    entry: BenchmarkComparison,
    result: BenchmarkResult,
    folders: tuple[ResultFolder, ResultFolder],
    plan: Bootstrap,
) -> BenchmarkComparison:
    """Return a benchmark that is not right or wrong: paired where its suite says how, or listed."""
    task = clustered_task(result, entry.name)
    if task is None:
        return replace(
            entry,
            status="listed",
            reason="no paired test for this benchmark",
            change=_unpaired_change(entry.baseline, entry.candidate),
        )
    test = compare_clustered(entry.name, task, folders, plan)
    if isinstance(test, str):
        return replace(entry, reason=test)
    return replace(entry, status="compared", bias_test=test)


def adjust_together(
    benchmarks: tuple[BenchmarkComparison, ...], *, level: float
) -> tuple[BenchmarkComparison, ...]:
    """Return the same benchmarks with Holm's adjustment over all that were tested.

    Args:
        benchmarks: of one comparison.
        level: largest adjusted p that a verdict on a bias suite may rest on.
    """
    tests = [entry.test or entry.bias_test for entry in benchmarks]
    adjusted = iter(holm([test.p for test in tests if test is not None]))
    return tuple(
        entry if test is None else _with_p(entry, next(adjusted), level)
        for entry, test in zip(benchmarks, tests, strict=True)
    )


def _with_p(entry: BenchmarkComparison, p_holm: float, level: float) -> BenchmarkComparison:
    if entry.test is not None:
        return replace(entry, test=replace(entry.test, p_holm=p_holm))
    assert entry.bias_test is not None
    return replace(entry, bias_test=replace(entry.bias_test, p_holm=p_holm, level=level))


def _side(result: BenchmarkResult | None) -> Side:
    if result is None:
        return Side(None, None)
    rate = result.details.get("truncated_rate")
    return Side(
        result.score,
        result.interval,
        truncated_rate=rate if isinstance(rate, float) else None,
    )


def _unpaired_change(baseline: Side, candidate: Side) -> Estimate | None:
    first, second = _as_estimate(baseline), _as_estimate(candidate)
    return None if first is None or second is None else difference_of_estimates(first, second)


def _as_estimate(side: Side) -> Estimate | None:
    if side.score is None or side.interval is None:
        return None
    low, high = side.interval
    return Estimate(side.score, min(low, side.score), max(high, side.score))


def _with_rates(side: Side, outcomes: Outcomes) -> Side:
    truncated = outcomes.truncated_rate
    return replace(
        side,
        unparsed_rate=outcomes.unparsed_rate,
        truncated_rate=side.truncated_rate if truncated is None else truncated,
    )


def _mismatch(first: BenchmarkResult | None, second: BenchmarkResult | None) -> str | None:
    if first is None:
        return "the original was not evaluated on it"
    if second is None:
        return "the candidate was not evaluated on it"
    if first.data_sha256 != second.data_sha256:
        return f"different data: sha256 {first.data_sha256[:10]} and {second.data_sha256[:10]}"
    if first.protocol_hash != second.protocol_hash:
        return f"different protocols: {first.protocol_hash} and {second.protocol_hash}"
    return None


def _item_mismatch(before: Outcomes, after: Outcomes) -> str | None:
    only_before, only_after = before.ids - after.ids, after.ids - before.ids
    if only_before or only_after:
        example = min(only_before or only_after)
        return (
            f"different items: {len(only_before)} only for the original, "
            f"{len(only_after)} only for the candidate, for example {example!r}"
        )
    if not before.shares.keys() & after.shares.keys():
        return "no item could be scored for both"
    return None
