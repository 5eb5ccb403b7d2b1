"""The report's section on the settings of `constrained`: one changed at a time, and what it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.arms import SENSITIVITY
from experiments.pictures import Picture, image
from experiments.report_objectives import arms_picture
from experiments.rows import BASE, ArmRows, Measure, arms_table, difference, with_interval

MEASURES = (
    Measure("gap", "gap", "gap after by setting, nats", band=(-0.02, 0.02)),
    Measure("kl", "KL", "KL to the original by setting, nats a token"),
    Measure("steps", "steps", "steps by setting", digits=0),
    Measure("arithmetic", "arithmetic", "arithmetic"),
    Measure("cpu_seconds", "CPU seconds", "CPU seconds", digits=0),
)
_DRAWN = ("gap", "kl", "steps")

_SETTINGS = f"""\
## How much the settings matter

`{BASE}` on the embedded model with one setting changed at a time. The first line is as it is:
learning_rate 1e-4, rho 80, eta 1, 16 pairs a batch, all dev pairs, target 0.02 nats.
"""


def settings_pictures(arms: Sequence[ArmRows]) -> dict[str, Picture]:
    """The pictures of the section by name; none without rows."""
    return {
        f"sensitivity-{item.key}": arms_picture(arms, item)
        for item in (MEASURES if arms else ())
        if item.key in _DRAWN
    }


def section(arms: Sequence[ArmRows], pictures: Mapping[str, Picture]) -> list[str]:
    """The lines of the section, the arm as it is first; none without rows."""
    if not arms:
        return []
    return [
        _SETTINGS,
        *arms_table(arms, MEASURES),
        "",
        *(f"{image(f'sensitivity-{key}', pictures)}\n" for key in _DRAWN),
        *setting_findings(arms),
        *_not_run(arms),
        "",
    ]


def setting_findings(arms: Sequence[ArmRows]) -> list[str]:
    """Which settings changed what, against the first arm on the same seeds."""
    base, *others = arms
    missed = [
        f"`{a.name}` ({a.num_reached} of {len(a.rows)})"
        for a in others
        if a.num_reached < len(a.rows)
    ]
    lines = [
        f"- Did not reach the target on every seed: {', '.join(missed)}."
        if missed
        else "- The target was reached on every seed under every setting."
    ]
    if max(len(arm.rows) for arm in arms) < 2:
        return [
            *lines,
            "- One seed so far: differences have no interval, and nothing is told apart.",
        ]
    for item in MEASURES[1:4]:
        found = {arm.name: difference(arm, base, item.key) for arm in others}
        told = [
            f"`{name}` {with_interval(each, item.digits)}"
            for name, each in found.items()
            if each is not None and (each[1] > 0 or each[2] < 0)
        ]
        lines.append(f"- {item.column}, told apart from it: {', '.join(told) or 'none'}.")
    return lines


def _not_run(arms: Sequence[ArmRows]) -> list[str]:
    """Which settings the study has no row of yet."""
    missing = {arm.name for arm in SENSITIVITY} - {arm.name for arm in arms}
    named = ", ".join(f"`{arm.name}`" for arm in SENSITIVITY if arm.name in missing)
    return [f"- Not run yet: {named}."] if named else []
