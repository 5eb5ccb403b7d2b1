"""A small grammar of answers: text in LaTeX or plain notation becomes a tree, never a value.

What the grammar does not know (integrals, limits, sums, logic) raises `ParseError`, and the
comparison goes to `symbolic`, which asks math-verify's own parser. Nothing here is evaluated:
the tree of ``9^{9^{9}}`` has five nodes.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from debias_eval.grading.limits import MAX_DEPTH, LimitExceededError, check_answer_size
from debias_eval.grading.tokens import FUNCTIONS, MIN_WORD, tokenize
from debias_eval.grading.tree import Node, Num, Op, ParseError, Sym

_GREEK = frozenset({
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
    "Gamma", "Delta", "Theta", "Lambda", "Xi", "Sigma", "Phi", "Psi", "Omega", "ell", "hbar",
})  # fmt: skip
_DECORATIONS = frozenset({"overline", "vec", "hat", "bar", "overrightarrow", "widehat", "tilde"})
_STOP = frozenset({")", "]", "}", ",", ";", "+", "-", "=", "<", ">", "&", ":"})
_NO_FACTOR = frozenset({
    "\\rfloor", "\\rceil", "\\cdot", "\\times", "\\div", "\\le", "\\ge", "\\ne", "\\pm", "\\mp",
})  # fmt: skip


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """The tree of a normal form (see `normalize`).

    Raises:
        ParseError: The text is not in the grammar.
        LimitExceededError: The text is too long or too deep.
    """
    check_answer_size(text)
    tokens = tokenize(text)
    if not tokens:
        raise ParseError("empty")
    parser = Parser(tokens)
    node = parser.sum()
    if parser.peek() is not None:
        raise ParseError(f"unexpected {parser.peek()!r}")
    return node


def _number(text: str) -> Num:
    places = len(text.partition(".")[2]) if "." in text else None
    return Num(
        Fraction("0" + text.rstrip(".") if text.startswith(".") else text.rstrip(".")),
        places or None,
    )


class Parser:
    """Recursive descent over tokens; depth is bounded by `check_answer_size`."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._bars = 0  # inside |...| the next bar closes instead of multiplying

    def peek(self) -> str | None:
        """The next token, None at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> str:
        piece = self.peek()
        if piece is None:
            raise ParseError("ends too early")
        self._at += 1
        return piece

    def _expect(self, piece: str) -> None:
        found = self._next()
        if found != piece:
            raise ParseError(f"expected {piece!r}, found {found!r}")

    def sum(self) -> Node:
        """The sum that starts here; what follows it stays unread."""
        terms = [self._signed_term()]
        while self.peek() in {"+", "-"}:
            terms.append(self._signed_term())
        return terms[0] if len(terms) == 1 else Op("add", tuple(terms))

    def _signed_term(self) -> Node:
        negative = False
        while self.peek() in {"+", "-"}:
            negative ^= self._next() == "-"
        node = self._product()
        return Op("neg", (node,)) if negative else node

    def _product(self) -> Node:
        factors = [self._power()]  # kept flat: a thousand factors are no thousand levels
        divisions = 0
        while True:
            piece = self.peek()
            if piece in {"*", "\\cdot", "\\times"}:
                self._next()
                factors.append(self._operand())
            elif piece in {"/", "\\div"}:
                self._next()
                divisions += 1
                self._check_depth(divisions)
                factors = [Op("div", (_product_of(factors), self._operand()))]
            elif self._starts_factor(piece):
                self._append_factor(factors, piece)
            else:
                return _product_of(factors)

    def _append_factor(self, factors: list[Node], piece: str | None) -> None:
        r"""A factor without a sign in front; 1\frac{4}{5} is a sum."""
        last = factors[-1]
        if (
            isinstance(last, Num)
            and piece is not None
            and (piece[0].isdecimal() or piece[0] == ".")
        ):
            raise ParseError("two numbers side by side")
        right = self._power()
        if len(factors) == 1 and _is_mixed(last, right):
            factors[0] = Op("add", (last, right))
        else:
            factors.append(right)

    def _check_depth(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise LimitExceededError(f"nested more than {MAX_DEPTH} deep")

    def _operand(self) -> Node:
        negative = False
        while self.peek() in {"+", "-"}:
            negative ^= self._next() == "-"
        node = self._power()
        return Op("neg", (node,)) if negative else node

    def _starts_factor(self, piece: str | None) -> bool:
        if piece is None or piece in _STOP or piece in _NO_FACTOR:
            return False
        if piece == "|":
            return self._bars == 0
        return piece[0].isalnum() or piece in {"(", "[", "{", "."} or piece[0] == "\\"

    def _power(self) -> Node:
        node = self._base()
        factorials = 0
        while True:
            piece = self.peek()
            if piece == "^":
                self._next()
                node = self._raised(node)
            elif piece == "!":
                self._next()
                factorials += 1
                self._check_depth(factorials)
                node = Op("fact", (node,))
            else:
                return node

    def _raised(self, node: Node) -> Node:
        if self.peek() == "\\circ":  # degrees inside an expression: cos 60°
            self._next()
            return Op("mul", (node, Op("div", (Sym("pi"), Num(Fraction(180))))))
        self._depth += 1  # towers nest without brackets
        self._check_depth(self._depth)
        raised = Op("pow", (node, self._script()))
        self._depth -= 1
        return raised

    def _script(self) -> Node:
        """The argument of ^ or _: a group, or one piece."""
        piece = self.peek()
        if piece == "{":
            return self._group("{", "}")
        negative = False
        while self.peek() == "-":
            negative = not negative
            self._next()
        node = self._one()
        if self.peek() == "^":  # 2^3^2 in plain notation is 2^(3^2)
            self._next()
            node = self._raised(node)
        return Op("neg", (node,)) if negative else node

    def _one(self) -> Node:
        piece = self.peek()
        if piece is not None and piece[0].isdecimal() and len(piece) > 1 and "." not in piece:
            # x^10 in plain notation means the whole number; LaTeX writers put braces
            return _number(self._next())
        return self._base()

    def _group(self, left: str, right: str) -> Node:
        self._expect(left)
        bars, self._bars = self._bars, 0
        node = self.sum()
        self._bars = bars
        self._expect(right)
        return node

    def _base(self) -> Node:
        self._depth += 1
        self._check_depth(self._depth)
        node = self._unguarded_base()
        self._depth -= 1
        return node

    def _unguarded_base(self) -> Node:
        piece = self._next()
        if piece[0].isdecimal() or (piece[0] == "." and len(piece) > 1):
            return self._numeral(piece)
        if piece[0].isalpha():
            return self._subscripted(piece)
        if piece in {"(", "{", "["}:
            self._at -= 1
            return self._group(piece, {"(": ")", "{": "}", "[": "]"}[piece])
        if piece == "|":
            self._bars += 1
            node = self.sum()
            self._bars -= 1
            self._expect("|")
            return Op("abs", (node,))
        if piece[0] == "\\":
            return self._command(piece[1:])
        raise ParseError(f"unexpected {piece!r}")

    def _numeral(self, piece: str) -> Node:
        number = _number(piece)
        if self.peek() == "_":
            self._next()
            return Op("base", (number, self._script()))
        if self.peek() == "\\overline" and "." in piece:
            return self._repeating(piece)
        return number

    def _repeating(self, piece: str) -> Node:
        r"""0.1\overline{6}: exactly 1/6."""
        self._next()
        self._expect("{")
        digits = self._next()
        self._expect("}")
        if not digits.isdecimal():
            raise ParseError("a repeating part of other things than digits")
        places = len(piece.partition(".")[2])
        tail = Fraction(int(digits), (10 ** len(digits) - 1) * 10**places)
        return Num(_number(piece).value + tail)

    def _subscripted(self, name: str) -> Node:
        if self.peek() == "_":
            self._next()
            index = self._raw_group() if self.peek() == "{" else self._next()
            name = f"{name}_{index}"
        if (
            name.rstrip("'")[0] in "fghFGH"
            and len(name) <= MIN_WORD
            and self.peek() == "("
            and not name.endswith("_")
        ):
            return self._applied(name)
        return Sym(name)

    def _applied(self, name: str) -> Node:
        """f(x): a function's value, not a product."""
        self._expect("(")
        args = [self.sum()]
        while self.peek() == ",":
            self._next()
            args.append(self.sum())
        self._expect(")")
        return Op("call", tuple(args), name)

    def _raw_group(self) -> str:
        self._expect("{")
        depth = 1
        parts: list[str] = []
        while True:
            piece = self._next()
            depth += (piece == "{") - (piece == "}")
            if depth == 0:
                return "".join(parts)
            parts.append(piece)

    def _command(self, name: str) -> Node:  # noqa: PLR0911 - one return a kind of command
        if name == "frac":
            return Op("div", (self._argument(), self._argument()))
        if name == "sqrt":
            return self._root()
        if name == "binom":
            return Op("binom", (self._argument(), self._argument()))
        if name in {"log", "ln", "lg"}:
            return self._logarithm(name)
        if name in FUNCTIONS:
            return self._function(name)
        if name in {"pi", "infty"}:
            return Sym(name)
        if name in _GREEK:
            return self._subscripted(name)
        if name in {"lfloor", "lceil"}:
            return self._rounded(name)
        if name in _DECORATIONS:
            return Sym(f"{name}_{self._raw_group()}")
        raise ParseError(f"unknown command \\{name}")

    def _argument(self) -> Node:
        if self.peek() == "{":
            return self._group("{", "}")
        piece = self.peek()
        if piece is not None and piece[0].isdecimal() and len(piece) > 1:
            raise ParseError("an argument of several digits without braces")
        return self._base()

    def _root(self) -> Node:
        index: Node = Num(Fraction(2))
        if self.peek() == "[":
            index = self._group("[", "]")
        if self.peek() == "(":
            radicand = self._group("(", ")")
        elif self.peek() == "{":
            radicand = self._group("{", "}")
        else:
            radicand = self._base()
        return self._rooted(radicand, index)

    def _rooted(self, radicand: Node, index: Node) -> Node:
        """The root; an odd root of a negative number is the negative one, as schools teach it."""
        odd = isinstance(index, Num) and index.value % 2 == 1
        if odd and isinstance(radicand, Op) and radicand.kind == "neg":
            return Op("neg", (self._rooted(radicand.args[0], index),))
        return Op("pow", (radicand, Op("div", (Num(Fraction(1)), index))))

    def _logarithm(self, name: str) -> Node:
        base: Node = Num(Fraction(10)) if name == "lg" else Sym("e")
        if self.peek() == "_":
            self._next()
            base = self._script()
        exponent = self._function_power()
        node: Node = Op("log", (self._function_argument(), base))
        return node if exponent is None else Op("pow", (node, exponent))

    def _function(self, name: str) -> Node:
        exponent = self._function_power()
        if self.peek() == "(" and name in {"gcd", "lcm", "max", "min"}:
            return self._applied(name)
        argument = self._function_argument()
        if exponent == Op("neg", (Num(Fraction(1)),)) and name in {"sin", "cos", "tan"}:
            return Op("call", (argument,), f"arc{name}")
        node: Node = Op("call", (argument,), name)
        return node if exponent is None else Op("pow", (node, exponent))

    def _function_power(self) -> Node | None:
        if self.peek() != "^":
            return None
        self._next()
        return self._script()

    def _function_argument(self) -> Node:
        """sin(x)y is sin(x)·y; sin 2x cos y is sin(2x)·cos(y)."""
        if self.peek() == "(":
            return self._group("(", ")")
        node = self._power()
        while True:
            piece = self.peek()
            if piece is None or not self._starts_factor(piece) or piece == "(":
                return node
            if piece[0] == "\\" and (piece[1:] in FUNCTIONS or piece in {"\\log", "\\ln", "\\lg"}):
                return node
            node = Op("mul", (node, self._power()))

    def _rounded(self, name: str) -> Node:
        node = self.sum()
        self._expect("\\rfloor" if name == "lfloor" else "\\rceil")
        return Op("floor" if name == "lfloor" else "ceil", (node,))


def _product_of(factors: list[Node]) -> Node:
    return factors[0] if len(factors) == 1 else Op("mul", tuple(factors))


def _is_mixed(left: Node, right: Node) -> bool:
    r"""Whether 1\frac{4}{5} was written: a whole number, then a proper fraction."""
    if not (
        isinstance(left, Num)
        and left.places is None
        and isinstance(right, Op)
        and right.kind == "div"
    ):
        return False
    top, bottom = right.args
    return (
        isinstance(top, Num)
        and isinstance(bottom, Num)
        and top.places is None
        and bottom.places is None
        and 0 < top.value < bottom.value
    )
