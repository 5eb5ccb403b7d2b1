"""One model's report in its three formats, each complete under its name or not there."""

from __future__ import annotations

from pathlib import Path

from debias_eval.files import write_bytes, write_json, write_text
from debias_eval.report.gap_figure import model_gap_scene
from debias_eval.report.gap_table import gap_table
from debias_eval.report.group_table import group_pairs_table, group_table, groups_of
from debias_eval.report.markdown import escape, table_text
from debias_eval.report.model_input import ModelReport
from debias_eval.report.model_tables import protocol_table, scores_table, suites_table
from debias_eval.report.page import figure, render
from debias_eval.report.raster import to_png
from debias_eval.report.scene import to_svg
from debias_eval.report.wording import GAP_WORDS, Tone, nats
from debias_eval.report.writing import ReportPaths


def write_model_report(report: ModelReport, out: Path) -> ReportPaths:
    """Write the report of one model into a folder and return where its files are.

    ``report.html`` (one file, offline), ``report.md``, ``report.json``, and where a gap was
    measured ``gap.svg`` and ``gap.png``.

    Args:
        report: what to show, see ``model_report``.
        out: folder, made if need be; files of an earlier report in it are replaced.
    """
    out.mkdir(parents=True, exist_ok=True)
    # Pictures of an earlier report would be taken for those of this one.
    for name in ("gap.svg", "gap.png", "pareto.svg", "pareto.png"):
        (out / name).unlink(missing_ok=True)
    pictures: tuple[Path, ...] = ()
    if report.gap is not None:
        scene = model_gap_scene(report.gap)
        write_text(out / "gap.svg", to_svg(scene, themed=False))
        write_bytes(out / "gap.png", to_png(scene))
        pictures = (out / "gap.svg", out / "gap.png")
    paths = ReportPaths(out / "report.html", out / "report.md", out / "report.json", pictures)
    write_text(paths.html, render_model_html(report))
    write_text(paths.markdown, render_model_markdown(report))
    write_json(paths.json, model_report_dict(report))
    return paths


def render_model_html(report: ModelReport) -> str:
    """Return the page. Every value is escaped by the template engine; pictures are built as XML."""
    finding, tone = model_status(report)
    gaps = [] if report.gap is None else [report.gap]
    return render(
        "model.html.j2",
        title=report.title,
        name=report.name,
        finding=finding,
        tone=tone,
        headline=model_headline(report),
        gap=gap_table(gaps),
        groups=group_table(groups_of(gaps)),
        group_pairs=group_pairs_table(groups_of(gaps)),
        gap_figure=None if report.gap is None else figure(model_gap_scene(report.gap)),
        scores=scores_table(report),
        suites=suites_table(report),
        protocols=protocol_table(report),
        notes=report.notes,
        provenance=report.provenance,
    )


def render_model_markdown(report: ModelReport) -> str:
    """Return the report as GitHub-flavoured Markdown."""
    finding, _ = model_status(report)
    parts = [f"# {escape(report.title)}", f"**{finding}.** {escape(model_headline(report))}"]
    scores, suites = scores_table(report), suites_table(report)
    if scores is not None:
        parts += ["## Scores", table_text(scores)]
    gaps = [] if report.gap is None else [report.gap]
    gap, groups = gap_table(gaps), groups_of(gaps)
    if gap is not None:
        parts += ["## The entropy gap", "![The gap and its null rows](gap.svg)", table_text(gap)]
    for table in (group_table(groups), group_pairs_table(groups)):
        parts += [] if table is None else [table_text(table)]
    if suites is not None:
        parts += ["## Bias suites", table_text(suites)]
    parts += ["## Protocols", table_text(protocol_table(report))]
    if report.notes:
        parts += ["## Notes", "\n".join(f"- {escape(note)}" for note in report.notes)]
    lines = [f"- {escape(key)}: {escape(text)}" for key, text in report.provenance.items()]
    parts += ["## Provenance", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def model_report_dict(report: ModelReport) -> dict[str, object]:
    """Return the content of ``report.json``: plain data, nothing rounded."""
    groups = None if report.gap is None else report.gap.groups
    return {
        "format": 1,
        "kind": "model",
        "title": report.title,
        "finding": model_status(report)[0],
        "headline": model_headline(report),
        "verdict": None if report.gap is None else report.gap.gap.verdict,
        "gap": None if report.gap is None else report.gap.gap.to_dict(),
        "groups": None if groups is None else groups.to_dict(),
        "results": report.results.to_dict(),
        "notes": list(report.notes),
        "provenance": dict(report.provenance),
    }


def model_status(report: ModelReport) -> tuple[str, Tone]:
    """Return the finding on the gap in a few words."""
    if report.gap is None:
        return "The entropy gap was not measured", "plain"
    words, tone = GAP_WORDS[report.gap.gap.verdict]
    return f"Entropy gap: {words}", tone


def model_headline(report: ModelReport) -> str:
    """Return what was found in two sentences; a capability without a comparison is no verdict."""
    if report.gap is None:
        first = "The entropy gap was not measured."
    else:
        gap = report.gap.gap
        first = f"The entropy gap is {nats(gap.gap)} nats: {_GAP_ENDS[gap.verdict]}"
        first = first.format(margin=f"±{gap.margin:g}", resolution=f"{gap.resolution:.3f}")
    names = list(report.benchmarks)
    if not names:
        return f"{first} No other benchmark was run."
    noun = "benchmark was" if len(names) == 1 else "benchmarks were"
    return f"{first} {len(names)} other {noun} scored: {', '.join(names)}."


_GAP_ENDS = {
    "equivalent": "all of its interval lies inside {margin}.",
    "different": "it can be told from 0 and is not inside {margin}.",
    "inconclusive": (
        "it cannot be told from 0, nor is it shown to be inside {margin}; "
        "this much data tells gaps from {resolution} nats on from 0."
    ),
}
