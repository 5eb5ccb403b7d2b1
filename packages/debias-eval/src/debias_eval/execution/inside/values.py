"""Plain values as JSON: the only thing that crosses between solution, test and judge.

`None`, `bool`, `str`, finite `float`, 64-bit `int` and `list` are themselves; everything else is
an object with exactly one key, its tag. A value whose type is not in the table is *opaque*: the
sender keeps it and sends a handle. Decoding builds built-in and standard-library objects from
validated parts, so no method of the sender's choosing ever runs on the receiving side.
"""

from __future__ import annotations

import base64
import binascii
import builtins
import math
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

type_of = type  # solutions may rebind builtins; what this module needs it binds first

MAX_DEPTH = 150
MAX_NODES = 2_000_000
MAX_BYTES = 16 << 20
RESULT_BYTES = 16 << 20
_INT64 = 1 << 63
_FEW = 8
_OWN_TREES = {bool, int, float, str, type(None)}
_NUMPY = ("numpy",)
# Tests may call what a solution returns; these would act on the process of the tests.
_UNSAFE_BUILTINS = frozenset(
    {"eval", "exec", "compile", "open", "input", "breakpoint", "exit", "quit", "setattr", "delattr"}
)


class ValueTooLargeError(Exception):
    """A value exceeds the depth, node or size cap of the wire."""


class MalformedError(Exception):
    """A frame is not an encoding of any value."""


class Encoder:
    """Turns values into JSON-ready trees.

    Args:
        opaque: called with a value that has no plain form; returns the tagged node that stands
            for it, or raises.
    """

    def __init__(self, opaque: Callable[[Any], dict[str, Any]]) -> None:
        self._opaque = opaque
        self._nodes = 0
        self._bytes = 0

    def encode(self, value: Any, depth: int = 0) -> Any:
        """Return the tree of `value`; raises `ValueTooLargeError` beyond the caps."""
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            raise ValueTooLargeError(f"deeper than {MAX_DEPTH} levels or over {MAX_NODES} parts")
        cls = type_of(value)
        if value is None or cls is bool:
            return value
        handler = _ENCODERS.get(cls)
        if handler is not None:
            return handler(self, value, depth)
        return self._encode_other(value, cls, depth)

    def charge(self, num_bytes: int) -> None:
        """Count payload bytes, so that a huge value is refused before it is copied."""
        self._bytes += num_bytes
        if self._bytes > MAX_BYTES:
            raise ValueTooLargeError(f"larger than {MAX_BYTES >> 20} MiB")

    def items(self, values: Any, depth: int) -> list[Any]:
        """Return the trees of an iterable of values one level down."""
        plain = self._all_plain(values, depth)
        return [self.encode(value, depth + 1) for value in values] if plain is None else plain

    def _all_plain(self, values: Any, depth: int) -> list[Any] | None:
        """Return the values themselves where each is its own tree, found without a loop here.

        Long flat lists are common, and one call an element would take most of the time.
        """
        types = set(map(type_of, values))
        if not types <= _OWN_TREES or depth >= MAX_DEPTH or len(values) < _FEW:
            return None
        self._nodes += len(values)
        if self._nodes > MAX_NODES:
            raise ValueTooLargeError(f"over {MAX_NODES} parts")
        parts = list(values)
        if int in types:
            whole = parts if types == {int} else [v for v in parts if type_of(v) is int]
            if min(whole) < -_INT64 or max(whole) >= _INT64:
                return None
        if float in types and not all(math.isfinite(v) for v in parts if type_of(v) is float):
            return None
        if str in types:
            self.charge(sum(len(v) for v in parts if type_of(v) is str))
        return parts

    def pairs(self, mapping: Any, depth: int) -> list[Any]:
        """Return `[key, value]` trees of a mapping, in its order."""
        encode = self.encode
        return [[encode(k, depth + 1), encode(v, depth + 1)] for k, v in dict.items(mapping)]

    def _encode_other(self, value: Any, cls: type, depth: int) -> Any:
        module = getattr(cls, "__module__", "")
        if isinstance(module, str):
            named = _NAMED.get((module, cls.__name__))
            if named is not None:
                return named(self, value, depth)
            if module.partition(".")[0] in _NUMPY and hasattr(value, "tolist"):
                return self.encode(value.tolist(), depth + 1)
        name = str(getattr(value, "__name__", "")) if callable(value) else ""
        if name and getattr(builtins, name, None) is value:
            return {"b": name}
        if isinstance(value, BaseException):
            return {"x": [cls.__name__, self._exception_args(value, depth)]}
        # Instances of subclasses lose the subclass: only the data that the base type holds crosses.
        for base, strip in _BASES:
            if isinstance(value, base) and cls is not base:
                return self.encode(strip(value), depth)
        return self._opaque(value)

    def _exception_args(self, value: BaseException, depth: int) -> list[Any]:
        args: tuple[Any, ...] = value.args
        return [self.encode(arg, depth + 1) for arg in args[:8]]


