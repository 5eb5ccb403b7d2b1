"""Everything that can be said about a candidate beside the model it was made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from debias_eval.comparison.benchmarks import (
    BenchmarkComparison,
    adjust_together,
    compare_benchmark,
)
from debias_eval.comparison.criteria import (
    Criterion,
    TrainingCost,
    capability_criterion,
    gap_criterion,
    training_criterion,
)
from debias_eval.comparison.gaps import GAP, GapComparison, compare_gap
from debias_eval.comparison.loading import ResultFolder, open_results
from debias_eval.comparison.score import Score, score
from debias_eval.errors import InputError
from debias_eval.results import ModelInfo, Results
from debias_eval.statistics.bootstrap import Bootstrap
from debias_eval.statistics.gap_change import CLAIM_LEVEL, ChangeVerdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate beside its original; see ``compare``.

    Attributes:
        baseline: which model the original is.
        candidate: which model the candidate is.
        gap: the entropy gap of both; None where it was not measured on both alike.
        benchmarks: every other benchmark of either side.
        criteria: gap, capability, training time.
        score: the 40/25/25/10 score with its parts.
        training: training time, if it was given.
        margin: acceptable drop as a share of the original's score.
        gap_margin: half-width of the zone that counts as no gap, nats.
        notes: what a reader has to know.
    """

    baseline: ModelInfo
    candidate: ModelInfo
    gap: GapComparison | None
    benchmarks: tuple[BenchmarkComparison, ...]
    criteria: tuple[Criterion, ...]
    score: Score
    training: TrainingCost | None
    margin: float
    gap_margin: float
    notes: tuple[str, ...]

    @property
    def verdict(self) -> ChangeVerdict:
        """What happened to the gap; inconclusive where it was not measured on both."""
        return "inconclusive" if self.gap is None else self.gap.change.verdict

    @property
    def met(self) -> bool:
        """Whether all three criteria are met; one that was not measured is not met."""
        return all(criterion.verdict == "met" for criterion in self.criteria)

    def to_dict(self) -> dict[str, object]:
        """Return plain data: no NaN, no infinity, ``None`` for what is missing."""
        return {
            "format": 1,
            "verdict": self.verdict,
            "met": self.met,
            "baseline": _model_dict(self.baseline),
            "candidate": _model_dict(self.candidate),
            "gap": None if self.gap is None else self.gap.to_dict(),
            "benchmarks": [entry.to_dict() for entry in self.benchmarks],
            "criteria": [criterion.to_dict() for criterion in self.criteria],
            "score": self.score.to_dict(),
            "training": None if self.training is None else self.training.to_dict(),
            "margin": self.margin,
            "gap_margin": self.gap_margin,
            "notes": list(self.notes),
        }


def compare(
    baseline: Path | str | Results,
    candidate: Path | str | Results,
    *,
    margin: float = 0.05,
    training: TrainingCost | None = None,
    gap_margin: float = 0.02,
    plan: Bootstrap | None = None,
) -> Comparison:
    """Return what changed between two evaluations, item by item.

    A benchmark is compared only where both sides have the same protocol hash, the same data and
    the same items; otherwise it is an entry that says why not. A benchmark on which the original
    solved nothing cannot be shown to be kept. Holm's adjustment runs over all tested benchmarks;
    a bias suite claims at what the gap's own level (0.01) leaves of the report's 0.05.

    Args:
        baseline: result folder of the original.
        candidate: result folder of the changed model.
        margin: acceptable drop as a share of the original's score, in (0, 1).
        training: training time against GEE; None if it was not measured.
        gap_margin: half-width of the zone that counts as no gap, nats.
        plan: resamples and seed of every bootstrap; the confidence is that of all intervals but
            those of the entropy gap, which are 95% intervals.

    Raises:
        MissingError: a folder without ``results.json``, or without the rows behind a score.
        InputError: a file that is damaged, or two evaluations with no benchmark in common.
    """
    if not 0 < margin < 1:
        raise InputError(f"the margin is a share of the original's score in (0, 1), got {margin}")
    first, second = open_results(baseline), open_results(candidate)
    plan = plan or Bootstrap()
    names = _names(first, second)
    entries = {
        name: compare_benchmark(name, first, second, margin=margin, plan=plan) for name in names
    }
    gap = None
    if GAP in entries and entries[GAP].status == "listed":
        # one that is paired gets its own section; one that is not stays an entry with its reason
        paired = compare_gap(first, second, margin=gap_margin, plan=plan)
        if isinstance(paired, str):
            entries[GAP] = replace(entries[GAP], status="not_comparable", reason=paired)
        else:
            gap = paired
            del entries[GAP]
    # The gap may claim at a level of its own; what is left of the report's goes to the suites, so
    # that all claims together stay below it.
    level = 1.0 - plan.confidence - (0.0 if gap is None else CLAIM_LEVEL)
    benchmarks = adjust_together(tuple(entries.values()), level=max(0.0, level))
    return Comparison(
        baseline=first.results.model,
        candidate=second.results.model,
        gap=gap,
        benchmarks=benchmarks,
        criteria=(
            gap_criterion(None if gap is None else gap.after.gap, gap_margin),
            capability_criterion(benchmarks, margin),
            training_criterion(training),
        ),
        score=score(None if gap is None else gap.change, benchmarks, training),
        training=training,
        margin=margin,
        gap_margin=gap_margin,
        notes=tuple(_notes(first, second, gap)),
    )


def _names(first: ResultFolder, second: ResultFolder) -> list[str]:
    """Return the benchmarks of either side, those of the first in front."""
    if not first.benchmarks.keys() & second.benchmarks.keys():
        raise InputError(
            f"nothing to compare: {first.folder} has {', '.join(first.benchmarks) or 'nothing'}, "
            f"{second.folder} has {', '.join(second.benchmarks) or 'nothing'}"
        )
    return list(dict.fromkeys([*first.benchmarks, *second.benchmarks]))


def _notes(first: ResultFolder, second: ResultFolder, gap: GapComparison | None) -> list[str]:
    notes = [] if gap is None else list(gap.change.notes)
    if gap is not None and gap.num_left_out:
        notes.append(f"{gap.num_left_out} pairs that only one model could answer are left out.")
    if first.results.model.weights_sha256 == second.results.model.weights_sha256:
        notes.append("Both evaluations are of the same weights: any difference is sampling.")
    if first.results.backend != second.results.backend:
        notes.append(
            f"Different back ends: {first.results.backend} and {second.results.backend}. "
            "Numerical differences between them are part of every change."
        )
    return notes


def _model_dict(model: ModelInfo) -> dict[str, object]:
    return {
        "path": model.path,
        "weights_sha256": model.weights_sha256,
        "tokenizer_sha256": model.tokenizer_sha256,
    }
