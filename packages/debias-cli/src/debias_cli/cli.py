"""The `debias-cli` command: options and help here, the work in `debias_cli.commands`.

Every command imports its work when it runs, so that `--help`, `validate` and `plan` stay quick
and never import torch.
"""

# a command's parameters are its options, and its work is imported when it runs:
# ruff: noqa: FBT002, PLC0415, PLR0913, PLR0917
from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from debias_cli.errors import DebiasCliError, exit_code_of, is_known
from debias_cli.ui.output import Output

INTERRUPTED = 130

app = typer.Typer(
    name="debias-cli",
    help=(
        "Measure the entropy gap of a language model, train it away, and report what it cost.\n\n"
        "Start with `debias-cli demo`, then `debias-cli init` and `debias-cli run pipeline.yaml`."
    ),
    epilog=(
        "Exit codes: 0 done; 1 a stage failed; 2 usage; 3 invalid config or input; 4 something "
        "missing; 5 success criteria not met (--strict); 130 interrupted."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ConfigFile = Annotated[
    Path, typer.Argument(metavar="PIPELINE.YAML", help="The configuration (see `init`).")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change one field, e.g. --set train.max_steps=50; may be repeated.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Errors only.")]
Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="More detail.")]
Debug = Annotated[bool, typer.Option("--debug", help="Tracebacks.")]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="STAGE", help="Run this stage and all that depend on it again."),
]
Only = Annotated[
    str | None, typer.Option("--only", metavar="STAGE", help="Run nothing but this stage.")
]
Force = Annotated[bool, typer.Option("--force", help="Run what is selected although finished.")]
Margin = Annotated[float, typer.Option(min=0.0, max=1.0, help="Largest loss that counts as kept.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit code 5 when a success criterion is not met.")
]


@app.command(
    epilog="Examples: debias-cli run pipeline.yaml | debias-cli run pipeline.yaml --set "
    "train.max_steps=20 --from train | debias-cli run pipeline.yaml --only report --force"
)
def run(
    config: ConfigFile,
    overrides: Overrides = None,
    start: From = None,
    only: Only = None,
    force: Force = False,
    strict: Strict = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
    debug: Debug = False,
) -> None:
    """Run the pipeline, or every point of its sweep; what is finished is not run again."""

    def work(output: Output) -> int:
        from debias_cli.commands.run import run_file
        from debias_cli.stages.planning import Selection

        return run_file(config, _changes(overrides, strict), Selection(start, only, force), output)

    _guard(work, as_json=as_json, quiet=quiet, verbose=verbose, debug=debug)


