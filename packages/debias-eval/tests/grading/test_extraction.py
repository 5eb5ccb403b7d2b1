"""What counts as the answer of a response."""

from __future__ import annotations

import pytest

from debias_eval.grading.extract import extract_answer, extract_reference

RESPONSES = [
    (r"We find $\boxed{\frac{1}{2}}$.", r"\frac{1}{2}", "box"),
    (r"\boxed{2} no wait, \boxed{3}", "3", "box"),
    (r"\boxed{\boxed{3}}", "3", "box"),
    (r"\boxed{\{1, 2\}}", r"\{1, 2\}", "box"),
    (r"\boxed{f\left(\frac{a}{b}\right)} as wanted", r"f\left(\frac{a}{b}\right)", "box"),
    (r"$\boxed 7$", "7", "box"),
    (r"so $\boxed{7$ at last", "7", "box"),
    ("\\boxed{7\nand nothing closes it", "7", "box"),
    (r"\fbox{7}", "7", "box"),
    (r"\boxed{40}\%", r"40 \%", "box"),
    (r"The answer is 5. Check: \boxed{6}", "6", "box"),
    ("16 - 3 = <<16-3=13>>13\n#### 13", "13", "hashes"),
    ("The answer is 12.", "12", "phrase"),
    ("The answer is 1.5.", "1.5", "phrase"),
    ("The answer is $\\frac{3}{4}$. I hope it is correct.", "$\\frac{3}{4}$", "phrase"),
    ("**Answer:** 3", "3", "phrase"),
    ("Final Answer: The smallest $k$ is 12.", "12", "phrase"),
    ("The answer is 7 because 3+4=7.", "7", "phrase"),
    ("The answer is (B) because it fits.", "B", "phrase"),
    ("the answer is 1. No: the answer is 2", "2", "phrase"),
    (r"\frac{1}{2}", r"\frac{1}{2}", "whole"),
    ("18 dollars", "18 dollars", "whole"),
    ("ellipse", "ellipse", "whole"),
    ("Total: 3 + 4 = 7", "3 + 4 = 7", "whole"),
    ("Adding up gives $3+4 = 7$ in all, so $7$", "7", "math"),
    ("She pays 3 times 4, which makes 1,200.50 dollars", "1,200.50", "number"),
    ("Therefore we have 5 ducks in the pond", "5", "number"),
]


@pytest.mark.parametrize(("response", "answer", "how"), RESPONSES)
def test_extraction(response: str, answer: str, how: str) -> None:
    found = extract_answer(response)
    assert found is not None
    if found.how == "phrase":
        assert (found.text.strip("$ "), found.how) == (answer.strip("$ "), how)
    else:
        assert (found.text, found.how) == (answer, how)


@pytest.mark.parametrize(
    "response",
    [
        "I cannot tell.",
        r"no answer: \boxed{}",
        "####",
        "the model said XK2J",
        "__import__('os').getcwd() or 0",
        "open('x','w').write('y') and 1",
        "it may be 4 or 5",
    ],
)
def test_nothing_is_made_up(response: str) -> None:
    assert extract_answer(response) is None


def test_a_reference_is_its_box_its_hashes_or_all_of_it() -> None:
    assert extract_reference(r"so $x=\boxed{4}$, and 5 is not") == "4"
    assert extract_reference("some steps 9\n#### 8") == "8"
    assert extract_reference("June 20") == "June 20"


@pytest.mark.parametrize(
    "unit", [r"\boxed{", "the answer is ", "####", "$", r"\(", r"\text{", "1 000 000,", "(", " "]
)
def test_time_is_linear_in_the_length(unit: str) -> None:
    import time

    start = time.process_time()
    extract_answer(unit * (200_000 // len(unit)) + "1")
    assert time.process_time() - start < 2.0
