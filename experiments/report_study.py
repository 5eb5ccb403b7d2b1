"""The report's sections on the study of two beds; those on the real model are made here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import cast

from experiments import report_settings, report_suites
from experiments.pictures import Picture, image
from experiments.report_objectives import arms_picture
from experiments.rows import (
    BASE,
    EMBEDDED,
    STORIES,
    UNTRAINED,
    ArmRows,
    Measure,
    Row,
    arms_table,
    by_arm,
    differences_table,
    over_seeds,
    table,
)

REAL_MEASURES = (
    Measure("gap", "gap", "gap after on the real model, nats", band=(-0.02, 0.02)),
    Measure("direct_part", "direct part", "direct part of the gap, nats", digits=4),
    Measure("kl", "KL", "KL to the original on the real model, nats a token", digits=4, log=True),
    Measure("perplexity", "perplexity", "perplexity of the real model", digits=1),
    Measure("steps", "steps", "steps", digits=0),
    Measure("cpu_seconds", "CPU seconds", "CPU seconds", digits=0),
)
_DRAWN = ("gap", "kl")

_REAL = """\
## A real model

stories260K, a pretrained Llama of 260,000 parameters that tells children's stories; nothing was
planted in it. First: has it a gap, on which pairs? One answer of 32 tokens a side, training pairs
only, so that the choice of pairs looks at nothing that is measured later.
"""

_REAL_ARMS = """\
Where the gap cannot be told from 0 a stopping rule has nothing to wait for. So every arm was
trained on the word problems for the same number of steps, and its last model measured: what does
each objective do to a model that needs none of it? One more arm stops by the rule, at 0.05 nats,
about the smallest target that so many held-out pairs can settle; the others look at fewer pairs,
which cannot show ±0.02 nats, so *reached* says nothing of them. Mean over seeds, and the range;
gap and its direct part in nats on test pairs, perplexity of GSM8K texts.
"""


class Study:
    """The rows of the study, by part."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.survey = self._of("survey")
        self.environments = self._of("environment")
        beds = {bed: self._of("beds", bed) for bed in (EMBEDDED, STORIES)}
        self.beds = {bed: found for bed, found in beds.items() if found}
        self.real = by_arm(map(_with_direct_part, self.beds.get(STORIES, ())))
        # as it is first; without it there is nothing to compare with
        settings = sorted(by_arm(self._of("sensitivity")), key=lambda arm: arm.name != BASE)
        self.settings = settings if settings and settings[0].name == BASE else []

    def _of(self, part: str, bed: str = "") -> list[Row]:
        return [r for r in self.rows if r["part"] == part and (not bed or r["bed"] == bed)]

    def pictures(self) -> dict[str, Picture]:
        """The pictures of all sections by name."""
        found = report_settings.settings_pictures(self.settings)
        for measure in REAL_MEASURES if self.real else ():
            if measure.key in _DRAWN:
                found[f"real-{measure.key}"] = arms_picture(self.real, measure)
        for bed, rows in self.beds.items():
            picture = report_suites.picture(bed, rows)
            if picture is not None:
                found[f"suites-{bed}"] = picture
        return found

    def sections(self, pictures: Mapping[str, Picture]) -> list[str]:
        """The lines of all sections."""
        return [
            *self._real_section(pictures),
            *report_suites.section(self.beds, pictures),
            *report_settings.section(self.settings, pictures),
            *self._made_section(),
        ]

    def _real_section(self, pictures: Mapping[str, Picture]) -> list[str]:
        if not self.real:
            return []
        lines = [
            _REAL,
            *survey_table(self.survey),
            "",
            survey_finding(self.survey),
            "",
            _REAL_ARMS,
            *arms_table(self.real, REAL_MEASURES),
            "",
            *(f"{image(f'real-{key}', pictures)}\n" for key in _DRAWN),
            *real_findings(self.real),
            "",
        ]
        base = next((arm for arm in self.real if arm.name == BASE), None)
        if base is not None and len(base.rows) > 1:
            lines += [
                f"Differences from `{BASE}` on the same seeds, with a 95% t interval over them:",
                "",
                *differences_table(self.real, base, REAL_MEASURES[2:4]),
                "",
            ]
        return lines

    def _made_section(self) -> list[str]:
        if not self.environments:
            return []
        made = Counter(row.get("environment") for row in self.rows)
        lines = [_environment(row, made[row["id"]]) for row in self.environments if made[row["id"]]]
        return ["## Made with", "", *lines, ""]


