"""The options that several commands share, and what becomes of them."""

from __future__ import annotations

from json import loads as parse_json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import debias_eval as api  # lazy: what a command uses is loaded when it runs
from debias_eval.errors import InputError

if TYPE_CHECKING:
    from debias_eval.progress import Progress

Out = Annotated[Path, typer.Option("--out", help="Folder for the results.")]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", envvar="DEBIAS_DATA_DIR", help="Folder with the published data."),
]
Data = Annotated[
    Path | None, typer.Option("--data", help="A file in the task's schema, in place of its data.")
]
ProtocolOption = Annotated[
    str | None,
    typer.Option("--protocol", help="A profile's name, or JSON with changes to the protocol."),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N items.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
Level = Annotated[
    str, typer.Option("--sandbox", help="auto, hardened, landlock, process, container.")
]
Unsandboxed = Annotated[
    bool, typer.Option("--allow-unsandboxed", help="Run code without a sandbox; it is recorded.")
]
SandboxPython = Annotated[
    str,
    typer.Option(
        "--sandbox-python",
        envvar="DEBIAS_SANDBOX_PYTHON",
        help="Interpreter with the libraries that programs may import (BigCodeBench); for "
        "--sandbox container the command that starts one there, with {folder} in it.",
    ),
]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Grading processes.")]


def protocol_of(text: str | None) -> str | dict[str, object] | None:
    """Return a profile's name as it is, and a JSON object as changes."""
    if text is None or not text.lstrip().startswith("{"):
        return text
    try:
        changes = parse_json(text)
    except ValueError as error:
        raise InputError(f"--protocol: not JSON: {error}") from error
    return dict(changes)


def backend_options(
    pairs: list[str] | None, base_url: str | None
) -> dict[str, str | int | float | bool]:
    """Return ``NAME=VALUE`` pairs as options of a back end, which converts and checks them."""
    found: dict[str, str | int | float | bool] = {}
    for pair in pairs or []:
        name, mark, value = pair.partition("=")
        if not mark:
            raise InputError(f"--backend-option {pair!r}: give NAME=VALUE")
        found[name.strip()] = value
    if base_url is not None:
        found["base_url"] = base_url
    return found


def settings_of(  # noqa: PLR0913 - one argument an option
    *,
    progress: Progress,
    level: str = "auto",
    allow_unsandboxed: bool = False,
    workers: int | None = None,
    sandbox_python: str = "",
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int | None = None,
    completions: str | None = None,
    options: dict[str, str | int | float | bool] | None = None,
) -> api.EvalSettings:
    """Return how a run is carried out, from its options."""
    return api.EvalSettings(
        backend=api.BackendSettings(device, dtype, batch_size, completions, options or {}),
        grade=api.GradeSettings(level, allow_unsandboxed, workers, python=sandbox_python),
        progress=progress,
    )
