"""The report as Markdown: the same tables, nothing in it that is taken for markup."""

from __future__ import annotations

import html
import re

from debias_eval.report.bias_table import bias_by_candidate, bias_table
from debias_eval.report.cells import Cell, Table
from debias_eval.report.figures import pareto_scene
from debias_eval.report.gap_figure import gap_scene
from debias_eval.report.gap_table import gap_columns, gap_table
from debias_eval.report.group_table import group_pairs_table, group_table, groups_of
from debias_eval.report.inputs import ReportInput
from debias_eval.report.notes import report_notes
from debias_eval.report.scene import Scene
from debias_eval.report.tables import (
    candidates_table,
    capability_table,
    criteria_table,
    main_table,
    score_table,
    training_table,
)
from debias_eval.report.wording import headline, status

# What Markdown would read as markup; pipes would end a cell, a backslash would escape the next.
_SPECIAL = re.compile(r"([\\`*_\[\]|~])")


def render_markdown(report: ReportInput) -> str:
    """Return the report as GitHub-flavoured Markdown."""
    comparison = report.primary.comparison
    finding, _ = status(comparison)
    parts = [
        f"# {escape(report.title)}",
        f"**{finding}.** {escape(headline(comparison))}",
        table_text(main_table(report, report.primary)),
        "## Success criteria",
        table_text(criteria_table(comparison)),
        "## All candidates",
        table_text(candidates_table(report)),
        f"## Score of {escape(report.primary.name)}",
        table_text(score_table(comparison.score)),
    ]
    training = training_table(report)
    if training is not None:
        parts += ["## How the candidates were made", table_text(training)]
    gaps = gap_columns(report)
    gap, groups = gap_table(gaps), groups_of(gaps)
    capability = capability_table(report.primary)
    if gap is not None:
        parts += ["## The gap in detail", *_picture("gap.svg", gap_scene(report))]
        parts.append(table_text(gap))
    for table in (group_table(groups), group_pairs_table(groups)):
        parts += [] if table is None else [table_text(table)]
    bias, others = bias_table(report.primary), bias_by_candidate(report)
    if bias is not None:
        parts += ["## Bias suites", table_text(bias)]
    if others is not None:
        parts.append(table_text(others))
    if capability is not None:
        parts += ["## Capability", *_picture("pareto.svg", pareto_scene(report))]
        parts.append(table_text(capability))
    for other in report.ordered[1:]:
        parts += [
            f"## {escape(other.name)}",
            escape(headline(other.comparison)),
            table_text(main_table(report, other)),
        ]
    notes = report_notes(report)
    if notes:
        parts += ["## Notes", "\n".join(f"- {escape(note)}" for note in notes)]
    if report.provenance:
        lines = [f"- {escape(key)}: {escape(text)}" for key, text in report.provenance.items()]
        parts += ["## Provenance", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _picture(file: str, scene: Scene | None) -> list[str]:
    return [] if scene is None else [f"![{escape(scene.title)}]({file})"]


def table_text(table: Table) -> str:
    """Return a table in pipes, with its caption above it."""
    lines = [
        f"*{escape(table.caption)}*",
        "",
        "| " + " | ".join(map(escape, table.columns)) + " |",
        "|" + "---|" * len(table.columns),
    ]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in table.rows]
    return "\n".join(lines)


def escape(text: str) -> str:
    """Return ``text`` on one line, with everything that Markdown or HTML would read escaped."""
    one_line = " ".join(text.split())
    return _SPECIAL.sub(r"\\\1", html.escape(one_line, quote=False))


def _cell(cell: Cell) -> str:
    parts = [cell.text, cell.note] if cell.note else [cell.text]
    return " · ".join(map(escape, parts))
