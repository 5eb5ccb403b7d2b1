"""Which point of a sweep comes next: from a list, or chosen by Optuna from those before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from pydantic import JsonValue

from debias_cli.config.points import Point, listed_points
from debias_cli.config.sweep import OptunaSweep, Sweep, Values
from debias_cli.errors import MissingError


class Asker(Protocol):
    """Whoever chooses points."""

    def points(self) -> Iterator[Point]:
        """The points, one after the other; each is judged before the next is asked for."""

    def judge(self, score: float | None) -> None:
        """Takes the score of the last point, less is better; None where it failed."""


def asker(sweep: Sweep) -> Asker:
    """Whoever chooses the points of a sweep.

    Raises:
        MissingError: the package that it needs is not installed.
    """
    if isinstance(sweep, OptunaSweep):
        check_installed(sweep)
        return _Optuna(sweep)
    return _Listed(listed_points(sweep))


def check_installed(sweep: Sweep) -> None:
    """Passes where the packages that a sweep needs are installed.

    Raises:
        MissingError: one is not; the message holds the command.
    """
    if isinstance(sweep, OptunaSweep) and find_spec("optuna") is None:
        raise MissingError(
            "sweep.kind: optuna needs the package optuna: pip install 'debias-cli[optuna]' "
            "(kind: random needs nothing)"
        )


class _Trial(Protocol):
    """What is used of `optuna.Trial`."""

    def suggest_categorical(self, name: str, choices: Sequence[int]) -> int: ...
    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int: ...
    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float: ...


class _Listed:
    """Points that are known beforehand."""

    def __init__(self, points: list[Point]) -> None:
        self._points = points

    def points(self) -> Iterator[Point]:
        """In their order."""
        yield from self._points

    def judge(self, score: float | None) -> None:
        """Nothing follows from a score."""


class _Optuna:
    """Points of a seeded TPE study that lives as long as the sweep runs.

    Nothing of it is stored: run again, it asks for the same points in the same order, and those
    that are finished answer from their run folders.
    """

    def __init__(self, sweep: OptunaSweep) -> None:
        optuna: Any = import_module("optuna")  # an extra: it need not be there for type checks
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=sweep.seed)
        self._study = optuna.create_study(direction="minimize", sampler=sampler)
        self._failed = optuna.trial.TrialState.FAIL
        self._sweep = sweep
        self._trial: _Trial | None = None

    def points(self) -> Iterator[Point]:
        """As many as the sweep has."""
        for _ in range(self._sweep.points):
            trial: _Trial = self._study.ask()
            self._trial = trial
            yield self._suggest(trial)

    def _suggest(self, trial: _Trial) -> Point:
        point: dict[str, JsonValue] = {}
        for item in self._sweep.parameters:
            if isinstance(item, Values):
                indices = list(range(len(item.values)))  # values may be sections or lists
                point[item.field] = item.values[trial.suggest_categorical(item.field, indices)]
            elif item.kind == "int":
                point[item.field] = trial.suggest_int(
                    item.field, int(item.low), int(item.high), log=item.log
                )
            else:
                point[item.field] = trial.suggest_float(
                    item.field, item.low, item.high, log=item.log
                )
        return point

    def judge(self, score: float | None) -> None:
        """Tells the study."""
        assert self._trial is not None
        if score is None:
            self._study.tell(self._trial, state=self._failed)
        else:
            self._study.tell(self._trial, score)
