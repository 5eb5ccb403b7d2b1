"""Benchmarks by name; other packages add theirs under the entry-point group."""

from __future__ import annotations

from debias_eval.plugins import Registry
from debias_eval.tasks.base import Task

__all__ = ["get_task", "tasks"]

_HERE = "debias_eval.tasks"

tasks: Registry[type[Task]] = Registry(
    "task",
    "debias_eval.tasks",
    {
        "entropy_gap": f"{_HERE}.entropy_gap",
        "gsm8k": f"{_HERE}.gsm8k",
        "humaneval": f"{_HERE}.humaneval",
        "math": f"{_HERE}.math_benchmarks",
        "math500": f"{_HERE}.math_benchmarks",
        "math_jsonl": f"{_HERE}.math_jsonl",
        "mbpp": f"{_HERE}.mbpp",
        "mbpp_sanitized": f"{_HERE}.mbpp",
        "perplexity": f"{_HERE}.perplexity",
        "winogender": f"{_HERE}.winogender",
    },
)


def get_task(name: str) -> Task:
    """Return the benchmark ``name``.

    Raises:
        UnknownNameError: There is none; the message names the nearest.
    """
    return tasks.get(name)()
