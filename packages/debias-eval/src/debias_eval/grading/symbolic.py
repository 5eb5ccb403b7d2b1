"""Equality by sympy and math-verify. Imported by the worker processes only.

Nothing here turns text into code: trees are converted node by node, and what the grammar of
`expression` lacks is read by math-verify's LaTeX parser (a grammar too; its `parse_expr` path for
plain text is never taken). math-verify's own verdict is used for sets and relations; for values
its 15-digit absolute test is replaced, since it makes 1/2004! and 1/2006! the same.
"""

from __future__ import annotations

import contextlib
import math
import re
from typing import TypeAlias

import sympy
from latex2sympy2_extended.latex2sympy2 import latex2sympy
from math_verify import verify
from math_verify.grader import should_treat_as_complex

from debias_eval.grading import sympy_latex
from debias_eval.grading.compare import same_answer
from debias_eval.grading.decide import FastDecider
from debias_eval.grading.exact import NotExactError, exact
from debias_eval.grading.qwen import math_equal
from debias_eval.grading.tree import Node, Num, Sym

_Read: TypeAlias = sympy.Basic | sympy.MatrixBase | None
_BEYOND = re.compile(r"\\(?:begin|sum|prod|int|lim)(?![A-Za-z])")
_DIGITS = 60
_MANY_DIGITS = 400
_TAME_BITS = 256
_TAME_EXPONENT = 64

_FUNCTIONS = {
    "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan, "cot": sympy.cot, "sec": sympy.sec,
    "csc": sympy.csc, "arcsin": sympy.asin, "arccos": sympy.acos, "arctan": sympy.atan,
    "sinh": sympy.sinh, "cosh": sympy.cosh, "tanh": sympy.tanh, "exp": sympy.exp, "gcd": sympy.gcd,
    "lcm": sympy.lcm, "max": sympy.Max, "min": sympy.Min,
    "conjugate": sympy.conjugate,
}  # fmt: skip
_OPERATORS = {
    "add": sympy.Add, "mul": sympy.Mul, "pow": sympy.Pow, "abs": sympy.Abs, "floor": sympy.floor,
    "ceil": sympy.ceiling,
    "neg": lambda a: -a, "div": lambda a, b: a / b,
    "base": sympy.Function("numeral"), "fact": sympy.factorial, "binom": sympy.binomial,
    "log": sympy.log,
}  # fmt: skip
_CONSTANTS = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "infty": sympy.oo}


def compare_texts(rule: str, gold: str, pred: str) -> bool | None:
    """Whether two normal forms are the same answer by a profile's rule; None where unknown."""
    if rule == "qwen":
        return math_equal(pred, gold, lenient_equal)
    if rule.startswith("minerva"):
        return difference_vanishes(pred, gold)
    decided = same_answer(gold, pred, SymbolicDecider())
    return same_by_math_verify(gold, pred) if decided is None else decided


class SymbolicDecider(FastDecider):
    """`FastDecider` with sympy where floats and modular arithmetic do not suffice."""

    def unread(self, gold: str, pred: str) -> bool | None:
        """Texts that `expression.parse` cannot read: math-verify's grammar."""
        return same_by_math_verify(gold, pred)

    def undecided(self, g: Node, p: Node) -> bool | None:
        """Trees that floats cannot tell apart."""
        return same_expression(to_sympy(g), to_sympy(p), tame=is_tame(g) and is_tame(p))


def to_sympy(node: Node) -> sympy.Expr:
    """A tree as a sympy expression of real symbols."""
    if isinstance(node, Num):
        return sympy.Rational(node.value.numerator, node.value.denominator)
    if isinstance(node, Sym):
        return _CONSTANTS.get(node.name) or sympy.Symbol(node.name, real=True)
    args = [to_sympy(arg) for arg in node.args]
    if node.kind == "call":
        function = _FUNCTIONS.get(node.name) or sympy.Function(node.name)
        return function(*args)
    return _OPERATORS[node.kind](*args)


def is_tame(node: Node) -> bool:
    """Whether all numbers are small enough that agreement to hundreds of digits means equality."""
    if isinstance(node, Num):
        return (
            max(node.value.numerator.bit_length(), node.value.denominator.bit_length())
            <= _TAME_BITS
        )
    if isinstance(node, Sym):
        return True
    if node.kind in {"fact", "binom"}:
        return False
    if (
        node.kind == "pow"
        and isinstance(node.args[1], Num)
        and abs(node.args[1].value) > _TAME_EXPONENT
    ):
        return False
    return all(is_tame(arg) for arg in node.args)


def same_expression(left: sympy.Expr, right: sympy.Expr, *, tame: bool) -> bool | None:
    """Whether two sympy expressions are equal; a claim of equality needs a proof or 400 digits."""
    if left.has(sympy.nan, sympy.zoo) or right.has(sympy.nan, sympy.zoo):
        return False  # an undefined value equals nothing
    if left == right:
        return True
    difference = left - right
    if difference.has(sympy.oo, -sympy.oo, sympy.nan):
        return False
    if not difference.free_symbols and not difference.atoms(sympy.core.function.AppliedUndef):
        return _same_constant(left, difference, tame=tame)
    if sympy.simplify(difference) == 0:
        return True
    factored = difference.replace(_is_root, lambda root: sympy.factor(root.base) ** root.exp)
    return bool(factored != difference and sympy.simplify(factored) == 0)


def _is_root(expression: sympy.Basic) -> bool:
    """Whether factoring below the root may show a square: sqrt(x^2+2x+1) is |x+1|."""
    root = isinstance(expression, sympy.Pow) and expression.exp == sympy.Rational(1, 2)
    return root and isinstance(expression.base, sympy.Add)


