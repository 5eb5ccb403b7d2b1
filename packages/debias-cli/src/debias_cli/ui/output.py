"""What a command says: text for people, or one JSON object for machines.

Standard output is for that alone: what libraries print and log there goes to standard error.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from debias_cli.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


@dataclass(frozen=True, slots=True)
class Output:
    """How much is said, and in which form.

    Attributes:
        as_json: one JSON object on standard output, and nothing else there.
        verbosity: -1 quiet, 0 normal, 1 and more for details.
        debug: tracebacks.
        stream: standard output as it was when the command began.
    """

    as_json: bool = False
    verbosity: int = 0
    debug: bool = False
    stream: TextIO = field(default_factory=lambda: sys.stdout)

    @staticmethod
    def alone() -> contextlib.AbstractContextManager[object]:
        """A context in which nobody else writes to standard output."""
        return contextlib.redirect_stdout(sys.stderr)

    @property
    def shows_progress(self) -> bool:
        """Whether bars and live lines are wanted; they go to standard error."""
        return not self.as_json and self.verbosity >= 0

    def console(self) -> Console:
        """A rich console, imported only when something is shown."""
        from rich.console import Console  # noqa: PLC0415 - 50 ms that quiet commands need not pay

        return Console(file=self.stream, highlight=False, soft_wrap=True)

    def say(self, text: str, *, level: int = 0) -> None:
        """A line for people, when verbosity is at least `level`."""
        if not self.as_json and self.verbosity >= level:
            self.stream.write(text + "\n")

    def show(self, renderable: RenderableType) -> None:
        """A table or panel for people."""
        if not self.as_json and self.verbosity >= 0:
            self.console().print(renderable)

    def emit(self, value: Mapping[str, object]) -> None:
        """The result for machines; silent without `--json`."""
        if self.as_json:
            self.stream.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")

    def fail(self, error: BaseException, exit_code: int) -> None:
        """The error on standard error, or as the JSON object."""
        if not self.as_json:
            sys.stderr.write(f"{_headline(error)}{error}\n")
            return
        content: dict[str, object] = {"ok": False, "exit_code": exit_code, "error": str(error)}
        if isinstance(error, ConfigError):
            content["problems"] = [
                {
                    "file": problem.position.source,
                    "line": problem.position.line,
                    "column": problem.position.column,
                    "path": problem.path,
                    "message": problem.message,
                }
                for problem in error.problems
            ]
        self.emit(content)


def _headline(error: BaseException) -> str:
    """Config errors are already `file:line:col …` lines that editors and tests parse."""
    return "" if isinstance(error, ConfigError) else "error: "
