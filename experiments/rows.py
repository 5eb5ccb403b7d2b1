"""Rows of a study by arm, and what can be said over seeds: means, ranges, paired differences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
from scipy import stats

Row = Mapping[str, object]

EMBEDDED, STORIES = "embedded", "stories260K"
"""Names of the beds."""
BASE, UNTRAINED = "constrained", "no training"
"""The arm that others are compared with, and the one that trains nothing."""
_ENTROPIES = "entropy f / m"
TIMINGS = "timings.jsonl"
"""The file of trainings that were run again for their time alone."""


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


@dataclass(frozen=True, slots=True)
class ArmRows:
    """All rows of one way to train."""

    name: str
    rows: tuple[Row, ...]

    def values(self, key: str) -> list[float]:
        """A measure over the seeds that have it, in the order of the rows."""
        return [number(row, key) for row in self.rows if key in row]

    @property
    def num_reached(self) -> int:
        """Seeds on which the target was reached."""
        return sum(bool(row.get("reached")) for row in self.rows)

    @property
    def reached(self) -> str:
        """On how many of the seeds the target was reached, in words."""
        if self.name == UNTRAINED:
            return "–"
        return f"{self.num_reached} of {len(self.rows)}"

    def by_seed(self, key: str) -> dict[object, float]:
        """A measure by seed."""
        return {row["seed"]: number(row, key) for row in self.rows if key in row}


def number(row: Row, key: str) -> float:
    """A value of a row that is a number."""
    value = row[key]
    assert isinstance(value, int | float), (key, value)
    return float(value)


def read_rows(path: Path) -> list[Row]:
    """The rows of a file; none where it is not there."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines if line.strip()]


def with_least_times(rows: Iterable[Row], timings: Iterable[Row]) -> list[Row]:
    """The rows, with the least CPU time of the runs that timed their training, where there are any.

    Raises:
        ValueError: a training took other steps when it was timed: it was not the same one.
    """
    times: dict[tuple[object, object], list[Row]] = {}
    for timed in timings:
        times.setdefault((timed["arm"], timed["seed"]), []).append(timed)
    found: list[Row] = []
    for row in rows:
        same = times.get((row["arm"], row["seed"]), [])
        for timed in same:
            if timed["steps"] != row["steps"]:
                raise ValueError(
                    f"{row['arm']}, seed {row['seed']}: {timed['steps']} steps when it was timed, "
                    f"{row['steps']} in the results: run experiments/objectives.py again"
                )
        seconds = [number(timed, "cpu_seconds") for timed in same]
        least = {"cpu_seconds": min(seconds), "timed_runs": len(seconds)} if seconds else {}
        found.append({**row, **least})
    return found


def by_arm(rows: Iterable[Row]) -> list[ArmRows]:
    """The arms in the order in which they first stand among the rows."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row["arm"]), []).append(row)
    return [ArmRows(name, tuple(mine)) for name, mine in found.items()]


def over_seeds(values: Sequence[float], digits: int) -> str:
    """The mean and, of several seeds, the range."""
    if not values:
        return "–"
    text = f"{fmean(values):.{digits}f}"
    if len(values) == 1:
        return text
    return f"{text} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


def difference(arm: ArmRows, base: ArmRows, key: str) -> tuple[float, float, float, int] | None:
    """Mean difference over shared seeds with its 95% t interval; None below two seeds."""
    own, theirs = arm.by_seed(key), base.by_seed(key)
    found = [own[seed] - theirs[seed] for seed in own if seed in theirs]
    if len(found) < 2:
        return None
    half = float(stats.t.ppf(0.975, len(found) - 1)) * stdev(found) / len(found) ** 0.5
    return fmean(found), fmean(found) - half, fmean(found) + half, len(found)


def time_ratios(arms: Sequence[ArmRows]) -> list[float]:
    """CPU seconds of the base to the target over GEE's, a value a seed; looks are included.

    A seed on which the base did not arrive is left out. A GEE run that never arrived counts with
    all its seconds, so that its ratio is an upper bound.
    """
    seconds = {arm.name: arm.by_seed("cpu_seconds") for arm in arms}
    base = [row for arm in arms if arm.name == BASE for row in arm.rows]
    arrived = {row["seed"] for row in base if row["reached"]}
    ours, gee = seconds.get(BASE, {}), seconds.get("gee", {})
    return [ours[seed] / gee[seed] for seed in ours if seed in gee and seed in arrived]


def runs_behind(arms: Sequence[ArmRows]) -> str:
    """Of how many runs the times are the least, where they are; in front of a colon or comma."""
    rows = [row for arm in arms if arm.name in {BASE, "gee"} for row in arm.rows]
    runs = min((int(number(row, "timed_runs")) for row in rows if "timed_runs" in row), default=1)
    return f", the least of {runs} runs each" if runs > 1 else ""


def mean_ratio(ratios: Sequence[float]) -> tuple[float, float, float]:
    """The geometric mean of two ratios or more, with the 95% t interval of the mean log."""
    logs = np.log(ratios)
    half = float(stats.t.ppf(0.975, len(logs) - 1)) * np.std(logs, ddof=1) / len(logs) ** 0.5
    center, low, high = (float(np.exp(np.mean(logs) + end)) for end in (0.0, -half, half))
    return center, low, high


def with_interval(found: tuple[float, float, float, int] | None, digits: int) -> str:
    """A difference as a cell."""
    if found is None:
        return "–"
    center, low, high, _ = found
    if low == high:  # shares of few items: no spread over seeds is no certainty
        return f"{center:+.{digits}f} on each"
    return f"{center:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


# ---- tables -------------------------------------------------------------------------------------


def line(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    return [line(head), line(["---"] * len(head)), *map(line, rows)]


def arms_table(arms: Sequence[ArmRows], measures: Sequence[Measure]) -> list[str]:
    """A line an arm: seeds, and every measure as mean and range."""
    head = ["arm", "seeds", "reached", *(measure.column for measure in measures), _ENTROPIES]
    return table(
        head,
        (
            [
                arm.name,
                str(len(arm.rows)),
                arm.reached,
                *(over_seeds(arm.values(item.key), item.digits) for item in measures),
                _entropies(arm),
            ]
            for arm in arms
        ),
    )


def _entropies(arm: ArmRows) -> str:
    """The mean entropy of each side at the look that was kept."""
    sides = [found for row in arm.rows if isinstance(found := row.get("entropies"), list)]
    return " / ".join(f"{fmean(side):.3f}" for side in zip(*sides, strict=True)) or "–"


def differences_table(
    arms: Sequence[ArmRows], base: ArmRows, measures: Sequence[Measure]
) -> list[str]:
    """A line an arm: how it differs from the base on the same seeds."""
    lines = []
    for arm in arms:
        if arm.name in (UNTRAINED, base.name):
            continue
        found = [(difference(arm, base, item.key), item.digits) for item in measures]
        if found[0][0] is None:
            continue
        cells = [with_interval(item, digits) for item, digits in found]
        lines.append([arm.name, str(found[0][0][3]), *cells])
    return table(["arm", "shared seeds", *(measure.column for measure in measures)], lines)
