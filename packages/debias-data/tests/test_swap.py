"""Swaps: tables of cases written for these tests, and properties over composed sentences."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debias_data import Refusal, SwapResult, label, swap

TO_MALE = [
    ("Her bicycle is older than mine.", "His bicycle is older than mine."),
    ("I called her.", "I called him."),
    ("I called her yesterday.", "I called him yesterday."),
    ("The coach gave her 7 medals.", "The coach gave him 7 medals."),
    ("She sorted her 7 medals.", "He sorted his 7 medals."),
    ("The teacher told her that she had won.", "The teacher told him that he had won."),
    ("I heard her sing.", "I heard him sing."),
    ("I heard her song.", "I heard his song."),
    ("They helped her carry the boxes.", "They helped him carry the boxes."),
    ("They painted her house.", "They painted his house."),
    ("The noise made her angry.", "The noise made him angry."),
    ("The prize is hers.", "The prize is his."),
    ("She hurt herself.", "He hurt himself."),
    ("I went with her to her office.", "I went with him to his office."),
    ("A cousin drove her home.", "A cousin drove him home."),
    ("Her home is far.", "His home is far."),
    ("I wished her good luck.", "I wished him good luck."),
    ("It took her 5 hours.", "It took him 5 hours."),
    ("She took her 3 children along.", "He took his 3 children along."),
    ("We admired her greatly.", "We admired him greatly."),
    ("We admired her greatly expanded garden.", "We admired his greatly expanded garden."),
    ("She paid her rent.", "He paid his rent."),
    ("The aunt visited her niece.", "The uncle visited his nephew."),
    ("An actress lost her hat.", "An actor lost his hat."),
    ("The hostess smiled.", "The host smiled."),
    ("Her stepmother's car is red.", "His stepfather's car is red."),
    ("her mother-in-law", "his father-in-law"),
    ("The spokeswoman spoke.", "The spokesman spoke."),
    ("Mrs. Lane paid.", "Mr. Lane paid."),
    ("SHE LOST HER HAT.", "HE LOST HIS HAT."),
]
TO_FEMALE = [
    ("That pen is his.", "That pen is hers."),
    ("A neighbor of his called.", "A neighbor of hers called."),
    ("His own plan won.", "Her own plan won."),
    ("Tell him his turn is next.", "Tell her her turn is next."),
    ("he's, he'll, he'd", "she's, she'll, she'd"),
    ("The boys' team won.", "The girls' team won."),
    ("Two firemen and a postman ate.", "Two firewomen and a postwoman ate."),
    ("The groom thanked the groomsmen.", "The bride thanked the bridesmaids."),
    ("Mr. Lane said he paid.", "Ms. Lane said she paid."),
    ("The waiter dropped his tray.", "The waitress dropped her tray."),
    ("The emperor wore his crown.", "The empress wore her crown."),
    ("He met a half-brother.", "She met a half-sister."),
    ("Dear Sir,", "Dear Ma'am,"),
    ("In triangle HIM, he drew a line.", "In triangle HIM, she drew a line."),
    (
        "He ran `his_job()` at https://he.example/his.",
        "She ran `his_job()` at https://he.example/his.",
    ),
    (r"He has $h + e$ and \(he\) left.", r"She has $h + e$ and \(he\) left."),
    ("He paid $5 and then $6 to a man.", "She paid $5 and then $6 to a woman."),
    ("He wrote to his@he.com.", "She wrote to his@he.com."),
]
UNCHANGED = [
    "The theory of the history of cathedrals.",
    "Every pupil brings his or her lunch.",
    "You guys owe $4.",
    "A standard deck holds 4 queens.",
    "The master's degree costs $9000.",
    "Manchester and Germany need manual labour.",
    "The female socket is broken.",
    "Line HER meets line HIS.",
]


@pytest.mark.parametrize(("text", "expected"), TO_MALE)
def test_to_male(text, expected):
    assert swap(text, "male").text == expected


@pytest.mark.parametrize(("text", "expected"), TO_FEMALE)
def test_to_female(text, expected):
    assert swap(text, "female").text == expected


@pytest.mark.parametrize("text", UNCHANGED)
@pytest.mark.parametrize("to", ["male", "female", "swap"])
def test_unchanged(text, to):
    assert swap(text, to).text == text


@pytest.mark.parametrize(
    ("text", "to", "reason"),
    [
        ("She is pregnant.", "male", "sex_bound"),
        ("His prostate was examined.", "swap", "sex_bound"),
        ("Her ovaries ached.", "male", "sex_bound"),
        ("The men met 4 women.", "female", "mixed"),
        ("Robert paid Jennifer.", "male", "mixed"),
        ("Marie Curie won her second prize.", "male", "real_person"),
        ("Einstein said he was late.", "female", "real_person"),
    ],
)
def test_refusals(text, to, reason):
    found = swap(text, to)
    assert isinstance(found, Refusal)
    assert found.reason == reason
    assert found.detail


def test_an_eponym_is_no_person():
    assert swap("He uses Newton's method.", "female").text == "She uses Newton's method."


def test_sex_bound_text_without_a_change_is_not_refused():
    assert swap("She is pregnant.", "female") == SwapResult(
        "She is pregnant.", label("She is pregnant.").spans, 1.0
    )


def test_names_are_swapped_consistently_and_stay_distinct():
    text = "Robert and Michael meet. Robert greets Michael's friend."
    words = re.findall(r"\w+", swap(text, "female").text)
    first, second = words[0], words[2]
    assert first != second
    assert words[4] == first
    assert words[6] == second


def test_a_counterpart_that_somebody_else_has_is_avoided():
    partner = swap("Robert won.", "female").text.split()[0]
    found = swap(f"Robert met Dr. {partner}. He paid Dr. {partner}.", "female").text
    assert found.split()[0] != partner


def test_a_callers_names_replace_the_table():
    found = swap("Ravi and Robert paid. RAVI WON.", "female", names={"Ravi": "Asha"})
    assert found.text == "Asha and Robert paid. ASHA WON."


def test_exchange_of_two_names_is_simultaneous():
    names = {"Anna": "Otto", "Otto": "Anna"}
    assert swap("Anna pays Otto; Otto thanks Anna.", names=names).text == (
        "Otto pays Anna; Anna thanks Otto."
    )


def test_word_names_are_read_in_name_position_only():
    text = "Bill paid the bill in May; will Bill mark it?"
    found = swap(text, "female").text
    assert "Bill" not in found
    assert "the bill in May; will" in found


def test_possessive_of_a_name_in_s():
    assert swap("James' dog ran.", "female", names={"James": "Anna"}).text == "Anna's dog ran."


def test_article_agrees():
    names = {"Robert": "Anna"}
    assert swap("He is a Robert.", "female", names=names).text == "She is an Anna."


def test_unknown_target_is_an_error():
    with pytest.raises(ValueError, match="neuter"):
        swap("He runs.", "neuter")


def test_confidence_is_lower_where_her_is_ambiguous():
    sure = swap("I saw her.", "male")
    unsure = swap("We showed her work to Tom.".replace("Tom", "them"), "male")
    assert sure.confidence > unsure.confidence


NAMES = st.sampled_from(["Robert", "Jennifer", "Susan", "David", "Karen", "Paul", "Emily"])
PEOPLE = st.sampled_from(["boy", "girl", "aunt", "grandson", "chairwoman", "king", "nephew"])
NUMBERS = st.integers(0, 10**6)
CLAUSES = st.one_of(
    st.builds("{} has {} apples.".format, NAMES, NUMBERS),
    st.builds("The {} bought {} pens for $x_{}$.".format, PEOPLE, NUMBERS, NUMBERS),
    st.builds("A {}'s score is {}.".format, PEOPLE, NUMBERS),
    st.builds("{} walked {} miles with `code_{}`.".format, NAMES, NUMBERS, NUMBERS),
    st.sampled_from(["He ran.", "She sat.", "I met him.", "His dog barked.", "Her hat fell."]),
)
TEXTS = st.lists(CLAUSES, min_size=1, max_size=6).map(" ".join)


@given(TEXTS)
def test_swapping_twice_gives_the_text_back(text):
    assert swap(swap(text).text).text == text


@given(TEXTS)
def test_label_of_the_swap_is_the_opposite(text):
    opposite = {"male": "female", "female": "male"}
    value = label(text).value
    assert label(swap(text).text).value == opposite.get(value, value)


@given(st.text(max_size=200))
def test_any_text_is_read_and_keeps_its_numbers(text):
    found = swap(text)
    if isinstance(found, SwapResult):
        assert re.findall(r"\d", found.text) == re.findall(r"\d", text)
        assert all(found.text[s.start : s.end] == s.text for s in found.spans)
