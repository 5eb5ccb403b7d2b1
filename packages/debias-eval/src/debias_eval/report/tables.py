"""What the tables of a report hold, before any format."""

from __future__ import annotations

from debias_eval.comparison.benchmarks import BenchmarkComparison, Side
from debias_eval.comparison.comparing import Comparison
from debias_eval.comparison.paired import PairedTest
from debias_eval.comparison.score import Score
from debias_eval.report.bias_table import bias_cells
from debias_eval.report.cells import Cell, Table, estimate_cell, nats_cell, verdict_cell
from debias_eval.report.figures import capability_left
from debias_eval.report.inputs import NamedComparison, ReportInput
from debias_eval.report.wording import (
    CHANGE_WORDS,
    CRITERION_WORDS,
    GAP_WORDS,
    KEPT_WORDS,
    MISSING,
    Tone,
    interval,
    p_value,
    percent,
    plain,
    points,
    share,
    signed,
)
from debias_eval.statistics.intervals import Estimate


def main_table(report: ReportInput, candidate: NamedComparison) -> Table:
    """Return original, debiased, change and verdict: the gap first, then every benchmark."""
    comparison = candidate.comparison
    rows = [_gap_row(comparison)] if comparison.gap is not None else []
    rows += [_benchmark_row(entry) for entry in comparison.benchmarks]
    return Table(
        key="main",
        caption=f"{report.baseline_name} and {candidate.name} on the same items; "
        "95% intervals in brackets",
        columns=("Measure", "Original", "Debiased", "Change", "Verdict"),
        rows=tuple(rows),
    )


def criteria_table(comparison: Comparison) -> Table:
    """Return the three success criteria."""
    return Table(
        key="criteria",
        caption="Success criteria",
        columns=("Criterion", "Finding", "Verdict"),
        rows=tuple(
            (Cell(item.target), Cell(item.text), verdict_cell(CRITERION_WORDS[item.verdict]))
            for item in comparison.criteria
        ),
    )


def score_table(score: Score) -> Table:
    """Return the parts of the score and the total."""
    rows = [
        (
            Cell(part.name.capitalize()),
            Cell(percent(part.weight, 0), sort=part.weight),
            estimate_cell(part.value),
            Cell(part.text),
        )
        for part in score.parts
    ]
    missing = [part.name for part in score.parts if part.value is None]
    text = f"Missing: {', '.join(missing)}." if missing else "Weighted sum of the parts."
    rows.append((Cell("Total"), Cell("100%", sort=1.0), estimate_cell(score.total), Cell(text)))
    return Table(
        key="score",
        caption="Score from 0 to 1: 40% bias, 25% code, 25% maths, 10% efficiency",
        columns=("Part", "Weight", "Value", "Meaning"),
        rows=tuple(rows),
    )


def candidates_table(report: ReportInput) -> Table:
    """Return all candidates beside each other, as they are."""
    return Table(
        key="candidates",
        caption="Every candidate against the same original",
        columns=(
            "Candidate",
            "Gap after, nats",
            "Gap",
            "Scores left",
            "Time / GEE",
            "Criteria",
            "Score",
        ),
        rows=tuple(_candidate_row(candidate) for candidate in report.ordered),
    )


def training_table(report: ReportInput) -> Table | None:
    """Return how each candidate was made, a column a candidate; None where nothing is known."""
    labels = list(dict.fromkeys(label for c in report.ordered for label in c.training))
    if not labels:
        return None
    return Table(
        key="training",
        caption="How the candidates were made",
        columns=("Training", *(candidate.name for candidate in report.ordered)),
        rows=tuple(
            (
                Cell(label),
                *(Cell(candidate.training.get(label, "–")) for candidate in report.ordered),
            )
            for label in labels
        ),
    )


def capability_table(candidate: NamedComparison) -> Table | None:
    """Return the paired tests of a candidate; None where nothing was tested."""
    entries = [entry for entry in candidate.comparison.benchmarks if entry.is_capability]
    if not entries:
        return None
    return Table(
        key="capability",
        caption=f"{candidate.name}: paired tests on the same items",
        columns=(
            "Benchmark",
            "Items",
            "Difference",
            "Allowed drop",
            "p",
            "Detectable",
            "Gained / lost",
            "Unparsed",
            "Truncated",
        ),
        rows=tuple(_capability_row(entry) for entry in entries),
    )


def _gap_row(comparison: Comparison) -> tuple[Cell, ...]:
    gap = comparison.gap
    assert gap is not None
    change = gap.change
    bounds = f"{interval(change.change.low, change.change.high)} in |gap|"
    relative = (
        "no relative change: the gap before cannot be told from 0"
        if change.relative is None
        else f"{share(change.relative, sign=True)} of it"
    )
    words = CHANGE_WORDS[change.verdict]
    return (
        Cell("Entropy gap", "nats, female − male; ideal 0"),
        nats_cell(gap.before.gap),
        nats_cell(gap.after.gap),
        Cell(signed(change.change.value), f"{bounds}; {relative}", sort=change.change.value),
        verdict_cell(words, f"now {GAP_WORDS[gap.after.verdict][0]} (±{gap.after.margin:g})"),
    )


