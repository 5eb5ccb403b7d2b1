"""The report as one HTML file that opens offline and asks the network for nothing."""

from __future__ import annotations

from debias_eval.report.bias_table import bias_by_candidate, bias_table
from debias_eval.report.changed_table import changed_table
from debias_eval.report.figures import pareto_scene
from debias_eval.report.gap_figure import gap_scene
from debias_eval.report.gap_table import gap_columns, gap_table
from debias_eval.report.group_table import group_pairs_table, group_table, groups_of
from debias_eval.report.inputs import NamedComparison, ReportInput
from debias_eval.report.notes import report_notes
from debias_eval.report.page import figure, render
from debias_eval.report.tables import (
    candidates_table,
    capability_table,
    criteria_table,
    main_table,
    score_table,
    training_table,
)
from debias_eval.report.wording import CRITERION_WORDS, headline, status

_LISTED_ITEMS = 40


def render_html(report: ReportInput) -> str:
    """Return the page. Every value is escaped by the template engine; pictures are built as XML."""
    comparison = report.primary.comparison
    finding, tone = status(comparison)
    gaps = gap_columns(report)
    return render(
        "report.html.j2",
        title=report.title,
        baseline_name=report.baseline_name,
        primary=report.primary.name,
        finding=finding,
        tone=tone,
        headline=headline(comparison),
        criteria=comparison.criteria,
        criterion_words=CRITERION_WORDS,
        main=main_table(report, report.primary),
        gap_figure=figure(gap_scene(report)),
        pareto_figure=figure(pareto_scene(report)),
        candidates=candidates_table(report),
        training=training_table(report),
        score=score_table(comparison.score),
        gap=gap_table(gaps),
        groups=group_table(groups_of(gaps)),
        group_pairs=group_pairs_table(groups_of(gaps)),
        bias=bias_table(report.primary),
        bias_candidates=bias_by_candidate(report),
        capability=capability_table(report.primary),
        items=_items(report, report.primary),
        others=[
            {
                "name": other.name,
                "headline": headline(other.comparison),
                "main": main_table(report, other),
                "criteria": criteria_table(other.comparison),
                "score": score_table(other.comparison.score),
                "bias": bias_table(other),
                "capability": capability_table(other),
            }
            for other in report.ordered[1:]
        ],
        notes=report_notes(report),
        provenance=report.provenance,
    )


def _items(report: ReportInput, candidate: NamedComparison) -> list[dict[str, object]]:
    """Return, by benchmark, the items gained and lost, the first ones of each with answers."""
    rows: list[dict[str, object]] = []
    for entry in candidate.comparison.benchmarks:
        if entry.test is None:
            continue
        sides = {"gained": entry.test.gained, "lost": entry.test.lost}
        rows.append(
            {
                "name": entry.name,
                "sides": {
                    side: {
                        "shown": ids[:_LISTED_ITEMS],
                        "count": len(ids),
                        "more": max(0, len(ids) - _LISTED_ITEMS),
                    }
                    for side, ids in sides.items()
                },
                "answers": changed_table(report.baseline_name, candidate.name, entry),
            }
        )
    return rows
