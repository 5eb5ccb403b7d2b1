"""The commands that score: ``run`` a model, ``grade`` completions, ``regrade`` a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import debias_eval as api  # lazy: what a command uses is loaded when it runs
from debias_eval.cli.options import (
    Data,
    DataDir,
    Debug,
    Json,
    Level,
    Limit,
    Out,
    ProtocolOption,
    Quiet,
    SandboxPython,
    Unsandboxed,
    Workers,
    backend_options,
    protocol_of,
    settings_of,
)
from debias_eval.cli.show import progress_bars, reported_errors, show_results
from debias_eval.errors import InputError

__all__ = ["grade", "regrade", "run"]


def run(  # noqa: PLR0913 - one argument an option
    *,
    model: Annotated[
        str, typer.Option("--model", help="A model folder, a hub name, or a server's name for it.")
    ],
    tasks: Annotated[str, typer.Option("--tasks", help="Names with commas between them.")],
    out: Out,
    backend: Annotated[
        str, typer.Option("--backend", help="transformers, vllm, openai (a server) or recorded.")
    ] = "transformers",
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="Server of the openai back end, up to /v1.")
    ] = None,
    backend_option: Annotated[
        list[str] | None,
        typer.Option("--backend-option", help="NAME=VALUE, as often as needed: concurrency=8."),
    ] = None,
    limit: Limit = None,
    data_dir: DataDir = None,
    data: Data = None,
    protocol: ProtocolOption = None,
    completions: Annotated[
        str | None, typer.Option("--completions", help="File of the recorded back end.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16, float16.")] = "auto",
    batch_size: Annotated[int | None, typer.Option(min=1, help="Rows at a time.")] = None,
    sandbox: Level = "auto",
    allow_unsandboxed: Unsandboxed = False,
    sandbox_python: SandboxPython = "",
    workers: Workers = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Score a model.

    Example: debias-eval run --model ./model --tasks gsm8k,humaneval --data-dir ./data --out ./r
    """
    with reported_errors(debug=debug):
        names = [name.strip() for name in tasks.split(",") if name.strip()]
        if data is not None and len(names) != 1:
            raise InputError("--data goes with one task; give the others in a run of their own")
        with progress_bars(quiet=quiet) as progress:
            results = api.evaluate(
                model,
                [api.TaskSpec(name, data=data) for name in names],
                out=out,
                backend=backend,
                protocol=protocol_of(protocol),
                limit=limit,
                data_dir=data_dir,
                settings=settings_of(
                    progress=progress,
                    level=sandbox,
                    allow_unsandboxed=allow_unsandboxed,
                    workers=workers,
                    sandbox_python=sandbox_python,
                    device=device,
                    dtype=dtype,
                    batch_size=batch_size,
                    completions=completions,
                    options=backend_options(backend_option, base_url),
                ),
            )
        show_results(results, as_json=json)


def grade(  # noqa: PLR0913 - one argument an option
    *,
    task: Annotated[str, typer.Option("--task", help="Whose completions they are.")],
    completions: Annotated[
        Path, typer.Option("--completions", help="JSONL: {task_id | id, completion}.")
    ],
    out: Out,
    data: Data = None,
    data_dir: DataDir = None,
    protocol: ProtocolOption = None,
    limit: Limit = None,
    sandbox: Level = "auto",
    allow_unsandboxed: Unsandboxed = False,
    sandbox_python: SandboxPython = "",
    workers: Workers = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Score completions that somebody else generated; no model is needed.

    Example: debias-eval grade --task humaneval --completions samples.jsonl --out ./r
    """
    with reported_errors(debug=debug):
        with progress_bars(quiet=quiet) as progress:
            results = api.grade(
                task,
                completions,
                out=out,
                data=data,
                protocol=protocol_of(protocol),
                limit=limit,
                data_dir=data_dir,
                settings=settings_of(
                    progress=progress,
                    level=sandbox,
                    allow_unsandboxed=allow_unsandboxed,
                    workers=workers,
                    sandbox_python=sandbox_python,
                ),
            )
        show_results(results, as_json=json)


def regrade(  # noqa: PLR0913 - one argument an option
    folder: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    *,
    sandbox: Level = "auto",
    allow_unsandboxed: Unsandboxed = False,
    sandbox_python: SandboxPython = "",
    workers: Workers = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Grade the answers of a finished run again; nothing is generated."""
    with reported_errors(debug=debug):
        with progress_bars(quiet=quiet) as progress:
            settings = settings_of(
                progress=progress,
                level=sandbox,
                allow_unsandboxed=allow_unsandboxed,
                workers=workers,
                sandbox_python=sandbox_python,
            )
            results = api.regrade(folder, settings=settings)
        show_results(results, as_json=json)
