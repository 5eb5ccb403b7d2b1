"""Everything that stands beside a gap: its parts, both groups, the null rows, the resolution."""

from __future__ import annotations

from collections.abc import Mapping

from debias_eval.report.cells import Cell, Table, nats_cell, verdict_cell
from debias_eval.report.inputs import ReportInput
from debias_eval.report.wording import GAP_WORDS, interval, p_value, percent, plain, signed
from debias_eval.statistics.gap import GapStatistics


def gap_table(report: ReportInput) -> Table | None:
    """Return everything that stands beside a gap, a column a model; None without a gap."""
    models = _gap_models(report)
    if not models:
        return None
    labels: dict[str, list[Cell]] = {}
    for _, rows in models:
        for label, _ in rows:
            labels.setdefault(label, [])
    for _, rows in models:
        found = dict(rows)
        for label, cells in labels.items():
            cells.append(found.get(label, Cell("–")))
    return Table(
        key="gap",
        caption="The entropy gap in detail; entropies in nats",
        columns=("Quantity", *(name for name, _ in models)),
        rows=tuple((Cell(label), *cells) for label, cells in labels.items()),
    )


def _gap_models(report: ReportInput) -> list[tuple[str, list[tuple[str, Cell]]]]:
    """Return, by model, its rows as (label, cell)."""
    models: list[tuple[str, list[tuple[str, Cell]]]] = []
    for candidate in report.ordered:
        gap = candidate.comparison.gap
        if gap is None:
            continue
        if not models:
            models.append((report.baseline_name, _gap_rows(gap.before, gap.details_before)))
        models.append((candidate.name, _gap_rows(gap.after, gap.details_after)))
    return models


def _gap_rows(gap: GapStatistics, details: Mapping[str, object]) -> list[tuple[str, Cell]]:
    pairs = "–" if gap.pairs_for_margin is None else f"{gap.pairs_for_margin:,}"
    fewest, most = gap.samples
    samples = str(fewest) if fewest == most else f"{fewest}–{most}"
    return [
        ("Signed gap", nats_cell(gap.gap)),
        ("Verdict on the gap", verdict_cell(GAP_WORDS[gap.verdict])),
        ("p, sign flips", Cell(p_value(gap.p_sign_flip), sort=gap.p_sign_flip)),
        (f"p, TOST within ±{gap.margin:g}", Cell(p_value(gap.p_tost), sort=gap.p_tost)),
        ("RMS pair gap, debiased", nats_cell(gap.rms, sign=False)),
        ("Direct part", nats_cell(gap.direct)),
        ("Content part", nats_cell(gap.content)),
        ("Entropy, female", nats_cell(gap.female, sign=False)),
        ("Entropy, male", nats_cell(gap.male, sign=False)),
        *_group_rows(details.get("groups")),
        *_null_rows(details.get("null_rows")),
        ("Resolution (95%, power 80%)", Cell(_resolution(gap.resolution), sort=gap.resolution)),
        ("Pairs needed for the margin", Cell(pairs)),
        (
            "Pairs · clusters · answers a side",
            Cell(f"{gap.num_pairs:,} · {gap.num_clusters:,} · {samples}"),
        ),
    ]


def _resolution(value: float) -> str:
    """Return a number of nats, or that the data have no resolution."""
    return "none" if value == float("inf") else plain(value)


_GROUP_ROWS = (
    ("answer_tokens", "Answer length, tokens"),
    ("eos_rate", "Ended by EOS"),
    ("truncated_rate", "Truncated"),
)
_NULL_NAMES = {
    "a_a": "A/A (male − male)",
    "shuffled": "Shuffled labels",
    "placebo": "Placebo names",
}


def _group_rows(groups: object) -> list[tuple[str, Cell]]:
    if not isinstance(groups, Mapping):
        return []
    rows = []
    for key, label in _GROUP_ROWS:
        for side in ("female", "male"):
            group = groups.get(side)
            value = group.get(key) if isinstance(group, Mapping) else None
            if isinstance(value, int | float):
                text = plain(value, 1) if key == "answer_tokens" else percent(value)
                rows.append((f"{label}, {side}", Cell(text, sort=value)))
    return rows


def _null_rows(nulls: object) -> list[tuple[str, Cell]]:
    if not isinstance(nulls, Mapping):
        return []
    rows = []
    for key, row in nulls.items():
        gap = row.get("gap") if isinstance(row, Mapping) else None
        value = gap.get("value") if isinstance(gap, Mapping) else None
        if not isinstance(gap, Mapping) or not isinstance(value, int | float):
            continue
        low, high = gap.get("low"), gap.get("high")
        bounds = (
            interval(low, high)
            if isinstance(low, int | float) and isinstance(high, int | float)
            else ""
        )
        label = _NULL_NAMES.get(str(key), str(key))
        rows.append((f"Null: {label}", Cell(signed(value), bounds, sort=value)))
    return rows
