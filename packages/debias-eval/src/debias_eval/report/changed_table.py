"""Items that only one of two models solves, with what both wrote, side by side."""

from __future__ import annotations

from debias_eval.comparison.benchmarks import BenchmarkComparison
from debias_eval.comparison.examples import Answer, ChangedItem
from debias_eval.report.cells import Cell, Table
from debias_eval.report.wording import Tone

_TONES: dict[str, Tone] = {"gained": "good", "lost": "bad"}


def changed_table(
    baseline_name: str, candidate_name: str, entry: BenchmarkComparison
) -> Table | None:
    """Return the first changed items of a benchmark; None where no texts were kept."""
    if entry.test is None or not entry.test.examples:
        return None
    shown = entry.test.examples
    total = len(entry.test.gained) + len(entry.test.lost)
    more = "" if len(shown) == total else f"; {len(shown)} of {total}"
    return Table(
        key="answers",
        caption=f"{entry.name}: what each model wrote on items gained and lost{more}",
        columns=("Item", "Change", baseline_name, candidate_name),
        rows=tuple(_row(item, is_code=entry.kind == "code") for item in shown),
    )


def _row(item: ChangedItem, *, is_code: bool) -> tuple[Cell, ...]:
    return (
        Cell(item.id, block=item.prompt),
        Cell(item.direction, tone=_TONES[item.direction]),
        _answer(item.before, is_code=is_code),
        _answer(item.after, is_code=is_code),
    )


def _answer(answer: Answer, *, is_code: bool) -> Cell:
    note = f"read as {answer.extracted}" if answer.extracted else ""
    # A program keeps its indentation.
    text = answer.text.strip("\n") if is_code else answer.text.strip()
    return Cell(answer.status, note, block=text)
