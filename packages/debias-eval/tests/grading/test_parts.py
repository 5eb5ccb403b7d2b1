"""Normal forms, trees, shapes, numbers: each by itself."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debias_eval.grading.exact import NotExactError, exact
from debias_eval.grading.expression import parse
from debias_eval.grading.floats import approximate, differ
from debias_eval.grading.limits import LimitExceededError
from debias_eval.grading.normalize import normalize, squash
from debias_eval.grading.quantity import is_name, quantity
from debias_eval.grading.rational import same_rational_function
from debias_eval.grading.structure import Leaf, Relation, Seq, shape
from debias_eval.grading.tree import ParseError


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        (r"$\dfrac12$", r"\frac{1}{2}"),
        (r"\left( \frac 34 , 5 \right]", r"(\frac{3}{4},5]"),
        (r"12{,}345", "12345"),
        (r"6,\!700", "6700"),
        (r"\sqrt7", r"\sqrt{7}"),
        (r"\frac9{19}", r"\frac{9}{19}"),
        (r"x \leqslant 3.", r"x\le 3"),
        (r"\( \pi \)", r"\pi"),
        ("7 3/4", "7 3/4"),
        (r"\begin{bmatrix} 1 \\ 2 \end{bmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    ],
)
def test_normal_form(text: str, normal: str) -> None:
    assert squash(normalize(text)) == squash(normal)


@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_normalising_is_total_and_settles(text: str) -> None:
    once = normalize(normalize(text))
    assert normalize(once) == normalize(normalize(once))


@given(st.text(alphabet="0123456789+-*/^(){}[]|!._,;:=<>\\ abxfrcsqtipde", max_size=40))
@settings(max_examples=300, deadline=None)
def test_reading_any_text_ends_in_a_tree_or_a_refusal(text: str) -> None:
    try:
        node = parse(normalize(text))
        exact(node)
    except (ParseError, LimitExceededError, NotExactError):
        return
    assert node is not None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2/(-3)", Fraction(-2, 3)),
        (r"1\frac{4}{5}", Fraction(9, 5)),
        ("-1 \\frac{1}{2}", Fraction(-3, 2)),
        ("2^{-3}", Fraction(1, 8)),
        ("8^{2/3}", Fraction(4)),
        ("3!+4", Fraction(10)),
        ("|2-5|", Fraction(3)),
        ("(1+2)(3+4)", Fraction(21)),
        ("0.1\\overline{6}", Fraction(1, 6)),
        ("2\\cdot-3", Fraction(-6)),
    ],
)
def test_exact_values(text: str, value: Fraction) -> None:
    assert exact(parse(normalize(text))) == value


@given(st.fractions(max_denominator=50), st.fractions(max_denominator=50))
def test_written_arithmetic_is_arithmetic(a: Fraction, b: Fraction) -> None:
    text = f"({a.numerator}/{a.denominator})*({b.numerator}/{b.denominator})-{{{b.numerator}}}"
    assert exact(parse(normalize(text))) == a * b - b.numerator


@pytest.mark.parametrize("text", ["9^{9^{9}}", "(10^6)!", r"\binom{10^9}{5}", "9" * 5000, "(" * 99])
def test_what_is_too_large_is_refused(text: str) -> None:
    with pytest.raises(LimitExceededError):
        exact(parse(normalize(text)))


@pytest.mark.parametrize(
    "text", ["x" + "+x" * 1400, "1" + "*1" * 1400, "|" * 1000, "2" + "^2" * 1000, "-" * 2000 + "1"]
)
def test_long_and_deep_texts_do_not_exhaust_the_stack(text: str) -> None:
    try:
        parse(text)
    except (ParseError, LimitExceededError):
        return
    assert len(text) < 3000


def test_floats_agree_with_math() -> None:
    found = approximate(parse(r"\sqrt{2}+\sin(1)\cdot e^{\pi}"))
    assert found is not None
    assert found[0].real == pytest.approx(math.sqrt(2) + math.sin(1) * math.e**math.pi)


def test_floats_disprove_and_never_prove() -> None:
    assert differ(parse(r"\sqrt{2}"), parse(r"\sqrt{3}"))
    assert not differ(parse(r"\sqrt{8}"), parse(r"2\sqrt{2}"))
    # cancellation: both are about 1e-17 apart from 0 in floats, and no proof of difference
    assert not differ(
        parse(r"\sqrt{10^{16}+1}-10^{8}"), parse(r"\frac{1}{\sqrt{10^{16}+1}+10^{8}}")
    )


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("(x+1)^2", "x^2+2x+1", True),
        ("(x+1)^{2000}", "(x+1)^{2000}+1", False),
        (r"\frac{x^2-1}{x-1}", "x+1", True),
        (r"\sqrt{x}", "x", None),
        ("3", "6/2", True),
    ],
)
def test_rational_functions(left: str, right: str, same: bool | None) -> None:
    assert same_rational_function(parse(left), parse(right)) is same


def test_shapes() -> None:
    assert shape("(1,2]") == Seq("(]", (Leaf("1"), Leaf("2")))
    assert shape(r"\{a,b\}") == Seq("{}", (Leaf("a"), Leaf("b")))
    assert shape("x=2") == Relation((Leaf("x"), Leaf("2")))
    assert shape("(x)") == Leaf("x")
    assert shape("2,3") == Seq("", (Leaf("2"), Leaf("3")))
    chain = shape(r"0<x\le 1")
    assert isinstance(chain, Relation)
    assert chain.operators == ("<", r"\le")


def test_quantities() -> None:
    assert quantity(r"5\text{ cm}").unit == quantity("5 cm").unit == "cm"
    assert quantity(r"28\%").percent
    assert quantity("x+a").unit is None
    assert quantity("3 m").unit is None  # a single letter outside \text is a variable


@pytest.mark.parametrize(
    ("text", "name"),
    [("x", True), ("f(2)", True), ("V_1:V_2", True), ("|AB|", True), ("2x", False), ("a+b", False),
     ("7", False), ("e", False), (r"\sqrt{x}", False)],
)  # fmt: skip
def test_names(text: str, name: bool) -> None:
    assert is_name(text) is name
