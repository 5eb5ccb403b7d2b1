"""Stage keys, what `plan` decides, and the reasons that it gives."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from debias_cli.config.load import LoadedConfig, parse_config
from debias_cli.errors import MissingError, UsageError
from debias_cli.rundir.benchmarks import BENCHMARK_RECORD, new_benchmark_record
from debias_cli.rundir.folder import RunFolder, new_record, write_record
from debias_cli.rundir.hashes import HashCache
from debias_cli.stages.graph import Stage, build_graph, run_folder
from debias_cli.stages.keys import Benchmark
from debias_cli.stages.packages import check_packages
from debias_cli.stages.planning import Decision, Selection, make_plan
from debias_cli.stages.runner import run_pipeline

TEXT = """\
run: {name: t, output_dir: RUNS}
model: {path: MODEL}
data: {sources: [{kind: jsonl, path: DATA}]}
train:
  objective: {kind: constrained}
  compare_with: [{objective: {kind: gee}}]
  seeds: [0, 1]
evaluate:
  data_dir: published
  tasks: [{kind: entropy_gap}, {kind: gsm8k}]
"""
NAMES = [
    "data",
    "baseline",
    "train-constrained-s0",
    "eval-constrained-s0",
    "train-gee-s0",
    "eval-gee-s0",
    "train-constrained-s1",
    "eval-constrained-s1",
    "train-gee-s1",
    "eval-gee-s1",
    "compare",
    "report",
]


class Project:
    """A configuration with its inputs in a folder, and stages that are finished by hand."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "model").mkdir()
        (root / "model" / "config.json").write_text("{}")
        (root / "data.jsonl").write_text('{"prompt": "x"}\n')
        (root / "published" / "gsm8k").mkdir(parents=True)
        (root / "published" / "gsm8k" / "test.jsonl").write_text("{}\n")

    def load(self, *overrides: str) -> LoadedConfig:
        text = TEXT.replace("MODEL", str(self.root / "model"))
        text = text.replace("DATA", str(self.root / "data.jsonl"))
        text = text.replace("RUNS", str(self.root / "runs"))
        return parse_config(text, source="p.yaml", base=self.root, overrides=overrides)

    def stages(self, *overrides: str) -> dict[str, Stage]:
        graph = build_graph(self.load(*overrides), HashCache(None))
        return {stage.name: stage for stage in graph}

    def plan(self, *overrides: str, **selection: object) -> dict[str, Decision]:
        loaded = self.load(*overrides)
        stages = list(self.stages(*overrides).values())
        chosen = Selection(**selection)  # type: ignore[arg-type] # the fields of Selection
        decisions = make_plan(stages, run_folder(loaded), chosen, HashCache(None))
        return {item.stage.name: item for item in decisions}

    def finish_all(self, *overrides: str) -> RunFolder:
        folder = run_folder(self.load(*overrides))
        stages = self.stages(*overrides)
        for stage in stages.values():
            out = folder.begin(stage.name, stage.key)
            (out / "result.txt").write_text(f"result of {stage.name}")
            for item in stage.benchmarks:
                finish_benchmark(out / item.name, item)
            parts = {
                "config": stage.config,
                "inputs": stage.inputs,
                "code": stage.code,
                "needs": {need: stages[need].key for need in stage.needs},
            }
            folder.finish(new_record(stage.name, stage.key, parts, 1.0))
        return folder


def finish_benchmark(folder: Path, benchmark: Benchmark) -> None:
    folder.mkdir(exist_ok=True)
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


def benchmarks(decision: Decision) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {item.benchmark.name: (item.action, item.reasons) for item in decision.benchmarks}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def changed(before: dict[str, Stage], after: dict[str, Stage]) -> list[str]:
    return [name for name in before if before[name].key != after[name].key]


def test_the_stages_of_a_configuration(project: Project) -> None:
    stages = project.stages()
    assert list(stages) == NAMES
    assert stages["eval-gee-s1"].needs == ("data", "train-gee-s1")
    assert stages["report"].needs == tuple(NAMES[:-1])


