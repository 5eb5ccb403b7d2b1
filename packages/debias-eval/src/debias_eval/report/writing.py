"""All files of a report, each complete under its name or not there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from debias_eval.files import write_bytes, write_json, write_text
from debias_eval.report.figures import pareto_scene
from debias_eval.report.gap_figure import gap_scene
from debias_eval.report.html import render_html
from debias_eval.report.inputs import ReportInput
from debias_eval.report.markdown import render_markdown
from debias_eval.report.raster import to_png
from debias_eval.report.scene import to_svg
from debias_eval.report.wording import headline, status


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """Where the files of a report are.

    Attributes:
        html: the page.
        markdown: the same as text.
        json: all numbers, nothing rounded.
        pictures: SVG and PNG files; without a gap or a capability there is none to draw.
    """

    html: Path
    markdown: Path
    json: Path
    pictures: tuple[Path, ...]


def write_report(report: ReportInput, out: Path) -> ReportPaths:
    """Write the report into a folder and return where its files are.

    ``report.html`` (one file, offline), ``report.md``, ``report.json``, and where there is
    something to draw ``gap.svg``, ``gap.png``, ``pareto.svg`` and ``pareto.png``.

    Args:
        report: what to show.
        out: folder, made if need be; files of an earlier report in it are replaced.
    """
    out.mkdir(parents=True, exist_ok=True)
    pictures: list[Path] = []
    for name, scene in (("gap", gap_scene(report)), ("pareto", pareto_scene(report))):
        svg, png = out / f"{name}.svg", out / f"{name}.png"
        if scene is None:
            # A picture of an earlier report would be taken for one of this report.
            svg.unlink(missing_ok=True)
            png.unlink(missing_ok=True)
            continue
        write_text(svg, to_svg(scene, themed=False))
        write_bytes(png, to_png(scene))
        pictures += [svg, png]
    paths = ReportPaths(
        out / "report.html", out / "report.md", out / "report.json", tuple(pictures)
    )
    write_text(paths.html, render_html(report))
    write_text(paths.markdown, render_markdown(report))
    write_json(paths.json, report_dict(report))
    return paths


def report_dict(report: ReportInput) -> dict[str, object]:
    """Return the content of ``report.json``: plain data, nothing rounded."""
    comparison = report.primary.comparison
    return {
        "format": 1,
        "title": report.title,
        "finding": status(comparison)[0],
        "headline": headline(comparison),
        "verdict": comparison.verdict,
        "met": comparison.met,
        "baseline_name": report.baseline_name,
        "primary": report.primary.name,
        "candidates": [
            {
                "name": candidate.name,
                "is_primary": candidate.is_primary,
                "training": dict(candidate.training),
                "comparison": candidate.comparison.to_dict(),
            }
            for candidate in report.ordered
        ],
        "notes": list(report.notes),
        "provenance": dict(report.provenance),
    }
