"""The technical report, made from the results of the studies: tables, pictures, and what they show.

    python -m experiments.report            # writes docs/report/
    python -m experiments.report --check    # fails where docs/report/ is not what the results give

Nothing is computed anew: rows come from `results/objectives.jsonl`, tables of simulations from the
files that the simulations wrote. Every figure says over how many seeds it is.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
from experiments.pictures import Dot, Picture, draw
from scipy import stats

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
REPORT = HERE.parent / "docs" / "report"

Row = Mapping[str, object]

BASE = "constrained"
NOT_COMPARED = ("no training", BASE)
_ENTROPIES = "entropy f / m"
_SHARE = re.compile(r"(\d+(?:\.\d+)?)% \[(\d+(?:\.\d+)?)%, (\d+(?:\.\d+)?)%\]")


@dataclass(frozen=True, slots=True)
class Measure:
    """One column of the rows.

    Attributes:
        key: in a row.
        column: its name in tables.
        name: its name in pictures, with the unit.
        digits: that are shown.
        band: what was aimed at, drawn behind the dots.
        log: whether the axis of its picture is logarithmic.
    """

    key: str
    column: str
    name: str
    digits: int = 3
    band: tuple[float, float] | None = None
    log: bool = False


MEASURES = (
    Measure("gap", "gap", "gap after, nats", band=(-0.02, 0.02)),
    Measure("kl", "KL", "KL to the original, nats a token", log=True),
    Measure("arithmetic", "arithmetic", "arithmetic, share solved"),
    Measure("code", "code", "code, share solved"),
    Measure("steps", "steps", "steps", digits=0),
)


@dataclass(frozen=True, slots=True)
class Arm:
    """All rows of one way to train."""

    name: str
    rows: tuple[Row, ...]

    def values(self, key: str) -> list[float]:
        """A measure over the seeds that have it, in the order of the rows."""
        return [_number(row, key) for row in self.rows if key in row]

    @property
    def num_reached(self) -> int:
        """Seeds on which the target was reached."""
        return sum(bool(row.get("reached")) for row in self.rows)

    def by_seed(self, key: str) -> dict[object, float]:
        """A measure by seed."""
        return {row["seed"]: _number(row, key) for row in self.rows if key in row}


def _number(row: Row, key: str) -> float:
    value = row[key]
    assert isinstance(value, int | float), (key, value)
    return float(value)


def read_arms(path: Path) -> list[Arm]:
    """Returns the arms in the order in which they first stand in the file."""
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    names = dict.fromkeys(str(row["arm"]) for row in rows)
    return [Arm(name, tuple(row for row in rows if row["arm"] == name)) for name in names]


# ---- numbers ------------------------------------------------------------------------------------


def over_seeds(values: Sequence[float], digits: int) -> str:
    """The mean and, of several seeds, the range."""
    if not values:
        return "–"
    text = f"{fmean(values):.{digits}f}"
    if len(values) == 1:
        return text
    return f"{text} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


def difference(arm: Arm, base: Arm, key: str) -> tuple[float, float, float, int] | None:
    """The mean difference over shared seeds with its 95% t interval; None below two seeds."""
    own, theirs = arm.by_seed(key), base.by_seed(key)
    found = [own[seed] - theirs[seed] for seed in own if seed in theirs]
    if len(found) < 2:
        return None
    half = float(stats.t.ppf(0.975, len(found) - 1)) * stdev(found) / len(found) ** 0.5
    return fmean(found), fmean(found) - half, fmean(found) + half, len(found)


def arms_table(arms: Sequence[Arm]) -> list[str]:
    """A line an arm: seeds, and every measure as mean and range."""
    head = ["arm", "seeds", "reached", *(measure.column for measure in MEASURES), _ENTROPIES]
    lines = [_line(head), _line(["---"] * len(head))]
    for arm in arms:
        reached = "–" if arm.name == "no training" else f"{arm.num_reached} of {len(arm.rows)}"
        cells = [over_seeds(arm.values(item.key), item.digits) for item in MEASURES]
        lines.append(_line([arm.name, str(len(arm.rows)), reached, *cells, _entropies(arm)]))
    return lines


def _entropies(arm: Arm) -> str:
    """The mean entropy of each side at the look that was kept."""
    sides = [found for row in arm.rows if isinstance(found := row.get("entropies"), list)]
    return " / ".join(f"{fmean(side):.3f}" for side in zip(*sides, strict=True)) or "–"


def differences_table(arms: Sequence[Arm], base: Arm) -> list[str]:
    """A line an arm: how it differs from the base on the same seeds."""
    keys = [(measure.key, measure.digits) for measure in MEASURES if measure.key != "gap"]
    names = [measure.column for measure in MEASURES if measure.key != "gap"]
    head = ["arm", "shared seeds", *names]
    lines = [_line(head), _line(["---"] * len(head))]
    for arm in arms:
        if arm.name in NOT_COMPARED:
            continue
        found = [(difference(arm, base, key), digits) for key, digits in keys]
        if found[0][0] is None:
            continue
        cells = [_with_interval(item, digits) for item, digits in found]
        lines.append(_line([arm.name, str(found[0][0][3]), *cells]))
    return lines


def _with_interval(found: tuple[float, float, float, int] | None, digits: int) -> str:
    if found is None:
        return "–"
    center, low, high, _ = found
    if low == high:  # shares of few items: no spread over seeds is no certainty
        return f"{center:+.{digits}f} on each"
    return f"{center:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def time_ratio(arms: Sequence[Arm]) -> str:
    """One sentence about the CPU time of the base against that of GEE."""
    named = {arm.name: arm for arm in arms}
    if BASE not in named or "gee" not in named:
        return "The time against GEE was not measured."
    ours, theirs = named[BASE].by_seed("cpu_seconds"), named["gee"].by_seed("cpu_seconds")
    ratios = [ours[seed] / theirs[seed] for seed in ours if seed in theirs]
    if len(ratios) < 2:
        return f"The time against GEE was measured on {len(ratios)} seed: no interval."
    logs = np.log(ratios)
    half = float(stats.t.ppf(0.975, len(logs) - 1)) * np.std(logs, ddof=1) / len(logs) ** 0.5
    center, low, high = (float(np.exp(np.mean(logs) + end)) for end in (0.0, -half, half))
    verdict = "below half is shown" if high < 0.5 else "below half is not shown"
    return (
        f"`{BASE}` took {center:.2f} [{low:.2f}, {high:.2f}] of GEE's CPU seconds to the target "
        f"({len(ratios)} seeds, 95% interval of the mean log ratio): {verdict}."
    )


# ---- pictures -----------------------------------------------------------------------------------


def arms_picture(arms: Sequence[Arm], measure: Measure) -> Picture:
    """One measure of every arm, a dot a seed."""
    lines, said = [], []
    for arm in arms:
        dots = tuple(
            Dot(_number(row, measure.key), filled=bool(row.get("reached")))
            for row in arm.rows
            if measure.key in row
        )
        if dots:
            lines.append((f"{arm.name} ({len(dots)})", dots))
            said.append(f"{arm.name} {over_seeds(arm.values(measure.key), measure.digits)}")
    return Picture(
        title=measure.name,
        text=f"{measure.name}, mean and range over seeds: {'; '.join(said)}.",
        lines=tuple(lines),
        footer="a dot a seed (how many in brackets), the bar their mean; hollow: not arrived",
        band=measure.band,
        log=measure.log,
    )


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
those studies was typed. The first lines of each `experiments/*.py` give its command.

## What was asked

Can the entropy gap of a causal language model be closed without changing the model otherwise, which
objective does it best, and do the intervals and the stopping rule behind such a claim hold?

## How it was measured

On the [test bed](../test-bed.md), a small model with a planted gap, from the same start and on the
same pairs in the same order for every arm of a seed. Training stops when the whole 95% interval of
the *held-out* gap lies inside ±0.02 nats at two looks in a row; the best look is kept. What is
reported is measured afterwards, on pairs, problems and programs that neither training nor stopping
saw. {seeds}
"""

