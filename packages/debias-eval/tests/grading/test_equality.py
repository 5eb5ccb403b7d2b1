"""Which answers are the same, under the default profile."""

from __future__ import annotations

import pytest

from debias_eval.grading import grade_answer

SAME = [
    # numbers
    ("1/3", "0.3333"), (r"\frac{2}{3}", "0.6667"), (r"\frac{2}{3}", "0.6666"),
    (r"\pi", "3.14159"),
    (r"\sqrt{2}", "1.41421356"), ("1.5", r"1\frac12"),
    (r"\frac{11}{2}", "5 1/2"), (".75", "75/100"),
    ("1e3", "1000"), (r"1.2\times 10^5", "1.2e5"), ("10!", "3628800"), (r"\binom{10}{3}", "120"),
    (r"0.\overline{3}", "1/3"), ("1234567", "1,234,567"), (r"\$12,500", "12500"), ("0", "-0"),
    ("5", "+5"), ("6", "six"), (r"\log_2 8", "3"), (r"\sqrt[3]{8}", "2"), (r"2^{10}", "1024"),
    (r"\frac{-1}{2}", r"\frac{1}{-2}"), ("2^3^2", "512"), (r"\lfloor 2.5\rfloor", "2"),
    # surds, constants, functions
    (r"\frac{\sqrt{6}}{3}", r"\sqrt{\frac{2}{3}}"), (r"3\sqrt{2}", "sqrt(18)"),
    (r"\ln 4", r"2\ln 2"),
    (r"\cos 60^\circ", "1/2"), (r"\frac{\pi}{6}", r"30^\circ"),
    (r"\frac{1+i}{2}", "0.5+0.5i"),
    (r"\cot x", r"\frac{\cos x}{\sin x}"), (r"\sin 2x", r"2\sin x\cos x"),
    ("e^2", r"\mathrm{e}^{2}"),
    # algebra
    ("x^2-1", "(x-1)(x+1)"), (r"\frac{1}{x-1}", r"-\frac{1}{1-x}"),
    ("n(n+1)/2", r"\frac{n^2+n}{2}"),
    ("2^{n+1}", r"2\cdot 2^n"), ("x^{1/2}", r"\sqrt{x}"), ("2ab", "2ba"), (r"\sqrt{x^2}", "|x|"),
    ("(x+1)^{2000}", r"(1+x)^{2000}"),
    # names, equations, inequalities
    ("5", "x = 5"), ("2x+3", "f(x)=2x+3"), ("y=2x+3", "2x-y+3=0"), ("x>2", r"(2,\infty)"),
    (r"(-\infty,3)", "x<3"), ("[2,5)", r"2\le x<5"), (r"x\ge 4", r"4 \leq x"), ("4", "2+2=4"),
    (r"\angle B = 40^\circ", "40"), ("(p,q)=(1,4)", "(1,4)"), ("a=2, b=3", "b=3, a=2"),
    # lists, sets, tuples, unions, matrices
    ("1,2", "x=2 or x=1"), (r"\{1,2,3\}", "3,2,1"), ("(1,2),(3,4)", "(3,4),(1,2)"), ("5", r"\{5\}"),
    (r"1 \pm \sqrt{7}", r"1-\sqrt{7}, 1+\sqrt{7}"), ("2, 4, 6", "2, 4, and 6"),
    (r"[0,1]\cup[2,3]", r"[2,3]\cup[0,1]"), (r"(0,1)\cup(1,2)", r"(0,2)\setminus\{1\}"),
    (r"\mathbb{R}", r"(-\infty,\infty)"), (r"\text{B, E, G}", "G, B, E"), (r"\emptyset", r"\{\}"),
    (r"\begin{pmatrix}1/2\\2\end{pmatrix}", r"\begin{bmatrix} 0.5 \\ 2 \end{bmatrix}"),
    ("3:4", "3 : 4"), (r"\left(\tfrac12, 3\right]", r"(\frac{1}{2},3]"),
    # percent, units, words
    (r"40\%", "40"), (r"40\%", "0.4"), ("0.45", "45 percent"), (r"5\text{ cm}", "5 centimeters"),
    (r"15\mbox{ cm}^2", "15 square centimeters"), ("5 cm", "5"), (r"\text{(D)}", "D"),
    (r"\text{Yes}", "yes"), ("ellipse", r"\text{Ellipse}"), ("4:30 p.m.", "4:30 pm"),
    ("52_8", "52_{8}"), (r"159 \pmod{180}", "159"),
]  # fmt: skip

