"""Grade maths answers without evaluating text: see `grader`."""

from __future__ import annotations

from debias_eval.grading.grader import grade_answer, grade_many
from debias_eval.grading.verdict import STATUSES, Status, Verdict

__all__ = ["STATUSES", "Status", "Verdict", "grade_answer", "grade_many"]
