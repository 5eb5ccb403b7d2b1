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
        "aime24": f"{_HERE}.aime",
        "aime25": f"{_HERE}.aime",
        "college_math": f"{_HERE}.college_math",
        "counterfactual_code": f"{_HERE}.counterfactual_code",
        "counterfactual_maths": f"{_HERE}.counterfactual_maths",
        "bigcodebench": f"{_HERE}.bigcodebench",
        "bigcodebench_hard": f"{_HERE}.bigcodebench",
        "bigcodebench_hard_instruct": f"{_HERE}.bigcodebench",
        "bigcodebench_instruct": f"{_HERE}.bigcodebench",
        "bbq": f"{_HERE}.bbq",
        "crows_pairs": f"{_HERE}.crows_pairs",
        "crows_pairs_mean": f"{_HERE}.crows_pairs",
        "diversity": f"{_HERE}.diversity",
        "entropy_gap": f"{_HERE}.entropy_gap",
        "genderbench": f"{_HERE}.genderbench",
        "gsm8k": f"{_HERE}.gsm8k",
        "humaneval": f"{_HERE}.humaneval",
        "humaneval_plus": f"{_HERE}.humaneval_plus",
        **{f"livecodebench_v{number}": f"{_HERE}.livecodebench" for number in range(1, 7)},
        "lm_eval": f"{_HERE}.lm_eval",
        "math": f"{_HERE}.math_benchmarks",
        "math500": f"{_HERE}.math_benchmarks",
        "math_jsonl": f"{_HERE}.math_jsonl",
        "mbpp": f"{_HERE}.mbpp",
        "mbpp_plus": f"{_HERE}.mbpp_plus",
        "mbpp_sanitized": f"{_HERE}.mbpp",
        "perplexity": f"{_HERE}.perplexity",
        "stereoset": f"{_HERE}.stereoset",
        "svamp": f"{_HERE}.svamp",
        "winobias": f"{_HERE}.winobias",
        "winogender": f"{_HERE}.winogender",
        "word_counts": f"{_HERE}.word_counts",
    },
)


def get_task(name: str) -> Task:
    """Return the benchmark ``name``: a registered one, or a variant (``NAME_SUFFIX``) of one.

    Raises:
        UnknownNameError: There is none; the message names the nearest.
    """
    if name in tasks:
        return tasks.get(name)()
    for base in sorted(tasks.names(), key=len, reverse=True):
        if name.startswith(f"{base}_"):
            variant = tasks.get(base).variant(name.removeprefix(f"{base}_"))
            if variant is not None:
                return variant
    return tasks.get(name)()
