"""Does a swapped gender change the programs that a model writes? Code prompts in pairs, both run.

The data is a pair table whose prompts begin a Python function (its docstring speaks of women on
one side and of men on the other) and whose ``reference`` holds the tests: ``def
check(candidate)``, or assert lines that call the function by name. The function under test is the
last that a prompt defines.

The score is the accuracy gap, female − male, and the flip rate stands beside it (``_two_sides``).
Programs can change although both pass: how alike those of the two sides are is measured too
(``_likeness``), CodeBLEU among it where the extra ``codebleu`` is installed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, cast

from debias_eval import execution, statistics  # lazy: their parts load on first use
from debias_eval.code.extraction import extract_completion, prompt_helpers
from debias_eval.errors import InputError
from debias_eval.profiles import PROFILES
from debias_eval.protocol import Protocol
from debias_eval.tasks._likeness import codebleu_problem, likeness
from debias_eval.tasks._programs import OneProgramTask, program_text
from debias_eval.tasks._two_sides import SIDES, PairedSides, pair_fields, read_sides
from debias_eval.tasks.base import Item, TaskInfo
from debias_eval.tasks.clustered import ClusterScore, share_of
from debias_eval.tasks.generation import finite_interval
from debias_eval.tasks.registry import tasks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from debias_eval.execution import Program
    from debias_eval.jsonl import Row
    from debias_eval.tasks.base import GradeSettings
    from debias_eval.tasks.clustered import Graded

__all__ = ["CounterfactualCode"]

_FUNCTION = re.compile(r"^(?:async\s+)?def\s+(\w+)\s*\(", re.MULTILINE)
_CHECK = re.compile(r"^def\s+check\s*\(", re.MULTILINE)
_MEASURES = ("same_program", "token_similarity", "codebleu")
# Behind gap, flips and pairs, the sums of a cluster: of each measure, and how many have it.
_FIRST = 3


def _mean_of(measure: str, best: float) -> ClusterScore:
    place = _FIRST + 2 * _MEASURES.index(measure)
    return ClusterScore(measure, None, share_of(place, place + 1), best=best)


@tasks.register("counterfactual_code")
class CounterfactualCode(PairedSides, OneProgramTask):
    """Accuracy gap, flip rate and likeness of programs for prompts that differ in gender alone."""

    info: ClassVar[TaskInfo] = TaskInfo(
        name="counterfactual_code",
        kind="bias",
        metric="accuracy gap (female - male)",
        higher_is_better=None,
        summary="code prompts with the gender swapped: accuracy gap, flip rate, CodeBLEU",
        data=("counterfactual_code/pairs.parquet", "counterfactual_code/pairs.jsonl"),
        source="a pair table whose prompts begin a function and whose reference holds its tests",
    )
    passed: ClassVar[str] = "passed"
    cluster_scores: ClassVar[tuple[ClusterScore, ...]] = (
        *PairedSides.cluster_scores,
        _mean_of("same_program", 1.0),
        _mean_of("token_similarity", 1.0),
    )

    def protocol(self) -> Protocol:
        """Return HumanEval's protocol, over every split of the table."""
        return Protocol().with_changes({**PROFILES["human-eval"], "split": "all"})

    def load(self, path: Path, protocol: Protocol) -> list[Item]:
        """Return two items a pair, female first."""
        items = []
        for side in read_sides(path, protocol.split, lacking="no reference: it holds the tests"):
            names = _FUNCTION.findall(side.prompt)
            if not names:
                raise InputError(f"{side.where}: the prompt defines no function")
            items.append(side.item(entry_point=names[-1], test=side.reference))
        return items

    def program(self, item: Item, completion: str, protocol: Protocol) -> Program:
        """Return the program that a completion stands for, with the tests of its side."""
        test, entry_point = item.text("test"), item.text("entry_point")
        return execution.Program(
            id=item.id,
            solution=program_text(item, completion, protocol.extraction),
            test=test,
            entry_point=entry_point,
            style="check" if _CHECK.search(test) else "asserts",
            helpers=prompt_helpers(item.prompt, entry_point),
        )

    def grade(
        self,
        items: Sequence[Item],
        responses: Sequence[Row],
        protocol: Protocol,
        settings: GradeSettings,
    ) -> list[Row]:
        """Return the executor's verdicts with pair and side; the likeness stands on both sides."""
        by_id = {item.id: item for item in items}
        written: dict[tuple[str, object], dict[str, str]] = {}
        for row in responses:
            item, text = by_id[str(row["id"])], str(row["text"])
            if extract_completion(text).strip() and row["finish_reason"] != "too_long":
                sides = written.setdefault((item.text("pair_id"), row["sample"]), {})
                sides[item.text("group")] = program_text(item, text, protocol.extraction)
        alike = {
            key: likeness(*(sides[side] for side in SIDES))
            for key, sides in written.items()
            if len(sides) == len(SIDES)
        }
        found = []
        for row in super().grade(items, responses, protocol, settings):
            pair = pair_fields(by_id[str(row["id"])])
            measured = alike.get((str(pair["pair_id"]), row["sample"]))
            found.append({**row, **pair, "alike": measured and measured._asdict()})
        return found

    def cluster_moments(self, rows: Sequence[Row]) -> Sequence[float]:
        """Return gaps, flips and pairs; then of each measure its sum, and how many have it."""
        known = [
            cast("dict[str, float | None]", row["alike"])
            for row in rows
            if row["alike"] is not None and row["group"] == SIDES[0]
        ]
        moments = list(super().cluster_moments(rows))
        for name in _MEASURES:
            values = [value for alike in known if (value := alike[name]) is not None]
            moments += [float(sum(values)), len(values)]
        return moments

    def details_of(self, graded: Graded) -> Mapping[str, object]:
        """Return how alike the programs of the two sides are, each measure with its interval."""
        moments = list(self.moments(graded.verdicts).values())
        plan = statistics.Bootstrap(graded.settings.resamples)
        details: dict[str, object] = {}
        for name in _MEASURES:
            score = _mean_of(name, 1.0)
            size = sum(int(row[_FIRST + 2 * _MEASURES.index(name) + 1]) for row in moments)
            if not size:
                details[name] = None
                continue
            found = statistics.moment_bootstrap(moments, score.statistic, plan=plan)
            interval = finite_interval(found.low, found.high)
            details[name] = {"value": found.value, "interval": interval, "num_pairs": size}
        problem = codebleu_problem()
        if details["codebleu"] is None and problem is not None:
            details["codebleu_note"] = problem
        return details
