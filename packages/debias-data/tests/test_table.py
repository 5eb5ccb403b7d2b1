"""The pair table: its checks, and files that are damaged on purpose."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from debias_data import PairTable, read_pairs
from debias_data.errors import EmptyResultError, InvalidInputError, MissingInputError
from debias_data.table import SCHEMA, card_path


def _row(pair, group, **changes):
    row = {
        "pair_id": pair,
        "cluster_id": f"c{pair}",
        "group": group,
        "prompt": "She runs." if group == "female" else "He runs.",
        "reference": None,
        "placebo": None,
        "source": "s",
        "domain": "maths",
        "split": "train",
        "spans": [{"start": 0, "end": 3 if group == "female" else 2, "text": "She"}],
    }
    return {**row, **changes}


def _rows(count=3):
    return [_row(str(i), group) for i in range(count) for group in ("female", "male")]


def test_columns_are_those_of_the_contract():
    assert " ".join(SCHEMA.names) == (
        "pair_id cluster_id group prompt reference placebo source domain split spans"
    )


def test_a_table_without_placebos_reads_as_one_that_has_none():
    rows = [{key: value for key, value in row.items() if key != "placebo"} for row in _rows()]
    assert list(PairTable.from_rows(rows).rows()) == _rows()
    bare = pa.Table.from_pylist(_rows(), schema=SCHEMA).drop_columns("placebo")
    assert list(PairTable(bare).rows()) == _rows()


def test_written_and_read_back(tmp_path):
    table = PairTable.from_rows(_rows(), card={"note": "x"})
    path = table.write(tmp_path / "deep" / "pairs.parquet")
    again = read_pairs(path)
    assert list(again.rows()) == _rows()
    assert len(again) == 6
    assert again.num_pairs == 3
    assert again.card["note"] == "x"
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"
    assert sorted(item.name for item in path.parent.iterdir()) == [
        "pairs.card.json",
        "pairs.parquet",
    ]


def test_same_rows_give_the_same_bytes(tmp_path):
    first = PairTable.from_rows(_rows()).write(tmp_path / "a.parquet")
    second = PairTable.from_rows(_rows()).write(tmp_path / "b.parquet")
    assert first.read_bytes() == second.read_bytes()
    assert card_path(first).read_bytes() == card_path(second).read_bytes()


@pytest.mark.parametrize("position", [4, 100, -20])
def test_one_flipped_byte_is_found(tmp_path, position):
    path = PairTable.from_rows(_rows()).write(tmp_path / "pairs.parquet")
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    with pytest.raises(InvalidInputError, match=r"pairs\.parquet: damaged"):
        read_pairs(path)


def test_a_truncated_file_is_found(tmp_path):
    path = PairTable.from_rows(_rows()).write(tmp_path / "pairs.parquet")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InvalidInputError, match="damaged"):
        read_pairs(path)


def test_a_missing_card_is_named(tmp_path):
    path = PairTable.from_rows(_rows()).write(tmp_path / "pairs.parquet")
    card_path(path).unlink()
    with pytest.raises(MissingInputError, match=r"pairs\.card\.json"):
        read_pairs(path)


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="parquet"):
        PairTable.from_rows(_rows()).write(tmp_path / "pairs.csv")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([_row("1", "female")], "exactly one female and one male"),
        ([_row("1", "female"), _row("1", "female")], "exactly one female and one male"),
        ([*_rows(1), _row("0", "male")], "exactly one female and one male"),
        ([_row("1", "female"), _row("1", "neutral")], "group: 'neutral'"),
        ([_row("1", "female", split="eval"), _row("1", "male")], "split: 'eval'"),
        ([_row("1", "female", split="dev"), _row("1", "male")], "more than one split"),
        ([_row("1", "female", prompt=None), _row("1", "male")], "1:prompt: is null"),
    ],
)
def test_bad_rows_are_named(rows, message):
    loose = pa.schema([field.with_nullable(True) for field in SCHEMA])
    with pytest.raises(InvalidInputError, match=message):
        PairTable(pa.Table.from_pylist(rows, schema=loose))


def test_no_rows_is_an_error():
    with pytest.raises(EmptyResultError):
        PairTable.from_rows([])


def test_missing_and_unknown_columns_are_named():
    table = PairTable.from_rows(_rows()).table.rename_columns(
        [name if name != "domain" else "field" for name in SCHEMA.names]
    )
    with pytest.raises(InvalidInputError, match=r"domain.*field"):
        PairTable(table)


def test_select():
    rows = [*_rows(2), _row("9", "female", split="dev"), _row("9", "male", split="dev")]
    table = PairTable.from_rows(rows)
    assert table.select(split="dev").num_pairs == 1
    assert table.select(split="train", source="s").num_pairs == 2
    with pytest.raises(EmptyResultError, match="split='test'"):
        table.select(split="test")


def test_card_is_json(tmp_path):
    path = PairTable.from_rows(_rows()).write(tmp_path / "pairs.parquet")
    assert json.loads(card_path(path).read_text())["pairs"] == 3
