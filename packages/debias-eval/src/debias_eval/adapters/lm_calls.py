"""How the calls of lm-evaluation-harness are put to a back end, and what its answers become.

A response holds ``replies`` [calls][repeats], null where a text is longer than the model's context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast

from debias_eval.adapters.lm_harness import Call, Document
from debias_eval.backends.base import GenerationRequest
from debias_eval.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from debias_eval.adapters.lm_harness import Reply
    from debias_eval.backends.base import Likelihood
    from debias_eval.jsonl import Row
    from debias_eval.tasks.base import Item, Session

__all__ = ["as_said", "document_of", "fits", "replies_of"]

_Asked: TypeAlias = "tuple[Item, tuple[object, ...]]"
"""An item and the arguments of one of its calls."""


def document_of(item: Item) -> Document:
    """Return the document that an item was made of, with its calls."""
    calls = cast("list[list[object]]", item.fields["calls"])
    number = int(item.id.rpartition("/")[2])
    content = cast("Row", item.fields["document"])
    return Document(number, content, tuple(Call(str(c[0]), tuple(c[1:])) for c in calls))


def fits(row: Row) -> bool:
    """Return whether every call of a response was answered: no text was too long."""
    replies = cast("list[list[object]]", row["replies"])
    return all(reply is not None for call in replies for reply in call)


def as_said(row: Row) -> list[list[Reply]]:
    """Return the replies as the harness takes them: JSON has no tuples."""
    replies = cast("list[list[Reply | list[object]]]", row["replies"])
    return [
        [cast("Reply", tuple(said)) if isinstance(said, list) else said for said in call]
        for call in replies
    ]


def replies_of(items: Sequence[Item], session: Session) -> list[Row]:
    """Ask everything about some documents; calls of one kind go to the back end together."""
    places: dict[str, list[tuple[int, int]]] = {}
    calls = [document_of(item).calls for item in items]
    replies: list[list[list[object]]] = [[[] for _ in group] for group in calls]
    for row, group in enumerate(calls):
        for column, call in enumerate(group):
            places.setdefault(call.kind, []).append((row, column))
    for kind, found in places.items():
        asked = [(items[row], calls[row][column].arguments) for row, column in found]
        answer = _ANSWERS.get(kind)
        if answer is None:
            raise InputError(
                f"{items[0].id}: lm-evaluation-harness asks for {kind!r}, unknown here"
            )
        for (row, column), said in zip(found, answer(asked, session), strict=True):
            replies[row][column] = said
    return [
        {"id": item.id, "sample": 0, "replies": said}
        for item, said in zip(items, replies, strict=True)
    ]


def _rolling(asked: Sequence[_Asked], session: Session) -> list[list[object]]:
    found = session.backend.loglikelihood([("", str(arguments[0])) for _, arguments in asked])
    return [[None if score is None else score.logprob] for score in found]


def _likelihoods(asked: Sequence[_Asked], session: Session) -> list[list[object]]:
    pairs = []
    for _, (context, continuation, *_) in asked:
        prompt = session.backend.render(session.protocol, str(context))
        text = str(continuation)
        # an answer begins where a chat template ends: the space between words is plain text's
        pairs.append((prompt.text, text.lstrip() if session.protocol.chat_template else text))
    scores = session.backend.loglikelihood(pairs)
    written = _greedy_texts(asked, scores, session)
    return [
        [None if score is None else [score.logprob, written.get(index) == pair[1].strip()]]
        for index, (score, pair) in enumerate(zip(scores, pairs, strict=True))
    ]


def _greedy_texts(
    asked: Sequence[_Asked], scores: Sequence[Likelihood | None], session: Session
) -> dict[int, str]:
    """Return what the model writes by itself, as long as what was scored, where that is needed."""
    requests = {
        index: GenerationRequest(
            key=f"{item.id}#greedy",
            prompt=session.backend.render(session.protocol, str(arguments[0])),
            max_new_tokens=max(score.num_tokens, 1),
        )
        for index, ((item, arguments), score) in enumerate(zip(asked, scores, strict=True))
        if score is not None and item.fields["needs_greedy"]
    }
    texts = _generate(list(requests.values()), session)
    return {index: text.strip() for index, text in zip(requests, texts, strict=True)}


def _texts(asked: Sequence[_Asked], session: Session) -> list[list[object]]:
    requests, owners = [], []
    for index, (item, (context, *options)) in enumerate(asked):
        chosen = cast("Mapping[str, object]", options[0] if options else {})
        for sample in range(cast("int", item.fields["repeats"])):
            requests.append(_request(f"{item.id}#{sample}", str(context), chosen, session))
            owners.append(index)
    replies: list[list[object]] = [[] for _ in asked]
    for index, text in zip(owners, _generate(requests, session), strict=True):
        replies[index].append(text)
    return replies


def _request(
    key: str, context: str, options: Mapping[str, object], session: Session
) -> GenerationRequest:
    protocol = session.protocol
    until = options.get("until") or []
    stops = [until] if isinstance(until, str) else cast("list[str]", until)
    temperature = float(cast("float", options.get("temperature") or 0.0))
    return GenerationRequest(
        key=key,
        prompt=session.backend.render(protocol, context),
        max_new_tokens=int(cast("int", options.get("max_gen_toks") or protocol.max_new_tokens)),
        stop=tuple(stop for stop in (*stops, *protocol.stop) if stop),
        temperature=temperature if options.get("do_sample") else 0.0,
        top_p=float(cast("float", options.get("top_p") or 1.0)),
        seed=protocol.sampling.seed,
    )


def _generate(requests: Sequence[GenerationRequest], session: Session) -> list[str]:
    texts = [""] * len(requests)
    for batch in session.backend.batches(requests) if requests else []:
        answers = session.backend.generate([requests[index] for index in batch])
        for index, answer in zip(batch, answers, strict=True):
            texts[index] = answer.text
    return texts


_ANSWERS = {
    "loglikelihood": _likelihoods,
    "loglikelihood_rolling": _rolling,
    "generate_until": _texts,
}
