"""A text that is screened out has nothing in it: looking at each of its words says the same."""

from __future__ import annotations

import json

import pytest

from debias_data.gender.lexicon import lexicon
from debias_data.gender.names import name_table
from debias_data.gender.refusals import last_names
from debias_data.gender.screening import may_be_found
from debias_data.gender.tokens import tokenize
from debias_data.gender.vocabulary import vocabulary


def _is_anything_there(text):
    found = [(word, vocabulary()[word]) for word in tokenize(text).words]
    return any(
        kind.pieces or kind.name or kind.is_of_sex_bound or word[0].isupper()
        for word, kind in found
        if kind is not None
    )


def test_every_form_and_name_passes():
    forms = list(lexicon())
    spellings = [*forms, *map(str.upper, forms), *map(str.capitalize, forms), *name_table()]
    spellings += map(str.capitalize, last_names())
    spellings += [name.upper() for name in name_table()]
    assert all(may_be_found(f"The 3rd:{word}'s") for word in spellings)


@pytest.mark.parametrize(
    "text",
    [
        "JOHN'S 3",
        "a half-brother's",
        "hEr",
        "SHE'll",
        "José",
        "(s)he",
        "Jean-Luc",
        "a C-section",
    ],
)
def test_spellings_pass(text):
    assert may_be_found(text)


@pytest.mark.parametrize(
    "text", ["", "12 + 3", "will you mark a bill?", "Find $x_1$.", "sheep here, heroin"]
)
def test_texts_of_nothing(text):
    assert not _is_anything_there(text)
    assert not may_be_found(text)


def test_published_problems(shared):
    for file, field in (("math/test.jsonl", "problem"), ("gsm8k/test.jsonl", "question")):
        lines = (shared / "data" / file).read_text(encoding="utf-8").splitlines()[:600]
        texts = [json.loads(line)[field] for line in lines]
        screened = [text for text in texts if not may_be_found(text)]
        assert len(screened) > 20
        assert not any(map(_is_anything_there, screened))
