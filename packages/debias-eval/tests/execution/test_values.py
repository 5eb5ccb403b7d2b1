import datetime as dt
import decimal
import fractions
import json
import math
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debias_eval.execution.inside.values import (
    MAX_DEPTH,
    MAX_NODES,
    Decoder,
    Encoder,
    ForeignError,
    MalformedError,
    ValueTooLargeError,
    make_exception,
    printable,
)


def refuse(value):
    raise TypeError(type(value).__name__)


def round_trip(value):
    return Decoder().decode(json.loads(json.dumps(Encoder(refuse).encode(value), allow_nan=False)))


hashable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.binary()
    | st.floats(allow_nan=False),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
plain = st.recursive(
    hashable | st.complex_numbers(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(hashable, inner, max_size=4)
        | st.sets(hashable, max_size=4)
    ),
    max_leaves=12,
)


@given(plain)
def test_plain_values_come_back_equal_and_of_the_same_type(value):
    back = round_trip(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        10**4000,
        -(2**63) - 1,
        -0.0,
        math.inf,
        "\udcff lone",
        range(1, 10, 2),
        ...,
        bytearray(b"ab"),
        Counter("aab"),
        OrderedDict([("b", 1), ("a", 2)]),
        deque([1, 2], maxlen=3),
        fractions.Fraction(1, 3),
        decimal.Decimal("1.50"),
        dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        dt.date(2020, 1, 2),
        dt.timedelta(days=-1, microseconds=3),
        int,
        len,
    ],
)
def test_special_values_come_back(value):
    back = round_trip(value)
    assert back == value
    assert repr(back) == repr(value)


def test_not_a_number_stays_unequal_to_itself():
    assert math.isnan(round_trip(math.nan))


def test_subclasses_lose_what_they_added():
    class Equal(int):
        def __eq__(self, other):
            return True

        __hash__ = int.__hash__

    back = round_trip(Equal(3))
    assert type(back) is int
    assert back != 4
    assert round_trip(namedtuple("P", "x y")(1, 2)) == (1, 2)
    assert type(round_trip(defaultdict(list, {1: [2]}))) is dict


def test_views_behave_like_views():
    view = round_trip({1: 2}.values())
    assert list(view) == [2]
    assert view != [2]
    assert round_trip({1: 2}.keys()) == {1}
    assert round_trip({1: 2}.items()) == {(1, 2)}


def test_other_objects_are_left_to_the_caller():
    with pytest.raises(TypeError, match="object"):
        round_trip([object()])


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"t": [1], "s": [2]},
        {"t": 1},
        {"i": "zz"},
        {"i": 5},
        {"f": "1e5"},
        {"s": [[1]]},
        {"d": [[1, 2, 3]]},
        {"r": ["0x1", "0x2", "0x0"]},
        {"y": "***"},
        {"b": "eval"},
        {"b": "__import__"},
        {"b": "nonesuch"},
        {"T": ["timezone", "utc"]},
        {"x": []},
        {"unknown": 1},
        {"Q": ["0x1", "0x0"]},
        {"o": [0, "object", "X"]},
    ],
)
def test_what_encodes_nothing_is_refused(tree):
    with pytest.raises(MalformedError):
        Decoder().decode(tree)


def test_caps():
    deep: list = []
    for _ in range(MAX_DEPTH + 2):
        deep = [deep]
    for value in (deep, "a" * (17 << 20), [0] * (MAX_NODES + 1)):
        with pytest.raises(ValueTooLargeError):
            Encoder(refuse).encode(value)
    tree: list = []
    for _ in range(MAX_DEPTH + 20):
        tree = [tree]
    with pytest.raises(MalformedError):
        Decoder().decode(tree)


def test_exceptions_that_steer_control_flow_are_not_made():
    assert isinstance(make_exception("ValueError", ["x"]), ValueError)
    for name in ("StopIteration", "SystemExit", "KeyboardInterrupt", "GeneratorExit", "Odd"):
        assert type(make_exception(name, ["x"])) is ForeignError


def test_printable_is_always_utf8_and_bounded():
    text = printable("a\udcff\0" * 10_000, 100)
    assert len(text.encode()) < 400
    assert "\0" not in text
