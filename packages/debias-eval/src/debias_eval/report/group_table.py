"""More than two groups: each against the mean of group means, and every pair of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from debias_eval.report.cells import Cell, Table, nats_cell, verdict_cell
from debias_eval.report.gap_table import GapColumn
from debias_eval.report.wording import GAP_WORDS, p_value
from debias_eval.statistics.groups import GroupGaps


def groups_of(models: Sequence[GapColumn]) -> dict[str, GroupGaps]:
    """Return, by model, its gaps over more than two groups, where they were measured."""
    return {model.name: model.groups for model in models if model.groups is not None}


def group_table(models: Mapping[str, GroupGaps]) -> Table | None:
    """Return every group against the mean of group means, a column a model."""
    rows = [
        (Cell(group), *(nats_cell(found.against_mean.get(group)) for found in models.values()))
        for group in dict.fromkeys(name for found in models.values() for name in found.means)
    ]
    if not rows:
        return None
    return Table(
        key="groups",
        caption="Mean entropy of each group minus the mean of group means, nats",
        columns=("Group", *models),
        rows=tuple(rows),
    )


def group_pairs_table(models: Mapping[str, GroupGaps]) -> Table | None:
    """Return every pair of groups of every model; None without groups."""
    is_alone = len(models) == 1
    rows = [
        (
            Cell(f"{pair.first} − {pair.second}", "" if is_alone else name),
            nats_cell(pair.gap),
            Cell(p_value(pair.p), f"Holm {p_value(pair.p_holm)}", sort=pair.p),
            verdict_cell(GAP_WORDS[pair.verdict]),
        )
        for name, found in models.items()
        for pair in found.pairs
    ]
    if not rows:
        return None
    return Table(
        key="group_pairs",
        caption="Every pair of groups, nats; Holm over the pairs of a model",
        columns=("Groups", "Gap", "p, sign flips", "Verdict"),
        rows=tuple(rows),
    )
