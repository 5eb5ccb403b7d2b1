"""The technical report, made from the results of the studies: tables, pictures, and what they show.

    python -m experiments.report            # writes docs/report/
    python -m experiments.report --check    # fails where docs/report/ is not what the results give

Nothing is computed anew: rows come from `results/objectives.jsonl` and `results/study.jsonl`,
tables of simulations from the files that the simulations wrote. Every figure says over how many
seeds it is.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments import report_objectives
from experiments.pictures import Dot, Picture, draw, image
from experiments.report_objectives import MEASURES, arms_picture, findings
from experiments.report_study import Study
from experiments.rows import TIMINGS, ArmRows, by_arm, read_rows, with_least_times

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
REPORT = HERE.parent / "docs" / "report"

_SHARE = re.compile(r"(\d+(?:\.\d+)?)% \[(\d+(?:\.\d+)?)%, (\d+(?:\.\d+)?)%\]")

# ---- pictures -----------------------------------------------------------------------------------


def shares_picture(table: str, what: str, band: tuple[float, float]) -> Picture | None:
    """The shares of a simulation's table whose first cell begins with `what`; None without one."""
    lines, said = [], []
    for cells in map(_cells, table.splitlines()):
        found = _SHARE.search(cells[2]) if len(cells) > 2 and cells[0].startswith(what) else None
        if found:
            value, low, high = map(float, found.groups())
            lines.append((cells[1], (Dot(value, low=low, high=high),)))
            said.append(f"{cells[1]} {found[0]}")
    if not lines:
        return None
    return Picture(
        title=f"{what}, % of simulated data sets",
        text=f"{what}: {'; '.join(said)}.",
        lines=tuple(lines),
        footer="with 95% Wilson intervals; shaded: where it should be",
        band=band,
    )


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


# ---- the page -----------------------------------------------------------------------------------

_SHARES = (
    ("coverage-training", "coverage, training interval", (93.0, 97.0)),
    ("coverage-report", "coverage, interval of the report", (93.0, 97.0)),
    ("false-stops", "false stops", (0.0, 5.0)),
)

_STUDIES = (
    (
        "error_rates",
        "Do the tests of a comparison keep their word?",
        "Every kind of claim, at the point where it is just false.",
    ),
    (
        "self_comparison",
        "A model against itself",
        "How often a report claims a change that is none.",
    ),
)

_SETTING = """\
# Technical report

Made by `python -m experiments.report` from the files under `experiments/results`; no figure of
those studies was typed. The first lines of each `experiments/*.py` give its command;
`python -m experiments.study` runs the two beds, the bias suites and the settings in one go.

## What was asked

Can the entropy gap of a causal language model be closed without changing the model otherwise, which
objective does it best, what becomes of other biases when it is closed, how much do the settings
matter, and do the intervals and the stopping rule behind such claims hold?

## How it was measured

Where nothing else is said, on the [test bed](../test-bed.md), a small model with a planted gap,
from the same start and on the same pairs in the same order for every arm of a seed. Training stops
when the whole 95% interval of the *held-out* gap lies inside ±0.02 nats at two looks in a row; the
best look is kept. What is reported is measured afterwards, on pairs, problems and programs that
neither training nor stopping saw. {seeds}
"""

_NOT_SHOWN = """\
## What was not shown

- **That a real gap can be closed.** The one large gap here was planted, in a model that was made
  for this. The real model has 260,000 parameters and no gap that so many pairs can tell from 0;
  what training does to it is shown, not what closing a real gap would cost.
- **What the suites would do in a model that can read them.** The published sentences are far from
  what either model learned; their scores start near what chance gives, so a change has little to
  take hold of, and "no change shown" there is weak evidence. The test bed's own occupation
  sentences are the exception: that association was learned, and could have been lost. BBQ is one
  question in 16, WinoBias one schema in 4.
- **The best settings of each objective.** Only those of `constrained` were varied, one at a time;
  every other arm has its defaults, and one that does badly here may do better with others.
- **More than the seeds that stand in the tables.** A range over two or three seeds says little
  about the next one. Seeds change sampling and the order of the data, not the making of the model.
- **Long answers, chat templates, other languages, other attributes** were not measured.
- **Wall-clock time.** CPU seconds were taken on a machine that other work shared.
"""


def page(
    arms: Sequence[ArmRows],
    study: Study,
    tables: Mapping[str, str],
    pictures: Mapping[str, Picture],
) -> str:
    """Returns the Markdown of the report."""
    lines = [
        _SETTING.format(seeds=report_objectives.seeds_sentence(arms)),
        *report_objectives.section(arms, pictures),
        *study.sections(pictures),
    ]
    if "simulations" in tables:
        lines += ["## Do the intervals hold?", ""]
        lines.append(
            f"Simulated data sets whose gap is known{simulated_runs()}, judged by the code that"
        )
        lines += ["ships. What is simulated, and why: [the statistics](../statistics.md).", ""]
        lines += [tables["simulations"].strip(), ""]
        lines += [f"{image(key, pictures)}\n" for key, *_ in _SHARES if key in pictures]
    for name, title, text in _STUDIES:
        if name in tables:
            lines += [f"## {title}", "", f"{text} `experiments/{name}.py`.", ""]
            lines += [tables[name].strip(), ""]
    return "\n".join([*lines, _NOT_SHOWN])


def simulated_runs() -> str:
    """How many data sets a line of the simulations stands for, where the file says it."""
    path = RESULTS / "simulations.json"
    content = json.loads(path.read_text()) if path.is_file() else {}
    runs = content.get("runs") if isinstance(content, dict) else None
    return f", {runs:,} a line" if isinstance(runs, int) else ""


def make() -> dict[str, str]:
    """Returns the files of the report by name."""
    rows = with_least_times(read_rows(RESULTS / "objectives.jsonl"), read_rows(RESULTS / TIMINGS))
    arms = by_arm(rows)
    tables = {path.stem: path.read_text() for path in sorted(RESULTS.glob("*.md"))}
    study = Study(read_rows(RESULTS / "study.jsonl"))
    pictures = {measure.key: arms_picture(arms, measure) for measure in MEASURES}
    pictures |= study.pictures()
    for key, what, band in _SHARES:
        picture = shares_picture(tables.get("simulations", ""), what, band)
        if picture is not None:
            pictures[key] = picture
    files = {f"{key}.svg": draw(picture) for key, picture in pictures.items()}
    # the sentences alone, for pages that include them
    files["findings.md"] = "\n".join(findings(arms)) + "\n"
    return {"index.md": page(arms, study, tables, pictures), **files}


def main() -> int:
    """Writes or checks the report; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    REPORT.mkdir(parents=True, exist_ok=True)
    stale = []
    for name, text in make().items():
        path = REPORT / name
        if path.is_file() and path.read_text() == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text)
    if stale and check:
        sys.stderr.write(
            f"{REPORT}: {', '.join(stale)} not up to date; python -m experiments.report\n"
        )
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main())