def _benchmark_row(entry: BenchmarkComparison) -> tuple[Cell, ...]:
    if entry.test is not None:
        change = _points_cell(entry.test.kept.difference)
        verdict = verdict_cell(KEPT_WORDS[entry.test.kept.verdict], _kept_note(entry.test))
    elif entry.bias_test is not None:
        change, verdict = bias_cells(entry.bias_test)
    elif entry.status == "listed":
        change = _plain_change(entry)
        verdict = Cell("not tested", entry.reason or "", "plain")
    else:
        change = Cell("–")
        verdict = Cell("not comparable", entry.reason or "", "plain")
    name = Cell(entry.name, f"{entry.metric} · {entry.protocol_hash}")
    return (name, *_score_cells(entry), change, verdict)


def _score_cells(entry: BenchmarkComparison) -> tuple[Cell, Cell]:
    """Return both scores; those of a paired suite with the intervals of the paired test."""
    if entry.bias_test is not None:
        paired = entry.bias_test.headline
        return estimate_cell(paired.before), estimate_cell(paired.after)
    return _score_cell(entry, entry.baseline), _score_cell(entry, entry.candidate)


def _points_cell(difference: Estimate) -> Cell:
    scaled = difference.scaled(100)
    bounds = interval(scaled.low, scaled.high, 1)
    return Cell(f"{signed(scaled.value, 1)} pp", bounds, sort=difference.value)


def _kept_note(test: PairedTest) -> str:
    if test.kept.verdict == "cannot_be_shown":
        return "the original solved nothing"
    return f"allowed drop {plain(100 * test.kept.margin, 1)} pp"


def _score_cell(entry: BenchmarkComparison, side: Side) -> Cell:
    if side.score is None:
        return Cell("–")
    factor, digits, unit = (100.0, 1, "%") if entry.is_capability else (1.0, 3, "")
    bounds = ""
    if side.interval is not None:
        low, high = side.interval
        bounds = interval(low * factor, high * factor, digits, sign=False)
    return Cell(plain(side.score * factor, digits) + unit, bounds, sort=side.score)


def _plain_change(entry: BenchmarkComparison) -> Cell:
    before, after = entry.baseline.score, entry.candidate.score
    if before is None or after is None:
        return Cell("–")
    if entry.change is None:
        return Cell(signed(after - before), "no interval", sort=after - before)
    bounds = interval(entry.change.low, entry.change.high)
    return Cell(signed(entry.change.value), f"{bounds} unpaired", sort=entry.change.value)


def _candidate_row(candidate: NamedComparison) -> tuple[Cell, ...]:
    comparison = candidate.comparison
    gap, cost, total = comparison.gap, comparison.training, comparison.score.total
    left = capability_left(comparison)
    left_cell = Cell(MISSING)
    if left is not None:
        bounds = interval(100 * left.low, 100 * left.high, 1, sign=False)
        left_cell = Cell(percent(left.value), bounds, sort=left.value)
    ratio = None if cost is None else cost.ratio
    time_cell = Cell(MISSING)
    if cost is not None:
        bound = "" if cost.gee_reached else "at most "
        text = MISSING if ratio is None else f"{bound}{percent(ratio.value, 0)}"
        order = None if ratio is None else ratio.value
        time_cell = Cell(text, f"{plain(cost.seconds, 1)} s", sort=order)
    verdict, tone = CHANGE_WORDS[comparison.verdict] if gap is not None else (MISSING, "plain")
    return (
        Cell(candidate.name, "primary" if candidate.is_primary else ""),
        Cell(MISSING) if gap is None else nats_cell(gap.after.gap),
        Cell(verdict, tone=tone),
        left_cell,
        time_cell,
        _criteria_cell(comparison),
        estimate_cell(total),
    )


def _criteria_cell(comparison: Comparison) -> Cell:
    verdicts = [criterion.verdict for criterion in comparison.criteria]
    met = verdicts.count("met")
    tone: Tone = "good" if comparison.met else "bad" if "not_met" in verdicts else "open"
    return Cell(f"{met} of {len(verdicts)} met", tone=tone, sort=met)


def _capability_row(entry: BenchmarkComparison) -> tuple[Cell, ...]:
    test = entry.test
    if test is None:
        return (Cell(entry.name, entry.reason or ""), *(Cell("–") for _ in range(8)))
    items = Cell(str(test.num_items), sort=test.num_items)
    if test.num_samples > 1:
        items = Cell(items.text, f"× {test.num_samples} samples", sort=items.sort)
    if test.num_excluded:
        items = Cell(items.text, f"{test.num_excluded} excluded", sort=items.sort)
    kept = test.kept
    boot = test.bootstrap.scaled(100)
    detectable = f"{plain(100 * kept.detectable, 1)} pp"
    gained, lost = len(test.gained), len(test.lost)
    return (
        Cell(entry.name),
        items,
        Cell(
            points(kept.difference),
            f"bootstrap {interval(boot.low, boot.high, 1)}",
            sort=kept.difference.value,
        ),
        Cell(f"{plain(100 * kept.margin, 1)} pp", sort=kept.margin),
        Cell(p_value(test.p), f"Holm {p_value(test.p_holm)}", sort=test.p),
        Cell(detectable, sort=kept.detectable),
        Cell(f"{gained} / {lost}", sort=gained - lost),
        _rates(entry.baseline.unparsed_rate, entry.candidate.unparsed_rate),
        _rates(entry.baseline.truncated_rate, entry.candidate.truncated_rate),
    )


def _rates(before: float | None, after: float | None) -> Cell:
    texts = ["–" if rate is None else percent(rate) for rate in (before, after)]
    return Cell("\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}".join(texts), sort=after)
