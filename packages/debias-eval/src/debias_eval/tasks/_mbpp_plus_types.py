"""Which arguments of MBPP+ are tuples, sets or complex numbers: a table by task number.

The published file writes all of them as lists, numbers and strings. Source of the table:
evalplus/data/mbpp.py (v0.3.1), `mbpp_deserialize_inputs`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["typed_arguments"]

Arguments = list[Any]


def _all_tuples(args: Arguments) -> Arguments:
    return [tuple(arg) for arg in args]


def _lists_of_tuples(args: Arguments) -> Arguments:
    return [[tuple(part) for part in arg] for arg in args]


def _first_list_of_tuples(args: Arguments) -> Arguments:
    return [[tuple(part) for part in args[0]], args[1]]


def _second_tuple(args: Arguments) -> Arguments:
    return [args[0], tuple(args[1])]


def _first_tuple(args: Arguments) -> Arguments:
    return [tuple(args[0]), *args[1:]]


def _tuples_of_tuples(args: Arguments) -> Arguments:
    return [tuple(tuple(part) for part in arg) for arg in args]


def _first_mixed_tuple(args: Arguments) -> Arguments:
    return [tuple(tuple(part) if isinstance(part, list) else part for part in args[0])]


def _sets(args: Arguments) -> Arguments:
    # An empty one is a dictionary there, not a set.
    return [[set(part) if isinstance(part, list) and part else {} for part in args[0]]]


def _values_of_first(args: Arguments) -> Arguments:
    return [{key: tuple(value) for key, value in args[0].items()}, *args[1:]]


def _float_and_complex(args: Arguments) -> Arguments:
    return [float(args[0]), complex(args[1])]


def _complex(args: Arguments) -> Arguments:
    return [complex(args[0])]


def _deep_tuple(value: Any) -> Any:
    return tuple(_deep_tuple(part) for part in value) if isinstance(value, list) else value


def _all_deep_tuples(args: Arguments) -> Arguments:
    return [_deep_tuple(arg) for arg in args]


_RULES: dict[Callable[[Arguments], Arguments], tuple[int, ...]] = {
    _all_tuples: (
        2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630,
        726, 740, 744, 809,
    ),
    _lists_of_tuples: (63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780),
    _first_list_of_tuples: (75, 413, 444, 753),
    _second_tuple: (106, 750),
    _sets: (115,),
    _float_and_complex: (124,),
    _first_tuple: (250, 307, 405, 446, 617, 720, 763, 808),
    _tuples_of_tuples: (259, 401, 445),
    _first_mixed_tuple: (278,),
    _values_of_first: (722,),
    _complex: (252,),
    _all_deep_tuples: (580, 615, 791),
}  # fmt: skip
_BY_NUMBER = {number: rule for rule, numbers in _RULES.items() for number in numbers}


def typed_arguments(task_id: str, inputs: list[list[object]]) -> list[list[object]]:
    """Return the inputs of a task (``Mbpp/2``) with the types that their solutions expect.

    A task of another name or number keeps its inputs as they are.
    """
    name, _, number = task_id.partition("/")
    rule = _BY_NUMBER.get(int(number)) if name == "Mbpp" and number.isdecimal() else None
    return inputs if rule is None else [rule(args) for args in inputs]
