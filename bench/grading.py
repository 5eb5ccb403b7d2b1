"""Maths grading against math-verify alone: verdicts, throughput and time limits, as JSON.

    python bench/grading.py --data ../shared --out result.json

Three parts, each for both graders in one run:

* `cases`: wrong verdicts on the gold cases (false positives apart), without the policy ones;
* `throughput`: references of MATH-500 against responses that give them, or the next one, in a box:
  answers a second of wall time and of CPU time;
* `hostile`: the slowest verdict, and how many are late or a false equality. math-verify runs in a
  process of its own for each answer, killed after 20 s, since it may not come back.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from debias_eval.grading import grade_answer, grade_many
from debias_eval.grading.workers import warm_up

GIVE_UP_SECONDS = 20.0
Grade = Callable[[str, str], bool]


def ours(gold: str, prediction: str) -> bool:
    return grade_answer(gold, prediction).correct


def math_verify_alone(gold: str, prediction: str) -> bool:
    from math_verify import parse, verify

    return bool(verify(parse(gold), parse(prediction)))


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def wrong_verdicts(cases: list[dict[str, Any]], grade: Grade) -> dict[str, int]:
    counted = [case for case in cases if not case.get("note", "").startswith("policy:")]
    verdicts = [grade(case["gold"], case["pred"]) for case in counted]
    pairs = list(zip(counted, verdicts, strict=True))
    return {
        "cases": len(counted),
        "wrong": sum(verdict != case["equal"] for case, verdict in pairs),
        "false_positives": sum(verdict and not case["equal"] for case, verdict in pairs),
    }


def cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def throughput(pairs: list[tuple[str, str]], run: Callable[[], int]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), cpu_seconds()
    correct = run()
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    return {
        "answers": len(pairs),
        "correct": correct,
        "answers_per_second": round(len(pairs) / wall, 1),
        "answers_per_cpu_second": round(len(pairs) / max(cpu, 1e-9), 1),
    }


def expand(case: dict[str, Any], side: str) -> str:
    return "".join(p * n for p, n in case.get(f"{side}_gen", [])) or str(case[side])


def _into(queue: multiprocessing.SimpleQueue[bool], gold: str, prediction: str) -> None:
    queue.put(math_verify_alone(gold, prediction))


def math_verify_killable(gold: str, prediction: str) -> bool | None:
    """math-verify's verdict from a process of its own; None where it did not come back."""
    context = multiprocessing.get_context("fork")
    queue: multiprocessing.SimpleQueue[bool] = context.SimpleQueue()
    process = context.Process(target=_into, args=(queue, gold, prediction))
    process.start()
    process.join(GIVE_UP_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
    return None if queue.empty() else queue.get()


def hostile(
    cases: list[dict[str, Any]], grade: Callable[[str, str], bool | None]
) -> dict[str, float]:
    slowest, late, lost, false_equal = 0.0, 0, 0, 0
    for case in cases:
        start = time.perf_counter()
        verdict = grade(expand(case, "gold"), expand(case, "pred"))
        seconds = time.perf_counter() - start
        slowest = max(slowest, seconds)
        late += seconds > 5.5
        lost += verdict is None
        false_equal += bool(verdict) and case["expect_equal"] is False
    return {
        "cases": len(cases),
        "slowest_seconds": round(slowest, 2),
        "late": late,
        "no_verdict": lost,
        "false_equal": false_equal,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--limit", type=int, default=500, help="references used for throughput")
    arguments = parser.parse_args()

    cases = read(arguments.data / "cases/math_grader_cases.jsonl")
    attacks = read(arguments.data / "cases/hostile_answers.jsonl")
    rows = read(arguments.data / "data/math500/test.jsonl")[: arguments.limit]
    references = [row["answer"] for row in rows]
    others = references[1:] + references[:1]
    pairs = [(g, f"Hence $\\boxed{{{g}}}$.") for g in references]
    pairs += [(g, f"Hence $\\boxed{{{o}}}$.") for g, o in zip(references, others, strict=True)]
    bare = [(f"${g}$", p) for g, p in pairs]  # math-verify wants its references in dollars

    warm_up()
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)  # it logs answers of a megabyte
    math_verify_alone("$1$", "$1$")
    result = {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "cases": {
            "debias_eval": wrong_verdicts(cases, ours),
            "math_verify": wrong_verdicts(cases, math_verify_alone),
        },
        "throughput": {
            "debias_eval": throughput(pairs, lambda: sum(v.correct for v in grade_many(pairs))),
            "math_verify": throughput(bare, lambda: sum(math_verify_alone(g, p) for g, p in bare)),
        },
        "hostile": {
            "debias_eval": hostile(attacks, ours),
            "math_verify": hostile(attacks, math_verify_killable),
        },
    }
    text = json.dumps(result, indent=2)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
