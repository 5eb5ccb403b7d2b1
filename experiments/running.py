"""Trains an arm on a bed and measures what came out, as a row; rows are kept in a file."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.arms import Arm, first_pairs, male_against_male
from experiments.beds import EVALUATION, Bed

from debias_core import DebiasTrainer, TrainResult
from debias_core.models.loading import load_model
from debias_eval import Results, evaluate
from debias_eval.comparison import compare
from debias_eval.statistics import Bootstrap, Estimate

Row = dict[str, object]

_PLAN = Bootstrap(resamples=2000)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training an arm gave.

    Attributes:
        model: folder of the model that was kept.
        training: how it went; empty where nothing was trained.
    """

    model: Path
    training: Row


def train(bed: Bed, arm: Arm, seed: int, folder: Path) -> Outcome:
    """Trains an arm under a seed, from the weights of the bed; the model lies in the folder."""
    if arm.objective is None:
        return Outcome(bed.model, {})
    model, tokenizer = load_model(bed.model, device="cpu")
    cpu = time.process_time()
    result = DebiasTrainer(model, tokenizer, arm.settings(bed.settings, seed)).fit(
        male_against_male(bed.train) if arm.male_only else bed.train,
        bed.dev if arm.dev_pairs is None else first_pairs(bed.dev, arm.dev_pairs),
        out=folder / "model",
    )
    training = training_row(result, cpu_seconds=time.process_time() - cpu)
    return Outcome(folder / "model", training)


def training_row(result: TrainResult, *, cpu_seconds: float) -> Row:
    """How a training went."""
    return {
        "steps": result.steps,
        "best_step": result.best_step,
        "reached": result.reached_target,
        "stop_reason": result.stop_reason,
        "seconds": result.seconds,
        "seconds_to_target": result.seconds_to_target,
        "cpu_seconds": cpu_seconds,
        "tokens": sum(step.tokens for step in result.history),
        "kl": result.kept.kl,
        "dev_gap": result.kept.gap.gap,
        "entropies": result.kept.entropies,
    }


def measured(bed: Bed, model: Path, folder: Path, seed: int) -> Results:
    """Evaluates a model on what training and stopping never saw."""
    out = folder / "evaluation"
    return evaluate(model, bed.tasks(seed), out=out, settings=EVALUATION, data_dir=bed.data_dir)


def scores_row(bed: Bed, results: Results) -> Row:
    """The gap and the scores of an evaluation."""
    gap = results.benchmarks["entropy_gap"]
    scores = {spec.result_name: results.benchmarks[spec.result_name] for spec in bed.measures}
    return {
        "gap": gap.score,
        "gap_interval": gap.interval,
        **{name: result.score for name, result in scores.items()},
    }


# ---- bias suites --------------------------------------------------------------------------------


def ask_suites(bed: Bed, model: Path, folder: Path) -> Results:
    """Evaluates a model on the suites of the bed; what `suite_changes` reads lies in the folder."""
    return evaluate(model, bed.suites, out=folder, settings=EVALUATION, data_dir=bed.data_dir)


def suite_changes(before: Path, after: Path) -> Row:
    """Every suite of two evaluations on the same items: scores, and paired 95% intervals."""
    found: Row = {}
    for entry in compare(before, after, plan=_PLAN).benchmarks:
        if entry.bias_test is None:
            raise ValueError(f"{entry.name}: not compared: {entry.reason}")
        headline = entry.bias_test.headline
        found[entry.name] = {
            "before": headline.before.value,
            "after": headline.after.value,
            "change": _ends(headline.difference),
            "distance": _ends(headline.distance),
            "ideal": headline.ideal,
            "p": headline.p,
            "p_holm": entry.bias_test.p_holm,
            "verdict": entry.bias_test.verdict,
            "items": entry.bias_test.num_items,
            "clusters": entry.bias_test.num_clusters,
            "others": {
                name: _ends(change.difference) for name, change in entry.bias_test.others.items()
            },
        }
    return found


def suite_scores(results: Results) -> Row:
    """The scores of an untrained model."""
    return {
        name: {"score": found.score, "interval": found.interval, "n": found.n}
        for name, found in results.benchmarks.items()
    }


def _ends(estimate: Estimate) -> list[float]:
    return [estimate.value, estimate.low, estimate.high]


# ---- the file -----------------------------------------------------------------------------------


def add_row(file: Path, row: Mapping[str, object]) -> None:
    """Adds a finished row, so that a study that is stopped goes on from there."""
    with file.open("a") as log:
        log.write(json.dumps(row) + "\n")
