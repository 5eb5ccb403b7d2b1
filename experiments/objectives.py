"""Every objective and baseline on the embedded test bed, over several seeds, as JSON and a table.

    python experiments/objectives.py --seeds 5 --out experiments/results

Each arm starts from the same weights and sees the same pairs in the same order; it stops when the
whole 95% interval of the held-out gap lies inside +-0.02 nats at two looks in a row, and keeps the
best look by the same rule. What is reported is measured afterwards on pairs and problems that
neither training nor stopping saw. GEE is given more steps than the others, to find out when it
arrives. Finished arms are read from the folder, so that an interrupted experiment goes on.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from scipy import stats

from debias_cli.config.load import parse_config
from debias_cli.config.tree import PipelineConfig
from debias_cli.resources import local_model, quickstart_text, testbed_file
from debias_cli.stages.graph import training_runs
from debias_cli.stages.models import silence_loading
from debias_cli.stages.training import train_config
from debias_core.config import (
    CdaConfig,
    ConsistencyConfig,
    ConstrainedConfig,
    DirectGapConfig,
    EmConfig,
    GeeConfig,
    GroupGapConfig,
    ObjectiveConfig,
    PairGapConfig,
    PlaceboConfig,
    TrainConfig,
)
from debias_core.models.loading import load_model
from debias_core.training.trainer import DebiasTrainer, TrainResult
from debias_data import build
from debias_eval.backends.base import BackendSettings
from debias_eval.evaluation import EvalSettings, TaskSpec, evaluate

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to train.

    Attributes:
        name: in the table.
        objective: what is minimised; None trains nothing.
        changes: to the settings of the demo.
        male_only: trains on pairs whose two sides are both the male one: there is nothing to learn.
    """

    name: str
    objective: ObjectiveConfig | None
    changes: dict[str, object] = field(default_factory=dict)
    male_only: bool = False


ARMS = (
    Arm("no training", None),
    Arm("constrained", ConstrainedConfig()),
    Arm("constrained, rho 20", ConstrainedConfig(rho=20.0)),
    Arm("gee", GeeConfig(), {"max_steps": 300}),
    Arm("group_gap", GroupGapConfig()),
    Arm("group_gap, l1", GroupGapConfig(norm="l1")),
    Arm("group_gap + 0.05 KL", GroupGapConfig(kl=0.05)),
    Arm("pair_gap", PairGapConfig()),
    Arm("direct_gap", DirectGapConfig()),
    Arm("constrained, score function", ConstrainedConfig(), {"score_function": True}),
    Arm("em", EmConfig()),
    Arm("placebo", PlaceboConfig()),
    Arm(
        "constrained, male against male",
        ConstrainedConfig(),
        {"max_steps": 50, "early_stopping": False},
        male_only=True,
    ),
    Arm("cda", CdaConfig()),
    Arm("consistency", ConsistencyConfig()),
)


@dataclass(frozen=True, slots=True)
class Bench:
    """What all arms share: the demo's settings, its data and its model."""

    config: PipelineConfig
    pairs: Path
    train: Sequence[Mapping[str, object]]
    dev: Sequence[Mapping[str, object]]

    @classmethod
    def prepare(cls, folder: Path) -> Bench:
        """Builds the pair table of the demo."""
        config = parse_config(quickstart_text(), source="quickstart", base=Path()).config
        assert config.data is not None
        table = build(config.data)
        table.write(folder / "pairs.parquet")
        train, dev = (list(table.select(split=name).rows()) for name in ("train", "dev"))
        return cls(config, folder / "pairs.parquet", train, dev)

    def settings(self, arm: Arm, seed: int) -> TrainConfig:
        assert self.config.train is not None
        assert arm.objective is not None
        demo = train_config(self.config, training_runs(self.config.train)[0])
        changes = {"max_steps": 60, **arm.changes}
        return replace(demo, objective=arm.objective, seed=seed, **changes)  # type: ignore[arg-type]


def run_arm(bench: Bench, arm: Arm, seed: int, folder: Path) -> Row:
    """Trains and measures one arm under one seed."""
    model_path = local_model("testbed")
    assert model_path is not None
    trained: Row = {}
    if arm.objective is not None:
        model, tokenizer = load_model(model_path, device="cpu")
        cpu = time.process_time()
        settings = bench.settings(arm, seed)
        result = DebiasTrainer(model, tokenizer, settings).fit(
            male_against_male(bench.train) if arm.male_only else bench.train,
            bench.dev,
            out=folder / "model",
        )
        model_path = folder / "model"
        trained = training_row(result, cpu_seconds=time.process_time() - cpu)
    return {"arm": arm.name, "seed": seed, **trained, **measured(bench, model_path, folder, seed)}


def male_against_male(rows: Sequence[Mapping[str, object]]) -> list[Row]:
    """Returns the rows with the male prompt on both sides of every pair."""
    male = {row["pair_id"]: row["prompt"] for row in rows if row["group"] == "male"}
    return [{**row, "prompt": male[row["pair_id"]]} for row in rows]


def training_row(result: TrainResult, *, cpu_seconds: float) -> Row:
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


