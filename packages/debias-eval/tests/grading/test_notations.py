"""Notations that answers come in, by kind: which pairs are the same, and which are not."""

from __future__ import annotations

import pytest

from debias_eval.grading import grade_answer

SAME = {
    "frac": [
        (r"\frac{3}{4}", "3/4"), (r"-\frac{3}{4}", r"\frac{-3}{4}"),
        (r"\frac{3}{4}", r"\dfrac{6}{8}"), (r"\frac{a+b}{c}", "(a+b)/c"),
        (r"\frac{\frac{1}{2}}{3}", r"\frac16"),
        (r"\frac{1}{1+\frac{1}{1+\frac{1}{2}}}", r"\frac{3}{5}"), (r"\frac{x}{2}", "0.5x"),
        (r"\frac {5} {12}", r"\frac{5}{12}"), ("^3/_4", r"\frac34"), (r"\cfrac{5}{12}", "5/12"),
        (r"\frac{1}{3}", "0.333..."), (r"\frac{1}{3}", r"0.\dot{3}"), (r"\frac{1}{7}", "0.14285"),
    ],
    "radical": [
        (r"\frac{\sqrt{3}}{2}", r"\sqrt{3}/2"), (r"\sqrt[3]{-8}", "-2"),
        (r"\sqrt{x^2+2x+1}", "|x+1|"), (r"\sqrt{3}", "√3"), (r"\sqrt{12}", "√12"),
        (r"\sqrt{\frac{9}{16}}", "3/4"), (r"6\sqrt{2}", "6*sqrt(2)"),
        (r"\sqrt{6}\,", r"\sqrt {6}"),
    ],
    "percent": [
        (r"25\%", r"25\%"), (r"25\%", "0.25"), ("25", r"25\%"), (r"12.5\%", r"\frac{1}{8}"),
        (r"12.5 \%", "12.5 percent"), (r"150\%", "1.5"), (r"\frac{1}{5}", "20 per cent"),
        (r"0.5\%", "0.005"),
    ],
    "unit": [
        (r"12 \text{ cm}", "12"), ("12", r"12\ \text{cm}"), (r"12\text{ cm}", r"12 \mathrm{~cm}"),
        ("30 minutes", "30"), (r"60\text{ mph}", r"60 \text{ miles per hour}"),
        (r"24\pi\text{ cubic inches}", r"24\pi"), (r"9.8 \text{ m/s}^2", "9.8"),
        ("10 kg", "10 kilograms"), (r"8\text{ feet}", "8 ft"), (r"\$20", "20 dollars"),
        (r"2 \text{ years old}", "2"), ("6 inches", "6 in"), (r"\frac{5}{2}\text{ units}", "2.5"),
        ("15 meters per second", "15 m/s"),
    ],
    "degree": [
        (r"45^\circ", "45"), (r"45^\circ", "45 degrees"), (r"\angle ABC = 45^\circ", "45"),
        (r"45^\circ", r"x = 45^\circ"), (r"30^\circ, 150^\circ", "150, 30"),
        ("45", r"45^{\,\circ}"), (r"45^\circ", r"\boxed{45^\circ}."),
    ],
    "interval": [
        ("[1,3]", r"\left[1, 3\right]"), ("(1,3]", r"1 < x \le 3"), ("(1,3]", r"x \in (1,3]"),
        (r"(-\infty,-2)\cup(2,\infty)", r"x<-2 \text{ or } x>2"),
        (r"(-\infty,-2)\cup(2,\infty)", "|x|>2"), (r"[0,\infty)", r"[0, +\infty)"),
        ("(0,1)", "]0,1["), ("[-2,2]", r"-2 \leq x \leq 2"),
        (r"(2,3)\cup(3,4)", r"(3,4) \cup (2,3)"), (r"[1,2]\cup[2,3]", "[1,3]"),
        ("x > 5", r"(5, \infty)"), (r"x \neq 0", r"\mathbb{R}\setminus\{0\}"),
        (r"\left(-\infty, \frac{1}{3}\right)", r"(-\infty, 1/3)"), (r"(3,\infty)", "x>3.0"),
        ("0 < x < 1", "1 > x > 0"), (r"[4,\infty)", r"\{x \mid x \ge 4\}"),
        (r"[4,\infty)", r"\{x : x \ge 4\}"), (r"\{x \mid x < 2\}", "x<2"),
    ],
    "set": [
        (r"\{1,2,3\}", r"\{ 3, 1, 2 \}"), (r"\{1,2,3\}", "1, 2, 3"), (r"\{1,2\}", r"\{1,2,2\}"),
        (r"\{-1,1\}", r"\pm 1"), (r"\emptyset", r"\{\}"), (r"\{(1,2),(3,4)\}", r"\{(3,4),(1,2)\}"),
        (r"\left\{1, 2\right\}", r"\{2,1\}"), ("1,2,3", "3,2,1"), ("1, 2", "x=1, x=2"),
        (r"\{a,b\}\cup\{c\}", r"\{a,b,c\}"), (r"\{2\}", "2"), ("{1,2}", r"\{1,2\}"),
    ],
    "tuple": [
        ("(1,-2)", "(1, -2)"), ("(x,y)=(1,-2)", "(1,-2)"),
        (r"(\frac{1}{2}, \sqrt{2})", r"(0.5, \sqrt 2)"), ("(1,2),(3,4)", "(3,4),(1,2)"),
        ("(1,2)", r"\langle 1,2 \rangle"), ("(2,3,5)", "(2; 3; 5)"),
        ("(6,31,-1)", r"\boxed{(6,31,-1)}"),
    ],
    "matrix": [
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{bmatrix}1&2\\3&4\end{bmatrix}"),
        (r"\begin{pmatrix}1/2\\-3\end{pmatrix}", r"\begin{pmatrix} 0.5 \\ -3 \end{pmatrix}"),
        (r"\begin{pmatrix}1&2\end{pmatrix}", r"\left[\begin{array}{ll}1 & 2\end{array}\right]"),
        (r"\begin{pmatrix}1&0\\0&1\end{pmatrix}", r"\begin{pmatrix}1&0\\0&1\\\end{pmatrix}"),
        (r"2\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}2\\4\end{pmatrix}"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"A = \begin{pmatrix}1&2\\3&4\end{pmatrix}"),
        (r"\begin{pmatrix}\frac{1}{5}\\8\end{pmatrix}", r"\begin{pmatrix}1/5\\8\end{pmatrix}"),
    ],
    "equation": [
        ("y=2x+1", "y = 1+2x"), ("x^2+y^2=1", "y^2 = 1 - x^2"), ("x^2+y^2=1", "2x^2+2y^2=2"),
        ("x=5", "5"), ("5", "x=5"), ("y-3=2(x-1)", "y=2x+1"), ("3x+4y=12", "6x+8y=24"),
        ("f(x)=x^2", "x^2"), ("x=1,y=2", "y=2,x=1"), ("a=b", "b=a"), (r"x = \frac{1}{2}", "x=0.5"),
        (r"y = \frac{1}{2}x + 3", r"y = \frac{x}{2}+3"),
    ],
    "text": [
        (r"\text{Monday}", "Monday"), ("yes", r"\text{Yes}"), ("True", "true"),
        (r"\text{(B)}", "B"), ("B", r"\textbf{(B)}"), ("B", "(B) 12"), (r"\textbf{(B)}\ 12", "B"),
        ("A", "Answer: A"), (r"\text{Alice, Bob}", r"\text{Bob, Alice}"), ("Ella", r"\text{Ella}"),
        (r"\text{ellipse}", r"\text{an ellipse}"), (r"\text{no solution}", "no solution"),
        (r"\text{June 20}", "June 20"), ("D", r"\mathrm{D}"),
        ("infinitely many", r"\text{infinitely many}"), ("undefined", r"\text{Undefined}"),
        (r"\text{C and D}", "D, C"),
    ],
    "mixed": [
        (r"3\frac{1}{2}", "3.5"), ("3 1/2", r"\frac72"), (r"-3\frac{1}{2}", "-3.5"),
        ("5 3/8", "5.375"), (r"3\dfrac{1}{2}\text{ hours}", "3.5 hours"),
    ],
    "thousands": [
        ("12345", "12,345"), ("12345", r"12\,345"), ("1234567", "1,234,567"),
        ("1,234,567", "1 234 567"), (r"\$1,234", "1234"), ("10,000", "10^4"),
        ("1,000,000", "1000000.0"), (r"5,\!600", "5600"),
    ],
    "latex": [
        ("8", "$8$"), ("8", r"\[8\]"), ("8", "**8**"), ("8", r"\mathbf{8}"),
        ("8", r"\displaystyle 8"), ("8", "{8}"), ("8", r"\ 8\ "), (r"2\cdot 3", "6"),
        (r"2\times x", "2x"), ("8", "=8"), ("8", r"\approx 8"), (r"\lceil 3.2 \rceil", "4"),
        ("5!", "120"), ("C_5^2", "C_5^2"), (r"\lvert -3 \rvert", "3"), ("a_{1}", "a_1"),
        ("x^{10}", "x^10"), (r"\alpha+\beta", r"\beta+\alpha"),
        (r"2\operatorname{sin}x", r"2\sin x"), ("2^{-3}", "0.125"), ("x^2y", "yx^2"),
        ("(x-1)(x-2)", "(x-2)(x-1)"), (r"\frac{1}{x}+\frac1y", r"\frac{x+y}{xy}"),
    ],
    "decimal": [
        ("0.5", ".5"), (r"\pi", "3.1416"), (r"\frac{\pi}{4}", "0.785398"), ("5.0", "5"),
        ("2.50", "5/2"), (r"\ln 2", "0.693147"),
    ],
    "boxes": [
        ("4", r"first \boxed{3}, then \boxed{4}"),
        ("4", r"So $x=\boxed{4}$ because $2+2=4$ and not 5."),
        ("4", r"the answer is 5, no: \boxed{ 4 }"), ("4", r"\boxed{x = 4}"),
        ("x^2", r"\boxed{f(x)=x^{2}}"), ("4", r"\framebox{4}"), ("{1,2}", r"\boxed{{1,2}}"),
    ],
    "money": [
        (r"\$5.50", "5.5"), ("5.50", r"\$5.5"), ("$12", "$12"),
        (r"\$3.2 \text{ million}", r"3.2\text{ million}"), ("€20", "20"), ("50 cents", "50"),
        ("18", "So she earns $18 every day."), ("18", "**$18**"),
    ],
    "sci": [
        (r"3\times10^8", "300000000"), (r"3\times 10^{8}", "3E+8"),
        (r"1.5\cdot 10^{-3}", "1.5e-3"), ("10^{6}", "1 million"),
        (r"4.5\times 10^{9}", "4500000000"),
    ],
    "infinity": [
        (r"\infty", r"\infty"), (r"\infty", "∞"), (r"\infty", r"\text{infinity}"),
    ],
    "pm": [
        (r"\pm 3", "3, -3"), (r"\pm3", r"\{-3,3\}"), (r"2\pm\sqrt{3}", r"2+\sqrt{3}, 2-\sqrt{3}"),
        (r"\pm 1, \pm 2", "-2,-1,1,2"), ("±5", r"\pm 5"), (r"\pm\frac{1}{2}", r"-\frac12,\frac12"),
    ],
    "ineq": [
        ("x>3", "3<x"), ("x>3", "x>3.0"), ("2x>6", "x>3"), ("1<x<3", r"x>1 \text{ and } x<3"),
        (r"x\leq -1 \text{ or } x\geq 1", r"(-\infty,-1]\cup[1,\infty)"), ("0<a<1", r"a\in(0,1)"),
        (r"x\ne2", "x≠2"), ("a<b", "b>a"), (r"k<-2\text{ or }k>2", r"k>2\text{ or }k<-2"),
        (r"x<2, x\neq 1", r"(-\infty,1)\cup(1,2)"),
    ],
    "base": [
        ("101_2", "101_{2}"), ("413_5", r"413_{\text{five}}"), ("2A_{16}", "2A_{16}"),
        (r"\text{4210}_{5}", "4210_5"), ("ABC_{16}", "ABC_{16}"),
    ],
    "complex": [
        (r"1+\sqrt{3}i", r"2e^{i\pi/3}"), ("1+2i,1-2i", r"1\pm 2i"),
    ],
    "response": [
        ("72", "Natalia sold 48/2 = 24 clips in May. She sold 48+24 = 72 clips altogether."),
        ("10", "#### 10"), ("10", r"Therefore, the final answer is: $\boxed{10}$."),
        ("10", "The answer is **10**."), ("10", "The answer is: 10 dollars"), ("10", "x = 10"),
        ("B", "The correct answer is (B)."), ("B", "The correct option is B"),
        (r"\frac{3}{5}", r"The probability is $\frac{3}{5}$."), ("-5", "The value is -5"),
        ("1,200", "It costs 1,200 dollars in total."),
        (r"\sqrt{2}", r"so the length is $\sqrt{2}$ cm."), ("0.75", "The answer is 75%."),
    ],
}  # fmt: skip

