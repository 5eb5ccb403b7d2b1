"""Writing so that a file under its final name is complete, and hashing what is read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from debias_cli.config.yaml_reader import Plain
from debias_cli.errors import DamagedError

_CHUNK = 1 << 20


def write_text(path: Path, text: str) -> None:
    """Writes to a temporary name, forces it to disk, renames: never a half file at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """`write_text` of the value as indented JSON with sorted keys off (order is meaning here)."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Plain]:
    """The JSON object in a file that this project wrote.

    Raises:
        DamagedError: it is no JSON object; names the file and the place.
    """
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path}: not the JSON that was written here ({error})") from None
    if not isinstance(value, dict):
        raise DamagedError(f"{path}: not the JSON object that was written here")
    return value


def sync_folder(folder: Path) -> None:
    """Forces a folder's entries to disk, so that a rename survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_file(path: Path) -> str:
    """Hexadecimal sha256 of a file's content, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def link_tree(source: Path, target: Path) -> None:
    """Copies a folder by hard links where the file system allows it, by content elsewhere.

    Safe because finished files are only ever replaced, never written into.
    """
    shutil.copytree(source, target, copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
