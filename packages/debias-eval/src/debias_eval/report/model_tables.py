"""What the tables of one model's report hold, before any format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from debias_eval.comparison.loading import RIGHT
from debias_eval.report.cells import Cell, Table, verdict_cell
from debias_eval.report.model_input import ModelReport
from debias_eval.report.wording import MISSING, interval, percent, plain
from debias_eval.results import BenchmarkResult

# An answer that could not be read, in the words of the maths and of the code graders.
_UNPARSED = ("unparsed", "empty", "no_code")
_RATES = {"truncated_rate": "truncated", "too_long_rate": "too long to ask"}


def scores_table(report: ModelReport) -> Table | None:
    """Return every score but the gap with its interval, its items and its protocol."""
    if not report.benchmarks:
        return None
    return Table(
        key="scores",
        caption=f"{report.name}: 95% intervals in brackets",
        columns=("Benchmark", "Score", "Items", "Verdicts", "Protocol"),
        rows=tuple(_score_row(name, row) for name, row in report.benchmarks.items()),
    )


def suites_table(report: ModelReport) -> Table | None:
    """Return every score of the bias suites beside its ideal; None without a suite."""
    rows = [
        row
        for name, result in report.benchmarks.items()
        if result.kind == "bias"
        for row in _suite_rows(name, result)
    ]
    if not rows:
        return None
    return Table(
        key="suites",
        caption="Bias suites: the score of each, then its further scores",
        columns=("Score", "Value", "Ideal", "Against the ideal"),
        rows=tuple(rows),
    )


def protocol_table(report: ModelReport) -> Table:
    """Return how every benchmark was asked."""
    return Table(
        key="protocols",
        caption="How each benchmark was asked; the hash stands for all of it",
        columns=("Benchmark", "Prompt", "Sampling", "Length and ends", "Grading", "Data"),
        rows=tuple(
            _protocol_row(name, result) for name, result in report.results.benchmarks.items()
        ),
    )


def _score_row(name: str, result: BenchmarkResult) -> tuple[Cell, ...]:
    items = f"{result.n:,}" if result.k is None else f"{result.k:,} of {result.n:,}"
    counts = " · ".join(f"{status} {count:,}" for status, count in result.counts.items())
    return (
        Cell(name, result.metric),
        _value(result.score, result.interval, is_share=result.kind in RIGHT),
        Cell(items, sort=result.n),
        Cell(counts or "–", ", ".join(_rates(result))),
        Cell(result.protocol_hash, str(result.protocol.get("profile", ""))),
    )


def _rates(result: BenchmarkResult) -> Iterator[str]:
    total = sum(result.counts.values())
    unread = sum(result.counts.get(status, 0) for status in _UNPARSED)
    if result.kind in RIGHT and total:
        yield f"unparsed {percent(unread / total)}"
    for key, words in _RATES.items():
        rate = result.details.get(key)
        if isinstance(rate, int | float):
            yield f"{words} {percent(rate)}"


def _value(
    score: float | None, bounds: tuple[float, float] | None, *, is_share: bool = False
) -> Cell:
    if score is None:
        return Cell(MISSING, tone="plain")
    factor, digits, unit = (100.0, 1, "%") if is_share else (1.0, 3, "")
    note = "no interval"
    if bounds is not None:
        note = interval(bounds[0] * factor, bounds[1] * factor, digits, sign=False)
    return Cell(plain(score * factor, digits) + unit, note, sort=score)


def _suite_rows(name: str, result: BenchmarkResult) -> Iterator[tuple[Cell, ...]]:
    ideal = result.details.get("ideal")
    has_ideal = isinstance(ideal, int | float)
    size = f"{result.metric}; {result.n:,} items"
    yield (
        Cell(name, size),
        _value(result.score, result.interval),
        Cell(plain(float(ideal), 0)) if isinstance(ideal, int | float) else Cell("–"),
        _against(result.interval, float(ideal))
        if isinstance(ideal, int | float)
        else Cell("no ideal", tone="plain"),
    )
    for key, (value, bounds) in _further(result.details):
        # The headline stands in the details too, under its own name.
        if (value, bounds) != (result.score, result.interval):
            words = Cell("shown only", tone="plain") if has_ideal else Cell("–")
            yield (Cell(f"{name}: {key}"), _value(value, bounds), Cell("–"), words)


def _further(
    details: Mapping[str, object],
) -> Iterator[tuple[str, tuple[float, tuple[float, float] | None]]]:
    """Yield the scores in a suite's details that carry an interval."""
    for key, entry in details.items():
        if not isinstance(entry, Mapping) or "interval" not in entry:
            continue
        value, bounds = entry.get("value"), entry["interval"]
        if isinstance(value, int | float):
            is_pair = isinstance(bounds, list | tuple) and len(bounds) == 2
            yield key.replace("_", " "), (value, (bounds[0], bounds[1]) if is_pair else None)


def _against(bounds: tuple[float, float] | None, ideal: float) -> Cell:
    if bounds is None:
        return verdict_cell(("inconclusive", "open"), "no interval")
    if bounds[0] <= ideal <= bounds[1]:
        return verdict_cell(("inconclusive", "open"), "the interval holds the ideal")
    return verdict_cell(("away from the ideal", "bad"), "the interval leaves the ideal out")


def _protocol_row(name: str, result: BenchmarkResult) -> tuple[Cell, ...]:
    protocol = result.protocol
    sampling = protocol.get("sampling")
    shots, stops = _length(protocol.get("shots")), _length(protocol.get("stop"))
    chat = "chat template" if protocol.get("chat_template") else "no chat template"
    system = "a system prompt" if protocol.get("system") else "no system prompt"
    return (
        Cell(name, f"{result.protocol_hash} · {protocol.get('profile', 'no profile')}"),
        Cell(f"{chat}, {system}, {shots} shots", block=str(protocol.get("template", ""))),
        Cell(_sampling(sampling)),
        Cell(f"{protocol.get('max_new_tokens', '–')} tokens", f"{stops} stop strings"),
        Cell(str(protocol.get("extraction", "–")), f"grader {protocol.get('grader', '–')}"),
        Cell(f"sha256 {result.data_sha256[:10]}…", _split(protocol.get("split"))),
    )


def _sampling(sampling: object) -> str:
    if not isinstance(sampling, Mapping):
        return "–"
    parts = [f"n {sampling.get('n')}", f"T {sampling.get('temperature')}"]
    parts += [f"top-p {sampling.get('top_p')}", f"seed {sampling.get('seed')}"]
    return ", ".join(parts)


def _length(value: object) -> int:
    return len(value) if isinstance(value, list | tuple) else 0


def _split(value: object) -> str:
    return "" if value is None else f"split {value}"
