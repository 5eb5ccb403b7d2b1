"""Published graders, reproduced with their leniencies."""

from __future__ import annotations

import pytest

from debias_eval.errors import UnknownNameError
from debias_eval.grading import grade_answer

CASES = [
    # Qwen2.5-Math: relative 1e-4, factors of 100, brackets, units
    ("qwen", "12000", "12001", True),
    ("qwen", "12000", "12100", False),
    ("qwen", "50", "0.5", True),
    ("qwen", "(1,2)", r"\boxed{[1,2]}", True),
    ("qwen", "5", r"\boxed{5 \text{ cm}}", True),
    ("qwen", r"\frac{1}{2}", r"\boxed{\frac12}", True),
    ("qwen", r"\frac{x+2}{7}", r"\boxed{\frac{x}{7}+\frac{2}{7}}", True),
    ("qwen", r"\text{east}", r"\boxed{\text{east}}", True),
    ("qwen", r"\text{east}", r"\boxed{\text{west}}", False),
    ("qwen", "x=3", r"\boxed{3}", True),
    ("qwen", "B", "The answer is (B)", True),
    ("qwen", "42", "so we have 7 and then 42", True),
    ("qwen", r"\sqrt{17}", r"\boxed{4.1231}", True),
    ("qwen", r"\begin{pmatrix}1\\2\end{pmatrix}",
     r"\boxed{\begin{bmatrix}1\\2\end{bmatrix}}", True),
    ("qwen", "1", r"\boxed{9^{9^{9^{9}}}}", False),
    ("qwen", "7", r"\boxed{[open('marker','w')]}", False),
    # ... and reads expressions as sympy's parse_latex does
    ("qwen", "1,2", r"\boxed{1,3}", True),
    ("qwen", "1,2", r"\boxed{2,1}", False),
    ("qwen", "x>3", r"\boxed{x<3}", True),
    ("qwen", "x>3", r"\boxed{x>4}", False),
    ("qwen", r"3\frac{1}{2}", r"\boxed{3.5}", False),
    ("qwen", r"3\frac{1}{2}", r"\boxed{1.5}", True),
    ("qwen", r"\pi", r"\boxed{3.14159265}", False),
    ("qwen", r"2\pi", r"\boxed{\pi+\pi}", True),
    ("qwen", "ABC", r"\boxed{CAB}", True),
    ("qwen", "413_5", r"\boxed{413_6}", True),
    ("qwen", r"\{1,2\}", r"\boxed{\{2,1\}}", True),
    ("qwen", "(1,2)", r"\boxed{(2,1)}", False),
    ("qwen", "[1,2)", r"\boxed{(1,2]}", True),
    ("qwen", "0.1", r"\boxed{10\%}", True),
    ("qwen", "2p+q=1", r"\boxed{-2p - q = -1}", True),
    ("qwen", "7", r"\boxed{\text{seven}}", False),
    ("qwen", "125", r"\boxed{\text{one hundred and twenty-five}}", False),
    ("qwen", "125", r"\boxed{one hundred and twenty-five}", True),
    ("qwen", "12:00", r"\boxed{1:00}", False),
    ("qwen", r"\frac{\sqrt{3}}{2}", r"\boxed{\sqrt{3}/2}", True),
    ("qwen", "x+a", r"\boxed{x+c}", True),
    ("qwen", "20", r"\boxed{20 dollars}", False),
    ("qwen", r"\begin{pmatrix}1\\2\end{pmatrix}",
     r"\boxed{\begin{pmatrix}1.00005\\2\end{pmatrix}}", True),
    ("qwen", "10", "no box, 答案是 10", True),
    # Minerva: normalised text or a difference that simplifies to 0; no numeric tolerance
    ("minerva", "12000", r"\boxed{12001}", False),
    ("minerva", "12000",
     "Final Answer: The final answer is $12{,}000$. I hope it is correct.", True),
    ("minerva", r"\frac{1}{2}",
     "Final Answer: The final answer is $\\frac12$. I hope it is correct.", True),
    ("minerva", "x^2+2x+1", r"\boxed{(x+1)^2}", True),
    ("minerva", "5", r"\boxed{x = 5 \text{ meters}}", True),
    ("minerva", "(1,2)", r"\boxed{[1,2]}", False),
    # GSM8K: the number behind ####, as text
    ("gsm8k", "steps\n#### 18", "other steps\n#### 18", True),
    ("gsm8k", "steps\n#### 1,234", "#### 1234", True),
    ("gsm8k", "#### 18", "#### 18.00", False),
    ("gsm8k", "#### 18", "It costs $18.", True),
    ("gsm8k", "#### 18", "#### 18\nThat was 20 less 2.", True),
]  # fmt: skip


@pytest.mark.parametrize(("profile", "gold", "prediction", "correct"), CASES)
def test_profile(profile: str, gold: str, prediction: str, correct: bool) -> None:
    verdict = grade_answer(gold, prediction, profile=profile)
    assert verdict.correct is correct, verdict


def test_the_default_differs_where_the_published_ones_are_lenient() -> None:
    assert grade_answer("12000", "12001", profile="qwen").correct
    assert not grade_answer("12000", "12001").correct


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="qwen"):
        grade_answer("1", "1", profile="qwne")