_NOT_SHOWN = """\
## What was not shown

- **Nothing about real models.** All figures are of one model that was made for this, whose gap is
  planted, large and easy. Whether a real gap of a few hundredths of a nat can be closed this way,
  and at what cost, was not tried in these studies.
- **The best settings of each objective.** Every arm has its defaults; none was tuned, so an arm
  that does badly here may do better with others.
- **More than the seeds that stand in the tables.** A range over two or three seeds says little
  about the next one. Seeds change sampling and the order of the data, not the making of the model.
- **Pronouns and stereotypes.** The objective makes answers equally certain. No arm was shown to
  change which pronoun an occupation gets; see
  [what a gap of zero does not mean](../gap-of-zero.md).
- **Long answers, chat templates, other languages, other attributes** were not measured.
- **Wall-clock time.** CPU seconds were taken on a machine that other work shared.
"""


def page(arms: Sequence[Arm], tables: Mapping[str, str], pictures: Mapping[str, Picture]) -> str:
    """Returns the Markdown of the report."""
    base = next((arm for arm in arms if arm.name == BASE), None)
    lines = [_SETTING.format(seeds=seeds_sentence(arms)), "## Every objective", ""]
    lines += [*arms_table(arms), ""]
    lines += [
        "Mean over seeds, and the range in brackets where there are several. Gap, KL a token and",
        "the entropies after female and male prompts in nats; arithmetic and code: shares solved.",
    ]
    for measure in MEASURES:
        lines += ["", _image(measure.key, pictures)]
    lines += ["", "## What it shows", "", *findings(arms), ""]
    if base is not None:
        lines += [
            f"### Differences from `{BASE}`, seed by seed",
            "",
            *differences_table(arms, base),
            "",
            "Mean difference on the seeds that both have, with a 95% t interval over them. Over",
            "two seeds such an interval is wide; one that includes 0 shows no difference.",
            "Arms with one shared seed have no interval and are left out.",
            "",
        ]
    if "simulations" in tables:
        lines += ["## Do the intervals hold?", ""]
        lines.append(
            f"Simulated data sets whose gap is known{simulated_runs()}, judged by the code that"
        )
        lines += ["ships. What is simulated, and why: [the statistics](../statistics.md).", ""]
        lines += [tables["simulations"].strip(), ""]
        lines += [f"{_image(key, pictures)}\n" for key, *_ in _SHARES if key in pictures]
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


