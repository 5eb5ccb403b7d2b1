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
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

if not __package__:  # run by its path: only this folder is on the path then
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from experiments.arms import OBJECTIVES, Arm, named
from experiments.beds import Bed, embedded
from experiments.running import Row, add_row, measured, read_rows, scores_row, train
from scipy import stats

from debias_cli.stages.models import silence_loading


def run_arm(bed: Bed, arm: Arm, seed: int, folder: Path) -> Row:
    """Trains and measures one arm under one seed."""
    outcome = train(bed, arm, seed, folder)
    scores = scores_row(bed, measured(bed, outcome.model, folder, seed))
    return {"arm": arm.name, "seed": seed, **outcome.training, **scores}


def rows_of(arms: Sequence[Arm], seeds: int, file: Path) -> Iterator[Row]:
    """Yields the row of every arm and seed, those of the file first; new ones are added to it."""
    known = list(read_rows(file))
    done = {(row["arm"], row["seed"]) for row in known}
    yield from known
    with tempfile.TemporaryDirectory() as temporary:
        bed = embedded(Path(temporary))
        for seed in range(seeds):
            for number, arm in enumerate(arms):
                if (arm.name, seed) in done:
                    continue
                folder = Path(temporary) / f"{number}-{seed}"
                folder.mkdir()
                row = run_arm(bed, arm, seed, folder)
                add_row(file, row)
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
    try:
        chosen = named(arguments.arms.split(";")) if arguments.arms else OBJECTIVES
    except ValueError as error:
        parser.error(str(error))
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = []
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
