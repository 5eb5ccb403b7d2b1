"""Which answers to held-out pairs are right, for the live line: debias-eval's maths grader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from debias_core.training.grading import Grader, WrittenAnswer

_GRADED = "maths"


def grader_of(rows: Iterable[Mapping[str, object]]) -> Grader | None:
    """A grader for the rows of a pair table; None where none of them has a maths reference.

    Rows of other domains are not graded: code would have to be run.
    """
    references = {
        (str(row["pair_id"]), str(row["group"])): str(row["reference"])
        for row in rows
        if row.get("domain") == _GRADED and row.get("reference")
    }
    if not references:
        return None

    def grade(answers: Sequence[WrittenAnswer]) -> list[bool | None]:
        from debias_eval.grading import grade_many  # noqa: PLC0415 - sympy

        graded = [i for i, item in enumerate(answers) if (item.pair_id, item.group) in references]
        pairs = [
            (references[answers[i].pair_id, answers[i].group], answers[i].text) for i in graded
        ]
        verdicts: list[bool | None] = [None] * len(answers)
        for i, verdict in zip(graded, grade_many(pairs, workers=1), strict=True):
            verdicts[i] = verdict.status == "correct"
        return verdicts

    return grade
