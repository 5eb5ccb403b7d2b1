"""One published file over HTTP: resumed where it broke off, checked before it has its name."""

from __future__ import annotations

import http
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from debias_data.errors import DebiasDataError, InvalidInputError, MissingInputError
from debias_data.files import CHUNK_BYTES, atomic_path, sha256

TIMEOUT_SECONDS = 30.0
_AGENT = "debias-data (https://pypi.org/project/debias-data)"

# Called with the bytes that are there so far and the size, None where the server does not tell.
OnBytes = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a pinned revision.

    Attributes:
        path: where it lies in a data folder.
        url: of exactly this revision.
        sha256: of its bytes, in hex.
    """

    path: str
    url: str
    sha256: str


def download(file: RemoteFile, folder: Path, *, on_bytes: OnBytes | None = None) -> Path:
    """The path of the file in `folder`; nothing is transferred when it is there already.

    What was received before a failure stays in `.NAME.part` beside it, and the next call goes on
    from there.

    Raises:
        MissingInputError: it cannot be reached, or broke off; says where to put it by hand.
        InvalidInputError: another file has its name, or what was received is not the published one.
        DebiasDataError: the folder cannot be written to.
    """
    target = folder / file.path
    if target.exists():
        if sha256(target) == file.sha256:
            return target
        raise InvalidInputError(
            f"{target}: is not the published file (SHA-256 {file.sha256[:12]}…); move it away and "
            "run again"
        )
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        raise DebiasDataError(f"{target}: cannot be written: {error.strerror or error}") from error
    try:
        _receive(file.url, part, on_bytes)
    except (OSError, http.client.HTTPException) as error:
        raise MissingInputError(
            f"{file.url}: cannot be fetched ({_reason(error)}); run again to go on, or get it by "
            f"other means and put it at {target} (SHA-256 {file.sha256})"
        ) from error
    found = sha256(part)
    if found != file.sha256:
        part.unlink()
        raise InvalidInputError(
            f"{file.url}: not the published file: its SHA-256 is {found[:12]}…, expected "
            f"{file.sha256[:12]}…; nothing was kept"
        )
    with atomic_path(target) as temporary:
        part.replace(temporary)
    return target


def _receive(url: str, part: Path, on_bytes: OnBytes | None) -> None:
    start = part.stat().st_size
    headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    if not url.startswith(("https://", "http://")):
        raise InvalidInputError(f"{url}: only http and https are fetched")
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - checked just above
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310 - as above
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        return  # everything is there already: the hash decides
    with answer:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            start = 0
        length = answer.headers.get("Content-Length")
        size = start + int(length) if length is not None else None
        done = start
        with part.open("r+b") as handle:
            handle.seek(start)
            handle.truncate()
            while chunk := answer.read(CHUNK_BYTES):
                handle.write(chunk)
                done += len(chunk)
                if on_bytes is not None:
                    on_bytes(done, size)
    if size is not None and done < size:
        raise ConnectionError(f"broke off after {done} of {size} bytes")


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error) or type(error).__name__
