"""Figures that labels and swaps have to reach on published data and gold cases."""

from __future__ import annotations

import json
import re

import pytest

from debias_data import Refusal, label, swap
from debias_data.config import WinobiasSource, WinogenderSource
from debias_data.sources import Pair, get_reader


@pytest.fixture(scope="module")
def gold_pairs(shared):
    items = [
        *get_reader("winogender")(WinogenderSource(path=shared / "data/winogender")),
        *get_reader("winobias")(WinobiasSource(path=shared / "data/winobias")),
    ]
    return [item for item in items if isinstance(item, Pair)]


def test_gold_pairs_are_all_but_the_excluded(gold_pairs):
    assert len(gold_pairs) == 240 + 1584 - 20


@pytest.mark.parametrize(
    ("given", "wanted", "share"), [("male", "female", 0.995), ("female", "male", 0.97)]
)
def test_gold_pairs(gold_pairs, given, wanted, share):
    right = 0
    for pair in gold_pairs:
        found = swap(getattr(pair, given).text, wanted)
        right += not isinstance(found, Refusal) and found.text == getattr(pair, wanted).text
    assert right / len(gold_pairs) >= share


def _cases(shared, name):
    lines = (shared / "cases" / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _share(results):
    return sum(results) / len(results)


@pytest.mark.parametrize("table", ["given", "built-in when the map is empty"])
def test_swap_cases(shared, table):
    right = {"normal": [], "hard": [], "fixed": []}
    for case in _cases(shared, "swap_cases.jsonl"):
        names = case["name_map"] if table == "given" else case["name_map"] or None
        found = swap(case["input"], case["target"], names=names)
        refused = isinstance(found, Refusal)
        good = refused if case["expect_skip"] else not refused and found.text == case["expected"]
        right["hard" if case["hard"] else "normal"].append(good)
        if case["expect_skip"] or case["expected"] == case["input"]:
            right["fixed"].append(good)
    assert _share(right["normal"]) >= 0.95
    assert _share(right["hard"]) >= 0.85
    assert all(right["fixed"])


def test_label_cases(shared):
    cases = _cases(shared, "gender_label_cases.jsonl")
    for hard, share in ((False, 0.95), (True, 0.85)):
        right = [label(c["text"]).value == c["label"] for c in cases if c["hard"] is hard]
        assert _share(right) >= share


_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_FORMULA = re.compile(
    r"\\\$|(\$\$.+?\$\$|\$(?:[^$\\]|\\.)+\$|\\\[.*?\\\]|\[asy\].*?\[/asy\])", re.DOTALL
)
_PROSE = re.compile(r"\\(?:text|mbox|emph)\w*\s*\{[^{}]*\}")


def _rows(path, *fields):
    with path.open(encoding="utf-8") as handle:
        for line in handle:
            row = json.loads(line)
            yield from (row[field] for field in fields)


def test_numbers_and_formulas_survive(shared):
    data = shared / "data"
    money = _rows(data / "gsm8k/test.jsonl", "question", "answer")
    formulas = _rows(data / "math/test.jsonl", "problem")
    changed = 0
    for texts, has_formulas in ((money, False), (formulas, True)):
        for text in texts:
            found = swap(text)
            if isinstance(found, Refusal):
                continue
            changed += found.text != text
            assert _NUMBER.findall(found.text) == _NUMBER.findall(text)
            if has_formulas:
                before, after = (
                    [_PROSE.sub("", match[1] or "") for match in _FORMULA.finditer(version)]
                    for version in (text, found.text)
                )
                assert before == after
    assert changed > 1000


def test_his_and_him_come_back_from_gsm8k(shared):
    """Male texts to female and back: `his`/`him` are gold for the choice behind `her`."""
    total = wrong = 0
    pattern = re.compile(r"\b(?:his|him)\b", re.IGNORECASE)
    for text in _rows(shared / "data/gsm8k/test.jsonl", "question"):
        if label(text).value != "male":
            continue
        there = swap(text, "female")
        if isinstance(there, Refusal):
            continue
        back = swap(there.text, "male")
        assert not isinstance(back, Refusal)
        pairs = list(zip(pattern.findall(text), pattern.findall(back.text), strict=True))
        total += len(pairs)
        wrong += sum(before != after for before, after in pairs)
    assert total > 400
    assert wrong / total <= 0.02


_PROTECTED = re.compile(
    r"""\[asy\].*?\[/asy\] | <<[^<>\n]*>> | ```.*?``` | `[^`\n]+` | https?://\S+ | www\.\S+
      | \\begin\{(\w+\*?)\}.*?\\end\{\1\} | \\\[.*?\\\] | \\\(.*?\\\)
      | \\\$ | \$\$.+?\$\$ | \$(?:[^$\\]|\\.)+\$
      | \\[A-Za-z]+ | \S+@\S+\.\w+ | \w*_\w+""",
    re.VERBOSE | re.DOTALL,
)


_LETTERS = re.compile(r"(?<=[A-Za-z])-(?=[A-Za-z])|[^\W\d_]|['’.]")


def _fixed(text, has_formulas):
    pattern = _PROTECTED if has_formulas else re.compile(r"<<[^<>\n]*>>|####.*|https?://\S+")
    return [_PROSE.sub("", match[0]) for match in pattern.finditer(text)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "fields", "has_formulas"),
    [
        ("gsm8k/train.jsonl", ("question", "answer"), False),
        ("gsm8k/test.jsonl", ("question", "answer"), False),
        ("math/test.jsonl", ("problem", "solution"), True),
    ],
)
def test_protected_spans_and_numbers_of_every_problem(shared, file, fields, has_formulas):
    for text in _rows(shared / "data" / file, *fields):
        found = swap(text)
        if isinstance(found, Refusal):
            continue
        assert _NUMBER.findall(found.text) == _NUMBER.findall(text)
        assert _fixed(found.text, has_formulas) == _fixed(text, has_formulas)
        if found.text != text:
            # What changed are words of letters: all else stands where it did.
            assert _LETTERS.sub("", found.text) == _LETTERS.sub("", text)
