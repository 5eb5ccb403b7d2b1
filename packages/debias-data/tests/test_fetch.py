"""Fetching from a server on this machine: resumed, checked, and clear when it cannot be."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import sys
import threading

import pytest

from debias_data.download import RemoteFile, download
from debias_data.errors import BadConfigError, InvalidInputError, MissingInputError
from debias_data.fetch import PUBLISHED, Published, fetch

CONTENT = bytes(range(256)) * 5000


class _Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT under every path; `cut` answers end early, `ranges` turns resuming off."""

    cut = 0
    ranges = True
    content = CONTENT

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked = []


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        if self.path == "/missing":
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        if start >= len(server.content):
            self.send_error(416)
            return
        rest = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if server.cut:
            server.cut -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with _Server() as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def _file(server, name="a/b.bin", content=CONTENT):
    url = f"http://127.0.0.1:{server.server_port}/{name}"
    return RemoteFile(name, url, hashlib.sha256(content).hexdigest())


def test_a_file_is_fetched_once(server, tmp_path):
    seen = []
    path = download(_file(server), tmp_path, on_bytes=lambda *done: seen.append(done))
    assert path == tmp_path / "a/b.bin"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [item.name for item in path.parent.iterdir()] == ["b.bin"]
    assert download(_file(server), tmp_path) == path
    assert server.asked == [None]


def test_what_broke_off_is_resumed(server, tmp_path):
    server.cut = 1
    with pytest.raises(MissingInputError, match=r"broke off after 640000 of 1280000 bytes.*b\.bin"):
        download(_file(server), tmp_path)
    assert not (tmp_path / "a/b.bin").exists()
    assert download(_file(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=640000-"]


def test_a_server_without_ranges_starts_again(server, tmp_path):
    server.cut, server.ranges = 1, False
    with pytest.raises(MissingInputError):
        download(_file(server), tmp_path)
    assert download(_file(server), tmp_path).read_bytes() == CONTENT


def test_a_complete_part_only_gets_its_name(server, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/.b.bin.part").write_bytes(CONTENT)
    assert download(_file(server), tmp_path).read_bytes() == CONTENT


def test_other_content_is_refused_and_not_kept(server, tmp_path):
    with pytest.raises(InvalidInputError, match="not the published file"):
        download(_file(server, content=b"other"), tmp_path)
    assert not list((tmp_path / "a").iterdir())


def test_a_file_of_ones_own_is_not_overwritten(server, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.bin").write_bytes(b"mine")
    with pytest.raises(InvalidInputError, match="move it away"):
        download(_file(server), tmp_path)
    assert (tmp_path / "a/b.bin").read_bytes() == b"mine"


def test_what_is_not_there_says_where_to_put_it(server, tmp_path):
    with pytest.raises(MissingInputError, match=rf"HTTP 404.*{tmp_path}/missing"):
        download(_file(server, "missing"), tmp_path)
    unreachable = RemoteFile("x.bin", "http://127.0.0.1:9/x.bin", "0" * 64)
    with pytest.raises(MissingInputError, match=rf"put it at {tmp_path}/x\.bin \(SHA-256 000"):
        download(unreachable, tmp_path)


def test_only_http(tmp_path):
    with pytest.raises(InvalidInputError, match="only http"):
        download(RemoteFile("x", "file:///etc/passwd", "0"), tmp_path)


def test_a_source_is_all_of_its_files(server, tmp_path, monkeypatch):
    files = (_file(server, "s/one"), _file(server, "s/two"))
    monkeypatch.setitem(PUBLISHED, "made", Published(files, "MIT", "here"))
    begun = []
    paths = fetch("made", tmp_path, on_file=lambda file: begun.append(file.path) or print)
    assert [path.name for path in paths] == ["one", "two"]
    assert begun == ["s/one", "s/two"]


def test_unknown_names_get_a_hint(tmp_path):
    with pytest.raises(BadConfigError, match="did you mean 'winobias'"):
        fetch("winobiass", tmp_path)
    with pytest.raises(BadConfigError, match="kind: hub"):
        fetch("numina", tmp_path)


def test_the_hashes_are_those_of_the_published_files(shared, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    for name, published in PUBLISHED.items():
        assert len(fetch(name, shared / "data")) == len(published.files)


def test_the_command_lists_and_fails_with_4(tmp_path):
    code = "from debias_data.cli import main; main()"
    arguments = [sys.executable, "-c", code, "fetch"]
    done = subprocess.run(
        [*arguments, "--list"], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "winogender\tMIT" in done.stdout
    assert subprocess.run(arguments, check=False, capture_output=True, timeout=60).returncode == 2
    environment = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        [*arguments, "winogender", "--data-dir", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert done.returncode == 4
    assert str(tmp_path / "winogender/all_sentences.tsv") in done.stderr
