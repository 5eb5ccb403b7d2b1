"""The points of a sweep: which there are, and the configuration of each.

A point is the same file with some fields changed, through the same checks as `--set`.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from pydantic import JsonValue

from debias_cli.config.load import LoadedConfig, derive
from debias_cli.config.problems import Problem, shorten
from debias_cli.config.sweep import GridSweep, OptunaSweep, Parameter, RandomSweep, Sweep, Values
from debias_cli.errors import ConfigError

Point: TypeAlias = Mapping[str, JsonValue]
_DRAWS_A_POINT = 20  # before a space that is nearly used up is taken to be
_DIGITS = 4
_CHECKED_POINTS, _CHECKED_NODES = 5, 50_000  # so that `validate` answers in two seconds
_ENOUGH_PROBLEMS = 100


def listed_points(sweep: GridSweep | RandomSweep) -> list[Point]:
    """The points of a sweep that knows all of them beforehand, in order."""
    if isinstance(sweep, GridSweep):
        fields = [item.field for item in sweep.parameters]
        combined = itertools.product(*(item.values for item in sweep.parameters))
        return [dict(zip(fields, values, strict=True)) for values in combined]
    drawn: dict[str, Point] = {}
    numbers = random.Random(sweep.seed)  # noqa: S311 - nothing secret
    for _ in range(sweep.points * _DRAWS_A_POINT):
        point = {item.field: _draw(item, numbers) for item in sweep.parameters}
        drawn.setdefault(repr(point), point)
        if len(drawn) == sweep.points:
            break
    return list(drawn.values())


def check_points(loaded: LoadedConfig, *, every: bool = False) -> None:
    """Passes where the points of the sweep are valid configurations.

    Args:
        loaded: the file.
        every: also of a sweep whose points together are so large that it takes seconds.

    Raises:
        ConfigError: with the problems, each at the place in the `sweep` section it comes from.
    """
    sweep = loaded.config.sweep
    if sweep is None:
        return
    points = list(_corners(sweep)) if isinstance(sweep, OptunaSweep) else listed_points(sweep)
    most = len(points) if every else max(_CHECKED_POINTS, _CHECKED_NODES // loaded.origin.root.size)
    problems: set[Problem] = set()
    for point in points[:most]:
        try:
            derive(loaded, point)
        except ConfigError as error:
            problems.update(_placed(problem, loaded, sweep, point) for problem in error.problems)
        if len(problems) >= _ENOUGH_PROBLEMS:
            break
    if problems:
        raise ConfigError(sorted(problems))


def point_text(point: Point) -> str:
    """`train.learning_rate=0.0001, train.objective.rho=20`, for lines and tables."""
    return ", ".join(f"{field}={show_value(value, 60)}" for field, value in point.items())


def show_value(value: JsonValue, limit: int) -> str:
    """A value for people: four digits of a number, long texts cut."""
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}"
    return value[:limit] if isinstance(value, str) else shorten(value, limit)


def _draw(item: Parameter, numbers: random.Random) -> JsonValue:
    if isinstance(item, Values):
        return numbers.choice(item.values)
    if item.log:
        drawn = math.exp(numbers.uniform(math.log(item.low), math.log(item.high)))
    else:
        drawn = numbers.uniform(item.low, item.high)
    if item.kind == "int":
        return min(max(round(drawn), int(item.low)), int(item.high))
    return min(max(float(f"{drawn:.{_DIGITS}g}"), item.low), item.high)


def _corners(sweep: OptunaSweep) -> Iterator[Point]:
    """The extreme points of a space, and every written-out value once: what can be checked."""
    choices: list[tuple[str, tuple[JsonValue, ...]]] = [
        (item.field, item.values if isinstance(item, Values) else (item.low, item.high))
        for item in sweep.parameters
    ]
    longest = max(len(values) for _, values in choices)
    for index in range(longest):
        yield {field: values[min(index, len(values) - 1)] for field, values in choices}


def _placed(problem: Problem, loaded: LoadedConfig, sweep: Sweep, point: Point) -> Problem:
    """The problem of a point as one of the `sweep` section."""
    for index, item in enumerate(sweep.parameters):
        path, field = f"sweep.parameters.{index}", item.field
        if problem.path != field and not problem.path.startswith(f"{field}."):
            continue
        value = point[field]
        if isinstance(item, Values):
            path += f".values.{item.values.index(value)}"
        else:
            path += ".low" if value == item.low else ".high"
        return Problem(loaded.position(path), path, f"{problem.path}: {problem.message}")
    message = f"with {point_text(point)}: {problem.path}: {problem.message}"
    return Problem(loaded.position("sweep"), "sweep", message)
