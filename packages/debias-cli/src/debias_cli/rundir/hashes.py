"""Content hashes of inputs, remembered by size and time of change so that `plan` stays quick."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from debias_cli.errors import DamagedError, MissingError
from debias_cli.rundir.files import read_json, sha256_file, write_text

_IGNORED = {"__pycache__", ".git", ".cache"}


class HashCache:
    """Sha256 of files by path, size, mtime and inode; kept in a JSON file that may be deleted."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, str] = {}
        self._changed = False
        if path is not None and path.is_file():
            try:
                content = read_json(path)
            except DamagedError:
                content = {}  # a cache: everything is hashed again
            self._known = {key: str(value) for key, value in content.items()}

    def file(self, path: Path) -> str:
        """Sha256 of one file.

        Raises:
            MissingError: the file is not there or cannot be read.
        """
        try:
            state = path.stat()
            key = f"{path}|{state.st_size}|{state.st_mtime_ns}|{state.st_ino}"
            if key not in self._known:
                self._known[key] = sha256_file(path)
                self._changed = True
        except OSError as error:
            raise MissingError(f"{path}: {error.strerror}") from None
        return self._known[key]

    def tree(self, path: Path) -> str:
        """Sha256 over names and contents of a file or of all files below a folder.

        Raises:
            MissingError: nothing is there.
        """
        if path.is_file():
            return self.file(path)
        if not path.is_dir():
            raise MissingError(f"{path}: no such file or folder")
        digest = hashlib.sha256()
        for file in _files(path):
            line = json.dumps([file.relative_to(path).as_posix(), self.file(file)])
            digest.update(line.encode())
        return digest.hexdigest()

    def save(self) -> None:
        """Writes the cache where it was read from, if that is possible, unless nothing changed."""
        if self._path is None or not self._changed or not self._path.parent.is_dir():
            return
        with suppress(OSError):  # a full or read-only disk: everything is hashed again next time
            write_text(self._path, json.dumps(self._known, indent=0))
            self._changed = False


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not _IGNORED.intersection(path.relative_to(folder).parts):
            yield path
