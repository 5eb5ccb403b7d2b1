"""Grade maths answers: `grade_answer` and `grade_many`.

The order is the cost: equal text, then shapes and exact numbers in this process, then a worker
process with sympy for what is left.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from debias_eval.grading.limits import MAX_ANSWER_CHARS, MAX_RESPONSE_CHARS, LimitExceededError
from debias_eval.grading.normalize import squash
from debias_eval.grading.profiles import Profile, get_profile
from debias_eval.grading.quantity import words_of
from debias_eval.grading.verdict import Verdict
from debias_eval.grading.workers import Comparison

OnResult = Callable[[int, Verdict], None]
_NO_ANSWER = frozenset({"", "nan", "\\text{nan}", "none", "null", "n/a"})


@dataclass(frozen=True, slots=True)
class _Open:
    """A grading that a worker has to finish."""

    rule: str
    gold: str
    pred: str
    extracted: str

    def start(self) -> Comparison:
        return Comparison(self.rule, self.gold, self.pred)


def grade_answer(gold: str, prediction: str, *, profile: str = "default") -> Verdict:
    """Whether `prediction` gives the answer `gold`.

    Args:
        gold: The reference: a bare answer, or a solution that ends in a box or ``#### x``.
        prediction: A bare answer or a whole response.
        profile: ``default``, or the name of a published grader to reproduce (see `profiles`).

    Returns:
        The verdict, within 5.5 seconds whatever the texts hold; later only where the machine has no
        CPU time for it, which is never taken for the answer's fault. Nothing in them is evaluated
        as code, and nothing is raised for their content.

    Raises:
        UnknownNameError: There is no such profile.
        WorkerStartError: The symbolic workers cannot be started on this machine.
    """
    first = _first_look(gold, prediction, get_profile(profile))
    return first if isinstance(first, Verdict) else _finish(first, first.start())


def grade_many(
    pairs: Sequence[tuple[str, str]],
    *,
    profile: str = "default",
    workers: int | None = None,
    on_result: OnResult | None = None,
) -> list[Verdict]:
    """Verdicts of many ``(gold, prediction)`` pairs, in their order.

    Args:
        pairs: References and predictions, as for `grade_answer`.
        profile: As for `grade_answer`.
        workers: How many symbolic comparisons run at once; None for one a CPU core.
        on_result: Called as ``on_result(index, verdict)`` when a pair is decided, not in order.

    Raises:
        UnknownNameError: There is no such profile.
        WorkerStartError: The symbolic workers cannot be started on this machine.
    """
    rules = get_profile(profile)
    limit = workers or os.cpu_count() or 1
    verdicts: list[Verdict | None] = [None] * len(pairs)
    under_way: deque[tuple[int, _Open, Comparison]] = deque()

    def settle(index: int, verdict: Verdict) -> None:
        verdicts[index] = verdict
        if on_result is not None:
            on_result(index, verdict)

    for index, (gold, prediction) in enumerate(pairs):
        first = _first_look(gold, prediction, rules)
        if isinstance(first, Verdict):
            settle(index, first)
            continue
        if len(under_way) >= limit:
            earlier, task, comparison = under_way.popleft()
            settle(earlier, _finish(task, comparison))
        under_way.append((index, first, first.start()))
    for index, task, comparison in under_way:
        settle(index, _finish(task, comparison))
    return [verdict for verdict in verdicts if verdict is not None]


def _first_look(gold: str, prediction: str, profile: Profile) -> Verdict | _Open:
    """Decide in this process, or say what a worker has to compare."""
    gold_form = profile.normalize(profile.reference(gold[-MAX_RESPONSE_CHARS:]))
    if gold_form.strip("$ ").lower() in _NO_ANSWER:
        return Verdict("gold_error", None, "none", "the reference holds no answer")
    if max(len(gold), len(prediction)) <= MAX_ANSWER_CHARS and squash(prediction).strip(
        "$"
    ) == squash(gold).strip("$"):
        return Verdict("correct", prediction.strip(), "string")
    extracted = profile.extract(prediction[-MAX_RESPONSE_CHARS:])
    if extracted is None or extracted.strip("$ ").lower() in _NO_ANSWER:
        return _whole_text(gold_form, prediction, profile)
    if len(extracted) > MAX_ANSWER_CHARS:
        return Verdict("limit", _shortened(extracted), "none", f"{len(extracted)} characters")
    return _compare(gold_form, extracted, prediction, profile)


def _compare(gold_form: str, extracted: str, prediction: str, profile: Profile) -> Verdict | _Open:
    pred_form = profile.normalize(extracted)
    if squash(gold_form) == squash(pred_form):
        return Verdict("correct", extracted, "string")
    try:
        decided = profile.equal(gold_form, pred_form)
    except (LimitExceededError, RecursionError) as error:
        return Verdict("limit", _shortened(extracted), "none", str(error))
    if decided is None:
        return _Open(profile.name, gold_form, pred_form, extracted)
    if decided:
        return Verdict("correct", extracted, "expression")
    whole = _whole_text(gold_form, prediction, profile)
    return whole if whole.correct else Verdict("incorrect", extracted, "expression")


def _whole_text(gold_form: str, prediction: str, profile: Profile) -> Verdict:
    """The last chance of an answer in words: the prediction as a whole is the reference's text."""
    in_words = len(prediction) <= MAX_ANSWER_CHARS and "boxed" not in prediction
    if in_words and _same_text(gold_form, profile.normalize(prediction)):
        return Verdict("correct", prediction.strip(), "string")
    return Verdict("unparsed", None, "none", "no answer found")


def _same_text(gold_form: str, pred_form: str) -> bool:
    """Whether two normal forms are the same text or, quoted or not, the same words."""
    if squash(gold_form) == squash(pred_form):
        return True
    gold, pred = words_of(gold_form), words_of(pred_form)
    return gold is not None and pred is not None and gold.certain and gold.text == pred.text


def _finish(task: _Open, comparison: Comparison) -> Verdict:
    """Wait for a worker's reply and put it into a verdict."""
    reply = comparison.result()
    failure = reply["failure"]
    if failure == "timeout":
        return Verdict("timeout", task.extracted, "symbolic", "comparing took too long")
    if failure.startswith("limit"):
        return Verdict("limit", task.extracted, "symbolic", failure)
    if reply["equal"] is None:
        return Verdict(
            "unparsed", task.extracted, "symbolic", failure or "not readable as mathematics"
        )
    return Verdict("correct" if reply["equal"] else "incorrect", task.extracted, "symbolic")


def _shortened(text: str, limit: int = 500) -> str:
    return text if len(text) <= limit else text[:limit] + "…"
