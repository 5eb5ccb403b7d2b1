"""One executor a session for each level: starting zygotes is most of what a test would cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from debias_eval.execution import Executor, Limits, Outcome, Program, available_levels, probe


@pytest.fixture(scope="session")
def executors() -> Iterator[Callable[[str], Executor]]:
    made: dict[str, Executor] = {}

    def get(level: str) -> Executor:
        if level not in made:
            if level not in available_levels():
                pytest.skip(f"level {level} does not work here: {probe(level).reason}")
            made[level] = Executor(level, allow_unsandboxed=level == "process", workers=1)
        return made[level]

    yield get
    for executor in made.values():
        executor.close()


@pytest.fixture
def run(executors) -> Callable[..., Outcome]:
    """Run one program at the strongest level that works here."""

    def go(solution: str, test: str, entry: str | None = "f", **fields) -> Outcome:
        if not {"hardened", "landlock"} & set(available_levels()):
            pytest.skip("no isolation works here")
        executor = executors(available_levels()[0])
        fields.setdefault("limits", Limits(cpu=2.0))
        program = Program("p", solution, test, entry, **fields)
        (outcome,) = executor.run([program])
        return outcome

    return go
