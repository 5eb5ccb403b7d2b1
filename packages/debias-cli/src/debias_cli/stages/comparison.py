"""Stage `compare`: every trained model beside the original, and the success criteria."""

from __future__ import annotations

from pathlib import Path

from debias_cli.config.tree import PipelineConfig
from debias_cli.rundir.files import read_json, write_json
from debias_cli.stages.context import StageContext
from debias_cli.stages.graph import TrainingRun, training_runs
from debias_cli.stages.training import SUMMARY_NAME, TrainingSummary
from debias_eval.comparison import Comparison, TrainingCost, compare

GEE = "gee"
CRITERIA_NAME = "criteria.json"


def run_comparison(context: StageContext) -> None:
    """Writes one JSON a trained model, and the criteria of the main objective over all seeds."""
    runs = training_runs(context.config.train)
    verdicts: list[dict[str, object]] = []
    for number, run in enumerate(runs, start=1):
        comparison = compare_run(context.config, run, context.folder.path)
        write_json(context.out / f"{run.name}.json", comparison.to_dict())
        if run.main:
            criteria = [criterion.to_dict() for criterion in comparison.criteria]
            verdicts.append({"run": run.name, "met": comparison.met, "criteria": criteria})
        context.reporter.progress("comparisons", number, len(runs))
    met = all(bool(item["met"]) for item in verdicts)
    write_json(context.out / CRITERIA_NAME, {"format": 1, "met": met, "runs": verdicts})
    context.reporter.note("success criteria met" if met else "success criteria not met")


def compare_run(config: PipelineConfig, run: TrainingRun, folder: Path) -> Comparison:
    """The comparison of one trained model with the original, from a run folder's results."""
    assert config.train is not None
    assert config.evaluate is not None
    return compare(
        folder / "baseline",
        folder / f"eval-{run.name}",
        margin=config.evaluate.margin,
        training=training_cost(config, run, folder),
        gap_margin=config.evaluate.gap_margin,
    )


def training_cost(config: PipelineConfig, run: TrainingRun, folder: Path) -> TrainingCost:
    """Time to the target (or to the end) against that of GEE under the same seed."""
    own = read_summary(folder, run)
    gee = next(
        (
            read_summary(folder, other)
            for other in training_runs(config.train)
            if other.objective.kind == GEE and other.seed == run.seed
        ),
        None,
    )
    return TrainingCost(
        seconds=own.seconds_to_target or own.seconds,
        gee_seconds=None if gee is None else gee.seconds_to_target or gee.seconds,
        reached=own.reached_target,
        gee_reached=gee is None or gee.reached_target,
    )


def read_summary(folder: Path, run: TrainingRun) -> TrainingSummary:
    """How a training went."""
    content = read_json(folder / f"train-{run.name}" / SUMMARY_NAME)
    return TrainingSummary.model_validate(content)