DIFFERENT = {
    "frac": [
        (r"\frac{3}{4}", r"\frac{4}{3}"), (r"\frac{a+b}{c}", "a+b/c"), (r"\frac{7}{3}", "2.333"),
        (r"\frac{22}{7}", r"\pi"), (r"\frac{12}{99}", "0.12"), (r"\frac{1}{7}", "0.14287"),
    ],
    "radical": [
        (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5}"), (r"2\sqrt{13}", "7.21"),
        (r"\sqrt[3]{2}", r"\sqrt{2}"), (r"\sqrt{7-4\sqrt{3}}", r"\sqrt{3}-2"),
    ],
    "percent": [
        ("0.25", "25"), (r"25\%", "2.5"), (r"150\%", "1.6"), (r"25\%", r"26\%"), (r"10\%", "-10%"),
    ],
    "unit": [
        (r"12\text{ cm}", r"12\text{ mm}"), ("30 minutes", "30 hours"), ("x", "x m"), ("3m", "3"),
        ("10 kg", "10 g"), ("3 days", "72"), (r"40\text{ students}", "41 students"),
    ],
    "degree": [
        (r"45^\circ", r"\frac{\pi}{3}"), (r"45^\circ", r"46^\circ"),
        (r"45^\circ", r"45^{\circ} \text{ or } 135^{\circ}"),
    ],
    "interval": [
        ("(1,3]", "[1,3)"), ("(1,3]", "1 < x < 3"), (r"(-\infty, 5]", "x < 5"),
        (r"[0,\infty)", r"[0,\infty]"), ("[1,2]", r"\{1,2\}"), (r"(2,3)\cup(3,4)", "(2,4)"),
        (r"(3,\infty)", "x>4"), (r"\{x \mid x < 2\}", "x>2"),
    ],
    "set": [
        (r"\{1,2,3\}", r"\{1,2\}"), (r"\{(1,2),(3,4)\}", r"\{(2,1),(4,3)\}"),
        (r"\{1\}", r"\{1,2\}"), (r"\{1,3\}", "(1,3)"), (r"\{1,3\}", "[1,3]"),
    ],
    "tuple": [
        ("(1,-2)", "(-2,1)"), ("(1,2,3)", "(1,2)"), ("(0,0)", "(0,0,0)"),
        (r"\langle 1,2\rangle", r"\langle 2,1\rangle"), ("(3, 4)", "3 + 4i"),
        ("(a,b) = (3,4)", "a=4,b=3"), ("(1,2)", "12"), ("(1,2)", "(1,2"),
    ],
    "matrix": [
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&3\\2&4\end{pmatrix}"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", "(1,2)"),
        (r"\begin{pmatrix}1&2\end{pmatrix}", r"\begin{pmatrix}1&2&0\end{pmatrix}"),
        (r"\begin{pmatrix}-1\\0\end{pmatrix}", r"\begin{pmatrix}0\\-1\end{pmatrix}"),
    ],
    "equation": [
        ("y=2x+1", "y=2x-1"), ("x^2+y^2=1", "x^2+y^2=2"), ("x=5", "y=5"), ("5", "x=6"),
        ("3x+4y=12", "6x+8y=12"), ("x=1,y=2", "x=2,y=1"), ("x+y>2", "y<2-x"),
        ("x+y>2", r"x+y\ge 2"),
    ],
    "text": [
        (r"\text{Monday}", "Tuesday"), ("no", "yes"), (r"\text{even}", "odd"), ("B", "C"),
        (r"\text{parabola}", r"\text{hyperbola}"), (r"\text{June 20}", "June 21"),
        ("undefined", "0"), ("ABCD", "BACD"), ("Euler", "Gauss"),
    ],
    "mixed": [
        (r"3\frac{1}{2}", r"\frac{3}{2}"), ("2 1/4", "21/4"), (r"1\frac{1}{2}", "11/2"),
    ],
    "thousands": [
        ("12345", "12,346"), ("12345", "12.345"), ("(1,234)", "1234"), ("1,23", "123"),
        ("3,000", "3"), ("12_345", "12345"), ("100,000", "10,000"), ("123,456", "(123,456)"),
    ],
    "latex": [
        ("x_1", "x_2"), (r"\overline{AB}", r"\overline{BA}"), ("(x-1)(x-2)", "x^2-3x-2"),
        (r"\cos 2x", r"1-\sin^2x"), (r"\ln(ab)", r"\ln a\ln b"),
    ],
    "decimal": [
        ("3.14", "3.14159"), (r"\pi", "3.1417"), ("0.1", "0.10000001"), ("5", "5.001"),
        ("-0.25", "0.25"), (r"\ln 2", "0.69"), ("1.41", r"\sqrt{2}"), ("99.99", "100"),
        ("1000000", "1000000.4"), ("0.0001", "0"),
    ],
    "boxes": [
        ("3", r"first \boxed{3}, then \boxed{4}"), ("4", r"\boxed{}"),
    ],
    "money": [
        (r"\$5", "-5"),
    ],
    "sci": [
        (r"6.02\times10^{23}", r"6.03\times10^{23}"), (r"2 \times 10^{3}", "20^3"),
        (r"4.5\times 10^{9}", "4500000001"), ("10^{100}", "10^{101}"),
        ("2^{64}", "18446744073709551615"), ("2^{64}", r"1.8\times10^{19}"),
    ],
    "infinity": [
        (r"-\infty", r"\infty"), (r"\infty", "10^{100}"), (r"\infty", r"\text{diverges}"),
    ],
    "pm": [
        (r"\pm 3", "3"), (r"2\pm\sqrt{3}", r"2+\sqrt{3}"),
    ],
    "ineq": [
        ("x>3", r"x\geq 3"), ("x>3", "y>3"), ("-x<3", "x<-3"), ("x>y", "y>x"),
    ],
    "base": [
        ("101_2", "5"), ("1011_2", "1101_2"), ("413_5", "413_6"), ("413_5", "413"),
    ],
    "complex": [
        ("3+4i", "3-4i"), ("3+4i", "3+4j"), ("2i", "2"), ("-i", "i"),
    ],
    "response": [
        ("72", "She sold 72 clips in April and 24 in May."), ("10", "I think it is 10 or 11"),
        ("-5", "The value is 5"),
    ],
}  # fmt: skip


def _cases(table: dict[str, list[tuple[str, str]]]) -> list[object]:
    return [
        pytest.param(*pair, id=f"{kind}-{number}")
        for kind, pairs in table.items()
        for number, pair in enumerate(pairs)
    ]


@pytest.mark.parametrize(("gold", "prediction"), _cases(SAME))
def test_same(gold: str, prediction: str) -> None:
    verdict = grade_answer(gold, prediction)
    assert verdict.status == "correct", verdict


@pytest.mark.parametrize(("gold", "prediction"), _cases(DIFFERENT))
def test_different(gold: str, prediction: str) -> None:
    verdict = grade_answer(gold, prediction)
    assert verdict.status in {"incorrect", "unparsed", "limit"}, verdict
