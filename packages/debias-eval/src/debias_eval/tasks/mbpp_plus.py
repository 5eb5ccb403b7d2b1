"""MBPP+ v0.2.0: 378 tasks of MBPP under many more inputs (Liu et al. 2023, arXiv 2305.01210).

A row is ``{"task_id": "Mbpp/2", "prompt": "(a docstring)", "entry_point", "canonical_solution",
"base_input": [[args], ...], "plus_input": [[args], ...], "atol": 0}``.
JSON has no tuples, sets or complex numbers: which arguments are such is known by task id only.
Some tasks are compared by rules of their own (`inside/compare.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from debias_eval.tasks._evalplus import EvalPlusTask
from debias_eval.tasks._mbpp_plus_types import typed_arguments
from debias_eval.tasks.base import TaskInfo
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from debias_eval.execution.program import Compare

__all__ = ["MbppPlus"]

_SETS = (
    "similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly", "larg_nnum",
    "intersection_array", "find_dissimilar", "Diff",
)  # fmt: skip
_MATCHES = ("check_str", "text_match_three", "text_starta_endb")  # a match object, or None


@tasks.register("mbpp_plus")
class MbppPlus(EvalPlusTask):
    """pass@1 on base and further inputs."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="mbpp_plus",
        kind="code",
        metric="pass@1",
        higher_is_better=True,
        summary="short Python functions under many more inputs (v0.2.0, 378)",
        data=("mbpp_plus/MbppPlus.jsonl.gz", "mbpp_plus/MbppPlus.jsonl"),
    )
    oracles: ClassVar[Mapping[str, Compare]] = {
        **dict.fromkeys(_SETS, "set"),
        **dict.fromkeys(_MATCHES, "not_none"),
        "are_equivalent": "any",  # Mbpp/164: the reference is wrong, so anything counts
        "sum_div": "or_zero",  # Mbpp/295: whether a number divides itself is left open
        "surface_Area": "pyramid",  # Mbpp/581: so is which height is meant
        "digit_distance_nums": "digits",  # Mbpp/558: and what happens to numbers unequal in length
    }

    def arguments(self, task_id: str, inputs: list[list[object]]) -> list[list[object]]:
        """Return the inputs with tuples, sets and complex numbers put back."""
        return typed_arguments(task_id, inputs)
