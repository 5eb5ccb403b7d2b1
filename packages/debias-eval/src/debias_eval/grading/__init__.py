"""Grade maths answers without evaluating text: see `grader`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debias_eval._lazy import lazy_names

if TYPE_CHECKING:
    from debias_eval.grading.grader import grade_answer, grade_many
    from debias_eval.grading.steps import step_quality
    from debias_eval.grading.verdict import STATUSES, Status, Verdict

_HOME = {
    "STATUSES": "verdict",
    "Status": "verdict",
    "Verdict": "verdict",
    "grade_answer": "grader",
    "grade_many": "grader",
    "step_quality": "steps",
}

__all__ = [
    "STATUSES",
    "Status",
    "Verdict",
    "grade_answer",
    "grade_many",
    "step_quality",
]

__getattr__ = lazy_names(__name__, _HOME)


def __dir__() -> list[str]:
    return __all__
