"""Labels: which words count as markers, and which only look like one."""

from __future__ import annotations

import pytest

from debias_data import label

CASES = [
    ("He reads.", "male"),
    ("The keys are hers.", "female"),
    ("We thanked him.", "male"),
    ("She'll call.", "female"),
    ("He’d like tea.", "male"),
    ("Mrs. Oakes sold 3 pies.", "female"),
    ("Mr and Mrs Oakes sold 3 pies.", "mixed"),
    ("The grandmother knits.", "female"),
    ("A policewoman waved.", "female"),
    ("Three brothers share 12 marbles.", "male"),
    ("A male teacher spoke.", "male"),
    ("Robert has 5 pens.", "male"),
    ("Jennifer's pens are red.", "female"),
    ("The nurse and the carpenter met.", "neutral"),
    ("They finished their work.", "neutral"),
    ("Each player takes his or her turn.", "neutral"),
    ("A member may bring her/his dog.", "neutral"),
    ("s/he must sign", "neutral"),
    ("Morgan has 4 cats.", "neutral"),
    ("The uncle and the aunt left.", "mixed"),
    ("Robert met Jennifer.", "mixed"),
    ("Segment HE is 4 cm long.", "neutral"),
    ("Solve $he = 3$ for $h$.", "neutral"),
    (r"Let $h = \text{hours she works}$.", "female"),
    ("Call `his(her)` twice.", "neutral"),
    ("```\nhe = she\n```", "neutral"),
    ("See https://example.org/his/her.html now.", "neutral"),
    ("A tank of He gas weighs 4 g.", "neutral"),
    ("The male plug fits.", "neutral"),
    ("In May the price was $4.", "neutral"),
    ("On May 4 it rained.", "neutral"),
    ("Mark each box. Will it fit?", "neutral"),
    ("A rose costs $3; hope costs nothing.", "neutral"),
    ("Grace has 6 pencils.", "female"),
    ("The chess queen moves far.", "neutral"),
    ("The king moved his throne.", "male"),
    ("She visited her sister city.", "female"),
    ("Six man-hours are needed.", "neutral"),
    ("Hello guys, there are 4 of you guys.", "neutral"),
    ("Harrison and Thomason merged.", "neutral"),
    ("Her history of the theatre.", "female"),
    ("Mother Nature is kind.", "neutral"),
    ("Spider-Man tickets cost $9.", "neutral"),
    ("", "neutral"),
    (" \n\t", "neutral"),
    ("12 + 30 = 42", "neutral"),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_label_of_text(text, expected):
    assert label(text).value == expected


@pytest.mark.parametrize(("text", "_"), CASES)
def test_spans_are_slices_in_order(text, _):
    spans = label(text).spans
    assert all(text[s.start : s.end] == s.text for s in spans)
    assert list(spans) == sorted(spans, key=lambda s: s.start)


def test_spans_hold_contractions_and_the_dot_of_a_title():
    assert [s.text for s in label("Mr. Oakes says he's late.").spans] == ["Mr.", "he's"]


def test_mixed_is_not_decided_by_majority():
    found = label("He gave his brother her book.")
    assert found.value == "mixed"
    assert [s.gender for s in found.spans] == ["male", "male", "male", "female"]
