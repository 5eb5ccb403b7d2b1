"""The strict reader, the log that survives a kill, and files that are whole or absent."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from debias_eval.errors import InputError, LockedError, MissingError
from debias_eval.files import folder_lock, write_bytes, write_json
from debias_eval.jsonl import AppendLog, read_models, read_rows, read_torn, write_rows


class _Row(BaseModel):
    id: str
    n: int = 0


def _file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"id": "a"}\n{"id": }\n', "rows.jsonl:2: "),
        (b'{"id": "a", "id": "b"}\n', ":1: duplicate key 'id'"),
        (b'{"id": NaN}\n', ":1: NaN is not JSON"),
        (b'{"id": -Infinity}\n', ":1: -Infinity is not JSON"),
        (b'["a"]\n', ":1: expected an object, found list"),
        (b'{"id": "\xff"}\n', ":1: not UTF-8 at byte"),
        (b"[" * 100_000 + b"\n", ":1: "),
        (b'{"n": 1}\n', ":1:id: Field required"),
        (b'{"id": "a", "n": "many"}\n', ":1:n: Input should be a valid integer"),
        (b"\n\n", "holds no rows"),
    ],
)
def test_errors_name_file_line_and_field(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_models(_file(tmp_path, content), _Row)
    assert message in str(caught.value)


def test_only_newline_ends_a_line_and_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"id": "a\xe2\x80\xa8b"}\r\n\n{"id": "c"}'
    rows = list(read_rows(_file(tmp_path, content)))
    assert rows == [(1, {"id": "a\u2028b"}), (3, {"id": "c"})]


def test_a_long_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=":1: a line of more than 16 MiB"):
        list(read_rows(_file(tmp_path, b'{"id": "' + b"a" * (17 << 20) + b'"}')))


def test_gzip_is_read_and_a_truncated_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    packed = gzip.compress(b'{"id": "a"}\n' * 1000)
    path.write_bytes(packed)
    assert len(list(read_rows(path))) == 1000
    path.write_bytes(packed[:-10])
    with pytest.raises(InputError, match="cannot be read"):
        list(read_rows(path))
    with pytest.raises(MissingError):
        list(read_rows(tmp_path / "none.jsonl"))


def test_a_torn_last_line_is_dropped_and_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n{"a": 3')
    assert read_torn(path) == [{"a": 1}, {"a": 2}]
    with AppendLog(path) as log:
        log.append([{"a": 4}])
    assert path.read_bytes() == b'{"a": 1}\n{"a": 2}\n{"a": 4}\n'


def test_damage_before_the_last_line_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"a": 1\n{"a": 2}\n')
    with pytest.raises(InputError, match=r"log\.jsonl:1"):
        read_torn(path)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"a": float("nan")})
    with pytest.raises(TypeError):
        write_bytes(path, "text")  # type: ignore[arg-type]
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_lone_surrogates_are_written_as_a_replacement(tmp_path: Path) -> None:
    write_rows(tmp_path / "r.jsonl", [{"text": "a\ud800b"}])
    assert next(read_rows(tmp_path / "r.jsonl"))[1] == {"text": "a?b"}


def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom debias_eval.files import folder_lock\n"
        "with folder_lock(Path(sys.argv[1])):\n print('held', flush=True)\n sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=f"pid {other.pid} on "), folder_lock(tmp_path):
            pass
        other.communicate("")
    with folder_lock(tmp_path):
        pass
