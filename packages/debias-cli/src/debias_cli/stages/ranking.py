"""What a point of a sweep came to on the held-out pairs of its training, and which is the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import BaseModel

from debias_cli.config.points import Point
from debias_cli.config.sweep import Criterion
from debias_cli.config.tree import PipelineConfig
from debias_cli.config.yaml_reader import Plain
from debias_cli.rundir.files import read_json
from debias_cli.stages.graph import training_runs
from debias_cli.stages.training import SUMMARY_NAME, TrainingSummary

_OUTSIDE = 1e6  # of a score for Optuna, which only orders them: behind everything inside the target
_MEASURED_BY = ("model.", "data.", "train.entropy_temperature", "train.max_new_tokens")


class _Gap(BaseModel):
    gap: float
    low: float
    high: float


class _Look(BaseModel):
    gap: _Gap
    kl: float


class _Training(TrainingSummary):
    kept: _Look


@dataclass(frozen=True, slots=True)
class Held:
    """The kept model of a point on the held-out pairs; of several seeds, the worst figures.

    Attributes:
        gap: nats, of the seed whose interval reaches farthest from 0.
        low: lower end of its 95% interval.
        high: upper end.
        kl: largest KL to the original, nats an answer token; it has no interval.
        inside: whether every seed's interval lies inside ±train.target_gap.
        steps: most steps of a seed.
        seconds: of all its trainings together.
    """

    gap: float
    low: float
    high: float
    kl: float
    inside: bool
    steps: int
    seconds: float

    @property
    def bound(self) -> float:
        """How far the gap's interval reaches from 0, nats."""
        return max(-self.low, self.high)


@dataclass(frozen=True, slots=True)
class PointResult:
    """A point that was run.

    Attributes:
        number: 1 for the first.
        values: the fields that it changes.
        folder: its run folder.
        held: None where its training failed.
        failure: why it failed.
    """

    number: int
    values: Point
    folder: Path
    held: Held | None
    failure: str | None = None

    def to_dict(self) -> dict[str, object]:
        """Plain values for `sweep.json`."""
        return {
            "number": self.number,
            "values": dict(self.values),
            "run_dir": str(self.folder),
            "held_out": None if self.held is None else asdict(self.held),
            "failure": self.failure,
        }


def read_held(config: PipelineConfig, folder: Path) -> Held:
    """What the main objective's finished trainings in a run folder came to."""
    assert config.train is not None
    target = config.train.target_gap
    found = [
        _Training.model_validate(read_json(folder / f"train-{run.name}" / SUMMARY_NAME))
        for run in training_runs(config.train)
        if run.main
    ]
    worst = max(found, key=lambda item: max(-item.kept.gap.low, item.kept.gap.high)).kept.gap
    return Held(
        gap=worst.gap,
        low=worst.low,
        high=worst.high,
        kl=max(item.kept.kl for item in found),
        inside=all(-target < item.kept.gap.low and item.kept.gap.high < target for item in found),
        steps=max(item.steps for item in found),
        seconds=sum(item.seconds for item in found),
    )


def rank(held: Held, criterion: Criterion) -> tuple[int, float]:
    """Orders points: the least is the best."""
    if criterion == "least_kl" and held.inside:
        return 0, held.kl
    return 1, held.bound


def as_number(held: Held, criterion: Criterion) -> float:
    """The same order as one number."""
    group, value = rank(held, criterion)
    return value + group * _OUTSIDE


def best_of(results: Sequence[PointResult], criterion: Criterion) -> PointResult | None:
    """The best point, the first one of equals; None where every one failed."""
    ranked = [
        (rank(item.held, criterion), item.number, item) for item in results if item.held is not None
    ]
    return min(ranked, key=lambda found: found[:2])[2] if ranked else None


def criterion_text(criterion: Criterion) -> str:
    """What the best point is best in."""
    if criterion == "least_kl":
        return "least KL among the points whose held-out gap is inside the target, else least bound"
    return "least bound of the held-out gap's 95% interval"


def caveats(fields: Sequence[str], seeds: int) -> list[str]:
    """Sentences that a reader of the table has to know."""
    found = [
        "Gap and KL are those of the kept model on the held-out pairs (split dev) of its training, "
        "which it was also stopped by: they order the points and flatter the best one. What the "
        "best one is worth stands in its report, on pairs (split test) that nothing was chosen by.",
        "KL is a mean without an interval.",
    ]
    if seeds > 1:
        found.append(f"Each figure is the worst of {seeds} seeds.")
    measured = [field for field in fields if field.startswith(_MEASURED_BY)]
    if measured:
        found.append(
            f"{', '.join(measured)} changes what is measured, not only what is trained: points "
            "that differ in it are not strictly comparable."
        )
    return found


def read_test_gap(folder: Path, config: PipelineConfig) -> Mapping[str, Plain] | None:
    """Score and interval of the entropy gap on the test split; None where it was not measured."""
    run = next((run for run in training_runs(config.train) if run.main), None)
    path = folder / f"eval-{run.name}" / "results.json" if run is not None else folder / "none"
    if not path.is_file():
        return None
    rows = read_json(path)["benchmarks"]
    assert isinstance(rows, dict)
    row = rows.get("entropy_gap")
    if not isinstance(row, dict):
        return None
    return {"value": row["score"], "interval": row["interval"], "run": run.name if run else None}
