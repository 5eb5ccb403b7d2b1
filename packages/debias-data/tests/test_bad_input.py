"""Damaged and hostile sources: one line that names file, row and column, and no file written."""

from __future__ import annotations

import math
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from debias_data import BuildConfig, build_to, read_pairs
from debias_data.errors import InvalidInputError

GOOD = {"source": "made", "problem": "He has 3 pens.", "solution": "3"}


def _build(folder, **source):
    return build_to(folder / "out" / "p.parquet", BuildConfig.model_validate({"sources": [source]}))


def _fails(folder, match, **source):
    with pytest.raises(InvalidInputError, match=match) as found:
        _build(folder, **source)
    assert found.value.exit_code == 3
    assert "\n" not in str(found.value)
    assert not list(folder.glob("out/*"))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", r"no pair came out of 0 problems"),
        (b"\xef\xbb\xbf", r"no pair came out of 0 problems"),
        (b"\n\r\n", r"no pair came out of 0 problems"),
        (
            b'{"prompt": "He ran."}\r\n{"prompt": "a\xc3("}\r\n',
            r"a\.jsonl:2: invalid UTF-8 at byte",
        ),
        (b'{"prompt": "He ran."}\n{"prompt"', r"a\.jsonl:2: invalid JSON"),
        (b'{"prompt": "He \\u0000 ran."}\n', r"a\.jsonl:1:prompt: holds a NUL"),
        (b'{"prompt": -Infinity}\n', r"a\.jsonl:1: -Infinity is not JSON"),
        (b"[" * 100_000, r"a\.jsonl:1: nested too deeply"),
        (b'{"prompt": "' + b"He ran. " * (100 << 17) + b'"}\n', r"a\.jsonl:1: line longer than 16"),
        (
            b'{"prompt": "' + b"He ran. " * 130_000 + b'"}\n',
            r"a\.jsonl:1:prompt: longer than 1000000",
        ),
    ],
)
def test_jsonl(tmp_path, content, match):
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    _fails(tmp_path, match, kind="jsonl", path=str(path))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", r"a\.csv:1: the file is empty"),
        (b"prompt\nHe ran.\n\xff\xfe\n", r"a\.csv:3:prompt: invalid UTF-8 at byte 0 of the field"),
        (
            b"a,prompt\n1,He ran.\n" * 9 + b'2,"He\nate \xe9"\n',
            r"a\.csv:20:prompt: invalid UTF-8 at byte 7 of the field",
        ),
        (b"prompt,caf\xe9\nHe ran.,1\n", r"a\.csv:1:field 2: invalid UTF-8 at byte 3"),
        (b"prompt,b\nHe ran.,1,2\n", r"a\.csv:2: has more fields"),
        (b"b,prompt\n1\n", r"a\.csv:2:prompt: is null"),
        (b'prompt\n"He ran.\n', r"a\.csv:\d+: invalid CSV"),
        (b"prompt\n" + b"He ran. " * (17 << 17) + b"\n", r"a\.csv:\d+: invalid CSV: field larger"),
    ],
)
def test_csv(tmp_path, content, match):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    _fails(tmp_path, match, kind="csv", path=str(path))


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([{**GOOD, "problem": None}], r"a\.parquet:1:problem: is null"),
        ([GOOD, {**GOOD, "solution": "  "}], r"a\.parquet:2:solution: is empty"),
        ([{"source": "x", "problem": "He ran."}], r"a\.parquet:solution: no such column"),
        ([{**GOOD, "problem": math.nan}], r"a\.parquet:1:problem: expected text, found float nan"),
        ([{**GOOD, "problem": ["He ran."]}], r"a\.parquet:1:problem: expected text, found list"),
    ],
)
def test_parquet(tmp_path, rows, match):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    _fails(tmp_path, match, kind="numina", path=str(path))


def test_parquet_with_invalid_utf8(tmp_path):
    path = tmp_path / "a.parquet"
    raw = pa.array([b"He ran.", b"He \xff ran."]).cast(pa.binary()).view(pa.string())
    columns = {"source": pa.array(["s", "s"]), "problem": raw, "solution": pa.array(["1", "2"])}
    pq.write_table(pa.table(columns), path)
    _fails(tmp_path, r"a\.parquet:2:problem: invalid UTF-8", kind="numina", path=str(path))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 40, b"not parquet at all"])
def test_no_parquet(tmp_path, content):
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    _fails(tmp_path, r"a\.parquet: truncated, or not a Parquet", kind="numina", path=str(path))


def test_flipped_bytes_and_truncations_are_errors_or_harmless(tmp_path):
    path = tmp_path / "a.parquet"
    problems = [{**GOOD, "problem": f"He has {n} pens and {'x' * n}."} for n in range(200)]
    pq.write_table(pa.Table.from_pylist(problems), path)
    whole = path.read_bytes()
    draw = random.Random(5)
    messages = []
    for number in range(40):
        data = bytearray(whole)
        if number % 2:
            data = data[: draw.randrange(len(data))]
        else:
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        path.write_bytes(data)
        try:
            read_pairs(_build(tmp_path, kind="numina", path=str(path)).path)
        except InvalidInputError as error:
            messages.append(str(error))
    assert len(messages) >= 20
    assert all("a.parquet" in message for message in messages)
