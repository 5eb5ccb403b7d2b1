"""lm-evaluation-harness's tasks through our pipeline; what is missing is said where it is not."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debias_eval.backends.scorer import ScorerBackend
from debias_eval.errors import InputError, MissingError
from debias_eval.evaluation import EvalSettings, evaluate, regrade
from debias_eval.preparing import TaskSpec
from debias_eval.results import Results
from debias_eval.tasks.base import GradeSettings
from debias_eval.tasks.registry import get_task, tasks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from debias_eval.backends.base import Generation, GenerationRequest

HARNESS = find_spec("lm_eval") is not None
needs_harness = pytest.mark.skipif(not HARNESS, reason="lm-eval is not installed")
SETTINGS = EvalSettings(grade=GradeSettings(resamples=200))
ROWS = [
    {"question": "2+2", "choices": ["4", "22"], "gold": 0},
    {"question": "3+3", "choices": ["33", "6"], "gold": 1},
    {"question": "1+1", "choices": ["11", "two more"], "gold": 0},
    {"question": "5+5", "choices": ["10", "fifty five"], "gold": 0},
]
CHOICE = """\
output_type: multiple_choice
doc_to_text: "Q: {{question}}\\nA:"
doc_to_target: gold
doc_to_choice: choices
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
"""
GREEDY = """\
output_type: loglikelihood
doc_to_text: "{{question}}="
doc_to_target: "{{choices[gold]}}"
target_delimiter: ""
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: perplexity, aggregation: perplexity, higher_is_better: false}
"""
WRITTEN = """\
output_type: generate_until
doc_to_text: "{{question}}="
doc_to_target: "{{choices[gold]}}"
num_fewshot: 1
fewshot_split: test
fewshot_config: {sampler: first_n}
generation_kwargs: {until: ["\\n", "."], max_gen_toks: 7}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
"""
ROLLING = """\
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{question}} {{choices[0]}}"
metric_list:
  - {metric: word_perplexity, aggregation: weighted_perplexity, higher_is_better: false}
