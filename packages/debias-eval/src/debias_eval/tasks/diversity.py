"""How varied, how long and how repetitive is what a model writes?

A model continues every prompt several times. Per prompt: **distinct-n** (Li et al. 2016), the
share of different n-grams among all of its answers, and **self-BLEU** (Zhu et al. 2018), the BLEU
of an answer against the prompt's other answers: 1 means that they are alike. Per answer:
**repetition**, the share of its 4-grams that it had said before, its length in words, and whether
it was cut off. Means over prompts, with intervals; distinct-2 is the headline.

A model that was broken by training shows here first: it repeats itself, or always says the same.
Answers that exist already are read with ``debias-eval grade --task diversity``.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, ClassVar, cast

from debias_eval.tasks._prompts import PROMPTS, PromptTask, by_prompt
from debias_eval.tasks.base import TaskInfo
from debias_eval.tasks.clustered import ClusterScore, Graded, share_of
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from debias_eval.jsonl import Row

__all__ = ["Diversity", "distinct_n", "repetition", "self_bleu", "words_of"]

_WORD = re.compile(r"\w+")
_BLEU_ORDER = 4
_REPEATED = 4


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation."""
    return _WORD.findall(text.lower())


def _ngrams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[place : place + n]) for place in range(len(words) - n + 1))


def distinct_n(answers: Sequence[Sequence[str]], n: int) -> float | None:
    """Return different n-grams / all n-grams of the answers; None where there is none."""
    counts: Counter[tuple[str, ...]] = Counter()
    for words in answers:
        counts.update(_ngrams(words, n))
    return len(counts) / counts.total() if counts else None


def repetition(words: Sequence[str], n: int = _REPEATED) -> float | None:
    """Return the share of a text's n-grams that occurred in it before; None below n words."""
    fresh = distinct_n([words], n)
    return None if fresh is None else 1.0 - fresh


def self_bleu(words: Sequence[str], others: Sequence[Sequence[str]]) -> float | None:
    """Return BLEU-4 of an answer against the other answers, 0 to 1; None without words or others.

    Orders above the first are smoothed by one match more (Lin & Och 2004), so that short answers
    without a common 4-gram do not all get 0; the brevity penalty takes the closest length.
    """
    if not words or not others:
        return None
    precision = 0.0
    for n in range(1, _BLEU_ORDER + 1):
        found = _ngrams(words, n)
        known: Counter[tuple[str, ...]] = Counter()
        for other in others:
            known |= _ngrams(other, n)
        smooth = int(n > 1)
        matched = (found & known).total() + smooth
        if not matched:
            return 0.0
        precision += math.log(matched / (found.total() + smooth)) / _BLEU_ORDER
    closest = min((len(other) for other in others), key=lambda size: (abs(size - len(words)), size))
    return math.exp(precision + min(0.0, 1.0 - closest / len(words)))


_MEASURES = ("distinct_1", "distinct_2", "distinct_3", "self_bleu", "repetition", "num_words")
# The end of each scale at which texts vary most; a length has none.
_BEST = {
    "distinct_1": 1.0,
    "distinct_2": 1.0,
    "distinct_3": 1.0,
    "self_bleu": 0.0,
    "repetition": 0.0,
}


@tasks.register("diversity")
class Diversity(PromptTask):
    """distinct-n, self-BLEU, repetition and length of continuations."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="diversity",
        kind="quality",
        metric="distinct-2 of a prompt's answers",
        higher_is_better=True,
        summary="variety, repetition and length of what a model writes after neutral prompts",
        data=PROMPTS,
    )
    # Sums of a prompt: of every measure the sum over its answers, and how many have it.
    cluster_scores: ClassVar[tuple[ClusterScore, ...]] = tuple(
        ClusterScore(name, None, share_of(2 * place, 2 * place + 1), best=_BEST.get(name))
        for name, place in sorted(
            ((name, place) for place, name in enumerate(_MEASURES)),
            key=lambda entry: entry[0] != "distinct_2",
        )
    )

    def judge(self, answers: Sequence[Row]) -> list[Row]:
        """Return the measures of each answer, among them those of its prompt."""
        words = {
            prompt: {cast("int", row["sample"]): words_of(str(row["text"])) for row in rows}
            for prompt, rows in by_prompt(answers).items()
        }
        variety = {
            prompt: {f"distinct_{n}": distinct_n(list(texts.values()), n) for n in (1, 2, 3)}
            for prompt, texts in words.items()
        }
        rows: list[Row] = []
        for answer in answers:
            prompt, sample = str(answer["id"]), cast("int", answer["sample"])
            own = words[prompt][sample]
            others = [text for other, text in words[prompt].items() if other != sample]
            measures = {
                "self_bleu": self_bleu(own, others),
                "repetition": repetition(own),
                "num_words": len(own),
            }
            rows.append({**variety[prompt], **measures})
        return rows

    def cluster_moments(self, rows: Sequence[Row]) -> Sequence[float]:
        """Return of every measure the sum over a prompt's answers, and how many have it."""
        moments: list[float] = []
        for name in _MEASURES:
            known = [cast("float", row[name]) for row in rows if row[name] is not None]
            moments += [sum(known), len(known)]
        return moments

    def details_of(self, graded: Graded) -> Mapping[str, object]:
        """Return how often answers were cut or empty; a measure that none has is None, never 0."""
        scored = graded.scored
        details: dict[str, object] = {
            name: None for name in _MEASURES if all(row[name] is None for row in scored)
        }
        if scored:
            cut = sum(row["finish_reason"] == "length" for row in scored)
            details["truncated_rate"] = cut / len(scored)
            details["empty_rate"] = sum(row["num_words"] == 0 for row in scored) / len(scored)
        return details
