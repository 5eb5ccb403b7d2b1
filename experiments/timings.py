"""The trainings behind "time to the target", again, for their CPU time alone.

    python experiments/timings.py --repetitions 3 --seeds 24 --out experiments/results

A training of `objectives.py` is the same work whenever it is run: under one seed it takes the same
steps and looks. What its CPU time differs by from run to run is the machine, whose speed other
programs change; so the least of several runs is taken, of both arms alike. Runs of the two arms
take turns. Finished ones are read from the file, so that an interrupted experiment goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

if not __package__:  # run by its path: only this folder is on the path then
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from experiments.arms import named
from experiments.beds import embedded
from experiments.rows import BASE, TIMINGS, read_rows
from experiments.running import add_row, train

from debias_cli.stages.models import silence_loading

ARMS = (BASE, "gee")


def run(repetitions: int, seeds: int, file: Path) -> None:
    """Adds the rows that are missing to the file."""
    done = Counter((row["arm"], row["seed"]) for row in read_rows(file))
    with tempfile.TemporaryDirectory() as temporary:
        bed = embedded(Path(temporary))
        for repetition in range(repetitions):
            for seed in range(seeds):
                for arm in named(ARMS):
                    if done[arm.name, seed] > repetition:
                        continue
                    with tempfile.TemporaryDirectory() as folder:
                        training = train(bed, arm, seed, Path(folder)).training
                    kept = {key: training[key] for key in ("steps", "cpu_seconds")}
                    row = {"arm": arm.name, "seed": seed, **kept}
                    add_row(file, row)
                    print(json.dumps(row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--out", type=Path, default=Path("experiments/results"))
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    silence_loading()
    run(arguments.repetitions, arguments.seeds, arguments.out / TIMINGS)


if __name__ == "__main__":
    main()
