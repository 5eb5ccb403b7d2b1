"""What every benchmark on log-likelihoods shares: asking, in batches that survive a kill.

The protocol's template, system prompt and shots stand in front of every context. With a chat
template, the context is what the user says and the continuation is scored as the answer; a text
that stands alone is then the answer to a request for one. Without, it is scored from its start.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

from debias_eval.tasks.base import Batch, Item, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from debias_eval.jsonl import Row
    from debias_eval.tasks.base import Session

__all__ = ["LikelihoodTask", "Query", "TextScore", "scores_of"]

_ITEMS_AT_A_TIME = 64
_REQUEST = "Write a text in English."


class Query(NamedTuple):
    """One string to score: ``continuation`` given ``context`` (empty: the start of a text)."""

    name: str
    context: str
    continuation: str


class TextScore(NamedTuple):
    """Log-likelihood of a text in nats, and its tokens."""

    logprob: float
    num_tokens: int

    @property
    def mean(self) -> float:
        """Return the mean a token; 0 for a text without tokens."""
        return self.logprob / max(self.num_tokens, 1)


def scores_of(response: Row) -> Mapping[str, TextScore] | None:
    """Return the scores of a response by name; None where a text was too long."""
    scores = {key: value for key, value in response.items() if key not in {"id", "sample", "key"}}
    if any(value is None for value in scores.values()):
        return None
    known = cast("dict[str, dict[str, float]]", scores)
    return {
        name: TextScore(float(score["logprob"]), int(score["num_tokens"]))
        for name, score in known.items()
    }


class LikelihoodTask(Task):
    """A benchmark that reads probabilities instead of answers, so base models count."""

    responses_file = "scores.jsonl"

    def queries(self, item: Item) -> list[Query]:
        """Return the strings to score for one item."""
        raise NotImplementedError

    def ask(self, items: Sequence[Item], session: Session) -> list[Row]:
        """Return one row an item: ``{id, sample, NAME: {logprob, num_tokens} | null}``."""
        keys = [session.key(item, "likelihood") for item in items]
        chunks = [
            slice(start, start + _ITEMS_AT_A_TIME)
            for start in range(0, len(items), _ITEMS_AT_A_TIME)
        ]
        batches = [
            Batch(tuple(keys[chunk]), partial(self._score, items[chunk], session))
            for chunk in chunks
        ]
        rows = session.collect(batches)
        return [rows[key] for key in keys]

    def _score(self, items: Sequence[Item], session: Session) -> list[Row]:
        queries = [self.queries(item) for item in items]
        flat = [_as_asked(query, session) for group in queries for query in group]
        scores = iter(session.backend.loglikelihood(flat))
        rows: list[Row] = []
        for item, group in zip(items, queries, strict=True):
            row: Row = {"id": item.id, "sample": 0}
            for query in group:
                score = next(scores)
                row[query.name] = (
                    None
                    if score is None
                    else {"logprob": score.logprob, "num_tokens": score.num_tokens}
                )
            rows.append(row)
        return rows


def _as_asked(query: Query, session: Session) -> tuple[str, str]:
    """Return context and continuation as the protocol puts them."""
    protocol = session.protocol
    if not protocol.chat_template:
        return protocol.plain_text(query.context), query.continuation
    prompt = session.backend.render(protocol, query.context or _REQUEST)
    # An answer begins where the template ends: the space between words belongs to plain text.
    return prompt.text, query.continuation.lstrip()
