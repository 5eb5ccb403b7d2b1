"""Everything that the command prints: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from debias_eval.errors import DebiasEvalError
from debias_eval.progress import silent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from debias_eval.audit import TemplateAudit
    from debias_eval.comparison import Comparison
    from debias_eval.doctor import Check
    from debias_eval.progress import Progress as ProgressHook
    from debias_eval.results import Results
    from debias_eval.tasks.base import TaskInfo

__all__ = [
    "progress_bars",
    "reported_errors",
    "show_audit",
    "show_check",
    "show_comparison",
    "show_json",
    "show_results",
    "show_tasks",
]

_INTERRUPTED = 130


@contextlib.contextmanager
def reported_errors(*, debug: bool) -> Iterator[None]:
    """Turn our own errors into one line on stderr and the exit code they stand for."""
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(message)s")
    try:
        yield
    except DebiasEvalError as error:
        if debug:
            raise
        typer.echo(f"debias-eval: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt:
        typer.echo("debias-eval: interrupted; run the same command to go on", err=True)
        raise typer.Exit(_INTERRUPTED) from None


@contextlib.contextmanager
def progress_bars(*, quiet: bool) -> Iterator[ProgressHook]:
    """Yield a progress callback that shows bars with rate and remaining time on stderr.

    What libraries print and log to stdout in the block goes to stderr too: vLLM does.
    """
    with contextlib.redirect_stdout(sys.stderr):
        if quiet or not sys.stderr.isatty():
            yield silent
        else:
            with _bars() as show:
                yield show


@contextlib.contextmanager
def _bars() -> Iterator[ProgressHook]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        known: dict[tuple[str, str], TaskID] = {}

        def show(benchmark: str, stage: str, done: int, total: int) -> None:
            key = (benchmark, stage)
            if key not in known:
                known[key] = bars.add_task(f"{benchmark} · {stage}", total=total, rate="")
            bar = bars.tasks[bars.task_ids.index(known[key])]
            rate = f"{bar.speed:.1f}/s" if bar.speed else ""
            bars.update(known[key], completed=done, rate=rate)

        yield show


def show_json(value: object) -> None:
    """Print ``value`` as JSON for machines."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def show_results(results: Results, *, as_json: bool) -> None:
    """Print a table of scores, each with its interval and the hash of its protocol."""
    if as_json:
        show_json(results.to_dict())
        return
    rows = []
    for name, row in results.benchmarks.items():
        interval = (
            "-" if row.interval is None else f"[{row.interval[0]:.4f}, {row.interval[1]:.4f}]"
        )
        score = "-" if row.score is None else f"{row.score:.4f}"
        counts = " ".join(f"{status}={number}" for status, number in row.counts.items())
        rows.append((name, row.metric, score, interval, str(row.n), row.protocol_hash, counts))
    _table(("benchmark", "metric", "score", "95% interval", "n", "protocol", "verdicts"), rows)


def show_audit(audit: TemplateAudit, *, as_json: bool) -> None:
    """Print the two scores and what their difference says."""
    if as_json:
        show_json(asdict(audit))
        return
    rows = []
    for name, row in (("with chat template", audit.chat), ("without", audit.bare)):
        score = "-" if row.score is None else f"{row.score:.4f}"
        counts = " ".join(f"{status}={number}" for status, number in row.counts.items())
        rows.append((name, score, str(row.n), row.protocol_hash, counts))
    _table((audit.task, "score", "n", "protocol", "verdicts"), rows)
    if audit.difference is not None and audit.interval is not None:
        low, high = audit.interval
        typer.echo(f"difference: {audit.difference:+.4f} [{low:+.4f}, {high:+.4f}]: {audit.better}")


def show_comparison(comparison: Comparison, page: Path) -> None:
    """Print the criteria and where the report is."""
    rows = [(item.name, item.verdict, item.text) for item in comparison.criteria]
    _table(("criterion", "verdict", "measured"), rows)
    for note in comparison.notes:
        typer.echo(note)
    typer.echo(f"report: {page}")


def show_tasks(infos: Iterable[TaskInfo], broken: Mapping[str, str], *, as_json: bool) -> None:
    """Print the benchmarks, what each measures and the file it wants."""
    if as_json:
        show_json(
            [
                {
                    "name": info.name,
                    "kind": info.kind,
                    "metric": info.metric,
                    "summary": info.summary,
                    "data": list(info.data),
                }
                for info in infos
            ]
        )
    else:
        rows = [(info.name, info.kind, info.summary, info.data[0]) for info in infos]
        _table(("task", "kind", "what", "data"), rows)
    for name, reason in broken.items():
        typer.echo(f"debias-eval: plug-in {name!r} is skipped: {reason}", err=True)


def show_check(check: Check) -> None:
    """Print one line about one benchmark."""
    share = f"{check.passed}/{check.total}" if check.total else ""
    typer.echo(f"{check.state:8} {check.task:16} {share:10} {check.detail}".rstrip())


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns: plain text, so that it reads the same in a pipe."""
    widths = [max(len(row[place]) for row in [header, *rows]) for place in range(len(header))]
    for row in [header, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())
