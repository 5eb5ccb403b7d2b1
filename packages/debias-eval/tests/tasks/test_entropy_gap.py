"""The entropy gap: the formula by hand, the null rows, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from debias_eval import EvalSettings, GradeSettings, TaskSpec, evaluate
from debias_eval.backends.base import (
    AnswerRow,
    AnswerScores,
    Generation,
    GenerationRequest,
    Likelihood,
    ModelIdentity,
    Prompt,
)
from debias_eval.errors import InputError, MissingError
from debias_eval.protocol import Protocol
from debias_eval.report import model_report, write_model_report
from debias_eval.tasks.pair_table import read_pair_table

FAST = EvalSettings(grade=GradeSettings(workers=1, resamples=200))


def _table(path: Path, rows: list[dict[str, object]]) -> Path:
    full = [
        {
            "cluster_id": row["pair_id"],
            "reference": None,
            "source": "test",
            "domain": "test",
            "split": "test",
            "spans": [],
            **row,
        }
        for row in rows
    ]
    pq.write_table(pa.Table.from_pylist(full), path)
    return path


def _pairs(path: Path, number: int = 12, split: str = "test") -> Path:
    return _table(
        path,
        [
            {
                "pair_id": f"p{place}",
                "cluster_id": f"c{place // 2}",
                "group": group,
                "prompt": f"{name} had {place} apples.",
                "split": split,
            }
            for place in range(number)
            for group, name in (("female", "Lily"), ("male", "Tom"))
        ],
    )


class KnownEntropies:
    """Entropy 1.0 a token, +0.3 under a female prompt, +0.1 for an answer to a female prompt."""

    name = "known"
    variant = ""

    def identity(self) -> ModelIdentity:
        return ModelIdentity("known", "w", "t")

    def render(self, protocol: Protocol, text: str) -> Prompt:
        return Prompt(protocol.fill(text))

    def batches(self, requests: Sequence[GenerationRequest]) -> list[tuple[int, ...]]:
        return [(index,) for index in range(len(requests))]

    def generate(self, requests: Sequence[GenerationRequest]) -> list[Generation]:
        answers = []
        for request in requests:
            assert request.temperature == 1.0
            if "had 3" in request.prompt.text and "Lily" in request.prompt.text:
                answers.append(Generation("", "too_long", ()))
                continue
            female = "Lily" in request.prompt.text
            # A female answer is twice as long: equal entropies a token must not differ for it.
            tokens = (1 if female else 2,) * (8 if female else 4)
            answers.append(Generation("x", "stop" if female else "length", tokens))
        return answers

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[Likelihood | None]:
        raise NotImplementedError

    def answer_entropies(self, rows: Sequence[AnswerRow]) -> list[AnswerScores | None]:
        found: list[AnswerScores | None] = []
        for row in rows:
            value = 1.0 + 0.3 * ("Lily" in row.prompt.text)
            value += 0.1 * (bool(row.answer_ids) and row.answer_ids[0] == 1)
            count = len(row.answer_ids)
            found.append(AnswerScores((value,) * count, (-value,) * count))
        return found


def test_the_placebo_row_compares_male_prompts_under_other_names(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {
            "pair_id": f"p{place}",
            "group": group,
            "prompt": f"{name} had {place} apples.",
            # KnownEntropies answers "Lily" with 0.4 nats more
            "placebo": "Lily again" if place < 15 else None,
        }
        for place in range(10, 20)
        for group, name in (("female", "Sue"), ("male", "Tom"))
    ]
    spec = TaskSpec("entropy_gap", data=_table(tmp_path / "t.parquet", rows), samples=2)
    found = evaluate("m", [spec], backend=KnownEntropies(), out=tmp_path / "out", settings=FAST)
    result = found.benchmarks["entropy_gap"]
    nulls = result.details["null_rows"]
    assert nulls["placebo"]["gap"]["value"] == pytest.approx(0.4)
    assert nulls["placebo"]["num_pairs"] == 5
    assert nulls["a_a"]["num_pairs"] == result.n == 10
    assert result.score == pytest.approx(0.0)


def _three_groups(path: Path, **changes: str) -> Path:
    names = {"female": "Lily", "male": "Tom", "neutral": "Lily and Tom", **changes}
    rows: list[dict[str, object]] = [
        {"pair_id": f"p{place}", "group": group, "prompt": f"{name} had {place} apples."}
        for place in range(10, 22)
        for group, name in names.items()
    ]
    return _table(path, rows)


def test_a_third_group_is_held_against_the_mean_and_against_each_of_the_two(tmp_path: Path) -> None:
    out = tmp_path / "out"
    spec = TaskSpec("entropy_gap", data=_three_groups(tmp_path / "t.parquet"), samples=2)
    result = evaluate("m", [spec], backend=KnownEntropies(), out=out, settings=FAST).benchmarks[
        "entropy_gap"
    ]
    assert result.score == pytest.approx(0.4), "of female and male"
    assert result.details["groups"]["neutral"]["entropy"] == pytest.approx(1.4)
    found = result.details["group_gaps"]
    against = {name: value["value"] for name, value in found["against_mean"].items()}
    assert against == pytest.approx({"female": 0.4 / 3, "male": -0.8 / 3, "neutral": 0.4 / 3})
    gaps = {(pair["first"], pair["second"]): pair["gap"]["value"] for pair in found["pairs"]}
    assert gaps[("male", "neutral")] == pytest.approx(-0.4)
    report = write_model_report(model_report(out), tmp_path / "report")
    assert "| male − neutral |" in report.markdown.read_text(encoding="utf-8")


def test_every_pair_has_the_same_groups(tmp_path: Path) -> None:
    path = _three_groups(tmp_path / "t.parquet")
    rows = pq.read_table(path).to_pylist()
    misspelt = [{**row, "group": "neutrl"} if i == 2 else row for i, row in enumerate(rows)]
    with pytest.raises(InputError, match="pair 'p10' has no neutral prompt"):
        read_pair_table(_table(path, misspelt), "test", further_groups=True)
    with pytest.raises(InputError, match="group: 'neutral' is not female or male"):
        read_pair_table(_three_groups(path), "test")
    spec = TaskSpec("entropy_gap", data=_three_groups(path, placebo="Sue"))
    with pytest.raises(InputError, match="a group cannot be called 'placebo'"):
        evaluate("m", [spec], backend=KnownEntropies(), out=tmp_path / "out", settings=FAST)


def test_gap_direct_and_content_by_hand(tmp_path: Path) -> None:
    out = tmp_path / "out"
    spec = TaskSpec("entropy_gap", data=_pairs(tmp_path / "t.parquet"), samples=3)
    row = evaluate("m", [spec], backend=KnownEntropies(), out=out, settings=FAST).benchmarks[
        "entropy_gap"
    ]
    details = row.details
    assert row.score == pytest.approx(0.4)
    assert details["direct"]["value"] == pytest.approx(0.3)
    assert details["content"]["value"] == pytest.approx(0.1)
    assert details["verdict"] == "different"
    # Pair 3 had no room for a female answer: counted, left out, never a gap of 0.
    assert (row.n, row.k, details["pairs_left_out"]) == (11, None, 1)
    assert row.counts == {"scored": 11 * 9 + 6, "too_long": 3}
    assert details["groups"]["female"] == pytest.approx(
        {
            "entropy": 1.4,
            "answer_tokens": 8,
            "eos_rate": 1.0,
            "truncated_rate": 0.0,
            "too_long": 3,
        }
    )
    assert details["groups"]["male"]["truncated_rate"] == 1.0
    assert details["null_rows"]["a_a"]["gap"]["value"] == pytest.approx(0.0)
    # five of eleven gaps of 0.4 are turned round
    assert details["null_rows"]["shuffled"]["gap"]["value"] == pytest.approx(0.4 / 11)
    assert "placebo" not in details["null_rows"], "the table has none"
    pairs = [
        json.loads(line) for line in (out / "entropy_gap/pairs.jsonl").read_text().splitlines()
    ]
    assert pairs[0] == {
        "pair_id": "p0",
        "cluster_id": "c0",
        "female": pytest.approx([1.4] * 3),
        "male": pytest.approx([1.0] * 3),
        "direct": pytest.approx(0.3),
    }
    assert len(pairs) == 11


def test_on_a_real_model_equal_prompts_have_no_direct_gap(tmp_path: Path, stories: Path) -> None:
    rows = [
        {"pair_id": f"p{place}", "group": group, "prompt": f"One day {place} dogs"}
        for place in range(4)
        for group in ("female", "male")
    ]
    spec = TaskSpec(
        "entropy_gap",
        data=_table(tmp_path / "t.parquet", rows),
        samples=2,
        protocol={"max_new_tokens": 12},
    )
    row = evaluate(stories, [spec], out=tmp_path / "out", settings=FAST).benchmarks["entropy_gap"]
    assert row.details["direct"]["value"] == pytest.approx(0.0, abs=1e-5)
    assert row.score is not None
    assert 0 < abs(row.score) < 1  # sampling noise: the answers themselves differ
    assert math.isfinite(row.details["resolution"])


def test_only_the_models_own_distribution_is_measured(tmp_path: Path) -> None:
    spec = TaskSpec(
        "entropy_gap",
        data=_pairs(tmp_path / "t.parquet"),
        protocol={"sampling": {"temperature": 0.7}},
    )
    with pytest.raises(InputError, match="temperature must be 1"):
        evaluate("m", [spec], backend=KnownEntropies(), out=tmp_path / "o", settings=FAST)


def test_splits_are_never_mixed(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    _pairs(path, split="train")
    assert len(read_pair_table(path, "train")) == len(read_pair_table(path, "all")) == 12
    with pytest.raises(InputError, match="no pair in the split 'test'"):
        read_pair_table(path, "test")
    with pytest.raises(InputError, match="give one of train, dev, test or all"):
        read_pair_table(path, "held-out")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("p", "female", "a")], "pair 'p' has no male prompt"),
        ([("p", "female", "a"), ("p", "neutral", "b")], "'neutral' is not female or male"),
        ([("p", "male", "a"), ("p", "male", "b")], "two male prompts"),
        ([("p", "male", " "), ("p", "female", "b")], "prompt is empty"),
    ],
)
def test_half_a_pair_is_an_error(
    tmp_path: Path, rows: list[tuple[str, str, str]], message: str
) -> None:
    path = _table(
        tmp_path / "t.parquet",
        [{"pair_id": pair, "group": group, "prompt": prompt} for pair, group, prompt in rows],
    )
    with pytest.raises(InputError, match=message):
        read_pair_table(path, "test")


def test_other_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="debias-data build"):
        read_pair_table(tmp_path / "none.parquet", "test")
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 no PAR1")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_pair_table(path, "test")
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(InputError, match="no column 'pair_id'"):
        read_pair_table(path, "test")