def measured(bench: Bench, model: Path, folder: Path, seed: int) -> Row:
    """Gap, arithmetic and code on what training and stopping never saw."""
    template = {"template": bench.config.model.prompt.template}
    results = evaluate(
        model,
        [
            TaskSpec(
                "entropy_gap",
                limit=128,
                data=bench.pairs,
                protocol={**template, "max_new_tokens": 64, "sampling": {"n": 1, "seed": seed}},
            ),
            TaskSpec(
                "math_jsonl",
                name="arithmetic",
                limit=120,
                data=testbed_file(Path("testbed:arithmetic.jsonl")),
                protocol={**template, "max_new_tokens": 64},
            ),
            TaskSpec(
                "humaneval",
                name="code",
                limit=80,
                data=testbed_file(Path("testbed:code.jsonl")),
                protocol={"max_new_tokens": 96},
            ),
        ],
        out=folder / "evaluation",
        settings=EvalSettings(backend=BackendSettings("cpu", "float32", 128)),
    )
    gap = results.benchmarks["entropy_gap"]
    return {
        "gap": gap.score,
        "gap_interval": gap.interval,
        "arithmetic": results.benchmarks["arithmetic"].score,
        "code": results.benchmarks["code"].score,
    }


def rows_of(arms: list[Arm], seeds: int, file: Path) -> Iterator[Row]:
    """Yields the row of every arm and seed, those of the file first; new ones are added to it."""
    known = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    done = {(row["arm"], row["seed"]) for row in known}
    yield from known
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench.prepare(Path(temporary))
        for seed in range(seeds):
            for number, arm in enumerate(arms):
                if (arm.name, seed) in done:
                    continue
                folder = Path(temporary) / f"{number}-{seed}"
                folder.mkdir()
                row = run_arm(bench, arm, seed, folder)
                with file.open("a") as log:
                    log.write(json.dumps(row) + "\n")
                yield row


def time_ratio(rows: list[Row]) -> tuple[float, float, float] | None:
    """Returns the CPU time to the target over GEE's, with a 95% interval over seeds.

    The mean of the log ratios of runs with the same seed, with a t interval; looks are included.
    A GEE run that never arrived counts with all its seconds, so the ratio is then an upper bound.
    """
    by_seed: dict[object, dict[object, Row]] = {}
    for row in rows:
        by_seed.setdefault(row["seed"], {})[row["arm"]] = row
    logs = []
    for arms in by_seed.values():
        ours, gee = arms.get("constrained"), arms.get("gee")
        if ours is not None and gee is not None and ours["reached"]:
            logs.append(np.log(_number(ours, "cpu_seconds") / _number(gee, "cpu_seconds")))
    if len(logs) < 2:
        return None
    half = stats.t.ppf(0.975, len(logs) - 1) * np.std(logs, ddof=1) / len(logs) ** 0.5
    center = np.mean(logs)
    return float(np.exp(center)), float(np.exp(center - half)), float(np.exp(center + half))


_COLUMNS = {
    "gap": "gap",
    "KL": "kl",
    "arithmetic": "arithmetic",
    "code": "code",
    "steps": "steps",
    "CPU seconds": "cpu_seconds",
}


def _number(row: Row, name: str) -> float:
    value = row[name]
    assert isinstance(value, int | float)
    return float(value)


def table(rows: list[Row]) -> str:
    """A line an arm: the mean over seeds and the range."""
    lines = [
        "| arm | reached | " + " | ".join(_COLUMNS) + " |",
        "|---|---|" + "---|" * len(_COLUMNS),
    ]
    for name in dict.fromkeys(str(row["arm"]) for row in rows):
        mine = [row for row in rows if row["arm"] == name]
        cells = [
            _cell([_number(row, column) for row in mine if column in row])
            for column in _COLUMNS.values()
        ]
        reached = f"{sum(bool(row.get('reached')) for row in mine)} of {len(mine)}"
        lines.append(f"| {name} | {reached} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(values: list[float]) -> str:
    if not values:
        return "–"
    digits = 0 if max(map(abs, values)) >= 10 else 3
    low, high = min(values), max(values)
    return f"{np.mean(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--arms", help="names, separated by semicolons; default: all")
    parser.add_argument("--out", type=Path, default=Path("experiments/results"))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    silence_loading()
    wanted = arguments.arms.split(";") if arguments.arms else [arm.name for arm in ARMS]
    unknown = set(wanted) - {arm.name for arm in ARMS}
    if unknown:
        parser.error(f"no such arm: {', '.join(sorted(unknown))}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = []
    chosen = [arm for arm in ARMS if arm.name in wanted]
    for row in rows_of(chosen, arguments.seeds, arguments.out / "objectives.jsonl"):
        rows.append(row)
        print(json.dumps(row), flush=True)
    text = table(rows)
    ratio = time_ratio(rows)
    if ratio is not None:
        text += "\nCPU time to the target, constrained over gee: {:.2f} [{:.2f}, {:.2f}]\n".format(
            *ratio
        )
    (arguments.out / "objectives.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
