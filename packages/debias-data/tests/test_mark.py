"""Bringing gender into neutral text."""

from __future__ import annotations

import pytest

from debias_data import MarkResult, Refusal, label, mark


def test_both_sides_hold_the_text_and_differ_in_gender_alone():
    text = "Find $x$ when $2x = 8$."
    for variant in range(40):
        found = mark(text, variant=variant)
        assert isinstance(found, MarkResult)
        assert found.female.endswith(text)
        assert found.male.endswith(text)
        assert label(found.female).value == "female"
        assert label(found.male).value == "male"
        assert len(found.female.split()) == len(found.male.split())


def test_variants_differ():
    assert len({mark("Add 2 and 3.", variant=v).female for v in range(512)}) == 512


def test_gendered_text_is_refused():
    found = mark("She adds 2 and 3.")
    assert isinstance(found, Refusal)
    assert found.reason == "gendered"


def test_negative_variant_is_an_error():
    with pytest.raises(ValueError, match="negative"):
        mark("Add.", variant=-1)
