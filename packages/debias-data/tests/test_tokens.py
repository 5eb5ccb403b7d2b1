"""Token counts: the difference in the card, and names that make it small."""

from __future__ import annotations

import json

import pytest

from debias_data import BuildConfig, build, swap
from debias_data.errors import InvalidInputError, MissingInputError
from debias_data.gender.names import name_table, pair_by_length
from debias_data.token_counts import names_of_equal_length, token_counter

NAMES = ["Robert", "Christopher", "Jennifer", "Al", "Elizabeth", "Bob"]


def test_names_are_paired_by_length_and_both_ways():
    pairs = pair_by_length(len)
    table = name_table()
    assert pairs.keys() == table.keys()
    assert all(pairs[other] == name for name, other in pairs.items())
    assert all(table[name].gender != table[other].gender for name, other in pairs.items())
    equal = sum(len(name) == len(other) for name, other in pairs.items())
    assert equal / len(pairs) > 0.8
    assert equal > 2 * sum(len(name) == len(table[name].opposite) for name in table)


def test_other_counterparts_can_be_given():
    assert swap("Robert met David.", opposites={"Robert": "Judith"}).text.startswith("Judith met ")
    there = swap("Robert paid.", opposites=pair_by_length(len)).text
    assert len(there) == len("Robert paid.")
    assert swap(there, opposites=pair_by_length(len)).text == "Robert paid."


@pytest.fixture
def tokenizer(shared):
    return shared / "models/stories260K"


def test_the_card_has_the_difference_in_tokens(tokenizer, tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"prompt": f"{name} has {n} pens."} for n, name in enumerate(NAMES * 5)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = {"sources": [{"kind": "jsonl", "path": str(path)}]}
    plain = build(BuildConfig.model_validate(config))
    assert "female_minus_male_tokens" not in plain.card["length"]
    table = build(BuildConfig.model_validate({**config, "tokenizer": str(tokenizer)}))
    spread = table.card["length"]["female_minus_male_tokens"]
    assert (spread["q00"], spread["q100"], spread["mean"]) == (0, 0, 0)
    count = token_counter(tokenizer)
    prompts = [row["prompt"] for row in plain.rows()]
    assert any(
        count(female) != count(male)
        for female, male in zip(prompts[::2], prompts[1::2], strict=True)
    )


def test_most_names_have_a_counterpart_of_equal_length(tokenizer):
    count = token_counter(tokenizer)
    pairs = names_of_equal_length(tokenizer)
    equal = [count(f" {name}") == count(f" {other}") for name, other in pairs.items()]
    assert sum(equal) / len(equal) > 0.8


def test_a_tokenizer_that_is_none_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"tokenizer\.json: no such file"):
        token_counter(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InvalidInputError, match=r"tokenizer\.json: not a tokenizer"):
        token_counter(tmp_path / "tokenizer.json")
