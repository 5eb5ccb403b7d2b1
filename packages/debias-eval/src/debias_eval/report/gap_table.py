"""Everything that stands beside a gap: its parts, both groups, the null rows, the resolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from debias_eval.report.cells import Cell, Table, nats_cell, verdict_cell
from debias_eval.report.inputs import ReportInput
from debias_eval.report.wording import GAP_WORDS, interval, p_value, percent, plain, signed
from debias_eval.statistics.gap import GapStatistics
from debias_eval.statistics.groups import GroupGaps


@dataclass(frozen=True, slots=True)
class GapColumn:
    """One model's gap.

    Attributes:
        name: of the model.
        gap: its statistics.
        details: what else the evaluation recorded: group rates, null rows.
        groups: the same over more than two groups, where they were measured.
    """

    name: str
    gap: GapStatistics
    details: Mapping[str, object]
    groups: GroupGaps | None = None


def gap_table(models: Sequence[GapColumn]) -> Table | None:
    """Return everything that stands beside a gap, a column a model; None without a gap."""
    if not models:
        return None
    columns = [dict(_gap_rows(model.gap, model.details)) for model in models]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    return Table(
        key="gap",
        caption="The entropy gap in detail; entropies in nats",
        columns=("Quantity", *(model.name for model in models)),
        rows=tuple(
            (Cell(label), *(column.get(label, Cell("–")) for column in columns)) for label in labels
        ),
    )


def gap_columns(report: ReportInput) -> list[GapColumn]:
    """Return the original's gap and that of every candidate, where it was compared."""
    models: list[GapColumn] = []
    for candidate in report.ordered:
        gap = candidate.comparison.gap
        if gap is None:
            continue
        if not models:
            first = (gap.before, gap.details_before, gap.groups_before)
            models.append(GapColumn(report.baseline_name, *first))
        models.append(GapColumn(candidate.name, gap.after, gap.details_after, gap.groups_after))
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
        *[
            (f"Null: {row.name}", Cell(signed(row.value), row.bounds, sort=row.value))
            for row in null_rows(details)
        ],
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
    "placebo": "Placebo (other male names − male)",
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


@dataclass(frozen=True, slots=True)
class NullRow:
    """A comparison in which nothing can differ: its name, value and interval, if it has one."""

    name: str
    value: float
    interval: tuple[float, float] | None

    @property
    def bounds(self) -> str:
        """The interval as text; empty without one."""
        return "" if self.interval is None else interval(*self.interval)


def null_rows(details: Mapping[str, object]) -> list[NullRow]:
    """Return the null rows that an evaluation recorded beside its gap."""
    nulls = details.get("null_rows")
    if not isinstance(nulls, Mapping):
        return []
    rows = []
    for key, row in nulls.items():
        gap = row.get("gap") if isinstance(row, Mapping) else None
        value = gap.get("value") if isinstance(gap, Mapping) else None
        if not isinstance(gap, Mapping) or not isinstance(value, int | float):
            continue
        low, high = gap.get("low"), gap.get("high")
        bounds = None
        if isinstance(low, int | float) and isinstance(high, int | float):
            bounds = (float(low), float(high))
        rows.append(NullRow(_NULL_NAMES.get(str(key), str(key)), value, bounds))
    return rows