"""


class _Writer(ScorerBackend):
    """Likes short answers, and writes the gold answer of every question but the last."""

    def __init__(self) -> None:
        super().__init__(lambda context, continuation: -float(len(continuation)))
        self.asked: list[GenerationRequest] = []

    def batches(self, requests: Sequence[GenerationRequest]) -> list[tuple[int, ...]]:
        return [tuple(range(len(requests)))]

    def generate(self, requests: Sequence[GenerationRequest]) -> list[Generation]:
        from debias_eval.backends.base import Generation

        self.asked += requests
        known = {row["question"]: row["choices"][row["gold"]] for row in ROWS[:3]}  # type: ignore[index,call-overload]
        last = [request.prompt.text.split("\n")[-1].rstrip("=") for request in requests]
        return [Generation(str(known.get(question, "?")), "stop", (1,)) for question in last]


def _run(tmp_path: Path, text: str, backend: ScorerBackend, **changes: object) -> Results:
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    head = f"task: own\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {data}}}}}\n"
    definition = tmp_path / "own.yaml"
    definition.write_text(f"{head}test_split: test\n{text}")
    spec = TaskSpec("lm_eval", data=definition, protocol=changes or None)
    return evaluate("x", [spec], out=tmp_path / "out", backend=backend, settings=SETTINGS)


@needs_harness
def test_multiple_choice_by_likelihood(tmp_path: Path) -> None:
    found = _run(tmp_path, CHOICE, _Writer()).benchmarks["lm_eval"]
    # the shortest wins: 4, 6, 11 and 10 are right
    assert (found.score, found.k, found.n, found.metric) == (1.0, 4, 4, "acc")
    assert found.interval is not None
    assert found.interval[0] == pytest.approx(0.5101, abs=1e-4)  # Wilson, 4 of 4
    assert set(found.details["metrics"]) == {"acc", "acc_norm"}
    rows = [json.loads(line) for line in (tmp_path / "out/lm_eval/items.jsonl").open()]
    assert rows[0]["calls"] == [
        ["loglikelihood", "Q: 2+2\nA:", " 4"],
        ["loglikelihood", "Q: 2+2\nA:", " 22"],
    ]


@needs_harness
def test_another_metric_may_be_the_headline(tmp_path: Path) -> None:
    found = _run(tmp_path, CHOICE, _Writer(), extraction="acc_norm").benchmarks["lm_eval"]
    assert found.metric == "acc_norm"
    with pytest.raises(InputError, match=r"no metric 'f1', only \['acc', 'acc_norm'\]"):
        _run(tmp_path, CHOICE, _Writer(), extraction="f1")


@needs_harness
def test_greedy_continuations_and_a_score_that_is_no_mean(tmp_path: Path) -> None:
    found = _run(tmp_path, GREEDY, _Writer()).benchmarks["lm_eval"]
    assert (found.score, found.k, found.n) == (0.75, 3, 4)
    perplexity = found.details["metrics"]["perplexity"]
    # exp of the mean of 1, 1, 2 and 2 characters
    assert perplexity["value"] == pytest.approx(2.71828182846**1.5)
    assert perplexity["interval"][0] < perplexity["value"] < perplexity["interval"][1]
    assert perplexity["higher_is_better"] is False


@needs_harness
def test_written_answers_with_worked_examples_and_stops(tmp_path: Path) -> None:
    backend = _Writer()
    found = _run(tmp_path, WRITTEN, backend).benchmarks["lm_eval"]
    assert (found.score, found.k, found.n) == (0.75, 3, 4)
    last = backend.asked[-1]
    assert last.prompt.text == "2+2= 4\n\n5+5="
    assert (last.stop, last.max_new_tokens, last.temperature) == (("\n", "."), 7, 0.0)


@needs_harness
def test_perplexity_of_whole_texts(tmp_path: Path) -> None:
    found = _run(tmp_path, ROLLING, _Writer()).benchmarks["lm_eval"]
    # 5, 6, 6 and 6 characters over 2 words each
    assert found.score == pytest.approx(2.71828182846 ** (23 / 8))
    assert found.higher_is_better is False


@needs_harness
def test_a_finished_run_is_neither_asked_nor_scored_differently_again(tmp_path: Path) -> None:
    first = _run(tmp_path, WRITTEN, _Writer())
    again = _Writer()
    assert _run(tmp_path, WRITTEN, again).benchmarks == first.benchmarks
    assert again.asked == []
    assert regrade(tmp_path / "out", settings=SETTINGS).benchmarks == first.benchmarks


@needs_harness
def test_too_long_documents_are_counted(tmp_path: Path) -> None:
    backend = ScorerBackend(lambda _, text: None if "two" in text else -float(len(text)))
    found = _run(tmp_path, CHOICE, backend).benchmarks["lm_eval"]
    assert found.counts == {"correct": 3, "too_long": 1}
    assert found.n == 3


@needs_harness
def test_the_harness_has_tasks_of_its_own(tmp_path: Path) -> None:
    task = get_task("lm_eval_arithmetic_1dc")
    assert task.info.name == "lm_eval_arithmetic_1dc"
    path = task.default_data()
    assert path is not None
    assert path.name == "arithmetic_1dc.yaml"
    with pytest.raises(MissingError, match="no task 'no_such'"):
        get_task("lm_eval_no_such").default_data()
    broken = tmp_path / "broken.yaml"
    broken.write_text("task: own\ndataset_path: json\n")
    with pytest.raises(InputError, match=r"broken\.yaml: lm-evaluation-harness cannot load it"):
        task.load(broken, task.protocol())


@pytest.mark.skipif(HARNESS, reason="lm-eval is installed")
def test_without_the_harness_it_is_said_how_to_get_it() -> None:
    assert "lm_eval" in tasks.names()
    task = get_task("lm_eval_arithmetic_1dc")
    with pytest.raises(MissingError, match=r"pip install 'debias-eval\[lm-eval\]'") as caught:
        task.default_data()
    assert caught.value.exit_code == 4
