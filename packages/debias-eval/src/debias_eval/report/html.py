"""The report as one HTML file that opens offline and asks the network for nothing."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from debias_eval.report.bias_table import bias_table
from debias_eval.report.figures import gap_scene, pareto_scene
from debias_eval.report.gap_table import gap_table
from debias_eval.report.inputs import NamedComparison, ReportInput
from debias_eval.report.scene import Scene, to_svg
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
    environment = Environment(
        loader=PackageLoader("debias_eval.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    comparison = report.primary.comparison
    finding, tone = status(comparison)
    return environment.get_template("report.html.j2").render(
        title=report.title,
        baseline_name=report.baseline_name,
        primary=report.primary.name,
        finding=finding,
        tone=tone,
        headline=headline(comparison),
        criteria=comparison.criteria,
        criterion_words=CRITERION_WORDS,
        main=main_table(report, report.primary),
        gap_figure=_figure(gap_scene(report)),
        pareto_figure=_figure(pareto_scene(report)),
        candidates=candidates_table(report),
        training=training_table(report),
        score=score_table(comparison.score),
        gap=gap_table(report),
        bias=bias_table(report.primary),
        capability=capability_table(report.primary),
        items=_items(report.primary),
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
        notes=_notes(report),
        provenance=report.provenance,
    )


def _figure(scene: Scene | None) -> Markup | None:
    # The SVG comes out of an XML serialiser, which escaped every text in it.
    return None if scene is None else Markup(to_svg(scene, themed=True))  # noqa: S704


def _items(candidate: NamedComparison) -> list[dict[str, object]]:
    """Return, by benchmark, the items gained and lost, the first ones of each."""
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
            }
        )
    return rows


def _notes(report: ReportInput) -> list[str]:
    """Return the report's notes, then those of each candidate, each once."""
    notes = list(report.notes)
    for candidate in report.ordered:
        gap = candidate.comparison.gap
        own = [*candidate.comparison.notes, *(() if gap is None else gap.after.notes)]
        notes += [f"{candidate.name}: {note}" for note in own]
    return list(dict.fromkeys(notes))