@pytest.mark.parametrize(
    ("override", "names"),
    [
        ("run.output_dir=/elsewhere", []),
        ("run.strict=true", []),
        ("report.title=New", ["report"]),
        ("run.name=other", ["report"]),
        ("evaluate.margin=0.1", ["compare", "report"]),
        (
            "train.compare_with.0.max_steps=7",
            ["train-gee-s0", "eval-gee-s0", "train-gee-s1", "eval-gee-s1", "compare", "report"],
        ),
        ("train.max_steps=7", [n for n in NAMES if n not in ("data", "baseline")]),
        (
            "evaluate.tasks.1.limit=3",
            [n for n in NAMES if n.startswith(("base", "eval", "comp", "rep"))],
        ),
        ("data.seed=5", NAMES),
        ("model.dtype=bfloat16", NAMES[1:]),
        ("model.prompt.template='Q: {prompt}'", NAMES[1:]),
    ],
)
def test_a_field_changes_the_keys_of_the_stages_that_read_it(
    project: Project, override: str, names: list[str]
) -> None:
    assert changed(project.stages(), project.stages(override)) == names


def test_content_of_inputs_counts_and_their_place_does_not(
    project: Project, tmp_path: Path
) -> None:
    before = project.stages()
    (tmp_path / "model" / "config.json").write_text('{"a": 1}')
    assert changed(before, project.stages()) == NAMES[1:]
    (tmp_path / "model" / "config.json").write_text("{}")
    moved = tmp_path / "elsewhere.jsonl"
    (tmp_path / "data.jsonl").rename(moved)
    assert changed(before, project.stages(f"data.sources.0.path={moved}")) == []
    moved.write_text('{"prompt": "y"}\n')
    assert changed(before, project.stages(f"data.sources.0.path={moved}")) == NAMES


def test_an_added_seed_leaves_the_finished_ones_alone(project: Project) -> None:
    before, after = project.stages(), project.stages("train.seeds=[0, 1, 2]")
    assert changed(before, after) == ["compare", "report"]


def test_everything_runs_when_nothing_is_there(project: Project) -> None:
    plan = project.plan()
    assert {item.action for item in plan.values()} == {"run"}
    assert {item.reasons for item in plan.values()} == {("never ran",)}


def test_nothing_runs_when_everything_is_finished(project: Project) -> None:
    project.finish_all()
    plan = project.plan()
    assert {item.action for item in plan.values()} == {"reuse"}
    assert {item.reasons for item in plan.values()} == {("nothing changed",)}


def test_a_changed_field_is_the_reason_and_the_rest_is_taken_over(project: Project) -> None:
    folder = project.finish_all()
    plan = project.plan("train.max_steps=7")
    assert plan["data"].action == "copy"
    assert plan["data"].reasons == (f"the same stage is finished in {folder.path.name}",)
    assert plan["data"].source == folder.path / "data"
    assert plan["train-gee-s0"].action == "run"
    assert plan["train-gee-s0"].reasons == ("train.max_steps changed: 50 → 7",)
    assert plan["eval-gee-s0"].reasons == (
        "entropy_gap: an earlier stage changed (data, train-gee-s0)",
        "gsm8k: an earlier stage changed (train-gee-s0)",
    )


def test_a_changed_input_is_the_reason(project: Project, tmp_path: Path) -> None:
    project.finish_all()
    (tmp_path / "data.jsonl").write_text('{"prompt": "z"}\n')
    plan = project.plan()
    assert plan["data"].reasons == (f"input {tmp_path / 'data.jsonl'} changed",)


def test_a_changed_code_version_is_the_reason(project: Project) -> None:
    folder = project.finish_all()
    path = folder.path / "data" / "stage.json"
    record = json.loads(path.read_text())
    new = record["code"]["debias_data"]
    record["code"]["debias_data"], record["key"] = "0.0.1+abc", "old"
    path.write_text(json.dumps(record))
    assert project.plan()["data"].reasons == (f"code of debias_data changed (0.0.1+abc → {new})",)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.write_text("result of dat!"), "changed after it was finished"),
        (lambda path: path.write_text("short"), "has 5 bytes, it was finished with 14"),
        (lambda path: path.unlink(), "is gone"),
    ],
)
def test_a_damaged_file_is_found_and_named(
    project: Project, damage: Callable[[Path], object], words: str
) -> None:
    folder = project.finish_all()
    damage(folder.path / "data" / "result.txt")
    decision = project.plan()["data"]
    assert decision.action == "run"
    assert str(folder.path / "data" / "result.txt") in decision.reasons[0]
    assert words in decision.reasons[0]


def test_a_damaged_record_is_found_and_named(project: Project) -> None:
    folder = project.finish_all()
    (folder.path / "data" / "stage.json").write_text('{"stage": ')
    decision = project.plan()["data"]
    assert decision.action == "run"
    assert "stage.json: not the JSON that was written here" in decision.reasons[0]


