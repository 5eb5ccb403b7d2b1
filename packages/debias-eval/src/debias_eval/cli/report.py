"""The command ``debias-eval report``: one model's results on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from debias_eval import report as reports  # lazy: what a command uses is loaded when it runs
from debias_eval.cli.options import Debug, Json, Out
from debias_eval.cli.show import reported_errors, show_json, show_results

__all__ = ["report"]


def report(
    results: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    *,
    out: Out,
    title: Annotated[str, typer.Option(help="Heading.")] = "Evaluation of one model",
    gap_margin: Annotated[float, typer.Option(help="Nats that count as no gap.")] = 0.02,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the report of one model alone; nothing is generated, graded or compared.

    Example: debias-eval report ./results --out ./report
    """
    with reported_errors(debug=debug):
        content = reports.model_report(results, title=title, gap_margin=gap_margin)
        paths = reports.write_model_report(content, out)
        if json:
            show_json({"html": str(paths.html), **content.results.to_dict()})
        else:
            show_results(content.results, as_json=False)
            typer.echo(f"report: {paths.html}")
