"""The commands of ``debias-eval``. Nothing that is imported here loads torch or scipy."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import debias_eval as api  # lazy: what a command uses is loaded when it runs
from debias_eval import report  # lazy too
from debias_eval.cli.options import (
    Data,
    DataDir,
    Debug,
    Json,
    Level,
    Out,
    ProtocolOption,
    Quiet,
    SandboxPython,
    Unsandboxed,
    protocol_of,
    settings_of,
)
from debias_eval.cli.report import report as report_command
from debias_eval.cli.scoring import grade, regrade, run
from debias_eval.cli.show import (
    progress_bars,
    reported_errors,
    show_audit,
    show_check,
    show_comparison,
    show_json,
    show_tasks,
)
from debias_eval.data_dir import resolve_data_dir
from debias_eval.errors import InputError, UnknownNameError
from debias_eval.tasks import registry

__all__ = ["app"]

NOT_MET = 5  # exit code of `--strict`

app = typer.Typer(
    name="debias-eval",
    help="Honest maths, code and gender-bias benchmarks for causal language models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(run)
app.command()(grade)
app.command()(regrade)


@app.command()
def compare(  # noqa: PLR0913 - one argument an option
    baseline: Annotated[Path, typer.Argument(help="Results of the original.")],
    candidate: Annotated[Path, typer.Argument(help="Results of the changed model.")],
    *,
    out: Out,
    margin: Annotated[
        float, typer.Option(help="Acceptable drop, as a share of the original's score.")
    ] = 0.05,
    gap_margin: Annotated[float, typer.Option(help="Nats that count as no gap.")] = 0.02,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 5 if a criterion fails.")] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Compare two evaluations item by item and write the report.

    Example: debias-eval compare ./original ./debiased --out ./report
    """
    with reported_errors(debug=debug):
        comparison = api.compare(baseline, candidate, margin=margin, gap_margin=gap_margin)
        named = report.NamedComparison(candidate.name, comparison, is_primary=True)
        paths = report.write_report(
            report.ReportInput("Comparison of two models", baseline.name, (named,)), out
        )
        if json:
            show_json(comparison.to_dict())
        else:
            show_comparison(comparison, paths.html)
        if strict and not comparison.met:
            raise typer.Exit(NOT_MET)


app.command(name="report")(report_command)


@app.command()
def audit(  # noqa: PLR0913 - one argument an option
    task: Annotated[str, typer.Argument(help="A maths or code benchmark.")],
    *,
    model: Annotated[str, typer.Option("--model", help="A model folder, or a hub name.")],
    out: Out,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Only the first N items.")] = 50,
    data_dir: DataDir = None,
    data: Data = None,
    protocol: ProtocolOption = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Score a model with and without its chat template: what hangs on that choice?

    Example: debias-eval audit gsm8k --model ./model --data-dir ./data --out ./audit
    """
    with reported_errors(debug=debug):
        with progress_bars(quiet=quiet) as progress:
            found = api.audit_template(
                model,
                task,
                out=out,
                limit=limit,
                data=data,
                data_dir=data_dir,
                protocol=protocol_of(protocol),
                settings=settings_of(progress=progress, device=device),
            )
        show_audit(found, as_json=json)


@app.command()
def fetch(
    tasks: Annotated[list[str], typer.Argument(help="Benchmarks whose published data to get.")],
    *,
    data_dir: Annotated[
        Path, typer.Option("--data-dir", envvar="DEBIAS_DATA_DIR", help="Where to put it.")
    ],
    url: Annotated[
        str | None, typer.Option("--url", help="A mirror; the hash is checked all the same.")
    ] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Get published data: a fixed revision, checked by its sha256; a broken transfer goes on.

    Example: debias-eval fetch gsm8k --data-dir ./data
    """
    from debias_eval.fetching import fetch_task  # noqa: PLC0415 - an HTTP client, for this alone

    with reported_errors(debug=debug):
        if url is not None and len(tasks) != 1:
            raise InputError("--url goes with one task")
        with progress_bars(quiet=quiet) as progress:
            paths = [fetch_task(name, data_dir, url=url, progress=progress) for name in tasks]
        for path in paths:
            typer.echo(path)


@app.command(name="list")
def list_tasks(*, json: Json = False, debug: Debug = False) -> None:
    """Show the benchmarks, what each measures and the file it wants."""
    with reported_errors(debug=debug):
        infos = []
        for name in registry.tasks.names():
            try:
                infos.append(registry.tasks.get(name).info)
            except UnknownNameError:  # a broken plug-in: named below
                continue
        show_tasks(infos, registry.tasks.broken, as_json=json)


@app.command()
def doctor(  # noqa: PLR0913 - one argument an option
    *,
    data_dir: DataDir = None,
    tasks: Annotated[str | None, typer.Option("--tasks", help="Only these.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="References a benchmark.")] = 20,
    full: Annotated[bool, typer.Option("--full", help="Every reference.")] = False,
    sandbox: Level = "auto",
    allow_unsandboxed: Unsandboxed = False,
    sandbox_python: SandboxPython = "",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what this machine can score: each benchmark's own answers, through its own grader."""
    with reported_errors(debug=debug):
        names = [name.strip() for name in tasks.split(",")] if tasks else None
        checks = []
        for check in api.check_tasks(
            resolve_data_dir(data_dir),
            limit=None if full else limit,
            settings=api.GradeSettings(sandbox, allow_unsandboxed, python=sandbox_python),
            names=names,
        ):
            checks.append(check)
            if not json:
                show_check(check)
        if json:
            show_json([asdict(check) for check in checks])
        if any(check.state == "failed" for check in checks):
            raise typer.Exit(1)
