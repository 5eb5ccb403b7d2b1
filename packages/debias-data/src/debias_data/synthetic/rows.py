"""Synthetic problems as rows of the pair table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal, TypedDict

from debias_data.synthetic.names import NamePool
from debias_data.synthetic.problems import ProblemPair, Span, iter_pairs
from debias_data.synthetic.templates import Domain

_ANSWER = re.compile(r"####\s*(-?\d+)\s*$")


class SpanRow(TypedDict):
    """A gender marker: ``prompt[start:end] == text``."""

    start: int
    end: int
    text: str


class PairRow(TypedDict):
    """One row of the pair table: one prompt of a pair."""

    pair_id: str
    cluster_id: str
    group: Literal["female", "male"]
    prompt: str
    reference: str | None
    source: str
    domain: str
    split: str
    spans: list[SpanRow]


def iter_rows(
    *, clusters: int, seed: int, domain: Domain = "maths", names: NamePool = "train"
) -> Iterator[PairRow]:
    """Yield two rows a pair, female first, for ``clusters`` distinct problems.

    ``split`` is ``train`` throughout: the caller assigns splits by a hash of ``cluster_id``, which
    is made of the problem itself and therefore the same under every seed.

    Raises:
        ValueError: as `iter_pairs`.
    """
    for pair in iter_pairs(clusters=clusters, seed=seed, domain=domain, names=names):
        yield _row(pair, "female")
        yield _row(pair, "male")


def answer_number(row: Mapping[str, object]) -> int:
    """Return the answer of a synthetic row, read from its ``reference`` (``#### 7``).

    Raises:
        ValueError: when the reference does not end in ``#### <integer>``.
    """
    match = _ANSWER.search(str(row["reference"]))
    if match is None:
        raise ValueError(f"row {row.get('pair_id')!r}: reference {row['reference']!r} has no ####")
    return int(match[1])


def _row(pair: ProblemPair, group: Literal["female", "male"]) -> PairRow:
    prompt = pair.female if group == "female" else pair.male
    return PairRow(
        pair_id=pair.pair_id,
        cluster_id=pair.cluster_id,
        group=group,
        prompt=prompt.text,
        reference=f"#### {pair.step.answer}",
        source="synthetic",
        domain=pair.domain,
        split="train",
        spans=[_span_row(span) for span in prompt.spans],
    )


def _span_row(span: Span) -> SpanRow:
    return SpanRow(start=span.start, end=span.end, text=span.text)
