"""What the paired tests of the bias suites say, suite by suite and score by score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from debias_eval.comparison.benchmarks import BenchmarkComparison
from debias_eval.comparison.clustered import ClusteredTest
from debias_eval.report.cells import Cell, Table, estimate_cell, verdict_cell
from debias_eval.report.inputs import NamedComparison, ReportInput
from debias_eval.report.wording import CHANGE_WORDS, MISSING, interval, p_value, plain, signed
from debias_eval.statistics.intervals import Estimate
from debias_eval.statistics.moments import ScoreChange


def bias_table(candidate: NamedComparison) -> Table | None:
    """Return the paired tests of the bias suites of a candidate; None where there are none."""
    rows = [
        row
        for entry in candidate.comparison.benchmarks
        if entry.bias_test is not None
        for row in _rows(entry, entry.bias_test)
    ]
    if not rows:
        return None
    return Table(
        key="bias",
        caption=f"{candidate.name}: bias suites and quality, paired on the same items; distances "
        "are from the ideal, or from the better end of a scale without one; below 0 is better",
        columns=("Score", "Original", "Debiased", "Change", "Distance", "Ideal", "p", "Verdict"),
        rows=tuple(rows),
    )


def bias_by_candidate(report: ReportInput) -> Table | None:
    """Return the headline score of every suite, a column a model; None for a single candidate."""
    candidates = [
        (
            candidate.name,
            {e.name: e.bias_test for e in candidate.comparison.benchmarks if e.bias_test},
        )
        for candidate in report.ordered
    ]
    suites = list(dict.fromkeys(name for _, tests in candidates for name in tests))
    if len(candidates) < 2 or not suites:
        return None
    return Table(
        key="bias_candidates",
        caption="The score of every suite, and what may be said of its distance to the ideal",
        columns=("Suite", report.baseline_name, *(name for name, _ in candidates)),
        rows=tuple(_suite_row(suite, [tests for _, tests in candidates]) for suite in suites),
    )


def _suite_row(suite: str, candidates: Sequence[Mapping[str, ClusteredTest]]) -> tuple[Cell, ...]:
    found = [tests.get(suite) for tests in candidates]
    first = next(test for test in found if test is not None)
    cells = [Cell(MISSING) if test is None else _after_cell(test) for test in found]
    ideal = f"ideal {plain(first.headline.ideal, 0)}"
    return (Cell(suite, ideal), estimate_cell(first.headline.before), *cells)


def _after_cell(test: ClusteredTest) -> Cell:
    after = test.headline.after
    words = CHANGE_WORDS[test.verdict][0]
    return Cell(
        plain(after.value),
        f"{interval(after.low, after.high, sign=False)} {words}",
        sort=after.value,
    )


def bias_cells(test: ClusteredTest) -> tuple[Cell, Cell]:
    """Return the cells "change" and "verdict" of a suite, for the table of all benchmarks."""
    change, distance = test.headline.difference, test.headline.distance
    note = f"{interval(change.low, change.high)} paired"
    verdict = verdict_cell(
        CHANGE_WORDS[test.verdict],
        f"distance to {plain(test.headline.ideal, 0)}: {signed(distance.value)} "
        f"{interval(distance.low, distance.high)}, Holm p {p_value(test.p_holm)}",
    )
    return Cell(signed(change.value), note, sort=change.value), verdict


def _rows(entry: BenchmarkComparison, test: ClusteredTest) -> list[tuple[Cell, ...]]:
    size = f"{test.num_items} items, {test.num_clusters} clusters"
    if test.num_left_out:
        size += f", {test.num_left_out} left out"
    holm = Cell(p_value(test.p), f"Holm {p_value(test.p_holm)}", sort=test.p)
    verdict = verdict_cell(CHANGE_WORDS[test.verdict])
    first = (Cell(entry.name, size), *_numbers(test.headline), holm, verdict)
    others = [
        (
            Cell(f"{entry.name}: {name}"),
            *_numbers(change),
            Cell(p_value(change.p), "not adjusted", sort=change.p),
            Cell("shown only", tone="plain"),
        )
        for name, change in test.others.items()
    ]
    return [first, *others]


def _numbers(change: ScoreChange) -> tuple[Cell, ...]:
    return (
        estimate_cell(change.before),
        estimate_cell(change.after),
        _signed(change.difference),
        _signed(change.distance),
        Cell(plain(change.ideal, 0), sort=change.ideal),
    )


def _signed(value: Estimate) -> Cell:
    return Cell(signed(value.value), interval(value.low, value.high), sort=value.value)
