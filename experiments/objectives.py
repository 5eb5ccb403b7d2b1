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

import torch
from experiments.arms import OBJECTIVES, Arm, named
from experiments.beds import Bed, embedded
from experiments.rows import (
    TIMINGS,
    ArmRows,
    Row,
    by_arm,
    mean_ratio,
    over_seeds,
    read_rows,
    runs_behind,
    table,
    time_ratios,
    with_least_times,
)
from experiments.running import add_row, measured, scores_row, train

from debias_cli.stages.models import silence_loading


def run_arm(bed: Bed, arm: Arm, seed: int, folder: Path) -> Row:
    """Trains and measures one arm under one seed."""
    outcome = train(bed, arm, seed, folder)
    scores = scores_row(bed, measured(bed, outcome.model, folder, seed))
    return {"arm": arm.name, "seed": seed, **outcome.training, **scores}


def rows_of(arms: Sequence[Arm], seeds: int, file: Path) -> Iterator[Row]:
    """Yields the row of every arm and seed, those of the file first; new ones are added to it."""
    known = read_rows(file)
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


_COLUMNS = {
    "gap": "gap",
    "KL": "kl",
    "arithmetic": "arithmetic",
    "code": "code",
    "steps": "steps",
    "CPU seconds": "cpu_seconds",
}


def objectives_table(arms: Sequence[ArmRows]) -> str:
    """A line an arm: the mean over seeds and the range."""
    rows = (
        [
            arm.name,
            f"{arm.num_reached} of {len(arm.rows)}",
            *(_cell(arm.values(key)) for key in _COLUMNS.values()),
        ]
        for arm in arms
    )
    return "".join(f"{text}\n" for text in table(["arm", "reached", *_COLUMNS], rows))


def _cell(values: list[float]) -> str:
    return over_seeds(values, 0 if max(map(abs, values), default=0.0) >= 10 else 3)


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
    arms = by_arm(with_least_times(rows, read_rows(arguments.out / TIMINGS)))
    text, ratios = objectives_table(arms), time_ratios(arms)
    if len(ratios) > 1:
        text += (
            "\nCPU time to the target, constrained over gee{}: {:.2f} [{:.2f}, {:.2f}]\n".format(
                runs_behind(arms), *mean_ratio(ratios)
            )
        )
    (arguments.out / "objectives.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
