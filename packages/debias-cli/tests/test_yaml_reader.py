"""The strict YAML reader: what it reads, what it refuses, and how long it takes to refuse."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debias_cli.config.dump import dump
from debias_cli.config.yaml_reader import decode, read_scalar, read_yaml, to_plain
from debias_cli.errors import ConfigError


def read(text: str) -> object:
    return to_plain(read_yaml(text, "p.yaml"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("1.e-5", 1e-5),
        ("-2E3", -2000.0),
        (".5", 0.5),
        ("7", 7),
        ("+7", 7),
        ("007", 7),
        ("0x10", 16),
        ("0o17", 15),
        ("1_000", "1_000"),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("off", "off"),
        ("~", None),
        ("null", None),
        ("2024-01-01", "2024-01-01"),
        ("12:30:45", "12:30:45"),
        (".inf", float("inf")),
        ("e5", "e5"),
        (".", "."),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars(text: str, value: object) -> None:
    found = read_scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_collections_quotes_blocks_and_aliases() -> None:
    text = "a: &x [1, '1', \"1\"]\nb: *x\nc: |\n  two\n  lines\nd: {e: }\n"
    assert read(text) == {
        "a": [1, "1", "1"],
        "b": [1, "1", "1"],
        "c": "two\nlines\n",
        "d": {"e": None},
    }


def test_keys_are_text() -> None:
    assert read("1: a\ntrue: b") == {"1": "a", "true": "b"}


def test_byte_order_mark_is_dropped() -> None:
    assert decode(b"\xef\xbb\xbfa: 1", "p.yaml") == "a: 1"


REFUSED = {
    "": "p.yaml:1:1: the file is empty",
    "# only a comment": "p.yaml:1:1: the file is empty",
    "\ta: 1": (
        "p.yaml:1:1: not YAML: found character '\\t' that cannot start any token "
        "while scanning for the next token"
    ),
    "a: b: c": "p.yaml:1:5: not YAML: mapping values are not allowed here",
    "a: !!python/object:os.system x": (
        "p.yaml:1:4: tag 'tag:yaml.org,2002:python/object:os.system' is refused; "
        "a configuration is plain values"
    ),
    "a: !!str 1": (
        "p.yaml:1:4: tag 'tag:yaml.org,2002:str' is refused; a configuration is plain values"
    ),
    "a: !local {b: 1}": "p.yaml:1:4: tag '!local' is refused; a configuration is plain values",
    "a: &a [*a]": "p.yaml:1:8: alias *a points to nothing finished before it",
    "a: &a {b: *a}": "p.yaml:1:11: alias *a points to nothing finished before it",
    "a: *nope": "p.yaml:1:4: alias *nope points to nothing finished before it",
    "? [a, b]\n: c": "p.yaml:1:3: an alias, a list or a mapping cannot be a key",
    "a: &k x\n*k : 1": "p.yaml:2:1: an alias, a list or a mapping cannot be a key",
    "<<: {a: 1}": "p.yaml:1:1: merge keys (<<) are not supported; write the fields out",
    "a: 1\n---\nb: 2": "p.yaml:2:1: a second document begins here; a configuration is one",
    "a: x\x00y": "p.yaml:1:5: character U+0000 is not allowed in YAML",
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_refusals(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert str(caught.value) == REFUSED[text]


def test_every_duplicate_key_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        read("a: 1\nb: {c: 1, c: 2}\na: 2\nd: [{e: 1, e: 2}]\n")
    assert str(caught.value).splitlines() == [
        "p.yaml:2:11 b.c: key 'c' stands here a second time (first in line 2)",
        "p.yaml:3:1 a: key 'a' stands here a second time (first in line 1)",
        "p.yaml:4:12 d.0.e: key 'e' stands here a second time (first in line 4)",
    ]


def test_bytes_that_are_not_utf8_are_located() -> None:
    with pytest.raises(ConfigError, match=r"^p\.yaml:2:4: byte 0xff is not UTF-8$"):
        decode(b"a: 1\nb: \xff", "p.yaml")


def test_a_large_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="at most 256 KiB"):
        decode(b"a" * (256 * 1024 + 1), "p.yaml")


BOMB = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "\n".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]" for i in range(20)
)
HOSTILE = {
    "brackets": "a: " + "[" * 20_000,
    "closed brackets": "a: " + "[" * 20_000 + "]" * 20_000,
    "braces": "a: " + "{" * 20_000,
    "nested keys": "a: " + "{a: " * 20_000,
    "bracket lines": "a: " + "[\n" * 20_000,
    "dashes": "- " * 20_000,
    "question marks": "? " * 20_000,
    "indentation": "".join(f"{' ' * i}a:\n" for i in range(600)),
    "alias bomb": BOMB,
    "many keys": "".join(f"k{i}: {i}\n" for i in range(12_000)),
    "many items": "-\n" * 100_000,
    "open quote": "a: '" + "x\n" * 100_000,
    "anchors": "a: " + "&a " * 20_000,
    "tags": "a: " + "!t " * 20_000,
    "percent": "%" * 200_000,
    "escapes": 'a: "' + "\\x" * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_are_refused_in_time(name: str) -> None:
    began = time.process_time()
    with pytest.raises(ConfigError) as caught:
        read(decode(HOSTILE[name].encode(), "p.yaml"))
    assert time.process_time() - began < 2
    assert len(str(caught.value)) < 1000


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20)
    | st.sampled_from(["1e-5", "yes", "null", "~", "- a", "a: b", "#", "'", "${X:-1}", "a, b"])
)
keys = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
values = st.recursive(
    scalars, lambda below: st.lists(below, max_size=3) | st.dictionaries(keys, below, max_size=3)
)


@given(st.dictionaries(keys, values, min_size=1, max_size=4))
def test_what_is_dumped_is_read_back(value: dict[str, object]) -> None:
    assert read(dump(value)) == value
