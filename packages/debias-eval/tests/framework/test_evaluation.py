"""The pipeline: files, resuming, caching by content, regrading, recorded completions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from debias_eval import (
    BackendSettings,
    EvalSettings,
    GradeSettings,
    TaskSpec,
    evaluate,
    grade,
    load_results,
    regrade,
)
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
from debias_eval.results import BenchmarkResult

FAST = EvalSettings(grade=GradeSettings(workers=1, resamples=200))


class FakeBackend:
    """Answers `What is A+B?` rightly for even A; counts what it is asked; may break down."""

    name = "fake"
    variant = ""

    def __init__(self, weights: str = "w1", fails_after: int | None = None) -> None:
        self.weights = weights
        self.asked: list[str] = []
        self._left = fails_after

    def identity(self) -> ModelIdentity:
        return ModelIdentity("fake", self.weights, "t1")

    def render(self, protocol: Protocol, text: str) -> Prompt:
        return Prompt(protocol.fill(text))

    def batches(self, requests: Sequence[GenerationRequest]) -> list[tuple[int, ...]]:
        places = range(len(requests))
        return [tuple(places[start : start + 3]) for start in range(0, len(requests), 3)]

    def generate(self, requests: Sequence[GenerationRequest]) -> list[Generation]:
        if self._left is not None:
            if self._left == 0:
                raise KeyboardInterrupt
            self._left -= 1
        answers = []
        for request in requests:
            self.asked.append(request.key)
            sum_text = request.prompt.text.removeprefix("What is ").rstrip("?")
            a, b = (int(part) for part in sum_text.split("+"))
            wrong = a % 2 and request.temperature == 0
            answers.append(Generation(f"The answer is {a + b + wrong}.", "stop", (1, 2, 3)))
        return answers

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[Likelihood | None]:
        raise NotImplementedError

    def answer_entropies(self, rows: Sequence[AnswerRow]) -> list[AnswerScores | None]:
        raise NotImplementedError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "sums.jsonl"
    rows = [{"id": f"s{a}", "question": f"What is {a}+2?", "answer": str(a + 2)} for a in range(8)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_results_hold_what_the_contract_names(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "out"
    spec = TaskSpec("math_jsonl", name="arithmetic", data=data)
    results = evaluate("fake", [spec], backend=FakeBackend(), out=out, settings=FAST)
    row = json.loads((out / "results.json").read_text())["benchmarks"]["arithmetic"]
    assert row["score"] == 0.5
    assert (row["n"], row["k"], row["kind"], row["metric"]) == (8, 4, "maths", "accuracy")
    assert row["interval"][0] < 0.5 < row["interval"][1]
    assert row["counts"] == {"correct": 4, "incorrect": 4}
    assert row["protocol_hash"] == Protocol.from_dict(row["protocol"]).hash
    assert row["data_sha256"] == row["protocol"]["data_sha256"]
    assert sorted(path.name for path in (out / "arithmetic").iterdir()) == [
        "generations.jsonl",
        "items.jsonl",
        "metrics.json",
        "task.json",
        "verdicts.jsonl",
    ]
    first = json.loads((out / "arithmetic" / "generations.jsonl").read_text().splitlines()[0])
    assert {"id", "sample", "text", "finish_reason", "num_tokens"} <= set(first)
    assert load_results(out) == results


@pytest.mark.parametrize("fails_after", [0, 1, 2])
def test_an_interrupted_run_goes_on_and_ends_byte_equal(
    tmp_path: Path, data: Path, fails_after: int
) -> None:
    spec = TaskSpec("math_jsonl", data=data)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    evaluate("fake", [spec], backend=FakeBackend(), out=whole, settings=FAST)
    first = FakeBackend(fails_after=fails_after)
    with pytest.raises(KeyboardInterrupt):
        evaluate("fake", [spec], backend=first, out=broken, settings=FAST)
    assert not (broken / "results.json").exists()
    log = broken / "math_jsonl" / "generations.part.jsonl"
    if log.exists() and log.stat().st_size:
        log.write_bytes(log.read_bytes()[:-7])  # the kill tore the last line
    second = FakeBackend()
    evaluate("fake", [spec], backend=second, out=broken, settings=FAST)
    assert len(second.asked) == 8 - 3 * max(fails_after - 1, 0)
    assert _contents(whole) == _contents(broken)


def test_a_complete_run_asks_nothing_and_other_weights_ask_everything(
    tmp_path: Path, data: Path
) -> None:
    spec = TaskSpec("math_jsonl", data=data)

    def asked(backend: FakeBackend, **options: object) -> int:
        evaluate("fake", [spec], backend=backend, out=tmp_path / "out", settings=FAST, **options)
        return len(backend.asked)

    assert asked(FakeBackend()) == 8
    assert asked(FakeBackend()) == 0
    assert asked(FakeBackend("w2")) == 8  # the same path with other weights
    assert asked(FakeBackend("w2"), protocol={"max_new_tokens": 9}) == 8
    assert asked(FakeBackend("w2"), protocol={"max_new_tokens": 9}, limit=5) == 0
    data.write_text(data.read_text().replace("What is 7+2", "What is 7+1"))
    assert asked(FakeBackend("w2"), protocol={"max_new_tokens": 9}, limit=5) == 5


def test_several_samples_are_clustered_by_item(tmp_path: Path, data: Path) -> None:
    results = evaluate(
        "fake",
        [TaskSpec("math_jsonl", data=data, samples=3, protocol={"sampling": {"temperature": 1.0}})],
        backend=FakeBackend(),
        out=tmp_path / "out",
        settings=FAST,
    )
    row = results.benchmarks["math_jsonl"]
    assert (row.score, row.n, row.k, row.details["num_items"]) == (1.0, 24, 24, 8)


def test_regrade_never_asks_and_sees_changed_answers(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "out"
    before = evaluate(
        "fake", [TaskSpec("math_jsonl", data=data)], backend=FakeBackend(), out=out, settings=FAST
    )
    data.unlink()  # a regrade needs the run's own files alone
    assert regrade(out, settings=FAST) == before
    path = out / "math_jsonl" / "generations.jsonl"
    path.write_text(path.read_text().replace("The answer is 4.", "The answer is 5."))
    after = regrade(out, settings=FAST)
    assert after.benchmarks["math_jsonl"].k == 3  # s1's 4 was wrong already, s2's was right


def test_grade_counts_every_item(tmp_path: Path, data: Path) -> None:
    completions = tmp_path / "c.jsonl"

    def write(rows: list[dict[str, object]]) -> None:
        completions.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def score() -> BenchmarkResult:
        return grade(
            "math_jsonl", completions, data=data, out=tmp_path / "g", settings=FAST
        ).benchmarks["math_jsonl"]

    right = [{"id": f"s{a}", "completion": f"The answer is {a + 2}."} for a in range(8)]
    write([*right[:7], {"id": "s7", "completion": ""}])
    row = score()
    assert (row.k, row.n, row.score) == (7, 8, 7 / 8)
    write(right[:7])
    with pytest.raises(InputError, match="1 of 8 items have no completion, first 's7'"):
        score()
    write([*right, {"id": "other", "completion": "1"}])
    with pytest.raises(InputError, match="unknown ids, first 'other'"):
        score()
    write([*right, {"id": "s0", "completion": "2"}])
    with pytest.raises(InputError, match="between 1 and 2 completions"):
        score()
    completions.write_text('{"id": "s0"}\n')
    with pytest.raises(InputError, match=r"c\.jsonl:1:completion: Field required"):
        score()


def test_two_benchmarks_of_one_name_or_a_path_as_name_are_refused(
    tmp_path: Path, data: Path
) -> None:
    spec = TaskSpec("math_jsonl", data=data)
    with pytest.raises(InputError, match="two benchmarks are called"):
        evaluate("fake", [spec, spec], backend=FakeBackend(), out=tmp_path / "o")
    with pytest.raises(InputError, match="result name"):
        evaluate(
            "fake",
            [TaskSpec("math_jsonl", name="../up", data=data)],
            backend=FakeBackend(),
            out=tmp_path / "o",
        )


def test_missing_data_says_what_and_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEBIAS_DATA_DIR", raising=False)
    with pytest.raises(MissingError, match=r"gsm8k/test\.jsonl.*DEBIAS_DATA_DIR"):
        evaluate("fake", ["gsm8k"], backend=FakeBackend(), out=tmp_path / "o")
    with pytest.raises(MissingError, match="put it at"):
        evaluate("fake", ["gsm8k"], backend=FakeBackend(), out=tmp_path / "o", data_dir=tmp_path)


def test_a_run_adds_to_the_results_of_the_same_model_only(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "out"

    def run(name: str, weights: str) -> set[str]:
        spec = TaskSpec("math_jsonl", name=name, data=data, limit=2)
        backend = FakeBackend(weights)
        return set(evaluate("fake", [spec], backend=backend, out=out, settings=FAST).benchmarks)

    assert run("one", "w1") == {"one"}
    assert run("two", "w1") == {"one", "two"}
    assert run("three", "w2") == {"three"}


def test_the_grading_workers_start_before_the_model_is_asked(tmp_path: Path, data: Path) -> None:
    from debias_eval.grading import workers

    seen: list[bool] = []

    class Looking(FakeBackend):
        def generate(self, requests: Sequence[GenerationRequest]) -> list[Generation]:
            seen.append(workers._service is not None and not workers._service.broken)
            return super().generate(requests)

    workers._close()
    workers._service = None
    evaluate(
        "fake",
        [TaskSpec("math_jsonl", data=data)],
        backend=Looking(),
        out=tmp_path / "o",
        settings=FAST,
    )
    assert seen
    assert all(seen)


def test_a_checkpoint_overwritten_in_place_never_gets_the_old_answers(
    tmp_path: Path, data: Path, make_model: Callable[..., Path]
) -> None:
    """Debiasing writes the same path again: the cache knows weights, tokenizer and template."""
    model = tmp_path / "model"
    spec = TaskSpec("math_jsonl", data=data, protocol={"max_new_tokens": 8, "chat_template": True})
    settings = EvalSettings(BackendSettings(device="cpu"), GradeSettings(workers=1))

    def texts(out: str) -> list[str]:
        evaluate(model, [spec], out=tmp_path / out, settings=settings)
        path = tmp_path / out / "math_jsonl" / "generations.jsonl"
        return [json.loads(line)["text"] for line in path.read_text().splitlines()]

    shutil.copytree(make_model("qwen2", seed=1, chat_template=True), model)
    first = texts("out")
    assert texts("out") == first
    other = make_model("qwen2", seed=2, chat_template=True)
    shutil.copyfile(other / "model.safetensors", model / "model.safetensors")
    second = texts("out")
    assert second == texts("fresh") != first
    # The same weights behind another template are another model.
    template = model / "chat_template.jinja"
    template.write_text(template.read_text().replace("<", "["))
    third = texts("out")
    assert third == texts("fresh again") != second


def test_a_real_model_end_to_end(
    tmp_path: Path, data: Path, make_model: Callable[..., Path]
) -> None:
    settings = EvalSettings(grade=GradeSettings(workers=1))
    spec = TaskSpec("math_jsonl", data=data, protocol={"max_new_tokens": 8})
    model = make_model("llama", seed=5)
    first = evaluate(model, [spec], out=tmp_path / "a", settings=settings)
    second = evaluate(model, [spec], out=tmp_path / "b", settings=settings)
    assert first.benchmarks["math_jsonl"].n == 8
    assert first.model.weights_sha256 == second.model.weights_sha256
    assert _contents(tmp_path / "a") == _contents(tmp_path / "b")
