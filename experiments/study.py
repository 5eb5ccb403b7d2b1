"""The whole study, on both test beds: one command that goes on where it was stopped.

    python -m experiments.study --shared ../shared --seeds 5
    python -m experiments.report

Three parts, whose rows go to `results/study.jsonl`:

- *survey*: has the real model an entropy gap at all, on which pairs?
- *beds*: objectives and baselines on the embedded and on the real model; gap, KL, capability, and
  the bias suites before and after on the same items.
- *sensitivity*: `constrained` on the embedded model with one setting changed at a time.

Five seeds take about 75 minutes of one core (2.5 GHz) that nobody else uses. Seeds go first, so a
study that is stopped early (`--minutes`) has fewer seeds of everything, and the same command goes
on from there. Without the folder of real models and published data (option, else `DEBIAS_SHARED`)
only the embedded model is studied, and only on the bias data that it brings.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from experiments.arms import SENSITIVITY, Arm, named
from experiments.beds import (
    Bed,
    embedded,
    find_shared,
    pair_sources,
    stories,
    survey_gap,
)
from experiments.environment import environment
from experiments.rows import BASE, EMBEDDED, STORIES, UNTRAINED, read_rows
from experiments.running import (
    Row,
    add_row,
    ask_suites,
    measured,
    scores_row,
    suite_changes,
    suite_scores,
    train,
)

from debias_cli.stages.models import silence_loading
from debias_core.config import ConstrainedConfig, PlaceboConfig

RESULTS = Path(__file__).resolve().parent / "results"
FILE = "study.jsonl"

BY_RULE = "constrained, stopped by the rule"
_LOOKED_AT = 100  # dev pairs of the real bed at the start and at the end; only the rule needs more

ARMS = {
    EMBEDDED: (
        *named([UNTRAINED, "constrained", "gee", "group_gap"]),
        # about as many steps as `constrained` needs; the last model, not the best look at the gap
        Arm("placebo", PlaceboConfig(), {"max_steps": 30, "early_stopping": False}),
    ),
    STORIES: (
        *named([UNTRAINED]),
        # the smallest target that so many pairs can settle: their interval is about +-0.03 wide
        Arm(
            BY_RULE,
            ConstrainedConfig(),
            {"early_stopping": True, "eval_every": 5, "target_gap": 0.05},
        ),
        *(
            replace(arm, changes={}, dev_pairs=_LOOKED_AT)
            for arm in named(["constrained", "gee", "group_gap", "placebo"])
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the study.

    Attributes:
        part: survey, beds or sensitivity.
        bed: on which model.
        seed: of training, of the order of the data and of the answers that are measured.
        arm: what is trained; None in the survey.
        pairs: the pair set of the survey; empty otherwise.
    """

    part: str
    bed: str
    seed: int
    arm: Arm | None = None
    pairs: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        return self.part, self.bed, self.pairs or (self.arm and self.arm.name), self.seed


def key_of(row: Mapping[str, object]) -> tuple[object, ...]:
    """The key of the job that a row came from."""
    return row["part"], row["bed"], row.get("pairs") or row.get("arm"), row["seed"]


def jobs(*, seeds: int, beds: Sequence[str], parts: Sequence[str]) -> Iterator[Job]:
    """Everything to do, seed by seed; settings are tried on one seed for two of the beds."""
    for seed in range(seeds):
        if "beds" in parts:
            yield from (Job("beds", bed, seed, arm) for bed in beds for arm in ARMS[bed])
        if "sensitivity" in parts and seed % 2 == 0:
            for arm in (*named([BASE]), *SENSITIVITY):
                yield Job("sensitivity", EMBEDDED, seed // 2, arm)
        if "survey" in parts and STORIES in beds and seed == 0:
            yield from (Job("survey", STORIES, seed, pairs=name) for name in pair_sources(Path()))


class Workshop:
    """Beds and what the suites say of their untrained models, made once when first needed."""

    def __init__(self, folder: Path, shared: Path | None) -> None:
        self._folder, self._shared = folder, shared
        self._beds: dict[str, Bed] = {}

    def row(self, job: Job, folder: Path) -> Row:
        """Does a job and returns its row."""
        head: Row = {"part": job.part, "bed": job.bed}
        if job.arm is None:
            assert self._shared is not None
            gap = survey_gap(job.pairs, self._shared, folder)
            return {**head, "pairs": job.pairs, "seed": job.seed, **gap}
        bed = self._bed(job.bed)
        outcome = train(bed, job.arm, job.seed, folder)
        results = measured(bed, outcome.model, folder, job.seed)
        row = {**head, "arm": job.arm.name, "seed": job.seed, **outcome.training}
        row |= scores_row(bed, results)
        row["direct"] = results.benchmarks["entropy_gap"].details["direct"]
        if job.part == "beds" and bed.suites:
            row["suites"] = self._suites(bed, outcome.model, folder / "suites")
        return row

    def _bed(self, name: str) -> Bed:
        if name not in self._beds:
            folder = self._folder / name
            folder.mkdir()
            if name == EMBEDDED:
                self._beds[name] = embedded(folder, self._shared)
            else:
                assert self._shared is not None
                self._beds[name] = stories(folder, self._shared)
        return self._beds[name]

    def _suites(self, bed: Bed, model: Path, folder: Path) -> Row:
        """The scores of an untrained model, the paired changes of a trained one."""
        before = self._folder / bed.name / "untrained"
        untrained = ask_suites(bed, bed.model, before)  # the second time it is read
        if model == bed.model:
            return suite_scores(untrained)
        ask_suites(bed, model, folder)
        return suite_changes(before, folder)


def run(todo: Sequence[Job], file: Path, shared: Path | None, *, minutes: float) -> None:
    """Does the jobs that the file has no row of, until the time is up."""
    began, known = time.monotonic(), read_rows(file)
    done = {key_of(row) for row in known if row["part"] != "environment"}
    where = environment()
    if where["id"] not in {row.get("id") for row in known}:
        add_row(file, {"part": "environment", **where})
    with tempfile.TemporaryDirectory() as temporary:
        workshop = Workshop(Path(temporary), shared)
        for number, job in enumerate(job for job in todo if job.key not in done):
            if time.monotonic() - began > 60 * minutes:
                sys.stderr.write("the time is up; the same command goes on from here\n")
                return
            folder = Path(temporary) / str(number)
            folder.mkdir()
            row = {**workshop.row(job, folder), "environment": where["id"]}
            add_row(file, row)
            print(f"{time.monotonic() - began:6.0f} s  {json.dumps(row)[:240]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shared", type=Path, help="folder with models/ and data/")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--parts", default="survey,beds,sensitivity")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start nothing after")
    arguments = parser.parse_args()
    shared = find_shared(arguments.shared)
    beds = [EMBEDDED, STORIES]
    if shared is None or not (shared / "models" / STORIES).is_dir():
        sys.stderr.write(
            f"{STORIES} is left out: no models/{STORIES} in a folder given by --shared or "
            "DEBIAS_SHARED\n"
        )
        beds.remove(STORIES)
    torch.set_num_threads(arguments.threads)
    silence_loading()
    arguments.out.mkdir(parents=True, exist_ok=True)
    todo = list(jobs(seeds=arguments.seeds, beds=beds, parts=arguments.parts.split(",")))
    run(todo, arguments.out / FILE, shared, minutes=arguments.minutes)


if __name__ == "__main__":
    main()
