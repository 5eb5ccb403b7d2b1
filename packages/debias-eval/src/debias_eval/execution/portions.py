"""The inputs of one program in portions that fit a job, and what the portions add up to.

A worker answers one portion and is replaced for the next: with inputs and expected values of
megabytes each (HumanEval/15), all of them together would fit no frame.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PORTION_BYTES = 32 << 20


def portions(job: dict[str, Any], *, single: bool = False) -> Iterator[dict[str, Any]]:
    """Yield jobs that together hold the inputs of `job`, in their order.

    The expected values go with them. `first` is the number of inputs that came before. A job
    without inputs, or whose inputs fit, comes back whole; with `single`, every input is a portion.
    """
    inputs, expected = job["inputs"], job["expected"]
    if single and inputs:
        yield from (slice_of(job, index, index + 1) for index in range(len(inputs)))
        return
    start, size = 0, 0
    for index, tree in enumerate(inputs):
        weight = len(json.dumps(tree))
        if expected:
            weight += len(json.dumps(expected[index]))
        if size and size + weight > PORTION_BYTES:
            yield slice_of(job, start, index)
            start, size = index, 0
        size += weight
    yield slice_of(job, start, len(inputs))


def slice_of(job: dict[str, Any], start: int, stop: int) -> dict[str, Any]:
    """Return `job` with the inputs from `start` up to `stop` only."""
    return job | {
        "inputs": job["inputs"][start:stop],
        "expected": job["expected"][start:stop],
        "first": job["first"] + start,
    }
