"""The synthetic generator: known answers, minimal pairs, stable clusters, disjoint name pools."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debias_data.synthetic import (
    Arithmetic,
    ProblemPair,
    Prompt,
    answer_number,
    iter_neutral,
    iter_pairs,
    iter_rows,
)
from debias_data.synthetic.names import SURNAMES, UNISEX, name_pairs
from debias_data.synthetic.templates import MATHS, NEUTRAL, PROFESSIONAL

COLUMNS = [
    "pair_id", "cluster_id", "group", "prompt", "reference", "source", "domain", "split", "spans",
]  # fmt: skip
GENDERED = re.compile(
    r"\b(she|he|her|him|his|hers|Ms|Mr|girl|boy|woman|man|daughter|son)\b", re.IGNORECASE
)


def blanked(prompt: Prompt) -> str:
    """The text with each marker replaced by a placeholder."""
    text = prompt.text
    for span in reversed(prompt.spans):
        text = text[: span.start] + "_" + text[span.end :]
    return text


@pytest.fixture(scope="module")
def pairs() -> list[ProblemPair]:
    return [
        pair
        for domain in ("maths", "professional")
        for names in ("train", "heldout")
        for pair in iter_pairs(clusters=300, seed=3, domain=domain, names=names)
    ]


def test_rows_have_the_columns_of_the_pair_table_two_a_pair() -> None:
    rows = list(iter_rows(clusters=50, seed=1))
    assert len(rows) == 100
    for female, male in zip(rows[::2], rows[1::2], strict=True):
        assert list(female) == list(male) == COLUMNS
        assert (female["group"], male["group"]) == ("female", "male")
        same = set(COLUMNS) - {"group", "prompt", "spans"}
        assert all(female[column] == male[column] for column in same)
    assert len({row["pair_id"] for row in rows}) == len({row["cluster_id"] for row in rows}) == 50


def test_nothing_but_the_markers_differs_between_the_two_sides(pairs: list[ProblemPair]) -> None:
    for pair in pairs:
        assert pair.female.text != pair.male.text
        assert blanked(pair.female) == blanked(pair.male)
        assert len(pair.female.spans) >= 2


def test_spans_point_at_their_text_and_no_marker_is_missed(pairs: list[ProblemPair]) -> None:
    for pair in pairs:
        for prompt in (pair.female, pair.male):
            assert all(prompt.text[s.start : s.end] == s.text for s in prompt.spans)
            assert not GENDERED.search(blanked(prompt))


def test_no_placeholder_is_left_open(pairs: list[ProblemPair]) -> None:
    texts = [text for pair in pairs for text in (pair.female.text, pair.male.text)]
    texts += [problem.text for problem in iter_neutral(clusters=200, seed=0)]
    assert not [text for text in texts if "{" in text or "}" in text]


def test_names_on_both_sides_have_equal_length_and_pools_share_no_name() -> None:
    train, heldout = name_pairs("train"), name_pairs("heldout")
    assert all(len(female) == len(male) for female, male in train + heldout)
    used = {name for pair in train for name in pair}
    held = {name for pair in heldout for name in pair}
    females = {female for female, _ in train + heldout}
    males = {male for _, male in train + heldout}
    assert not used & held
    assert not females & males
    assert not (used | held) & {*UNISEX, *SURNAMES}


@pytest.mark.parametrize(
    ("step", "expression", "answer"),
    [
        (Arithmetic("add", 5, 2), "5 + 2", 7),
        (Arithmetic("subtract", 14, 9), "14 - 9", 5),
        (Arithmetic("double", 12, 2), "12 * 2", 24),
    ],
)
def test_arithmetic_by_hand(step: Arithmetic, expression: str, answer: int) -> None:
    assert step.expression == expression
    assert step.answer == answer


def test_the_reference_holds_the_answer_of_the_numbers_in_the_text() -> None:
    for row in iter_rows(clusters=200, seed=5):
        *_, a, b = row["cluster_id"].split(":")
        assert a in re.findall(r"\d+", row["prompt"])
        assert answer_number(row) in {int(a) + int(b), int(a) - int(b), int(a) * 2}
        assert answer_number(row) > 0


def test_answer_number_refuses_a_reference_without_a_number() -> None:
    with pytest.raises(ValueError, match="has no ####"):
        answer_number({"pair_id": "p", "reference": "seven"})


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), clusters=st.integers(0, 60))
def test_same_arguments_same_rows_and_all_clusters_distinct(seed: int, clusters: int) -> None:
    first = list(iter_pairs(clusters=clusters, seed=seed))
    assert first == list(iter_pairs(clusters=clusters, seed=seed))
    assert len({pair.cluster_id for pair in first}) == clusters


def test_a_cluster_means_the_same_problem_under_every_seed() -> None:
    def texts(seed: int) -> dict[str, str]:
        # Title problems also choose a surname, so only problems by first name compare as they are.
        return {
            p.cluster_id: re.sub(r"Ms\. \w+", "Ms. _", blanked(p.female))
            for p in iter_pairs(clusters=5000, seed=seed, domain="professional")
        }

    one, two = texts(1), texts(2)
    shared = one.keys() & two.keys()
    assert len(shared) > 100
    blank_surname = re.compile("|".join(SURNAMES))
    assert all(blank_surname.sub("_", one[c]) == blank_surname.sub("_", two[c]) for c in shared)


def test_thousands_of_clusters_over_all_templates() -> None:
    for domain, templates in (("maths", MATHS), ("professional", PROFESSIONAL)):
        ids = [p.cluster_id for p in iter_pairs(clusters=3000, seed=0, domain=domain)]
        used = {cluster_id.split(":")[1] for cluster_id in ids}
        assert used == {template.key for template in templates}
    keys = [t.key for t in MATHS + PROFESSIONAL + NEUTRAL]
    assert len(keys) == len(set(keys))


def test_neutral_problems_carry_no_gender() -> None:
    for problem in iter_neutral(clusters=200, seed=2):
        assert not GENDERED.search(problem.text)


def test_more_clusters_than_exist_is_an_error_before_any_row() -> None:
    with pytest.raises(ValueError, match="there are only"):
        next(iter_rows(clusters=10**7, seed=0))


@pytest.mark.parametrize("argument", [{"domain": "cooking"}, {"names": "test"}])
def test_unknown_choices_are_errors_that_name_the_allowed_ones(argument: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must be one of"):
        list(islice(iter_rows(clusters=1, seed=0, **argument), 1))


def test_importing_it_pulls_in_no_heavy_library() -> None:
    heavy = {"torch", "transformers", "numpy", "pyarrow", "datasets"}
    code = f"import sys, debias_data.synthetic; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
