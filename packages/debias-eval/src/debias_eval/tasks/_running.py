"""From the programs of many answers to one verdict an answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from debias_eval import execution  # lazy: its parts load on first use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from debias_eval.execution import Executor, Limits, Outcome, Program
    from debias_eval.jsonl import Row

__all__ = ["Outcomes", "Part", "run_answers", "scaled_limits", "verdict_row"]

_KEPT_OUTPUT = 2000
_REFERENCE_CPU_SECONDS = 60.0
_TIMES_REFERENCE = 4.0  # what EvalPlus gives


@dataclass(frozen=True, slots=True)
class Part:
    """One of the programs that an answer is judged by.

    Attributes:
        name: Of its group of tests; parts of one name are one verdict. Empty for the only group.
        program: What is run; its id is filled in later.
        reference: The reference solution under the same tests, for where the answer runs out of
            CPU time and it is not known how much is needed; None where the limits say so already.
    """

    name: str
    program: Program
    reference: Program | None = None

    def with_libraries(self, libraries: tuple[str, ...]) -> Part:
        """Return the part with folders of modules that its programs may import."""
        reference = self.reference and replace(self.reference, libraries=libraries)
        program = replace(self.program, libraries=libraries)
        return Part(self.name, program, reference)


class _PartOutcome(NamedTuple):
    part: str
    outcome: Outcome


Outcomes = dict[int, list[_PartOutcome]]


def scaled_limits(limits: Limits, reference_seconds: float) -> Limits:
    """Return ``limits``, or four times the CPU time of the reference where that is more."""
    return replace(limits, cpu=max(limits.cpu, _TIMES_REFERENCE * reference_seconds))


def run_answers(
    executor: Executor,
    answers: Iterable[int],
    parts_of: Callable[[int], Sequence[Part]],
    on_graded: Callable[[int], None] | None = None,
) -> Outcomes:
    """Return the outcomes of every answer's parts, in the order of the parts.

    An answer that ran out of CPU time, and has a reference, gets four times what the reference
    needs on this machine, where that is more than it had.

    Args:
        executor: Runs the programs.
        answers: Numbers of the answers.
        parts_of: The programs of an answer; asked when they are about to run.
        on_graded: Called with the number of answers of which no part is open.
    """
    found: dict[str, _PartOutcome] = {}
    names: dict[str, str] = {}
    missing: Counter[int] = Counter()
    graded = 0

    def programs() -> Iterator[Program]:
        for answer in answers:
            parts = parts_of(answer)
            missing[answer] = len(parts)
            for place, part in enumerate(parts):
                key = f"{answer}/{place}"
                names[key] = part.name
                yield replace(part.program, id=key)

    for outcome in executor.run(programs()):
        found[outcome.id] = _PartOutcome(names[outcome.id], outcome)
        answer = int(outcome.id.partition("/")[0])
        missing[answer] -= 1
        graded += missing[answer] == 0
        if on_graded is not None and missing[answer] == 0:
            on_graded(graded)
    _give_more_time(executor, found, parts_of)
    outcomes: Outcomes = {answer: [] for answer in missing}
    for key in names:
        outcomes[int(key.partition("/")[0])].append(found[key])
    return outcomes


def _give_more_time(
    executor: Executor,
    found: dict[str, _PartOutcome],
    parts_of: Callable[[int], Sequence[Part]],
) -> None:
    """Run again, under longer limits, what had less time than four times its reference needs."""
    late: dict[str, Part] = {}
    for key, (_name, outcome) in found.items():
        if outcome.status is execution.Status.TIMEOUT_CPU:
            answer, _, place = key.partition("/")
            late[key] = parts_of(int(answer))[int(place)]
    references = {
        key: replace(part.reference, id=key, limits=execution.Limits(cpu=_REFERENCE_CPU_SECONDS))
        for key, part in late.items()
        if part.reference is not None
    }
    needed = _cpu_of(executor, references)
    again = []
    for key, seconds in needed.items():
        before = late[key].program.limits or execution.Limits()
        limits = scaled_limits(before, seconds)
        if limits.cpu > before.cpu:
            again.append(replace(late[key].program, id=key, limits=limits))
    for outcome in executor.run(again):
        found[outcome.id] = _PartOutcome(late[outcome.id].name, outcome)


def _cpu_of(executor: Executor, references: Mapping[str, Program]) -> dict[str, float]:
    """Return the CPU seconds of each reference that passes; equal references run once."""
    first: dict[tuple[str, str], str] = {}
    same = {
        key: first.setdefault((program.solution, program.test), key)
        for key, program in references.items()
    }
    measured = {
        outcome.id: outcome.cpu_seconds
        for outcome in executor.run(references[key] for key in first.values())
        if outcome.status is execution.Status.PASSED
    }
    return {key: measured[one] for key, one in same.items() if one in measured}


def verdict_row(outcomes: Sequence[_PartOutcome]) -> Row:
    """Return the verdict on an answer out of its parts: the first that did not pass decides.

    A part that the machine could not run decides only where no other has failed.
    """
    bad = [o for _, o in outcomes if o.status is not execution.Status.PASSED]
    failed = [o for o in bad if o.status is not execution.Status.INFRA_ERROR]
    decisive = (failed or bad or [outcomes[-1].outcome])[0]
    row: Row = {
        "status": str(decisive.status),
        "detail": decisive.detail,
        "cpu_seconds": sum(o.cpu_seconds for _, o in outcomes),
        "wall_seconds": sum(o.wall_seconds for _, o in outcomes),
        "level": str(decisive.level),
        "split": all(o.split for _, o in outcomes),
        "output": decisive.output[:_KEPT_OUTPUT],
    }
    groups: dict[str, str] = {}
    for name, outcome in outcomes:
        if groups.get(name, "passed") == "passed":
            groups[name] = str(outcome.status)
    return row if list(groups) == [""] else {**row, "parts": groups}