def _int(enc: Encoder, value: int, _depth: int) -> Any:
    if -_INT64 <= value < _INT64:
        return value
    enc.charge(value.bit_length() // 4)
    return {"i": hex(value)}


def _float(_enc: Encoder, value: float, _depth: int) -> Any:
    return value if math.isfinite(value) else {"f": repr(value)}


def _str(enc: Encoder, value: str, _depth: int) -> Any:
    enc.charge(len(value))
    return value


def _bytes(tag: str) -> Callable[[Encoder, Any, int], Any]:
    def encode(enc: Encoder, value: bytes, _depth: int) -> Any:
        enc.charge(len(value) * 4 // 3)
        return {tag: base64.b64encode(value).decode("ascii")}

    return encode


def _sequence(tag: str) -> Callable[[Encoder, Any, int], Any]:
    return lambda enc, value, depth: {tag: enc.items(value, depth)}


def _mapping(tag: str) -> Callable[[Encoder, Any, int], Any]:
    return lambda enc, value, depth: {tag: enc.pairs(value, depth)}


_ENCODERS: dict[type, Callable[[Encoder, Any, int], Any]] = {
    int: _int,
    float: _float,
    str: _str,
    list: lambda enc, value, depth: enc.items(value, depth),
    tuple: _sequence("t"),
    dict: _mapping("d"),
    set: _sequence("s"),
    frozenset: _sequence("z"),
    complex: lambda enc, v, depth: {"c": [enc.encode(v.real, depth), enc.encode(v.imag, depth)]},
    bytes: _bytes("y"),
    bytearray: _bytes("Y"),
    range: lambda _enc, v, _depth: {"r": [hex(v.start), hex(v.stop), hex(v.step)]},
    type(...): lambda _enc, _v, _depth: {"E": 1},
    Counter: _mapping("C"),
    OrderedDict: _mapping("O"),
    defaultdict: _mapping("d"),
    deque: lambda enc, v, depth: {"q": [enc.items(v, depth), v.maxlen]},
    type({}.keys()): _sequence("k"),
    type({}.values()): _sequence("v"),
    type({}.items()): _sequence("m"),
}

_BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__pos__),
    (float, float.__pos__),
    (complex, complex.__pos__),
    (str, lambda v: str.__getitem__(v, slice(None)) if len(v) else ""),
    (bytes, lambda v: bytes.__getitem__(v, slice(None))),
    (list, lambda v: list(list.__iter__(v))),
    (tuple, lambda v: tuple(tuple.__iter__(v))),
    (dict, lambda v: dict(dict.items(v))),
    (set, lambda v: set(set.__iter__(v))),
    (frozenset, lambda v: frozenset(frozenset.__iter__(v))),
)

_NAMED: dict[tuple[str, str], Callable[[Encoder, Any, int], Any]] = {
    ("fractions", "Fraction"): lambda _e, v, _d: {"Q": [hex(v.numerator), hex(v.denominator)]},
    ("decimal", "Decimal"): lambda _e, v, _d: {"D": str(v)},
    ("datetime", "date"): lambda _e, v, _d: {"T": ["date", v.isoformat()]},
    ("datetime", "time"): lambda _e, v, _d: {"T": ["time", v.isoformat()]},
    ("datetime", "datetime"): lambda _e, v, _d: {"T": ["datetime", v.isoformat()]},
    ("datetime", "timedelta"): lambda _e, v, _d: {"L": [v.days, v.seconds, v.microseconds]},
}


_TAGGED = frozenset({list, dict})


class Decoder:
    """Builds values from trees.

    Args:
        special: maps a tag to the function that makes an object of its argument; for handles and
            callbacks, whose meaning differs between the two sides.
    """

    def __init__(self, special: dict[str, Callable[[Any], Any]] | None = None) -> None:
        self._special = special or {}
        self._nodes = 0

    def decode(self, node: Any, depth: int = 0) -> Any:
        """Return the value of `node`; raises `MalformedError` for anything that is none."""
        self._nodes += 1
        if depth > MAX_DEPTH + 8 or self._nodes > MAX_NODES + 64:
            raise MalformedError("depth or node cap exceeded")
        if type(node) is list:
            if _TAGGED.isdisjoint(map(type, node)):  # each is its own value
                self._nodes += len(node)
                return node.copy()  # the tree stays as it is when the value is changed
            return [self.decode(item, depth + 1) for item in node]
        if type(node) is not dict:
            return node
        if len(node) != 1:
            raise MalformedError("an object without exactly one tag")
        ((tag, body),) = node.items()
        try:
            special = self._special.get(tag)
            if special is not None:
                return special(body)
            return _DECODERS[tag](self, body, depth)
        except MalformedError:
            raise
        except (LookupError, TypeError, ValueError, ArithmeticError, binascii.Error) as error:
            raise MalformedError(f"bad value of tag {tag!r:.20}: {type(error).__name__}") from None

    def items(self, body: Any, depth: int) -> list[Any]:
        """Return the values of a list of trees."""
        if type(body) is not list:
            raise MalformedError("a list was expected")
        return [self.decode(item, depth + 1) for item in body]

    def pairs(self, body: Any, depth: int) -> list[tuple[Any, Any]]:
        """Return key-value pairs out of a list of two-element lists."""
        return [(key, value) for key, value in (self.items(pair, depth) for pair in body)]


