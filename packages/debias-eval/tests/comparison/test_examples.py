"""What both models wrote on the items that one of them solves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from debias_eval.comparison import compare
from debias_eval.comparison.examples import SHOWN, ChangedItem
from debias_eval.errors import InputError
from debias_eval.statistics.bootstrap import Bootstrap

Make = Callable[..., Any]
FAST = Bootstrap(resamples=200)


def texts(folder: Path, name: str, rows: list[dict[str, object]]) -> None:
    path = folder / name / "generations.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def changed(before: Path, after: Path) -> tuple[ChangedItem, ...]:
    test = compare(before, after, plan=FAST).benchmarks[0].test
    assert test is not None
    return test.examples


def test_gained_and_lost_items_come_with_both_answers(folder: Make) -> None:
    first = folder("before").outcomes("gsm8k", [True, False, True])
    second = folder("after").outcomes("gsm8k", [False, True, True])
    for side in (first, second):
        name = side.path.name
        texts(
            side.path,
            "gsm8k",
            [{"id": f"gsm8k/{i}", "sample": 0, "text": f"{name} {i}"} for i in range(3)],
        )
    (first.path / "gsm8k" / "items.jsonl").write_text(
        json.dumps({"id": "gsm8k/0", "prompt": "How many?", "answer": "1"}) + "\n"
    )
    gained, lost = changed(first.path, second.path)
    assert (gained.id, gained.direction) == ("gsm8k/1", "gained")
    assert (gained.before.status, gained.after.status) == ("incorrect", "correct")
    assert (lost.id, lost.direction, lost.prompt) == ("gsm8k/0", "lost", "How many?")
    assert (lost.before.text, lost.after.text) == ("before 0", "after 0")


def test_of_several_samples_those_that_differ_are_shown(folder: Make) -> None:
    rows = {
        "before": ["incorrect", "correct", "correct"],
        "after": ["correct", "incorrect", "incorrect"],
    }
    sides = []
    for name, statuses in rows.items():
        verdicts = [{"id": "a", "sample": i, "status": s} for i, s in enumerate(statuses)]
        side = folder(name).verdicts("aime", verdicts)
        texts(side.path, "aime", [{"id": "a", "sample": i, "text": f"{i}"} for i in range(3)])
        sides.append(side.path)
    (item,) = changed(*sides)
    assert (item.direction, item.before.text, item.after.text) == ("lost", "1", "1")


def test_long_texts_and_long_lists_are_cut(folder: Make) -> None:
    first = folder("before").outcomes("gsm8k", [True] * 30)
    second = folder("after").outcomes("gsm8k", [False] * 30)
    for side in (first, second):
        rows = [{"id": f"gsm8k/{i}", "sample": 0, "text": "x" * 5_000} for i in range(30)]
        texts(side.path, "gsm8k", rows)
    found = changed(first.path, second.path)
    assert len(found) == SHOWN
    assert all(len(item.after.text) < 1_300 for item in found)


def test_without_texts_there_is_nothing_to_show(folder: Make) -> None:
    first = folder("before").outcomes("gsm8k", [True, False])
    second = folder("after").outcomes("gsm8k", [False, False])
    assert changed(first.path, second.path) == ()
    for side in (first, second):
        texts(side.path, "gsm8k", [{"text": "no id"}])
    with pytest.raises(InputError, match=r"generations\.jsonl:1:id"):
        changed(first.path, second.path)
