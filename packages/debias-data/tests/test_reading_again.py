"""A counterpart read from the words that changed is what reading its text from the start gives."""

from __future__ import annotations

import json

import pytest

from debias_data.gender.reader import read
from debias_data.gender.swapping import Together, swap_together

TEXTS = [
    "He ran. John's dog follows him, and James paid $4 for his rope.",
    "Her total is <<48/2=24>>24; she keeps `her_count` and 3 hats.",
    "An uncle of his is Mr. Lee's half-brother; he'll pay.",
    "Miss Honey has 20 pupils in her class.",
    "The gentlemen's club gave him $x = \\text{number of his hats}$.",
    "A step-brother of Tom’s said: “He’s 12 or his twin is.”",
    "x = 3\nHe computes f(x) and sends it to him@example.org (his friend).",
]


def _fields(reading):
    return [
        (m.word, m.start, m.end, m.stop, m.gender, m.entry, m.is_paired) for m in reading.markers
    ]


def _check(text):
    given = read(text)
    found = swap_together(given, None)
    if not isinstance(found, Together) or not given.markers:
        return 0
    again, anew = found.prompt.read_again(given), read(found.prompt.text)
    assert _fields(again) == _fields(anew)
    assert again.document.words == anew.document.words
    places = range(len(anew.document.words) + 1)
    gaps = [list(map(read.document.gap_before, places)) for read in (again, anew)]
    assert gaps[0] == gaps[1]
    assert again.document.starts == anew.document.starts
    return found.prompt.changed is not None


@pytest.mark.parametrize("text", TEXTS)
def test_by_hand(text):
    _check(text)
    assert read(text).markers


def test_published_problems(shared):
    lines = (shared / "data/gsm8k/test.jsonl").read_text(encoding="utf-8").splitlines()[:400]
    rows = [json.loads(line) for line in lines]
    assert sum(_check(row[field]) for row in rows for field in ("question", "answer")) > 300
