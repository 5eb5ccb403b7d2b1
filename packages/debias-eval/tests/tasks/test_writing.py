"""What a model writes: gender words counted whole, and how varied it is."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from debias_eval import EvalSettings, GradeSettings, TaskSpec, evaluate, grade
from debias_eval.errors import InputError
from debias_eval.results import BenchmarkResult
from debias_eval.tasks.diversity import distinct_n, repetition, self_bleu, words_of
from debias_eval.tasks.word_counts import count_gender_words

FAST = EvalSettings(grade=GradeSettings(resamples=200))


def _grade(task: str, answers: dict[str, list[str]], folder: Path) -> BenchmarkResult:
    data, completions = folder / "prompts.jsonl", folder / "answers.jsonl"
    data.write_text("".join(json.dumps({"id": key, "prompt": "P"}) + "\n" for key in answers))
    rows = [{"id": key, "completion": text} for key, texts in answers.items() for text in texts]
    completions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    results = grade(task, completions, data=data, out=folder / "o", settings=FAST)
    return results.benchmarks[task]


@pytest.mark.parametrize(
    ("text", "female", "male", "leaning"),
    [
        ("She took her bag.", 2, 0, "female"),
        ("HE said: HE left, she stayed", 1, 2, "male"),
        ("he and she", 1, 1, "both"),
        ("The shed, the heron, a mention of human women's history.", 1, 0, "female"),
        ("they themselves", 0, 0, "undetected"),
        ("", 0, 0, "undetected"),
        ("he's sure; she'd go; _her_", 2, 1, "female"),
    ],
)
def test_whole_words(text: str, female: int, male: int, leaning: str) -> None:
    words = count_gender_words(text)
    assert (words.female, words.male, words.leaning) == (female, male, leaning)


def test_the_share_of_female_answers_and_the_undetected_rate(tmp_path: Path) -> None:
    answers = {"a": ["she", "he he", "it"], "b": ["she", "she", "he she"], "c": ["x", "y", "he"]}
    row = _grade("word_counts", answers, tmp_path)
    assert row.score == pytest.approx(100 * 3 / 5)
    assert row.details["female_words"]["value"] == pytest.approx(100 * 4 / 8)
    assert row.details["undetected_rate"]["value"] == pytest.approx(3 / 9)
    assert row.details["answers"] == {"female": 3, "male": 2, "both": 1, "undetected": 3}
    low, high = row.interval
    assert low <= row.score <= high


def test_a_model_that_never_says_who_is_not_unbiased(tmp_path: Path) -> None:
    row = _grade("word_counts", {"a": ["it", "they"], "b": ["so", ""]}, tmp_path)
    assert (row.score, row.interval) == (None, None)
    assert row.details["undetected_rate"]["value"] == 1.0
    assert row.details["female_answers"] is None


def test_the_packaged_prompts_say_nobodys_gender(stories: Path, tmp_path: Path) -> None:
    changes = {"max_new_tokens": 8, "sampling": {"n": 2, "temperature": 1.0}}
    spec = TaskSpec("word_counts", limit=4, protocol=changes)
    row = evaluate(stories, [spec], out=tmp_path, settings=FAST).benchmarks["word_counts"]
    assert row.n == 8
    items = (tmp_path / "word_counts" / "items.jsonl").read_text().splitlines()
    assert all(count_gender_words(item).leaning == "undetected" for item in items)


def test_distinct_n_by_hand() -> None:
    answers = [["a", "b", "a"], ["a", "b"]]
    assert distinct_n(answers, 1) == 2 / 5
    assert distinct_n(answers, 2) == 2 / 3  # ab, ba, ab
    assert distinct_n(answers, 3) == 1.0
    assert distinct_n([[], ["a"]], 2) is None


def test_repetition_by_hand() -> None:
    words = ["x", "y"] * 4  # five 4-grams, two different ones
    assert repetition(words) == pytest.approx(1 - 2 / 5)
    assert repetition(["a", "b", "c", "d", "e"]) == 0.0
    assert repetition(["a", "b", "c"]) is None


def test_self_bleu_by_hand() -> None:
    same = ["the", "cat", "sat", "on", "it"]
    assert self_bleu(same, [same]) == pytest.approx(1.0)
    assert self_bleu(["dog"], [same]) == 0.0
    assert self_bleu([], [same]) is None
    assert self_bleu(same, []) is None
    # 2 of 3 words; 1 of 2 pairs, 0 of 1 triple, no 4-gram, each with one more; three words
    # against five.
    expected = math.exp((math.log(2 / 3) + math.log(2 / 3) + math.log(1 / 2)) / 4 + 1 - 5 / 3)
    assert self_bleu(["the", "cat", "ran"], [same]) == pytest.approx(expected)
    # A word counts at most as often as one of the others holds it.
    assert self_bleu(["a", "a"], [["a", "b"]]) == pytest.approx(
        math.exp((math.log(1 / 2) + math.log(1 / 2)) / 4)
    )


def test_words() -> None:
    assert words_of("Don't stop — NOW!") == ["don", "t", "stop", "now"]


def test_diversity_over_prompts(tmp_path: Path) -> None:
    same, other = "one two three four five six", "seven eight nine ten eleven twelve"
    row = _grade("diversity", {"a": [same, same], "b": [same, other]}, tmp_path)
    assert row.score == pytest.approx((0.5 + 1.0) / 2)
    assert row.details["self_bleu"]["value"] == pytest.approx((1.0 + 0.0) / 2)
    assert row.details["repetition"]["value"] == 0.0
    assert row.details["num_words"]["value"] == 6.0
    assert (row.details["truncated_rate"], row.details["empty_rate"]) == (0.0, 0.0)
    assert "ideal" not in row.details


def test_what_was_not_said_is_no_number(tmp_path: Path) -> None:
    row = _grade("diversity", {"a": [""], "b": [""]}, tmp_path)
    assert (row.score, row.details["self_bleu"], row.details["distinct_2"]) == (None, None, None)
    assert row.details["empty_rate"] == 1.0


def test_prompts_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"prompt": ""}\n')
    with pytest.raises(InputError, match=r"p\.jsonl:1:prompt"):
        evaluate("m", [TaskSpec("diversity", data=path)], out=tmp_path / "o")
