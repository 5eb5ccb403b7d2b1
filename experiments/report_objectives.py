"""The report's section on every objective: its table, its pictures, and what they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from experiments.pictures import Dot, Picture, image
from experiments.rows import (
    BASE,
    UNTRAINED,
    ArmRows,
    Measure,
    arms_table,
    difference,
    differences_table,
    mean_ratio,
    number,
    over_seeds,
    runs_behind,
    time_ratios,
)

MEASURES = (
    Measure("gap", "gap", "gap after, nats", band=(-0.02, 0.02)),
    Measure("kl", "KL", "KL to the original, nats a token", log=True),
    Measure("arithmetic", "arithmetic", "arithmetic, share solved"),
    Measure("code", "code", "code, share solved"),
    Measure("steps", "steps", "steps", digits=0),
)


def section(arms: Sequence[ArmRows], pictures: Mapping[str, Picture]) -> list[str]:
    """The lines of the section."""
    base = next((arm for arm in arms if arm.name == BASE), None)
    lines = ["## Every objective", ""]
    lines += [*arms_table(arms, MEASURES), ""]
    lines += [
        "Mean over seeds, and the range in brackets where there are several. Gap, KL a token and",
        "the entropies after female and male prompts in nats; arithmetic and code: shares solved.",
    ]
    for measure in MEASURES:
        lines += ["", image(measure.key, pictures)]
    lines += ["", "## What it shows", "", *findings(arms), ""]
    if base is not None:
        lines += [
            f"### Differences from `{BASE}`, seed by seed",
            "",
            *differences_table(arms, base, [item for item in MEASURES if item.key != "gap"]),
            "",
            "Mean difference on the seeds that both have, with a 95% t interval over them. Over",
            "two seeds such an interval is wide; one that includes 0 shows no difference.",
            "Arms with one shared seed have no interval and are left out.",
            "",
        ]
    return lines


def seeds_sentence(arms: Sequence[ArmRows]) -> str:
    """How many seeds each arm has."""
    counts: dict[int, list[str]] = {}
    for arm in arms:
        counts.setdefault(len(arm.rows), []).append(f"`{arm.name}`")
    parts = [
        f"{number} seed{'s' * (number > 1)}: {', '.join(names)}"
        for number, names in sorted(counts.items(), reverse=True)
    ]
    return "Seeds so far - " + "; ".join(parts) + "."


def findings(arms: Sequence[ArmRows]) -> list[str]:
    """What the rows show, as a list of sentences with their numbers."""
    trained = [arm for arm in arms if arm.name != UNTRAINED]
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
    found += told_apart([arm for arm in always if arm.name not in (UNTRAINED, BASE)], arms)
    found.append(f"- {time_sentence(arms)}")
    lost = [arm for arm in trained if _worst_loss(arm, arms) > 0.05]
    if lost:
        named = ", ".join(f"`{arm.name}` (up to {_worst_loss(arm, arms):.0%})" for arm in lost)
        found.append(f"- Lost more than 5% of arithmetic or code on at least one seed: {named}.")
    return found


def told_apart(others: Sequence[ArmRows], arms: Sequence[ArmRows]) -> list[str]:
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


def _reached(arm: ArmRows) -> str:
    return f"`{arm.name}` ({arm.num_reached} of {len(arm.rows)})"


def _worst_loss(arm: ArmRows, arms: Sequence[ArmRows]) -> float:
    """The largest share of a score of the untrained model that an arm lost on a seed."""
    untrained = next((other for other in arms if other.name == UNTRAINED), None)
    losses = [0.0]
    for key in ("arithmetic", "code") if untrained else ():
        before = fmean(untrained.values(key)) if untrained else 0.0
        losses += [1 - value / before for value in arm.values(key)]
    return max(losses)


def time_sentence(arms: Sequence[ArmRows]) -> str:
    """One sentence about the CPU time of the base against that of GEE."""
    if not {BASE, "gee"} <= {arm.name for arm in arms}:
        return "The time against GEE was not measured."
    ratios = time_ratios(arms)
    if len(ratios) < 2:
        return f"The time against GEE was measured on {len(ratios)} seed: no interval."
    center, low, high = mean_ratio(ratios)
    verdict = "below half is shown" if high < 0.5 else "below half is not shown"
    return (
        f"`{BASE}` took {center:.2f} [{low:.2f}, {high:.2f}] of GEE's CPU seconds to the target "
        f"({len(ratios)} seeds{runs_behind(arms)}; 95% interval of the mean log ratio): {verdict}."
    )


def arms_picture(arms: Sequence[ArmRows], measure: Measure) -> Picture:
    """One measure of every arm, a dot a seed."""
    lines, said = [], []
    for arm in arms:
        dots = tuple(
            Dot(number(row, measure.key), filled=bool(row.get("reached")))
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