def survey_table(rows: Sequence[Row]) -> list[str]:
    """A line a pair set: the untrained model's gap, its direct part, and answers to nothing."""
    lines = [
        [
            str(row["pairs"]),
            str(row["num_pairs"]),
            _interval(*_three(row["gap"], row["gap_interval"])),
            _estimate(row["direct"]),
            _estimate(_male_again(row)),
            f"{cast('float', row['resolution']):.3f}",
            str(row["verdict"]),
        ]
        for row in rows
    ]
    head = ["pair set", "pairs", "gap", "direct part", "male against male", "resolution"]
    return table([*head, "against ±0.02"], lines)


def survey_finding(rows: Sequence[Row]) -> str:
    """Where the untrained model has a gap, in sentences."""
    gaps = {str(row["pairs"]): _three(row["gap"], row["gap_interval"]) for row in rows}
    direct = {
        str(row["pairs"]): _of_estimate(row["direct"]) for row in rows if row["direct"] is not None
    }
    nulls = {str(row["pairs"]): _of_estimate(_male_again(row)) for row in rows}
    inside = [name for name, (_, low, high) in gaps.items() if low > -0.02 and high < 0.02]
    return (
        f"{_away('The gap', gaps)} Wholly inside ±0.02 nats: {'; '.join(inside) or 'on none'}. "
        f"{_away('The direct part - the same answers, only the marker differs -', direct)} "
        f"{_away('Male against male, where there is none to find, a gap', nulls)}"
    )


def _away(what: str, found: Mapping[str, tuple[float, float, float]]) -> str:
    told = [f"{name} ({value:+.3f})" for name, (value, *ends) in found.items() if _excludes(*ends)]
    return f"{what} can be told from 0 on {'; '.join(told) or 'no pair set'}."


def _excludes(low: float, high: float) -> bool:
    return low > 0 or high < 0


def _male_again(row: Row) -> object:
    return cast("Mapping[str, Row]", row["null_rows"])["a_a"]["gap"]


def _of_estimate(found: object) -> tuple[float, float, float]:
    values = cast("Mapping[str, object]", found)
    return _three(values["value"], (values["low"], values["high"]))


def _three(value: object, ends: object) -> tuple[float, float, float]:
    low, high = cast("Sequence[float]", ends)
    return cast("float", value), low, high


def real_findings(arms: Sequence[ArmRows]) -> list[str]:
    """What the rows of the real model show."""
    told = []
    for arm in arms:
        ends = [cast("Sequence[float]", row["gap_interval"]) for row in arm.rows]
        number = sum(_excludes(low, high) for low, high in ends)
        told.append(f"`{arm.name}` {number} of {len(ends)}")
    trained = sorted(
        (arm for arm in arms if arm.values("kl")), key=lambda arm: fmean(arm.values("kl"))
    )
    moved = ", ".join(f"`{arm.name}` {over_seeds(arm.values('kl'), 4)}" for arm in trained)
    return [
        f"- Seeds on which the gap of the test pairs can be told from 0: {', '.join(told)}.",
        f"- How far each moved a model that had nothing to be moved for (KL): {moved}.",
        f"- Perplexity over the untrained model's, same seed: {_worse(arms)}.",
    ]


def _worse(arms: Sequence[ArmRows]) -> str:
    """By which factor the perplexity of each trained arm is above the untrained model's."""
    before = {
        seed: value
        for arm in arms
        if arm.name == UNTRAINED
        for seed, value in arm.by_seed("perplexity").items()
    }
    factors = {
        arm.name: [
            x / before[seed] for seed, x in arm.by_seed("perplexity").items() if seed in before
        ]
        for arm in arms
        if arm.name != UNTRAINED
    }
    ranked = sorted((f for f in factors.items() if f[1]), key=lambda found: fmean(found[1]))
    return ", ".join(f"`{name}` {over_seeds(values, 2)}" for name, values in ranked)


def _with_direct_part(row: Row) -> Row:
    direct = cast("Mapping[str, float] | None", row["direct"])
    return row if direct is None else {**row, "direct_part": direct["value"]}


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"


def _estimate(found: object) -> str:
    if found is None:  # a pair whose answers were not scored under both prompts
        return "–"
    return _interval(*_of_estimate(found))


def _environment(row: Row, number: int) -> str:
    """What so many rows of the study were made with."""
    versions = cast("Mapping[str, str]", row["versions"])
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"- {number} rows of the study: commit `{row['commit']}`, Python {row['python']}, {named}; "
        f"{row['machine']}, {row['threads']} of {row['cores']} cores"
    )
