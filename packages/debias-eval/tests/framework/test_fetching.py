"""Fetching data from a server on this machine: complete, resumed, damaged, absent."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from debias_eval import fetching
from debias_eval.cli.app import app
from debias_eval.data_dir import data_sha256, find_data
from debias_eval.errors import InputError, MissingError, UnknownNameError
from debias_eval.fetching import CATALOGUE, RemoteFile, fetch_file, fetch_task
from debias_eval.tasks.registry import get_task

CONTENT = bytes(range(256)) * 2000


@dataclass
class Files:
    """A server of one file that can break off, refuse to resume, or fail."""

    url: str = ""
    content: bytes = CONTENT
    break_after: list[int | None] = field(default_factory=list)
    resumes: bool = True
    status: int = 200
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    state = Files()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("range")
            state.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            if state.status != 200:
                self.send_error(state.status)
                return
            if start >= len(state.content):
                self.send_error(416)
                return
            start = start if state.resumes else 0
            body = state.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            limit = state.break_after.pop(0) if state.break_after else None
            self.wfile.write(body if limit is None else body[:limit])

        def log_message(self, *_arguments: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_address[1]}/data.bin"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


def _remote(files: Files) -> RemoteFile:
    return RemoteFile("t/data.bin", files.url, hashlib.sha256(CONTENT).hexdigest(), "MIT")


def test_a_file_is_fetched_once_and_progress_is_told(files: Files, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def progress(benchmark: str, stage: str, done: int, total: int) -> None:
        assert (benchmark, stage) == ("t", "fetch")
        seen.append((done, total))

    path = fetch_file("t", _remote(files), tmp_path / "new", progress=progress)
    assert path == tmp_path / "new" / "t" / "data.bin"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert fetch_file("t", _remote(files), tmp_path / "new") == path
    assert len(files.ranges) == 1
    assert list(path.parent.iterdir()) == [path]


def test_a_broken_transfer_goes_on_where_it_broke(files: Files, tmp_path: Path) -> None:
    files.break_after = [100_000, 50_000]
    path = fetch_file("t", _remote(files), tmp_path)
    assert path.read_bytes() == CONTENT
    assert files.ranges == [None, "bytes=100000-", "bytes=150000-"]


def test_a_part_of_an_earlier_run_is_used(files: Files, tmp_path: Path) -> None:
    part = tmp_path / "t" / "data.bin.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT[:1000])
    assert fetch_file("t", _remote(files), tmp_path).read_bytes() == CONTENT
    assert files.ranges == ["bytes=1000-"]


def test_a_whole_part_only_needs_its_hash_checked(files: Files, tmp_path: Path) -> None:
    part = tmp_path / "t" / "data.bin.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT)
    assert fetch_file("t", _remote(files), tmp_path).read_bytes() == CONTENT


def test_a_server_that_cannot_resume_sends_everything(files: Files, tmp_path: Path) -> None:
    files.resumes = False
    files.break_after = [1000]
    assert fetch_file("t", _remote(files), tmp_path).read_bytes() == CONTENT


def test_another_content_is_refused_and_not_kept(files: Files, tmp_path: Path) -> None:
    files.content = CONTENT[:-1] + b"x"
    with pytest.raises(InputError, match=r"came with sha256 .* move it away and fetch again"):
        fetch_file("t", _remote(files), tmp_path)
    assert list((tmp_path / "t").iterdir()) == []
    mine = tmp_path / "t" / "data.bin"
    mine.write_bytes(b"my own")
    with pytest.raises(InputError, match="is there already"):
        fetch_file("t", _remote(files), tmp_path)
    assert mine.read_bytes() == b"my own"


def test_more_than_any_file_has_is_refused(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_MAX_BYTES", 1 << 18)
    with pytest.raises(InputError, match="sends more than"):
        fetch_file("t", _remote(files), tmp_path)


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (503, 4)])
def test_a_failing_server_leaves_the_user_with_an_address_and_a_place(
    files: Files, tmp_path: Path, status: int, tries: int
) -> None:
    files.status = status
    target = tmp_path / "t" / "data.bin"
    with pytest.raises(MissingError, match=rf"{status}.*get {files.url} .* put it at {target}"):
        fetch_file("t", _remote(files), tmp_path)
    assert len(files.ranges) == tries


def test_offline_nothing_is_asked(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingError, match=r"HF_HUB_OFFLINE is set; get .* put it at"):
        fetch_file("t", _remote(files), tmp_path)
    assert files.ranges == []


def test_what_is_not_fetched_says_why(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"licences.*college_math/test\.jsonl"):
        fetch_task("college_math", tmp_path)
    with pytest.raises(UnknownNameError, match="did you mean 'gsm8k'"):
        fetch_task("gsmk8", tmp_path)


def test_the_catalogue_fits_the_tasks() -> None:
    for name, file in CATALOGUE.items():
        assert file.path in get_task(name).info.data
        assert len(file.sha256) == 64
        assert "/main/" not in file.url
        assert "/master/" not in file.url


@pytest.mark.parametrize("name", sorted(set(CATALOGUE) - {"svamp"}))
def test_the_hashes_are_those_of_the_published_files(name: str, shared_dir: Path) -> None:
    path = find_data(shared_dir / "data", CATALOGUE[name].path, task=name)
    assert data_sha256(path) == CATALOGUE[name].sha256


def test_the_command(files: Files, tmp_path: Path, shared_dir: Path) -> None:
    files.content = (shared_dir / "data" / "gsm8k" / "test.jsonl").read_bytes()
    command = ["fetch", "gsm8k", "--data-dir", str(tmp_path / "data")]
    done = CliRunner().invoke(app, [*command, "--url", files.url])
    assert done.exit_code == 0, done.output
    assert str(tmp_path / "data" / "gsm8k" / "test.jsonl") in "".join(done.output.split("\n"))
    done = CliRunner().invoke(app, ["fetch", "aime24", "--data-dir", str(tmp_path)])
    assert done.exit_code == 4
    assert "aime24/test.jsonl" in "".join(done.output.split("\n"))