@app.command(epilog="Example: debias-cli validate pipeline.yaml --set train.seeds=[0,1,2]")
def validate(
    config: ConfigFile,
    overrides: Overrides = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Check a configuration; every error is shown at once, with its line and column."""

    def work(output: Output) -> int:
        from debias_cli.commands.inspect import validate_file

        return validate_file(config, overrides or [], output)

    _guard(work, as_json=as_json, quiet=quiet, debug=debug)


@app.command(epilog="Example: debias-cli plan pipeline.yaml --set train.max_steps=100")
def plan(
    config: ConfigFile,
    overrides: Overrides = None,
    start: From = None,
    only: Only = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show which stages `run` would run, and why each of them."""

    def work(output: Output) -> int:
        from debias_cli.commands.inspect import plan_file
        from debias_cli.stages.planning import Selection

        return plan_file(config, overrides or [], Selection(start, only, force), output)

    _guard(work, as_json=as_json, quiet=quiet, debug=debug)


@app.command(epilog="Example: debias-cli init my.yaml --model Qwen/Qwen2.5-Math-1.5B-Instruct")
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("pipeline.yaml"),
    model: Annotated[str, typer.Option(help="'testbed', a folder, or a hub id.")] = "testbed",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a pipeline.yaml with a comment on every field."""

    def work(output: Output) -> int:
        from debias_cli.commands.inspect import write_template

        return write_template(path, model, output, force=force)

    _guard(work, as_json=as_json, quiet=quiet, debug=debug)


@app.command(epilog="Example: debias-cli schema > pipeline.schema.json")
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""

    def work(output: Output) -> int:
        from debias_cli.commands.inspect import print_schema

        return print_schema(output)

    _guard(work)


@app.command(epilog="Example: debias-cli report runs/quickstart-1a2b3c4d")
def report(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A run folder.")],
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write the report of a finished run again."""

    def work(output: Output) -> int:
        from debias_cli.commands.run import rewrite_report

        return rewrite_report(run_dir, output)

    _guard(work, as_json=as_json, quiet=quiet, debug=debug)


@app.command(epilog="Example: debias-cli compare runs/a-1a2b3c4d runs/b-5e6f7a8b")
def compare(
    run_a: Annotated[Path, typer.Argument(metavar="RUN", help="The run that is compared with.")],
    run_b: Annotated[Path, typer.Argument(metavar="RUN", help="The run that is judged.")],
    margin: Margin = 0.05,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compare the trained models of two runs, item by item."""

    def work(output: Output) -> int:
        from debias_cli.commands.compare import compare_runs

        return compare_runs(run_a, run_b, margin, output)

    _guard(work, as_json=as_json, quiet=quiet, debug=debug)


@app.command(epilog="Example: debias-cli demo --out runs")
def demo(
    out: Annotated[Path, typer.Option(help="Folder of run folders.")] = Path("runs"),
    overrides: Overrides = None,
    strict: Strict = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
    debug: Debug = False,
) -> None:
    """Run the whole pipeline on the embedded test bed: no network, no GPU, three minutes."""

    def work(output: Output) -> int:
        from debias_cli.commands.run import run_demo

        return run_demo(out, _changes(overrides, strict), output)

    _guard(work, as_json=as_json, quiet=quiet, verbose=verbose, debug=debug)


@app.command(epilog="Example: debias-cli doctor --json")
def doctor(as_json: Json = False, quiet: Quiet = False, debug: Debug = False) -> None:
    """Check this machine: packages, devices, the sandbox, the embedded test bed."""

    def work(output: Output) -> int:
        from debias_cli.commands.doctor import examine

        return examine(output)

    _guard(work, as_json=as_json, quiet=quiet, debug=debug)


def _changes(overrides: list[str] | None, strict: bool) -> list[str]:  # noqa: FBT001 - an option
    """What `--set` and `--strict` change in the configuration."""
    return [*(overrides or []), *(["run.strict=true"] if strict else [])]


def _guard(
    work: Callable[[Output], int],
    *,
    as_json: bool = False,
    quiet: bool = False,
    verbose: int = 0,
    debug: bool = False,
) -> None:
    """Runs a command and ends the process with its exit code.

    The boundary at which every error becomes a message: the packages' own as they are, any other
    under its type, with the traceback on request.
    """
    output = Output(as_json, -1 if quiet else verbose, debug)
    try:
        with output.alone():
            code = work(output)
    except KeyboardInterrupt:
        code = INTERRUPTED
        output.fail(DebiasCliError("interrupted"), code)
    except BrokenPipeError:
        # nobody reads the output any more (`debias-cli schema | head`). Never by the signal: that
        # would end a run because a process of the sandbox ended first
        code = 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:  # noqa: BLE001 - the boundary named above
        code = exit_code_of(error)
        if is_known(error) or isinstance(error, OSError):
            output.fail(error, code)
        else:
            hint = "" if debug else "; --debug shows where"
            output.fail(DebiasCliError(f"{type(error).__name__}: {error}{hint}"), code)
        if debug:
            traceback.print_exc()
    raise typer.Exit(code)


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="debias-cli")
    sys.exit(0)


if __name__ == "__main__":
    main()
