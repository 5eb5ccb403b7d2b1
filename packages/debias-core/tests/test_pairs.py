"""Rows to pairs to batches."""

from __future__ import annotations

import itertools

import pytest

from debias_core.errors import DataError
from debias_core.pairs.reading import PromptPair, batches, read_pairs


def row(pair: str, group: str, **changes: object) -> dict[str, object]:
    base = {"pair_id": pair, "cluster_id": f"c-{pair}", "group": group, "prompt": f"{group} {pair}"}
    return {**base, **changes}


def test_pairs_are_read_whatever_the_order_of_the_rows() -> None:
    rows = [row("a", "male"), row("b", "female"), row("a", "female"), row("b", "male")]
    pairs = read_pairs(rows)
    assert pairs[0] == PromptPair("a", "c-a", ("female a", "male a"), (None, None))
    assert [p.pair_id for p in pairs] == ["a", "b"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "holds no pair"),
        ([row("a", "male")], "pair 'a' has no female row"),
        ([row("a", "male"), row("a", "male")], "row 1: pair 'a' has two male rows"),
        ([row("a", "neutral")], "row 0: group 'neutral' is not one of"),
        ([row("a", "male", prompt="")], "row 0: column 'prompt' must hold a text"),
        ([row("a", "male", pair_id=None)], "column 'pair_id' must hold a text, not None"),
        ([row("a", "male"), row("a", "female", cluster_id="x")], "two cluster ids"),
    ],
)
def test_bad_rows_are_named(rows: list[dict[str, object]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_pairs(rows, name="train.parquet")


def make(n: int) -> list[PromptPair]:
    return read_pairs([row(str(i), g) for i in range(n) for g in ("female", "male")])


def test_an_epoch_shows_every_pair_once() -> None:
    stream = batches(make(12), pairs_per_batch=4, seed=0)
    epoch = [p.pair_id for batch in itertools.islice(stream, 3) for p in batch]
    assert sorted(epoch, key=int) == [str(i) for i in range(12)]


def test_a_stream_can_start_anywhere() -> None:
    """What a resumed run sees is what an undisturbed one would."""
    whole = list(itertools.islice(batches(make(10), pairs_per_batch=3, seed=5), 9))
    for start in (1, 4, 8):
        rest = itertools.islice(
            batches(make(10), pairs_per_batch=3, seed=5, start=start), 9 - start
        )
        assert list(rest) == whole[start:]
    other = next(batches(make(10), pairs_per_batch=3, seed=6))
    assert other != whole[0]


def test_too_few_pairs_for_a_batch() -> None:
    with pytest.raises(DataError, match="2 training pairs do not fill one batch of 3"):
        next(batches(make(2), pairs_per_batch=3, seed=0))
