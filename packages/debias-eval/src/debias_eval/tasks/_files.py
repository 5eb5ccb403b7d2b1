"""Reading the files of the bias suites whole, with messages that name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debias_eval.errors import InputError, MissingError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_text"]


def read_text(path: Path, task: str) -> str:
    r"""Return a UTF-8 file without its byte order mark, lines ended by ``\n``.

    Raises:
        MissingError: There is no such file.
        InputError: It is not UTF-8.
    """
    if not path.is_file():
        raise MissingError(f"{task}: needs {path}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}") from error
    return text.replace("\r\n", "\n")
