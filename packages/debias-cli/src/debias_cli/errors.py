"""What the command line raises.

```
DebiasCliError                exit 1
├── UsageError                exit 2   the command line itself is wrong
├── ConfigError               exit 3   pipeline.yaml or an override is invalid
├── MissingError              exit 4   a package, a file, a model or a device is not there
├── StageError                exit 1   a stage failed (3 or 4 when its input is invalid or missing)
├── LockedError               exit 1   another process works in the run folder
├── DamagedError              exit 1   a file changed after it was finished
├── StorageError              exit 1   the disk is full or read-only
├── CriteriaError             exit 5   done, but a success criterion is not met (--strict)
└── InterruptedRunError       exit 130 stopped by SIGINT or SIGTERM; says how to resume
```
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from debias_core.errors import ConfigError as CoreConfigError
from debias_core.errors import DataError as CoreDataError
from debias_core.errors import DebiasCoreError
from debias_core.errors import ModelError as CoreModelError

if TYPE_CHECKING:
    from debias_cli.config.problems import Problem


class DebiasCliError(Exception):
    """Root of every error of this package; `exit_code` is what the command ends with."""

    exit_code = 1


class UsageError(DebiasCliError):
    """The command line asks for something that does not exist or contradicts itself."""

    exit_code = 2


class ConfigError(DebiasCliError):
    """The configuration is invalid; `problems` holds every finding in file order."""

    exit_code = 3

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class MissingError(DebiasCliError):
    """Something that the run needs is not on this machine."""

    exit_code = 4


class StageError(DebiasCliError):
    """A stage failed; the message names the stage, the cause and its log.

    The exit code is that of the cause where it has one: 3 for invalid input, 4 for what is
    missing, else 1.
    """

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        self.exit_code = exit_code
        super().__init__(message)


class LockedError(DebiasCliError):
    """Another process holds the run folder."""


class DamagedError(DebiasCliError):
    """A finished file no longer has the size or the hash that it was finished with."""


class StorageError(DebiasCliError):
    """Nothing more can be written: the disk is full or read-only; what is finished stays."""


class CriteriaError(DebiasCliError):
    """The run is complete, but the success criteria are not met."""

    exit_code = 5


class InterruptedRunError(DebiasCliError):
    """The run was stopped from outside after saving what it had."""

    exit_code = 130


def is_known(error: BaseException) -> bool:
    """Whether a package raised it on purpose, so that its message says everything."""
    return isinstance(error, DebiasCoreError) or hasattr(error, "exit_code")


def exit_code_of(error: BaseException) -> int:
    """3 for invalid input, 4 for something missing, 1 for the rest.

    The packages' errors carry their code; debias-core has no command and no codes.
    """
    if isinstance(error, ModuleNotFoundError):
        return 4
    if isinstance(error, CoreConfigError | CoreDataError | CoreModelError):
        return 3
    return int(getattr(error, "exit_code", 1))
