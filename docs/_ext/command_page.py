"""The commands as a page: the help of all three programs, as they print it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

os.environ["TYPER_USE_RICH"] = "0"  # plain text; typer reads it when it is first imported

import typer
from typer.main import get_command
from typer.testing import CliRunner

from debias_cli.cli import app as cli_app
from debias_data.cli import app as data_app
from debias_eval.cli.app import app as eval_app

_APPS = {"debias-cli": cli_app, "debias-data": data_app, "debias-eval": eval_app}
_COMPLETION = re.compile(r"^ +--(install|show)-completion.*\n( {10,}.*\n)*", re.MULTILINE)
_WIDTH = 92


def page() -> str:
    """Returns the Markdown of all commands of all programs."""
    return "\n".join(line for name, app in _APPS.items() for line in _program(name, app))


def _program(name: str, app: typer.Typer) -> Iterator[str]:
    yield from (f"## {name}", "", "```text", _help(name, app), "```", "")
    commands = get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    for key in commands:
        yield from (f"### {name} {key}", "", "```text", _help(name, app, key), "```", "")


def _help(name: str, app: typer.Typer, *command: str) -> str:
    """Returns what `NAME COMMAND --help` prints.

    Raises:
        RuntimeError: it fails.
    """
    done = CliRunner().invoke(
        app, [*command, "--help"], prog_name=name, terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    if done.exit_code != 0:
        raise RuntimeError(f"{name} {' '.join(command)} --help: {done.output}")
    return _COMPLETION.sub("", done.output).strip()
