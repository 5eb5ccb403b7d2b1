"""Every benchmark of an evaluation has a key of its own: what changed runs, the rest is kept."""

from collections.abc import Callable
from pathlib import Path

import pytest

from debias_cli.config.load import LoadedConfig, parse_config
from debias_cli.rundir.benchmarks import BENCHMARK_RECORD, new_benchmark_record, take_over
from debias_cli.rundir.folder import RunFolder, write_record
from debias_cli.rundir.hashes import HashCache
from debias_cli.stages.graph import Stage, build_graph, run_folder
from debias_cli.stages.keys import Benchmark
from debias_cli.stages.planning import Decision, Selection, make_plan

TEXT = """\
run: {name: t, output_dir: runs}
model: {path: model}
data: {sources: [{kind: jsonl, path: rows.jsonl}]}
evaluate:
  data_dir: published
  tasks:
    - {kind: entropy_gap}
    - {kind: gsm8k, limit: 10}
    - {kind: humaneval}
    - {kind: math_jsonl, name: own, data: own.jsonl}
    - {kind: word_counts, samples: 2, temperature: 0.7}
    - {kind: winogender}
"""
EVERY = ("entropy_gap", "gsm8k", "humaneval", "own", "word_counts", "winogender")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    published = (
        "gsm8k/test.jsonl",
        "winogender/all_sentences.tsv",
        "winogender/occupations-stats.tsv",
    )
    files = ("model/config.json", "model/chat_template.jinja", "rows.jsonl", "own.jsonl")
    for name in (*files, *(f"published/{file}" for file in published)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")
    return tmp_path


def load(base: Path, *overrides: str) -> LoadedConfig:
    return parse_config(TEXT, source="p.yaml", base=base, overrides=overrides, environment={})


def baseline(base: Path, *overrides: str) -> Stage:
    stages = build_graph(load(base, *overrides), HashCache(None))
    return next(stage for stage in stages if stage.name == "baseline")


def plan(base: Path, *overrides: str, selection: Selection | None = None) -> Decision:
    loaded = load(base, *overrides)
    hashes = HashCache(None)
    stages = build_graph(loaded, hashes)
    decisions = make_plan(stages, run_folder(loaded), selection or Selection(), hashes)
    return next(item for item in decisions if item.stage.name == "baseline")


def finish(folder: Path, benchmark: Benchmark) -> None:
    folder.mkdir(parents=True)
    (folder / "verdicts.jsonl").write_text(f"verdicts of {benchmark.name}")
    parts = {
        "config": benchmark.config,
        "inputs": benchmark.inputs,
        "code": benchmark.code,
        "needs": dict.fromkeys(benchmark.needs, "key"),
    }
    name, key = benchmark.name, benchmark.key
    record = new_benchmark_record(name, key, parts, 1.0, head={}, result={})
    write_record(folder / BENCHMARK_RECORD, record)


def finish_all(base: Path, *overrides: str) -> RunFolder:
    """Leaves every benchmark finished in an evaluation that was not."""
    folder, stage = run_folder(load(base, *overrides)), baseline(base, *overrides)
    out = folder.begin(stage.name, stage.key)
    for item in stage.benchmarks:
        finish(out / item.name, item)
    return folder


def running(decision: Decision) -> tuple[str, ...]:
    return tuple(item.benchmark.name for item in decision.benchmarks if item.source is None)


@pytest.mark.parametrize(
    ("override", "names"),
    [
        ("evaluate.tasks.1.limit=20", ("gsm8k",)),
        ("evaluate.tasks.0.samples=3", ("entropy_gap",)),
        ("evaluate.tasks.2.max_new_tokens=9", ("humaneval",)),
        ("evaluate.sandbox=landlock", ("humaneval",)),
        ("evaluate.tasks.5.chat_template=true", ("winogender",)),
        ("data.seed=1", ("entropy_gap",)),
        ("run.seed=1", ("entropy_gap", "word_counts")),
        ("model.prompt.template='Q: {prompt}'", ("entropy_gap", "own", "word_counts")),
        ("model.dtype=bfloat16", EVERY),
        ("evaluate.batch_size=3", EVERY),
        ("evaluate.margin=0.2", ()),
        ("evaluate.gap_margin=0.2", ()),
        ("run.output_dir=elsewhere", ()),
    ],
)
def test_a_field_changes_the_benchmarks_that_read_it(
    project: Path, override: str, names: tuple[str, ...]
) -> None:
    before = {item.name: item.key for item in baseline(project).benchmarks}
    after = {item.name: item.key for item in baseline(project, override).benchmarks}
    assert tuple(name for name in before if before[name] != after[name]) == names


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("published/gsm8k/test.jsonl", ("gsm8k",)),
        ("published/winogender/all_sentences.tsv", ("winogender",)),
        ("own.jsonl", ("own",)),
        ("rows.jsonl", ("entropy_gap",)),
        ("model/config.json", EVERY),
    ],
)
def test_content_changes_what_reads_it(project: Path, file: str, names: tuple[str, ...]) -> None:
    finish_all(project)
    (project / file).write_text("changed")
    decision = plan(project)
    assert running(decision) == names
    if file != "rows.jsonl":
        reasons = [item.reasons for item in decision.benchmarks if item.source is None]
        assert all("changed" in found[0] for found in reasons), reasons