def seeds_sentence(arms: Sequence[Arm]) -> str:
    """How many seeds each arm has."""
    counts: dict[int, list[str]] = {}
    for arm in arms:
        counts.setdefault(len(arm.rows), []).append(f"`{arm.name}`")
    parts = [
        f"{number} seed{'s' * (number > 1)}: {', '.join(names)}"
        for number, names in sorted(counts.items(), reverse=True)
    ]
    return "Seeds so far - " + "; ".join(parts) + "."


def findings(arms: Sequence[Arm]) -> list[str]:
    """What the rows show, as a list of sentences with their numbers."""
    trained = [arm for arm in arms if arm.name != "no training"]
    always = [arm for arm in trained if arm.num_reached == len(arm.rows)]
    never = [arm for arm in trained if arm.num_reached == 0]
    between = [arm for arm in trained if arm not in always and arm not in never]
    found = [
        f"- {words}: {', '.join(map(_reached, group))}."
        for words, group in (
            ("Reached the target on every seed", always),
            ("On some seeds", between),
            ("On none", never),
        )
        if group
    ]
    ranked = sorted(always, key=lambda arm: fmean(arm.values("kl")))
    if ranked:
        named = ", ".join(f"`{arm.name}` {over_seeds(arm.values('kl'), 3)}" for arm in ranked)
        found.append(f"- How far those moved the model that always arrived (KL): {named}.")
    found += told_apart([arm for arm in always if arm.name not in NOT_COMPARED], arms)
    found.append(f"- {time_ratio(arms)}")
    lost = [arm for arm in trained if _worst_loss(arm, arms) > 0.05]
    if lost:
        named = ", ".join(f"`{arm.name}` (up to {_worst_loss(arm, arms):.0%})" for arm in lost)
        found.append(f"- Lost more than 5% of arithmetic or code on at least one seed: {named}.")
    return found


def told_apart(others: Sequence[Arm], arms: Sequence[Arm]) -> list[str]:
    """Which arms moved the model further than the base, which less, of which neither is shown."""
    base = next((arm for arm in arms if arm.name == BASE), None)
    groups: dict[str, list[str]] = {"further": [], "less far": [], "not told apart": []}
    for arm in others:
        found = difference(arm, base, "kl") if base is not None else None
        if found is None:
            continue
        _, low, high, number = found
        word = "further" if low > 0 else "less far" if high < 0 else "not told apart"
        groups[word].append(f"`{arm.name}` ({number} seeds)")
    named = "; ".join(f"{word}: {', '.join(names)}" for word, names in groups.items() if names)
    return [f"- Against `{BASE}` on the same seeds, by KL - {named}."] if named else []


def _reached(arm: Arm) -> str:
    return f"`{arm.name}` ({arm.num_reached} of {len(arm.rows)})"


def _worst_loss(arm: Arm, arms: Sequence[Arm]) -> float:
    """The largest share of a score of the untrained model that an arm lost on a seed."""
    untrained = next((other for other in arms if other.name == "no training"), None)
    losses = [0.0]
    for key in ("arithmetic", "code") if untrained else ():
        before = fmean(untrained.values(key)) if untrained else 0.0
        losses += [1 - value / before for value in arm.values(key)]
    return max(losses)


def _image(key: str, pictures: Mapping[str, Picture]) -> str:
    return f"![{pictures[key].text}]({key}.svg)"


def make() -> dict[str, str]:
    """Returns the files of the report by name."""
    arms = read_arms(RESULTS / "objectives.jsonl")
    tables = {path.stem: path.read_text() for path in sorted(RESULTS.glob("*.md"))}
    pictures = {measure.key: arms_picture(arms, measure) for measure in MEASURES}
    for key, what, band in _SHARES:
        picture = shares_picture(tables.get("simulations", ""), what, band)
        if picture is not None:
            pictures[key] = picture
    files = {f"{key}.svg": draw(picture) for key, picture in pictures.items()}
    # the sentences alone, for pages that include them
    files["findings.md"] = "\n".join(findings(arms)) + "\n"
    return {"index.md": page(arms, tables, pictures), **files}


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
