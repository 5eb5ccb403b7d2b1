"""The training documents of the test-bed model, and what is held out of them.

A document is a prompt (possibly empty) and a continuation; the two are tokenized apart, because at
inference the model sees the prompt's tokens and writes the rest.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from code_tasks import KINDS, all_tasks
from occupations import training_sentence
from phrasing import answer_text, prompt_text

from debias_data.synthetic import Domain, ProblemPair, iter_neutral, iter_pairs

SHARES: Final[dict[str, float]] = {
    "maths": 0.38, "professional": 0.12, "neutral": 0.06, "code": 0.27, "occupation": 0.17,
}  # fmt: skip
"""Share of the documents by kind; half of the first two are female-marked."""

_PRONOUN = re.compile(r" (she|he|her|his|him)\b")


@dataclass(frozen=True, slots=True)
class Document:
    """A training text: the model is to write ``continuation`` (then EOS) after ``prompt``.

    ``weight`` is that of a continuation's token in the loss.
    """

    kind: str
    prompt: str
    continuation: str
    weight: float = 1.0


def is_reserved(cluster_id: str) -> bool:
    """Whether a problem cluster is kept for measuring (one in sixteen, by hash)."""
    return hashlib.sha256(f"testbed/{cluster_id}".encode()).digest()[0] % 16 == 0


def documents(count: int, *, seed: int) -> list[Document]:
    """Return about ``count`` shuffled training documents in the shares above."""
    rng = random.Random(seed)
    numbers = {kind: round(count * share) for kind, share in SHARES.items()}
    docs: list[Document] = []
    for domain in ("maths", "professional"):
        docs += _paired(domain, numbers[domain], seed=seed)
    docs += _neutral(numbers["neutral"], seed=seed)
    tasks = [task for task in all_tasks() if not task.held_out]
    by_kind = [[task for task in tasks if task.kind == kind] for kind in KINDS]
    for _ in range(numbers["code"]):
        task = rng.choice(rng.choice(by_kind))
        docs.append(Document("code", task.prompt, task.solution))
    docs += [_occupation(rng) for _ in range(numbers["occupation"])]
    rng.shuffle(docs)
    return docs


def held_out_pairs(count: int, *, seed: int, domain: Domain = "maths") -> list[ProblemPair]:
    """Return ``count`` pairs of reserved clusters with held-out names."""
    # One cluster in sixteen is reserved, so 20 times as many candidates suffice with room to spare.
    candidates = iter_pairs(clusters=20 * count + 200, seed=seed, domain=domain, names="heldout")
    reserved = [pair for pair in candidates if is_reserved(pair.cluster_id)]
    if len(reserved) < count:
        raise ValueError(f"only {len(reserved)} reserved pairs, {count} asked for")
    return reserved[:count]


def _occupation(rng: random.Random) -> Document:
    """A sentence cut before its pronoun: that one token holds all that it has to teach."""
    sentence = training_sentence(rng)
    match = _PRONOUN.search(sentence)
    assert match is not None
    return Document("occupation", sentence[: match.start()], sentence[match.start() :], weight=3.0)


def _paired(domain: Domain, count: int, *, seed: int) -> Iterator[Document]:
    rng = random.Random(f"{domain}/{seed}")
    given = epoch = 0
    while given < count:
        # 10,000 clusters a round: new numbers, objects and names every time.
        for pair in iter_pairs(clusters=10_000, seed=1000 * seed + epoch, domain=domain):
            if is_reserved(pair.cluster_id) or given >= count:
                continue
            yield Document(
                "female", prompt_text(pair.female.text), answer_text(pair.step, "female", rng)
            )
            yield Document("male", prompt_text(pair.male.text), answer_text(pair.step, "male", rng))
            given += 2
        epoch += 1


def _neutral(count: int, *, seed: int) -> Iterator[Document]:
    rng = random.Random(f"neutral/{seed}")
    for problem in iter_neutral(clusters=count, seed=seed):
        if not is_reserved(problem.cluster_id):
            answer = answer_text(problem.step, "neutral", rng)
            yield Document("neutral", prompt_text(problem.text), answer)
