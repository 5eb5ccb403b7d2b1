"""Named ways of grading: ``default``, and published graders as data and small functions.

A profile says how an answer is taken from a response, what its normal form is, and what a quick
look in the caller's process can decide. What it cannot decide goes to a worker, which applies the
rule of the profile's name (see `symbolic.compare_texts`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from debias_eval.errors import UnknownNameError
from debias_eval.grading import gsm8k, minerva, qwen
from debias_eval.grading.compare import same_answer
from debias_eval.grading.decide import FastDecider
from debias_eval.grading.extract import extract_answer, extract_reference
from debias_eval.grading.normalize import normalize

_DECIDER = FastDecider()


@dataclass(frozen=True, slots=True)
class Profile:
    """One grader.

    Attributes:
        name: What `grade_answer` calls it, and the rule that workers apply.
        source: Where its rules are published.
        extract: The answer of a response, as written; None where it finds none.
        reference: The answer of a reference text.
        normalize: The normal form that answers are compared in.
        equal: What can be decided at once: (reference, prediction) to True, False or None.
    """

    name: str
    source: str
    extract: Callable[[str], str | None]
    reference: Callable[[str], str]
    normalize: Callable[[str], str]
    equal: Callable[[str, str], bool | None]


class _NeedsWorkerError(Exception):
    """A pair that only the symbolic worker can compare."""


def _default_extract(response: str) -> str | None:
    found = extract_answer(response)
    return None if found is None else found.text


def _default_equal(reference: str, prediction: str) -> bool | None:
    return same_answer(reference, prediction, _DECIDER)


def _qwen_equal(reference: str, prediction: str) -> bool | None:
    try:
        return qwen.math_equal(prediction, reference, _ask)
    except _NeedsWorkerError:
        return None


def _ask(prediction: str, reference: str) -> bool:
    raise _NeedsWorkerError(f"{prediction} {reference}")


def _unchanged(text: str) -> str:
    return text


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            "default",
            "this package",
            _default_extract,
            extract_reference,
            normalize,
            _default_equal,
        ),
        Profile(
            "qwen",
            "https://github.com/QwenLM/Qwen2.5-Math/tree/main/evaluation",
            qwen.extract,
            lambda text: qwen.normalize(extract_reference(text)),
            _unchanged,
            _qwen_equal,
        ),
        Profile(
            "minerva",
            "Lewkowycz et al. (2022), appendix D; lm-evaluation-harness minerva_math",
            minerva.extract,
            lambda text: minerva.normalize(extract_reference(text)),
            _unchanged,
            minerva.equal,
        ),
        Profile(
            "minerva-strict",
            "lm-evaluation-harness minerva_math: no answer without its sentence",
            minerva.extract_sentence,
            lambda text: minerva.normalize(extract_reference(text)),
            _unchanged,
            minerva.equal,
        ),
        Profile(
            "gsm8k",
            "Cobbe et al. (2021); lm-evaluation-harness gsm8k",
            gsm8k.extract,
            lambda text: gsm8k.normalize(extract_reference(text)),
            _unchanged,
            gsm8k.equal,
        ),
    )
}


def get_profile(name: str) -> Profile:
    """The profile of a name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in PROFILES:
        raise UnknownNameError("grading profile", name, PROFILES)
    return PROFILES[name]