def test_damage_elsewhere_is_not_taken_over(project: Project) -> None:
    folder = project.finish_all()
    (folder.path / "data" / "result.txt").write_text("result of dat!")
    assert project.plan("train.max_steps=7")["data"].action == "run"


def test_what_was_begun_is_said(project: Project) -> None:
    run_folder(project.load()).begin("data", project.stages()["data"].key)
    assert project.plan()["data"].reasons == ("begun and not finished",)


def test_from_runs_a_stage_and_all_that_depend_on_it(project: Project) -> None:
    project.finish_all()
    plan = project.plan(start="train-gee-s0")
    assert [name for name, item in plan.items() if item.action == "run"] == [
        "train-gee-s0",
        "eval-gee-s0",
        "compare",
        "report",
    ]
    assert plan["compare"].reasons == ("--from train-gee-s0",)
    kinds = project.plan(start="train")
    assert [name for name, item in kinds.items() if item.action == "reuse"] == ["data", "baseline"]


def test_force_runs_everything_again(project: Project) -> None:
    project.finish_all()
    assert {item.reasons for item in project.plan(force=True).values()} == {("--force",)}


def test_only_uses_the_others_as_they_are(project: Project, tmp_path: Path) -> None:
    project.finish_all()
    (tmp_path / "data.jsonl").write_text('{"prompt": "z"}\n')
    plan = project.plan(only="report", force=True)
    assert plan["report"].action == "run"
    assert plan["data"].action == "reuse"
    assert plan["data"].reasons == (f"as it is, although input {tmp_path / 'data.jsonl'} changed",)


def test_only_needs_what_comes_before(project: Project) -> None:
    with pytest.raises(UsageError, match="--only report needs baseline, compare, data"):
        project.plan(only="report")
    assert project.plan(only="data")["baseline"].action == "skip"


def test_a_stage_that_does_not_exist(project: Project) -> None:
    with pytest.raises(UsageError, match=r"no stage 'repotr'; did you mean 'report'\? \(stages: "):
        project.plan(only="repotr")


def test_missing_inputs_are_all_named(project: Project, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").unlink()
    with pytest.raises(MissingError, match=r"data\.jsonl: no such file or folder"):
        project.stages()
    with pytest.raises(MissingError, match=r"model\.path: .*: no such folder"):
        project.stages(f"model.path={tmp_path}/nope")


def test_a_task_that_the_installed_package_lacks(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from debias_eval.tasks.registry import tasks

    monkeypatch.delitem(tasks._builtin, "gsm8k")
    monkeypatch.delitem(tasks._values, "gsm8k", raising=False)
    with pytest.raises(MissingError, match="gsm8k: not in the installed debias-eval"):
        project.stages()


def test_the_hash_cache_notices_changes_and_survives_damage(tmp_path: Path) -> None:
    file, cache = tmp_path / "f", tmp_path / "cache.json"
    file.write_text("one")
    hashes = HashCache(cache)
    first = hashes.file(file)
    hashes.save()
    assert HashCache(cache).file(file) == first
    file.write_text("two, longer")
    assert HashCache(cache).file(file) != first
    cache.write_text("{broken")
    assert HashCache(cache).file(file) != first


def test_packages_are_asked_for_before_anything_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = ("train.lora={}", "train.trackers=[tensorboard, wandb]")
    there = {"tensorboard"}
    monkeypatch.setattr(
        "debias_cli.stages.packages.find_spec", lambda name: name if name in there else None
    )
    loaded = project.load(*changes)
    decisions = list(project.plan(*changes).values())
    with pytest.raises(MissingError) as caught:
        check_packages(loaded.config, decisions)
    assert str(caught.value).splitlines() == [
        "train.lora needs the package peft: pip install 'debias-cli[lora]'",
        "train.trackers: wandb needs the package wandb: pip install 'wandb'",
    ]
    with pytest.raises(MissingError, match=r"train.lora needs the package peft"):
        run_pipeline(loaded)
    assert not list(run_folder(loaded).path.glob("data*")), "nothing ran"
    there |= {"peft", "wandb"}
    check_packages(loaded.config, decisions)
    # the report of a finished run needs none of them
    check_packages(loaded.config, [item for item in decisions if item.stage.kind == "report"])


def test_vllm_is_asked_for_where_it_measures(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("debias_cli.stages.packages.find_spec", lambda name: None)
    changes = ("evaluate.backend=vllm", "evaluate.tasks=[{kind: gsm8k}]")
    with pytest.raises(MissingError, match=r"vllm needs .* pip install 'debias-eval\[vllm\]'"):
        check_packages(project.load(*changes).config, list(project.plan(*changes).values()))
