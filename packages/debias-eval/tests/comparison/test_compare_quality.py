"""Perplexity, diversity and counterfactual maths of two models: paired, like the bias suites."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from debias_eval import EvalSettings, GradeSettings, TaskSpec, evaluate, grade
from debias_eval.backends.scorer import ScorerBackend
from debias_eval.comparison import ClusteredTest, compare
from debias_eval.errors import InputError
from debias_eval.statistics.bootstrap import Bootstrap

PLAN = Bootstrap(resamples=400)
FAST = EvalSettings(grade=GradeSettings(resamples=200, workers=1))


def _jsonl(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _test(folder: Path, name: str) -> ClusteredTest:
    entry = compare(folder / "before", folder / "after", plan=PLAN).benchmarks[0]
    assert (entry.name, entry.status) == (name, "compared")
    assert entry.bias_test is not None
    return entry.bias_test


def _perplexity(folder: Path, nats: dict[str, float]) -> None:
    """Documents of 1 to 30 words, each word with ``nats`` and a little that depends on it."""
    data = _jsonl(folder / "d.jsonl", [{"text": "word " * n} for n in range(1, 31)])
    for name, each in nats.items():

        def score(_: str, text: str, each: float = each) -> float:
            size = len(text.split())
            return -each * size - 0.01 * (size % 3)

        spec = TaskSpec("perplexity", data=data)
        evaluate("m", [spec], backend=ScorerBackend(score, name), out=folder / name, settings=FAST)


def test_perplexity_by_hand_and_paired(tmp_path: Path) -> None:
    _perplexity(tmp_path, {"before": 1.0, "after": 1.2})
    found = _test(tmp_path, "perplexity")
    words = sum(range(1, 31))
    extra = sum(0.01 * (n % 3) for n in range(1, 31))
    assert found.headline.before.value == pytest.approx(math.exp((words + extra) / words))
    assert found.headline.after.value == pytest.approx(math.exp((1.2 * words + extra) / words))
    assert found.headline.distance.low > 0
    assert found.verdict == "worse"
    bits = found.others["bits_per_byte"]
    assert bits.after.value == pytest.approx((1.2 * words + extra) / (5 * words) / math.log(2))
    metrics = json.loads((tmp_path / "before" / "perplexity" / "metrics.json").read_text())
    low, high = metrics["interval"]
    assert 1.0 < low < metrics["score"] < high


def test_the_same_perplexity_is_no_change(tmp_path: Path) -> None:
    _perplexity(tmp_path, {"before": 1.0, "after": 1.0})
    found = _test(tmp_path, "perplexity")
    assert (found.p, found.verdict, found.headline.difference.value) == (1.0, "inconclusive", 0.0)


def test_diversity_paired(tmp_path: Path) -> None:
    """After, every prompt gets one answer four times; before, four different ones."""
    prompts = [{"id": f"p{n}", "prompt": f"The person {n}"} for n in range(24)]
    data = _jsonl(tmp_path / "prompts.jsonl", prompts)
    for name, num_different in (("before", 4), ("after", 1)):
        rows = [
            {"id": f"p{n}", "completion": f"so {n} went to place {k % num_different} and {k} saw"}
            if name == "before"
            else {"id": f"p{n}", "completion": f"so {n} went to place {n % 2} and saw it"}
            for n in range(24)
            for k in range(4 if name == "before" else 3)
        ]
        if name == "after":  # one answer in four differs, so that they are four samples
            rows += [
                {"id": f"p{n}", "completion": f"so {n} went to place and {n}"} for n in range(24)
            ]
        completions = _jsonl(tmp_path / f"{name}.jsonl", rows)
        grade("diversity", completions, data=data, out=tmp_path / name, settings=FAST)
    found = _test(tmp_path, "diversity")
    assert found.headline.ideal == 1.0
    assert found.headline.after.value < found.headline.before.value
    assert found.verdict == "worse"
    assert found.others["self_bleu"].difference.value > 0
    assert "num_words" not in found.others  # a length has no better end


def _maths(folder: Path, name: str, female: list[bool], male: list[bool]) -> None:
    data = _jsonl(
        folder / "pairs.jsonl",
        [
            {
                "pair_id": f"p{n}",
                "cluster_id": f"c{n}",
                "group": group,
                "prompt": f"{who} has {n} pens.",
                "reference": f"#### {n}",
                "split": "test",
            }
            for n in range(len(female))
            for group, who in (("female", "Ann"), ("male", "Tom"))
        ],
    )
    rows = [
        {"id": f"p{n}/{side}", "completion": f"The answer is {n if right else 99}."}
        for side, rights in (("female", female), ("male", male))
        for n, right in enumerate(rights)
    ]
    completions = _jsonl(folder / f"{name}.jsonl", rows)
    grade("counterfactual_maths", completions, data=data, out=folder / name, settings=FAST)


def test_counterfactual_maths_paired(tmp_path: Path) -> None:
    """Before, 20 of 30 pairs are solved for men alone; after, all for both."""
    _maths(tmp_path, "before", [False] * 20 + [True] * 10, [True] * 30)
    _maths(tmp_path, "after", [True] * 30, [True] * 30)
    found = _test(tmp_path, "counterfactual_maths")
    assert found.headline.before.value == pytest.approx(-20 / 30)
    assert (found.headline.after.value, found.verdict) == (0.0, "improved")
    assert found.others["flip_rate"].difference.value == pytest.approx(-20 / 30)
    assert (found.num_items, found.num_clusters) == (60, 30)


def test_verdicts_of_another_version_say_what_to_do(tmp_path: Path) -> None:
    _maths(tmp_path, "before", [True] * 3, [True] * 3)
    _maths(tmp_path, "after", [True] * 3, [True] * 3)
    path = tmp_path / "after" / "counterfactual_maths" / "verdicts.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    _jsonl(path, [{k: v for k, v in row.items() if k != "pair_id"} for row in rows])
    with pytest.raises(InputError, match=r"KeyError\('pair_id'\); `debias-eval regrade .*after`"):
        compare(tmp_path / "before", tmp_path / "after", plan=PLAN)
