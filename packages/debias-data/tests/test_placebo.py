"""The placebo: other names of the same gender, and nothing else that differs."""

from __future__ import annotations

import pytest

from debias_data import BuildConfig, build
from debias_data.gender.labelling import label
from debias_data.gender.names import name_table
from debias_data.placebo import placebo


def placebo_of(text: str) -> str | None:
    return placebo(text, label(text).spans)


def test_names_change_and_nothing_else() -> None:
    text = "JAMES has 3 apples. James's sister Anna gives James and his wife 2 more in $x_1$."
    found = placebo_of(text)
    assert found is not None
    first, second = found.split()[0].capitalize(), found.split()[6]
    table = name_table()
    assert (table[first].gender, table[second].gender) == ("male", "female")
    assert found == text.replace("JAMES", first.upper()).replace("James", first).replace(
        "Anna", second
    )
    assert (len(first), len(second)) == (5, 4)
    assert first != "James"
    assert second != "Anna"


def test_the_label_and_the_numbers_stay() -> None:
    text = "Natalia sold clips to 48 of her friends. Then Natalia sold half as many. How many?"
    found = placebo_of(text)
    assert found is not None
    assert found == placebo_of(text), "the same text always gives the same placebo"
    assert label(found).value == label(text).value == "female"
    assert [span.start for span in label(found).spans] == [span.start for span in label(text).spans]


@pytest.mark.parametrize(
    "text",
    [
        "He has 3 apples and gives his mother 2.",
        "Mr. Carter sold his car.",
        "How many apples are there?",
        "Carl sold his car. The file is called `Carl`.",  # a name that would stay
        "",
    ],
)
def test_no_placebo(text: str) -> None:
    assert placebo_of(text) is None


def test_a_text_with_every_name_has_none() -> None:
    names = " ".join(f"{name}." for name, entry in name_table().items() if not entry.is_word)
    assert placebo_of(f"James gave his book away. {names}") is None


def test_held_out_prompts_of_a_table_have_one() -> None:
    config = BuildConfig.model_validate({"sources": [{"kind": "synthetic", "clusters": 200}]})
    rows = list(build(config).rows())
    held_out = [row for row in rows if row["split"] != "train"]
    assert all(row["placebo"] is None for row in rows if row["split"] == "train")
    with_names = [row for row in held_out if row["placebo"] is not None]
    assert len(with_names) > len(held_out) / 2
    for row in with_names:
        assert row["placebo"] != row["prompt"]
        assert label(row["placebo"] or "").value == row["group"]
