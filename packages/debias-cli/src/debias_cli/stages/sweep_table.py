"""The table of a sweep's points as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from debias_cli.config.points import show_value
from debias_cli.stages.ranking import PointResult

COLUMNS = ("held-out gap, nats [95%]", "KL", "inside target", "steps", "time")


def point_cells(result: PointResult) -> tuple[str, ...]:
    """The cells of a point under `COLUMNS`."""
    held = result.held
    if held is None:
        return (f"failed: {result.failure}", "–", "–", "–", "–")
    return (
        f"{held.gap:+.4f} [{held.low:+.4f}, {held.high:+.4f}]",
        f"{held.kl:.4f}",
        "yes" if held.inside else "no",
        str(held.steps),
        f"{held.seconds:.1f} s",
    )


def value_cells(result: PointResult) -> list[str]:
    """What a point sets its fields to."""
    return [show_value(value, 40) for value in result.values.values()]


def sweep_markdown(
    table: Mapping[str, object], results: Sequence[PointResult], best: PointResult | None
) -> str:
    """The points as a table, which is the best and by what, and what to know when reading it."""
    fields, notes = table["fields"], table["notes"]
    assert isinstance(fields, list)
    assert isinstance(notes, list)
    lines = ["# Sweep", ""]
    lines.append(_row("point", *fields, *COLUMNS))
    lines.append(_row(*("---" for _ in range(1 + len(fields) + len(COLUMNS)))))
    for result in results:
        name = f"**{result.number}**" if result is best else str(result.number)
        lines.append(_row(name, *value_cells(result), *point_cells(result)))
    lines += ["", verdict(table, best), "", *(f"- {note}" for note in notes)]
    return "\n".join(lines) + "\n"


def verdict(table: Mapping[str, object], best: PointResult | None) -> str:
    """Which point is the best, by what, and what it came to on pairs that nothing was chosen by."""
    if best is None:
        return "Every point failed."
    text = f"Best: point {best.number} ({table['criterion_text']}), in {best.folder}."
    tested = table["best_on_test_pairs"]
    if not isinstance(tested, Mapping) or tested["value"] is None:
        return text
    low, high = tested["interval"] or (float("nan"), float("nan"))
    return (
        f"{text} Its gap on the test pairs: {tested['value']:+.4f} [{low:+.4f}, {high:+.4f}] nats."
    )


def _row(*cells: object) -> str:
    return (
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
    )
