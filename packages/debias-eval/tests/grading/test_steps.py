"""Which equations of an answer are checked, which hold, and that gold solutions do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debias_eval.grading.steps import equations_hold, step_quality

CASES = [
    ("16 - 3 - 4 = <<16-3-4=9>>9 eggs", True),
    ("3 + 4 = 8", False),
    ("x + 3 = 5", None),
    ("2x + 3 = 7 + 1", None),
    ("3x + 37 = 85", None),
    ("3x + 4 = 28 * 1", None),
    ("\\frac{x}{4} + 1 = 2", None),
    ("2x3 = 6", True),
    ("2x(3) = 6", True),
    ("3 boxes * 4 pencils = 12 pencils", True),
    ("$9 * 2 = $18", True),
    ("$\\frac{1}{2} + 1 = 1.5$", True),
    ("10 / 3 = 3.33", True),
    ("10 / 3 = 3.34", False),
    ("10/3 = 3", False),
    ("20% of 50 = 10", True),
    ("(5/20)*100 = 25%", True),
    ("1 hour + 30 minutes = 90 minutes", None),
    ("total 3 + 4 = 7 apples", True),
    ("f(3) = 7 + 1", None),
    ("2*3 = 6 = 5+1", True),
    ("2*3 = 6 = 5+2", False),
    ("1,000 + 500 = 1,500", True),
    ("3 x 4 = 12", True),
    ("3×4=13", False),
    ("(2+3)(4) = 20", True),
    ("2 + 2 \\approx 5", None),
    ("day 3 = 4", None),
    ("9*2=18, 3*3=10", False),
    ("-3 + 5 = 2", True),
    ("x - 3 = 5 + 1", None),
    ("She has 3 + 4 = 7. Then 7 * 2 = 14.", True),
    ("2^10 = 1024", True),
    ("9^{9^{9^9}} = 1+1", None),
    ("5! = 120", None),
    ("__import__('os') = 1 + 1", None),
    ("y = 2 + 2", None),
    ("= 2 + 2 = 4", True),
    ("a = 3 + 4 = 7", True),
    ("3 + 4 = 7x", None),
    ("10 - 4 = 6 left", True),
    ("12/4=3.0", True),
    ("50 * 0.2 = $10.00", True),
    ("7 days/week * 2 weeks = 14 days", None),
    ("5 * 60 = 300 seconds", True),
    ("5 + 3 = 8; 8 - 1 = 7", True),
    ("Answer: 3 + 4 = 7", True),
    ("so that's 2*4=8 and 8+1=10", False),
    ("\\[ 3 \\times 4 = 12 \\]", True),
    ("\\( 3 \\cdot 4 = 11 \\)", False),
    ("**3 + 4 = 7**", True),
    ("1/0 = 5 + 1", None),
    ("0 * (1/0) = 0+0", None),
    ("\\boxed{3+4=7}", True),
    ("3 + 4 = \\boxed{7}", None),
    ("2 + 3 = 5 \\text{ apples}", True),
    ("$90^3=729,\\!000$", True),
    ("Sum: 5 + 6 = 12, so 12 - 2 = 10", False),
]


@pytest.mark.parametrize(("step", "holds"), CASES)
def test_equations(step: str, holds: bool | None) -> None:
    assert equations_hold(step) is holds


def test_steps_are_lines_or_sentences() -> None:
    lines = step_quality("First 2 + 2 = 4.\n\nThen 4 * 2 = 9.\nSo it is 9.")
    assert (lines.num_steps, lines.arithmetic, lines.held) == (3, 2, 1)
    sentences = step_quality("First 2 + 2 = 4. Then 4 * 2 = 8? So it is 8.")
    assert (sentences.num_steps, sentences.arithmetic, sentences.held) == (3, 2, 2)
    assert step_quality("").num_steps == 0


def test_repetition_is_the_share_that_stood_before() -> None:
    assert step_quality("one two three four five six").repetition == 0.0
    assert step_quality("a b c d " * 50).repetition == pytest.approx(1 - 4 / 197)
    assert step_quality("one two").repetition == 0.0


@given(st.integers(-999, 999), st.integers(1, 999), st.sampled_from("+-*"), st.integers(0, 1))
def test_generated_sums(a: int, b: int, operator: str, off: int) -> None:
    value = {"+": a + b, "-": a - b, "*": a * b}[operator] + off
    assert equations_hold(f"Then {a if a >= 0 else f'({a})'} {operator} {b} = {value}.") is (
        not off
    )


@given(st.text(alphabet="0123456789+-*/^()=.,%$ xofab\\{}frac<>!", max_size=200))
def test_any_text_is_bounded_and_raises_nothing(text: str) -> None:
    assert equations_hold(text) in (True, False, None)


@pytest.mark.parametrize(
    "text",
    ["1+" * 50_000 + "1 = 2", "(" * 5000 + "1" + ")" * 5000 + " = 1 + 1", "9^9^9^9^9 = 1 + 1"],
)
def test_hostile_equations_come_back(text: str) -> None:
    assert equations_hold(text) is None


def test_the_arithmetic_of_gold_solutions_holds(shared_dir: Path) -> None:
    path = shared_dir / "data" / "gsm8k" / "test.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()[:400]]
    found = [step_quality(row["answer"]) for row in rows]
    checked, held = (sum(getattr(q, name) for q in found) for name in ("arithmetic", "held"))
    assert checked > 1000
    assert held / checked > 0.995
    wrong = [
        step_quality(row["answer"].replace(">>", "7>>").replace("=", "=1")).held for row in rows
    ]
    assert sum(wrong) / checked < 0.02