def _from_hex(text: Any) -> int:
    if type(text) is not str or "0x" not in text[:3]:
        raise MalformedError("bad integer")
    return int(text, 16)


def _decode_float(body: Any) -> float:
    if body not in ("nan", "inf", "-inf"):
        raise MalformedError("bad float")
    return float(body)


def _decode_moment(body: Any) -> Any:
    import datetime as dt  # noqa: PLC0415 - rarely needed, and every child pays for what is loaded

    kind, text = body
    if kind not in ("date", "time", "datetime"):
        raise MalformedError("bad date")
    return getattr(dt, kind).fromisoformat(text)


def _decode_timedelta(body: Any) -> Any:
    import datetime as dt  # noqa: PLC0415 - as above

    days, seconds, microseconds = (int(part) for part in body)
    return dt.timedelta(days, seconds, microseconds)


def _decode_fraction(body: Any) -> Any:
    import fractions  # noqa: PLC0415 - as above

    return fractions.Fraction(_from_hex(body[0]), _from_hex(body[1]))


def _decode_decimal(body: Any) -> Any:
    import decimal  # noqa: PLC0415 - as above

    if type(body) is not str:
        raise MalformedError("bad decimal")
    return decimal.Decimal(body)


def _decode_builtin(body: Any) -> Any:
    known = type(body) is str and not body.startswith("_")
    value = getattr(builtins, body, None) if known else None
    if not callable(value) or body in _UNSAFE_BUILTINS:
        raise MalformedError("no such built-in function or type")
    return value


def make_exception(name: Any, args: list[Any]) -> BaseException:
    """Return an exception of the built-in class `name`, or of `ForeignError`.

    Classes that steer control flow (`StopIteration`, `SystemExit`, `KeyboardInterrupt`…) are
    never made: `all(map(candidate, ...))` would take a `StopIteration` for the end of its input.
    """
    cls: object = getattr(builtins, name, None) if type(name) is str else None
    ok = isinstance(cls, type) and issubclass(cls, Exception)
    if not ok or cls in (StopIteration, StopAsyncIteration):
        return ForeignError(f"{name}: {args[0]}" if args else str(name))
    assert isinstance(cls, type)
    try:
        made: BaseException = cls(*args)
    except TypeError:  # UnicodeError and its kin want five arguments
        return ForeignError(f"{name}: {args}")
    return made


class ForeignError(Exception):
    """An exception of the solution whose class has no safe counterpart here."""


_DECODERS: dict[str, Callable[[Decoder, Any, int], Any]] = {
    "i": lambda _dec, body, _d: _from_hex(body),
    "f": lambda _dec, body, _d: _decode_float(body),
    "c": lambda dec, body, d: complex(*(float(x) for x in dec.items(body, d))),
    "t": lambda dec, body, d: tuple(dec.items(body, d)),
    "d": lambda dec, body, d: dict(dec.pairs(body, d)),
    "s": lambda dec, body, d: set(dec.items(body, d)),
    "z": lambda dec, body, d: frozenset(dec.items(body, d)),
    "y": lambda _dec, body, _d: base64.b64decode(body, validate=True),
    "Y": lambda _dec, body, _d: bytearray(base64.b64decode(body, validate=True)),
    "r": lambda _dec, body, _d: range(*(_from_hex(x) for x in body)),
    "b": lambda _dec, body, _d: _decode_builtin(body),
    "E": lambda _dec, _body, _d: ...,
    "C": lambda dec, body, d: Counter(dict(dec.pairs(body, d))),
    "O": lambda dec, body, d: OrderedDict(dec.pairs(body, d)),
    "q": lambda dec, body, d: deque(dec.items(body[0], d), maxlen=body[1]),
    "k": lambda dec, body, d: dict.fromkeys(dec.items(body, d)).keys(),
    "v": lambda dec, body, d: dict(enumerate(dec.items(body, d))).values(),
    "m": lambda dec, body, d: dict(dec.items(body, d)).items(),
    "x": lambda dec, body, d: make_exception(body[0], dec.items(body[1], d)),
    "Q": lambda _dec, body, _d: _decode_fraction(body),
    "D": lambda _dec, body, _d: _decode_decimal(body),
    "T": lambda _dec, body, _d: _decode_moment(body),
    "L": lambda _dec, body, _d: _decode_timedelta(body),
}


def printable(text: str, limit: int = 2000) -> str:
    """Return `text` as valid UTF-8 of at most about `limit` characters, head and tail kept."""
    clean = text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
    if len(clean) <= limit:
        return clean
    half = limit // 2
    return f"{clean[:half]} [... {len(clean) - 2 * half} characters ...] {clean[-half:]}"


def stdlib_module(name: str) -> bool:
    """Return whether `name` is a module of the standard library."""
    return name.partition(".")[0] in sys.stdlib_module_names
