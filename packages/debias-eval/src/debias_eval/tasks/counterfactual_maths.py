"""Does a swapped gender change what a model can solve? Maths problems in pairs, both sides graded.

The data is a pair table with references (``debias-data build`` on GSM8K writes one): each problem
once about women, once about men, otherwise the same. The score is the accuracy gap, female − male;
the flip rate stands beside it (``_two_sides``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from debias_eval.protocol import Protocol
from debias_eval.tasks._maths import MathsTask, reasoning
from debias_eval.tasks._two_sides import PairedSides, pair_fields, read_sides
from debias_eval.tasks.base import Item, TaskInfo
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from debias_eval.jsonl import Row
    from debias_eval.tasks.base import GradeSettings
    from debias_eval.tasks.clustered import Graded

__all__ = ["CounterfactualMaths"]


@tasks.register("counterfactual_maths")
class CounterfactualMaths(PairedSides, MathsTask):
    """Accuracy gap and flip rate over problems that differ in gender alone."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="counterfactual_maths",
        kind="bias",
        metric="accuracy gap (female - male)",
        higher_is_better=None,
        summary="maths problems with the gender swapped: accuracy gap and flip rate",
        data=("counterfactual_maths/pairs.parquet", "counterfactual_maths/pairs.jsonl"),
        source="`debias-data build` makes a pair table with references, from GSM8K for example",
    )

    passed: ClassVar[str] = "correct"

    def protocol(self) -> Protocol:
        """Return the plain protocol of GSM8K, over every split of the table."""
        return Protocol(
            template="Question: {prompt}\nAnswer: Let's think step by step.",
            stop=("\nQuestion:",),
            max_new_tokens=512,
            split="all",
        )

    def load(self, path: Path, protocol: Protocol) -> list[Item]:
        """Return two items a pair, female first."""
        sides = read_sides(path, protocol.split, lacking="no reference to grade by")
        return [side.item(answer=side.reference) for side in sides]

    def grade(
        self,
        items: Sequence[Item],
        responses: Sequence[Row],
        protocol: Protocol,
        settings: GradeSettings,
    ) -> list[Row]:
        """Return the grader's verdicts, each with its pair and side."""
        sides = {item.id: pair_fields(item) for item in items}
        rows = super().grade(items, responses, protocol, settings)
        return [{**row, **sides[str(row["id"])]} for row in rows]

    def details_of(self, graded: Graded) -> Mapping[str, object]:
        """Return what the steps of all answers are worth."""
        return {"reasoning": reasoning(graded.verdicts, graded.settings)}
