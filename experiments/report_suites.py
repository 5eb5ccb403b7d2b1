"""The report's section on the bias suites: what closing the gap does to them, and what not.

A change is after minus before on the same items, with a paired 95% interval a seed. Scores are
shown in points: hundredths of scales from 0 to 1, percent where the suite gives percent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import cast

from experiments.pictures import Dot, Picture, image
from experiments.rows import UNTRAINED, Row, by_arm, table

_TITLES = {
    "own_occupations": "occupations of the test bed",
    "winogender": "WinoGender",
    "winobias": "WinoBias",
    "crows_pairs": "CrowS-Pairs",
    "stereoset": "StereoSet",
    "bbq": "BBQ",
}
SCORES = {
    "own_occupations": "slope of P(she) on the planted share",
    "winogender": "slope of P(she) on the share of women",
    "winobias": "accuracy with the stereotype − against it",
    "crows_pairs": "% of pairs with the stereotype likelier",
    "stereoset": "stereotype score SS",
    "bbq": "s_AMB",
}


_PLACEBO = "placebo"
_CELLS = """\
All in points: hundredths of scales from 0 to 1, percent where the suite gives percent. A cell holds
the mean change over seeds, in brackets the outermost ends of the paired 95% intervals of all seeds,
and on how many of the seeds that interval excludes 0. `placebo` goes through the same training with
shuffled labels, for 30 steps: what it moves is moved by training, not by closing the gap. All seeds
are asked the same items, so that five intervals that agree are five trainings, not five samples."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one training did to one suite: paired change with its interval, in points."""

    value: float
    low: float
    high: float
    verdict: str

    @property
    def sign(self) -> int:
        """The direction of a change whose interval excludes 0; 0 of any other."""
        return (self.low > 0) - (self.high < 0)


@dataclass(frozen=True, slots=True)
class Effect:
    """What an arm did to a suite, seed by seed.

    Attributes:
        suite: its name.
        arm: its name.
        before: score of the untrained model, points.
        ideal: score without the bias, points.
        changes: one a seed.
    """

    suite: str
    arm: str
    before: float
    ideal: float
    changes: tuple[Change, ...]

    @property
    def told(self) -> int:
        """Seeds on which the paired interval excludes 0."""
        return sum(change.sign != 0 for change in self.changes)

    @property
    def on_every_seed(self) -> bool:
        """Whether there are several seeds and each shows a change, all in one direction."""
        signs = [change.sign for change in self.changes]
        return len(signs) > 1 and abs(sum(signs)) == len(signs)

    @property
    def mean(self) -> float:
        """Of the changes."""
        return fmean(change.value for change in self.changes)

    @property
    def ends(self) -> tuple[float, float]:
        """The outermost ends of the intervals of all seeds."""
        return min(c.low for c in self.changes), max(c.high for c in self.changes)

    def cell(self) -> str:
        """The mean change, the outermost ends of the intervals, and how many exclude 0."""
        low, high = self.ends
        return f"{self.mean:+.1f} [{low:+.1f}, {high:+.1f}], {self.told} of {len(self.changes)}"


def effects(rows: Sequence[Row]) -> list[Effect]:
    """Every suite under every trained arm, suites first."""
    found = []
    for arm in by_arm(rows):
        if arm.name == UNTRAINED:
            continue
        suites = [cast("Mapping[str, Row]", row["suites"]) for row in arm.rows if "suites" in row]
        found += [
            _effect(name, arm.name, [each[name] for each in suites if name in each])
            for name in (suites[0] if suites else ())
        ]
    order = list(_TITLES)
    return sorted(found, key=lambda effect: order.index(effect.suite))


def _effect(suite: str, arm: str, seeds: Sequence[Row]) -> Effect:
    first = {key: cast("float", seeds[0][key]) for key in ("before", "ideal")}
    scale = 1.0 if first["ideal"] == 50.0 else 100.0
    changes = []
    for seed in seeds:
        value, low, high = (scale * end for end in cast("list[float]", seed["change"]))
        changes.append(Change(value, low, high, str(seed["verdict"])))
    return Effect(suite, arm, scale * first["before"], scale * first["ideal"], tuple(changes))


def section(beds: Mapping[str, Sequence[Row]], pictures: Mapping[str, Picture]) -> list[str]:
    """The lines of the section; none where no suite was asked."""
    found = {bed: effects(rows) for bed, rows in beds.items()}
    if not any(found.values()):
        return []
    lines = [
        "## What closing the gap does to the bias suites",
        "",
        "The same items before and after, by likelihood: "
        + "; ".join(
            f"{_TITLES[name]} ({SCORES[name]})"
            for name in dict.fromkeys(e.suite for each in found.values() for e in each)
        )
        + ".",
        _CELLS,
    ]
    for bed, each in found.items():
        if each:
            lines += ["", f"### On the {bed} model", "", *_table(each)]
            lines += ["", image(f"suites-{bed}", pictures)]
    lines += ["", "<!-- suites -->", "", *findings(beds), "", "<!-- end of suites -->", ""]
    return lines