def _same_constant(left: sympy.Expr, difference: sympy.Expr, *, tame: bool) -> bool | None:
    scale = max(abs(sympy.N(left, 15)), sympy.Float(10) ** -_DIGITS)
    value = _size(sympy.N(difference, _DIGITS, maxn=4 * _MANY_DIGITS))
    if value is None:
        return bool(sympy.simplify(difference) == 0)
    if value > scale * sympy.Float(10) ** (20 - _DIGITS):
        return False
    if tame:
        many = _size(difference.evalf(_MANY_DIGITS, maxn=2 * _MANY_DIGITS, strict=False))
        return many is not None and bool(many <= scale * sympy.Float(10) ** (50 - _MANY_DIGITS))
    return bool(sympy.simplify(difference) == 0)


def _size(value: sympy.Expr) -> sympy.Expr | None:
    """The larger of |real part| and |imaginary part|; None where they are no numbers.

    The modulus itself is not comparable where both parts have lost all their digits, as those of
    a difference that is zero have.
    """
    parts = [abs(part) for part in value.as_real_imag()]
    if not all(isinstance(part, sympy.Float | sympy.Rational) for part in parts):
        return None
    return max(parts)


def lenient_equal(pred: str, gold: str) -> bool:
    """Qwen2.5-Math's ``symbolic_equal``: equal trees, difference 0, or floats within 1e-4.

    Of two relations only the sizes of the differences of their sides are compared, as there.
    """
    if _BEYOND.search(pred) or _BEYOND.search(gold):
        return _same_read(_explicit(_read(pred)), _explicit(_read(gold)))
    p, g = sympy_latex.read(pred), sympy_latex.read(gold)
    if p is None or g is None or p.kind != g.kind:
        return pred == gold
    if p == g:
        return True
    left, right = [_bounded(node) for node in p.parts], [_bounded(node) for node in g.parts]
    if p.kind == "set":
        return set(left) == set(right)
    if p.kind == "relation":
        differences = abs(left[0] - left[1]), abs(right[0] - right[1])
        return bool(sympy.simplify(differences[0] - differences[1]) == 0)
    return _about_equal(left[0], right[0])


def _same_read(p: _Read, g: _Read) -> bool:
    if isinstance(p, sympy.Expr) and isinstance(g, sympy.Expr):
        return _about_equal(p.doit(), g.doit())
    return _same_matrix(p, g)


def _about_equal(p: sympy.Expr, g: sympy.Expr) -> bool:
    if p.has(sympy.zoo, sympy.nan) or g.has(sympy.zoo, sympy.nan):
        return False
    if p == g or sympy.simplify(p - g) == 0:
        return True
    if p.free_symbols or g.free_symbols:
        return False
    a, b = complex(sympy.N(p)), complex(sympy.N(g))
    return not a.imag and not b.imag and math.isclose(b.real, a.real, rel_tol=1e-4)


def _bounded(node: Node) -> sympy.Expr:
    """A tree as sympy, refused where it holds a tower of powers."""
    with contextlib.suppress(NotExactError):
        exact(node)
    return to_sympy(node)


def difference_vanishes(pred: str, gold: str) -> bool:
    """Minerva's ``is_equiv``: the difference of two readable expressions simplifies to 0."""
    if "\\begin" in pred or "\\begin" in gold:
        return False
    if _BEYOND.search(pred) or _BEYOND.search(gold):
        left, right = _read(pred), _read(gold)
        if not isinstance(left, sympy.Expr) or not isinstance(right, sympy.Expr):
            return False
        return bool(sympy.simplify(left - right) == 0)
    p, g = sympy_latex.read(pred), sympy_latex.read(gold)
    if p is None or g is None or {p.kind, g.kind} != {"value"}:
        return False
    return bool(sympy.simplify(_bounded(p.parts[0]) - _bounded(g.parts[0])) == 0)


def same_by_math_verify(gold: str, pred: str) -> bool | None:
    """Whether math-verify's grammar and rules make two LaTeX texts the same; None if unreadable."""
    g, p = _explicit(_read(gold)), _explicit(_read(pred))
    if g is None or p is None:
        return None
    if isinstance(g, sympy.MatrixBase) or isinstance(p, sympy.MatrixBase):
        return _same_matrix(g, p)
    if isinstance(g, sympy.Expr) and isinstance(p, sympy.Expr):
        return same_expression(_rational(g.doit()), _rational(p.doit()), tame=False)
    return bool(verify(g, p, timeout_seconds=None))


def _explicit(read: _Read) -> _Read:
    """A product or sum of matrices worked out; anything else as it is."""
    return read.doit() if isinstance(read, sympy.MatrixExpr) else read


def _same_matrix(g: object, p: object) -> bool:
    if (
        not (isinstance(g, sympy.MatrixBase) and isinstance(p, sympy.MatrixBase))
        or g.shape != p.shape
    ):
        return False
    pairs = zip(g.flat(), p.flat(), strict=True)
    return all(same_expression(_rational(a), _rational(b), tame=False) for a, b in pairs)


def _rational(expression: sympy.Expr) -> sympy.Expr:
    """Written decimals as exact rationals."""
    floats = expression.atoms(sympy.Float)
    return expression.xreplace({f: sympy.Rational(str(f)) for f in floats})


def _read(text: str) -> _Read:
    """The sympy object of a LaTeX text; None where math-verify's grammar does not know it."""
    latex = text.replace("\\lt", "<").replace("\\gt", ">")
    try:
        found = latex2sympy(
            latex,
            is_real=not should_treat_as_complex(latex),
            convert_degrees=False,
            normalization_config=None,
        )
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001 - the generated parser raises bare Exception; unreadable is data
        return None
    return found if isinstance(found, sympy.Basic | sympy.MatrixBase) else None
