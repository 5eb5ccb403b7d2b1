"""A disk that is full or read-only: recognised in whatever error it became, and said plainly."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from debias_cli.errors import StorageError

_WORDS = {
    errno.ENOSPC: ("no space left on the disk", "free some space there"),
    errno.EDQUOT: ("the disk quota is used up", "free some space there"),
    errno.EFBIG: ("a file would become larger than is allowed", "raise the limit (ulimit -f)"),
    errno.EROFS: ("the file system is read-only", "make it writable"),
    errno.EACCES: ("no permission to write", "make it writable for this user"),
    errno.EPERM: ("no permission to write", "make it writable for this user"),
}
# libraries that write by themselves raise errors of their own, with the number in the text
_NUMBER = re.compile(r"\(os error (\d+)\)|\[errno (\d+)\]", re.IGNORECASE)


def storage_error(error: BaseException, folder: Path) -> StorageError | None:
    """What is wrong with the disk that `folder` is on, where that is what an error comes from."""
    for cause in _causes(error):
        number = _number(cause)
        if number not in _WORDS:
            continue
        named = getattr(cause, "filename", None)
        if number in (errno.EACCES, errno.EPERM) and named is None:
            continue  # some other permission
        place = Path(str(named)) if named is not None else folder
        if not _inside(place, folder) and number in (errno.EACCES, errno.EPERM, errno.EROFS):
            continue  # an input that cannot be read says so itself
        what, cure = _WORDS[number]
        return StorageError(
            f"{place}: {what}; {cure}, or name another folder with run.output_dir. "
            "What is finished is kept"
        )
    return None


@contextmanager
def named_storage(folder: Path) -> Iterator[None]:
    """Turns an error of the block that comes from the disk into one that says so.

    Raises:
        StorageError: the disk that `folder` is on is full or read-only.
    """
    try:
        yield
    except OSError as error:
        found = storage_error(error, folder)
        if found is None:
            raise
        raise found from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    match = _NUMBER.search(str(error))
    return int(match[1] or match[2]) if match else None


def _inside(place: Path, folder: Path) -> bool:
    return place.absolute().is_relative_to(folder.absolute())
