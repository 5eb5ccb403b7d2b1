"""How files are written and checked: complete under their final name, or not there at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from debias_data.errors import DebiasDataError, MissingInputError

CHUNK_BYTES = 1 << 20


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder that takes `path`'s place when the block succeeds.

    The content is flushed to the disk before the rename, and the temporary file is removed when
    the block fails, so that a reader never sees half a file under the final name.

    Raises:
        DebiasDataError: the folder cannot be written to, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise DebiasDataError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def require_file(path: Path, *, hint: str = "") -> Path:
    """`path` when it is a file.

    Raises:
        MissingInputError: there is no such file; the message ends with `hint`.
    """
    if not path.is_file():
        what = "is a folder, a file is wanted" if path.is_dir() else "no such file"
        raise MissingInputError(f"{path}: {what}" + (f"; {hint}" if hint else ""))
    return path