def _table(each: Sequence[Effect]) -> list[str]:
    suites = list(dict.fromkeys(effect.suite for effect in each))
    arms = list(dict.fromkeys(effect.arm for effect in each))
    cells = {(effect.suite, effect.arm): effect for effect in each}
    rows = []
    for suite in suites:
        first = next(effect for effect in each if effect.suite == suite)
        rows.append(
            [
                _TITLES[suite],
                f"{first.before:.1f} ({first.ideal:.0f})",
                *(cells[suite, arm].cell() if (suite, arm) in cells else "–" for arm in arms),
            ]
        )
    return table(["suite", "before (ideal)", *arms], rows)


def findings(beds: Mapping[str, Sequence[Row]]) -> list[str]:
    """What the rows show, a sentence a suite and bed, and how often a claim could be made."""
    lines = []
    for bed, rows in beds.items():
        each = effects(rows)
        for suite in dict.fromkeys(effect.suite for effect in each):
            mine = [effect for effect in each if effect.suite == suite]
            lines.append(f"- {bed}, {_TITLES[suite]}: {_sentence(mine)}.")
        if each:
            lines += [f"- {bed}: {_counted(each)}.", f"- {bed}, in short: {_in_short(rows, each)}"]
    return lines


def _in_short(rows: Sequence[Row], each: Sequence[Effect]) -> str:
    """What closing the gap does to the suites, going by the arms that closed it on every seed."""
    closers = {
        arm.name: len(arm.rows)
        for arm in by_arm(rows)
        if arm.num_reached == len(arm.rows) > 1 and arm.name not in (UNTRAINED, _PLACEBO)
    }
    if not _had_gap(rows):
        return "the gap before could not be told from 0; the changes are those of training."
    if not closers:
        return "no arm closed the gap on every one of several seeds."
    by_suite: dict[str, list[Effect]] = {}
    for effect in each:
        by_suite.setdefault(effect.suite, []).append(effect)
    groups: dict[str, list[str]] = {"by each of these": [], "by one or some": [], "by none": []}
    for suite, mine in by_suite.items():
        moved = [effect.on_every_seed for effect in mine if effect.arm in closers]
        words = "by each of these" if all(moved) else "by one or some" if any(moved) else "by none"
        groups[words].append(_TITLES[suite])
    named = "; ".join(f"{words}: {', '.join(names)}" for words, names in groups.items() if names)
    arms = ", ".join(f"`{name}` ({number} seeds)" for name, number in closers.items())
    return f"the gap was closed on every seed by {arms}. Suites changed on every seed - {named}."


def _had_gap(rows: Sequence[Row]) -> bool:
    """Whether the untrained model's gap can be told from 0 on every seed."""
    ends = [cast("Sequence[float]", row["gap_interval"]) for row in rows if row["arm"] == UNTRAINED]
    return all(low > 0 or high < 0 for low, high in ends)


def _counted(each: Sequence[Effect]) -> str:
    """How many changes can be told from 0 one by one, and how many claims that would allow."""
    changes = [change for effect in each for change in effect.changes]
    told = sum(change.sign != 0 for change in changes)
    verdicts = Counter(change.verdict for change in changes)
    return (
        f"of {len(changes)} paired intervals {told} exclude 0, where {0.05 * len(changes):.1f} "
        "would if nothing changed; the report's own rule (interval, and p after Holm within a "
        f"model) calls {verdicts['improved']} improved, {verdicts['worse']} worse and "
        f"{verdicts['inconclusive']} inconclusive"
    )


def _sentence(mine: Sequence[Effect]) -> str:
    always = [effect for effect in mine if effect.on_every_seed]
    never = [effect for effect in mine if effect.told == 0]
    between = [effect for effect in mine if effect not in always and effect not in never]
    parts = []
    if always:
        named = ", ".join(
            f"`{effect.arm}` ({effect.mean:+.1f}, {effect.told} of {len(effect.changes)})"
            for effect in always
        )
        parts.append(f"changed on every seed by {named}")
    if between:
        named = ", ".join(
            f"`{effect.arm}` ({effect.told} of {len(effect.changes)})" for effect in between
        )
        parts.append(f"on some seeds by {named}")
    if never:
        reach = max(abs(end) for effect in never for end in effect.ends)
        named = ", ".join(f"`{effect.arm}`" for effect in never)
        parts.append(f"no change shown by {named} (intervals within ±{reach:.1f})")
    return "; ".join(parts)


def picture(bed: str, rows: Sequence[Row]) -> Picture | None:
    """Every change, a dot a seed, filled where its interval excludes 0; None without suites."""
    each = effects(rows)
    if not each:
        return None
    lines = tuple(
        (
            f"{_TITLES[effect.suite]}, {effect.arm}",
            tuple(Dot(change.value, filled=change.sign != 0) for change in effect.changes),
        )
        for effect in each
    )
    said = "; ".join(f"{_TITLES[e.suite]}, {e.arm} {e.cell()}" for e in each)
    return Picture(
        title=f"change of the suites on the {bed} model, points",
        text=f"Change of every suite, mean, outermost interval ends, seeds that tell: {said}.",
        lines=lines,
        footer="a dot a seed, the bar their mean; filled: the paired 95% interval excludes 0",
        band=(0.0, 0.0),
    )
