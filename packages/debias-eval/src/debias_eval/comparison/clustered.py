"""A suite of two models, paired: the same items, resampled and swapped by cluster.

The suite itself says how its scores are made of sums over clusters (``tasks.clustered``), so one
test serves all of them: an interval of the change, one of the distance to the ideal, and a p. Where
there is no ideal but more or less is better (perplexity, distinct-2), the distance is to the better
end of the scale.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from debias_eval.comparison.loading import ResultFolder
from debias_eval.errors import InputError, UnknownNameError
from debias_eval.jsonl import Row
from debias_eval.results import BenchmarkResult
from debias_eval.statistics.bootstrap import Bootstrap
from debias_eval.statistics.moments import DistanceVerdict, ScoreChange, change_of_score
from debias_eval.tasks.clustered import ClusteredTask
from debias_eval.tasks.registry import get_task


@dataclass(frozen=True, slots=True)
class ClusteredTest:
    """What the paired items of a suite say.

    Attributes:
        headline: change of the suite's score; the verdict is about its distance to the ideal, or
            to the better end of a scale without one.
        others: changes of its further scores, by name: shown, never a verdict.
        p_holm: the headline's p, adjusted over all benchmarks of the comparison.
        level: largest adjusted p that a verdict may rest on.
        num_items: verdicts that count for both models.
        num_clusters: clusters that they come from.
        num_left_out: items that only one of the models could be scored on.
    """

    headline: ScoreChange
    others: Mapping[str, ScoreChange]
    p_holm: float
    level: float
    num_items: int
    num_clusters: int
    num_left_out: int

    @property
    def p(self) -> float:
        """Two-sided p of "both models have the same headline score"."""
        return self.headline.p

    @property
    def verdict(self) -> DistanceVerdict:
        """``improved`` or ``worse`` only with an interval that excludes 0 and p after Holm."""
        return self.headline.verdict(self.p_holm, self.level)

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""
        return {
            **self.headline.to_dict(),
            "p_holm": self.p_holm,
            "verdict": self.verdict,
            "others": {name: change.to_dict() for name, change in self.others.items()},
            "num_items": self.num_items,
            "num_clusters": self.num_clusters,
            "num_left_out": self.num_left_out,
        }


def clustered_task(result: BenchmarkResult, name: str) -> ClusteredTask | None:
    """Return the suite behind a result; None where its headline is not made of clusters."""
    try:
        task = get_task(str(result.details.get("task", name)))
    except UnknownNameError:  # results of a plug-in that is not installed here
        return None
    if not isinstance(task, ClusteredTask) or task.cluster_scores[0].target is None:
        return None
    return task


def compare_clustered(
    name: str,
    task: ClusteredTask,
    folders: tuple[ResultFolder, ResultFolder],
    plan: Bootstrap,
) -> ClusteredTest | str:
    """Return the paired test of a suite, or the reason why there is none.

    Args:
        name: of the benchmark.
        task: the suite behind it.
        folders: results of the original and of the candidate.
        plan: resamples and seed.

    Raises:
        MissingError: the verdicts are not there.
        InputError: they are damaged.
    """
    before, after = (_by_item(folder, name) for folder in folders)
    only_before, only_after = before.keys() - after.keys(), after.keys() - before.keys()
    if only_before or only_after:
        example = min(only_before or only_after)
        return (
            f"different items: {len(only_before)} only for the original, "
            f"{len(only_after)} only for the candidate, for example {example}"
        )
    counted = [
        {key for key, row in side.items() if task.takes_part(row)} for side in (before, after)
    ]
    shared = counted[0] & counted[1]
    both = [key for key in before if key in shared]
    if not both:
        return "no item could be scored for both"
    if None in (folder.benchmarks[name].score for folder in folders):
        return "one of the models has no score on it"
    moments = [
        _moments(task, [side[key] for key in both], folder, name)
        for side, folder in zip((before, after), folders, strict=True)
    ]
    if moments[0].keys() != moments[1].keys():
        return "an item belongs to another cluster in the candidate's verdicts"
    tables = [list(side.values()) for side in moments]
    changes = {
        score.name: change_of_score(
            tables[0], tables[1], score.statistic, ideal=score.target, plan=plan
        )
        for score in task.cluster_scores
        if score.target is not None
    }
    headline = changes.pop(task.cluster_scores[0].name)
    return ClusteredTest(
        headline=headline,
        others=changes,
        p_holm=headline.p,
        level=1.0 - plan.confidence,
        num_items=len(both),
        num_clusters=len(tables[0]),
        num_left_out=len(counted[0] | counted[1]) - len(both),
    )


def _by_item(folder: ResultFolder, name: str) -> dict[str, Row]:
    """Return the verdicts by item and sample.

    Raises:
        InputError: a row lacks its id or status, or an item has a sample twice.
    """
    path, rows = folder.verdicts(name)
    if not rows:
        raise InputError(f"{path}: holds no rows")
    for number, row in enumerate(rows, start=1):
        for field in ("id", "status"):
            if field not in row:
                raise InputError(f"{path}:{number}:{field}: is missing")
    found = {f"{row['id']!r} sample {row.get('sample', 0)}": row for row in rows}
    if len(found) < len(rows):
        names = Counter(f"{row['id']!r} has sample {row.get('sample', 0)}" for row in rows)
        raise InputError(f"{path}: item {names.most_common(1)[0][0]} twice")
    return found


def _moments(
    task: ClusteredTask, rows: Sequence[Row], folder: ResultFolder, name: str
) -> Mapping[str, Sequence[float]]:
    try:
        return task.moments(rows)
    except (KeyError, TypeError, ValueError) as error:
        path, _ = folder.verdicts(name)
        raise InputError(
            f"{path}: not verdicts of this benchmark: {error!r}; `debias-eval regrade "
            f"{folder.folder}` writes those of this version"
        ) from error
