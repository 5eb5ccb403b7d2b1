"""Getting published data: a fixed revision over HTTP, checked by its sha256, resumed if it breaks.

Only files whose licence allows it and whose hash is known are listed. A file under its final name
is complete and right: what arrives goes to ``NAME.part``, and is renamed once its hash is checked.
"""

from __future__ import annotations

import http.client
import logging
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from debias_eval.errors import InputError, MissingError, UnknownNameError
from debias_eval.files import sha256_file
from debias_eval.progress import silent
from debias_eval.tasks.registry import get_task, tasks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from debias_eval.progress import Progress

__all__ = ["CATALOGUE", "RemoteFile", "fetch_file", "fetch_task"]

_log = logging.getLogger(__name__)
_CHUNK = 1 << 16
_MAX_BYTES = 1 << 28  # the largest file here has 4 MB: a mirror that sends more is not one
_ATTEMPTS = 4
_TIMEOUT = 60.0
_OFFLINE = "HF_HUB_OFFLINE"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a benchmark.

    Attributes:
        path: In the data folder.
        url: At a fixed revision.
        sha256: Of its bytes.
        licence: As its publisher names it.
    """

    path: str
    url: str
    sha256: str
    licence: str


_GITHUB = "https://raw.githubusercontent.com"
_EVALPLUS = "https://github.com/evalplus"

CATALOGUE: Mapping[str, RemoteFile] = {
    "gsm8k": RemoteFile(
        "gsm8k/test.jsonl",
        f"{_GITHUB}/openai/grade-school-math/3101c7d5072418e28b9008a6636bde82a006892c/"
        "grade_school_math/data/test.jsonl",
        "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
        "MIT",
    ),
    "svamp": RemoteFile(
        "svamp/SVAMP.json",
        f"{_GITHUB}/arkilpatel/SVAMP/689d7ccac74b9983a2ac7cc3b264f441b99e7c53/SVAMP.json",
        "5be77703a6d891ae476d7c082787ad361392aa02453b132516cdd5f4e7934e3e",
        "MIT",
    ),
    "humaneval": RemoteFile(
        "humaneval/HumanEval.jsonl.gz",
        f"{_GITHUB}/openai/human-eval/6d43fb980f9fee3c892a914eda09951f772ad10d/"
        "data/HumanEval.jsonl.gz",
        "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef",
        "MIT",
    ),
    "humaneval_plus": RemoteFile(
        "humaneval_plus/HumanEvalPlus.jsonl.gz",
        f"{_EVALPLUS}/humanevalplus_release/releases/download/v0.1.10/HumanEvalPlus.jsonl.gz",
        "272720b90ac375502c8ed23cd791c2a93dfb22a911641a494da74a426c09f101",
        "Apache-2.0",
    ),
    "mbpp_plus": RemoteFile(
        "mbpp_plus/MbppPlus.jsonl.gz",
        f"{_EVALPLUS}/mbppplus_release/releases/download/v0.2.0/MbppPlus.jsonl.gz",
        "af43697e8791c4c149bdfd6b489d8b5412507551ac20e28a439f650b8225db63",
        "Apache-2.0",
    ),
}


def fetch_task(
    task: str, data_dir: Path, *, url: str | None = None, progress: Progress = silent
) -> Path:
    """Return the data file of ``task`` in ``data_dir``, fetched if it is not there.

    Args:
        task: Name of a benchmark.
        data_dir: The data folder; made if it is not there.
        url: A mirror of the file; its hash is checked all the same.
        progress: Told of bytes.

    Raises:
        UnknownNameError: There is no such benchmark.
        MissingError: It cannot be fetched; the message names the file and where to put it.
        InputError: What is there, or what came, is not the published file.
    """
    if task not in tasks.names():
        raise UnknownNameError("task", task, tasks.names())
    file = CATALOGUE.get(task)
    if file is None:
        info = get_task(task).info
        origin = info.source or "its publisher gives it out, or its licence leaves it to you to get"
        raise MissingError(
            f"{task}: is not fetched ({origin}); put it at {data_dir / info.data[0]}"
        )
    return fetch_file(task, file, data_dir, url=url, progress=progress)


def fetch_file(
    task: str,
    file: RemoteFile,
    data_dir: Path,
    *,
    url: str | None = None,
    progress: Progress = silent,
) -> Path:
    """Return ``file`` in ``data_dir``; see `fetch_task`."""
    target = data_dir / file.path
    address = url or file.url
    if target.is_file():
        _check(target, file, f"{target}: is there already, with")
        return target
    if not address.startswith(("http://", "https://")):
        raise InputError(f"{address}: give an address that begins with http:// or https://")
    by_hand = f"get {address} by other means and put it at {target}"
    if os.environ.get(_OFFLINE, "").lower() in ("1", "true", "yes", "on"):
        raise MissingError(f"{task}: {_OFFLINE} is set; {by_hand}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _download(address, part, task, progress)
            break
        except (OSError, http.client.HTTPException) as error:  # urllib's errors are OSErrors
            final = isinstance(error, urllib.error.HTTPError) and error.code < 500
            if final or attempt == _ATTEMPTS:
                raise MissingError(f"{task}: {address}: {error}; {by_hand}") from error
            _log.info("%s: %s; trying again", address, error)
    try:
        _check(part, file, f"{address}: came with")
    except InputError:
        part.unlink()
        raise
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.replace(target)
    return target


def _check(path: Path, file: RemoteFile, what: str) -> None:
    found = sha256_file(path)
    if found != file.sha256:
        raise InputError(
            f"{what} sha256 {found[:12]}…, and {file.path} has {file.sha256[:12]}…: "
            "it is another version, or damaged; move it away and fetch again"
        )


def _download(address: str, part: Path, task: str, progress: Progress) -> None:
    """Append to ``part`` what it lacks; a server that cannot resume sends everything again.

    Raises:
        OSError: The connection broke; what came before is kept.
    """
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(address)  # noqa: S310 - only http and https get here
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)  # noqa: S310 - as above
    except urllib.error.HTTPError as error:
        if have and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is lacking; the hash says whether that is true
        raise
    with response:
        resumed = response.status == HTTPStatus.PARTIAL_CONTENT
        have = have if resumed else 0
        length = response.headers.get("content-length")
        total = have + int(length) if length else 0
        with part.open("ab" if resumed else "wb") as out:
            while chunk := response.read(_CHUNK):
                out.write(chunk)
                have += len(chunk)
                if have > _MAX_BYTES:
                    raise InputError(f"{address}: sends more than {_MAX_BYTES >> 20} MiB")
                progress(task, "fetch", have, max(total, have))
    if have < total:
        raise ConnectionError(f"ended after {have} of {total} bytes")