def test_a_renamed_folder_of_data_changes_nothing(project: Path) -> None:
    finish_all(project)
    (project / "published").rename(project / "moved")
    (project / "own.jsonl").rename(project / "theirs.jsonl")
    moved = ("evaluate.data_dir=moved", "evaluate.tasks.3.data=theirs.jsonl")
    assert running(plan(project, *moved)) == ()


def test_a_renamed_run_folder_changes_nothing(project: Path) -> None:
    folder = finish_all(project)
    folder.path.rename(folder.path.with_name("kept"))
    assert running(plan(project)) == ()
    folder.path.parent.rename(project / "old-runs")
    assert running(plan(project, "run.output_dir=old-runs")) == ()


def test_the_changed_one_runs_and_says_why(project: Path) -> None:
    finish_all(project)
    decision = plan(project, "evaluate.tasks.1.limit=20")
    assert decision.reasons == ("gsm8k: limit changed: 10 → 20",)
    assert running(decision) == ("gsm8k",)
    kept = next(item for item in decision.benchmarks if item.benchmark.name == "own")
    assert kept.reasons == (f"finished in {run_folder(load(project)).path.name}/baseline.partial",)


def test_an_added_one_runs_and_a_removed_one_runs_nothing(project: Path) -> None:
    finish_all(project)
    added = plan(project, "evaluate.tasks.6={kind: diversity}")
    assert (running(added), added.reasons) == (("diversity",), ("diversity: never ran",))
    fewer = plan(project, "evaluate.tasks=[{kind: gsm8k, limit: 10}]")
    assert (running(fewer), fewer.reasons) == ((), ("the list of benchmarks changed",))


def test_force_runs_every_one(project: Path) -> None:
    finish_all(project)
    assert running(plan(project, selection=Selection(force=True))) == EVERY
    assert running(plan(project, selection=Selection(start="baseline"))) == EVERY


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.write_text("short"), "has 5 bytes, it was finished with"),
        (lambda path: path.unlink(), "is gone"),
        (lambda path: path.with_name(BENCHMARK_RECORD).write_text("{"), "never ran"),
    ],
)
def test_a_damaged_one_runs_alone(
    project: Path, harm: Callable[[Path], object], words: str
) -> None:
    folder = finish_all(project)
    harm(folder.partial("baseline") / "gsm8k" / "verdicts.jsonl")
    decision = plan(project)
    assert running(decision) == ("gsm8k",)
    item = next(item for item in decision.benchmarks if item.source is None)
    assert words in item.reasons[0]


def test_what_is_taken_over_stays_when_the_stage_has_another_key(project: Path) -> None:
    folder = finish_all(project)
    partial = folder.begin("baseline", "another key", keep=("own",))
    assert sorted(item.name for item in partial.iterdir()) == [".key", "own"]
    assert (partial / "own" / "verdicts.jsonl").read_text() == "verdicts of own"


def test_taking_over_replaces_what_was_begun_and_ties_nothing(
    project: Path, tmp_path: Path
) -> None:
    folder = finish_all(project)
    source, target = folder.partial("baseline") / "own", tmp_path / "new" / "own"
    target.mkdir(parents=True)
    (target / "half").write_text("x")
    record = take_over(source, target)
    assert record is not None
    assert record.benchmark == "own"
    assert sorted(item.name for item in target.iterdir()) == [BENCHMARK_RECORD, "verdicts.jsonl"]
    assert take_over(tmp_path / "gone", target) is None