DIFFERENT = [
    # near, and not equal
    ("1/3", "0.33"), ("1/3", "0.3334"), (r"\pi", "3.14"), ("12", "12.0001"), ("70000", "70001"),
    ("0.1", "0.10000000000000001"), (r"\frac{1}{2010!}", r"\frac{1}{2012!}"), ("0", "10^{-30}"),
    (r"e^{\pi\sqrt{163}}", "262537412640768744"), (r"\sqrt{1+10^{-60}}", "1"),
    ("1", r"\sqrt{1+10^{-300}}"), (r"\sin(10^{-40})", "10^{-40}"), ("2^{100000}", "3^{100000}"),
    ("7", r"7\sqrt2"), (r"7\sqrt2", "7"), ("10^{10}", "10^{10}+1"),
    ("x", r"x+(2^{61}-1)(2^{89}-1)y"),
    # brackets and order
    ("(3,5)", "[3,5]"), ("(3,5)", "(5,3)"), ("[3,5)", "(3,5]"), ("(3,5)", r"\{3,5\}"),
    ("[3]", "3"), ("(3,4)", "3"), (r"(-\infty,3)", r"(-\infty,3]"), (r"\{1\}", r"\{\{1\}\}"),
    (r"\begin{pmatrix}1&2\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    # lists
    ("1,2", "1,2,3"), ("1,1", "1"), (r"\{1,2\}", r"\{1,3\}"), ("34", "3,4"), ("12", "1 2"),
    (r"\pm 3", "3"), ("3", r"\pm 3"), ("8", "8 or 9"), ("3:4", "4:3"), ("10:30", "1:30"),
    # letters are no units
    ("y+g", "y+m"), (r"\gcd(a,b)", r"\lcm(a,b)"), (r"5\text{ cm}", r"5\text{ m}"),
    ("9 a.m.", "9 p.m."),
    (r"5\text{ cm}^2", r"5\text{ cm}^3"), ("4", "4x"), ("2", "2i"), ("x", "y"), ("f(x)", "f(y)"),
    (r"\text{east}", r"\text{seat}"), ("A", r"\text{B}"), ("yes", "no"),
    # percent only where one side writes it
    ("50", "0.5"), ("0.5", "50"), ("5", "500"), (r"5\%", "5000"),
    # relations
    ("x<2", "x>2"), ("x<2", r"x\le 2"), ("x=2", r"x\ne 2"), ("x=2", "y=2"), ("0", "x^2-1=0"),
    ("7 = 3a+b", "3a+b"), ("x^2=4", "x=2"), ("x+1=0", "x-1=0"),
    # undefined, unread, in another base
    (r"\frac{1}{0}", "1/0+1"), (r"\infty", r"-\infty"), ("52_8", "52"), ("52_8", "52_7"),
    (r"\emptyset", "0"), (r"\mathbb{Z}", r"\mathbb{N}"), (r"\sqrt{x^2}", "x"), ("6", "3!!"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "prediction"), SAME)
def test_same(gold: str, prediction: str) -> None:
    verdict = grade_answer(gold, prediction)
    assert verdict.status == "correct", verdict


@pytest.mark.parametrize(("gold", "prediction"), DIFFERENT)
def test_different(gold: str, prediction: str) -> None:
    verdict = grade_answer(gold, prediction)
    assert verdict.status in {"incorrect", "unparsed", "limit"}, verdict


@pytest.mark.parametrize("answer", [pair[0] for pair in SAME + DIFFERENT])
def test_every_answer_is_itself_in_a_box(answer: str) -> None:
    assert grade_answer(answer, f"So we get $\\boxed{{{answer}}}$.").correct


@pytest.mark.parametrize("gold", ["", "  ", "$ $", "nan", r"\boxed{}"])
def test_a_reference_without_an_answer_is_the_datas_fault(gold: str) -> None:
    assert grade_answer(gold, "1").status == "gold_error"


@pytest.mark.parametrize("prediction", ["", "  ", "nan", "I do not know.", r"\boxed{}"])
def test_no_answer_is_unparsed(prediction: str) -> None:
    verdict = grade_answer("1", prediction)
    assert verdict.status == "unparsed"
    assert not verdict.correct
