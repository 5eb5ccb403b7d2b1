"""Every kind of error in a configuration, with its exact message."""

from collections.abc import Callable
from pathlib import Path

import pytest

from debias_cli.config.load import load_config, parse_config
from debias_cli.errors import ConfigError, MissingError

BASE = """\
model:
  path: testbed
data:
  sources:
    - kind: synthetic
train:
  max_steps: 5
evaluate:
  tasks:
    - kind: gsm8k
"""


def problems(text: str, *overrides: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(
            text, source="p.yaml", base=Path("/base"), overrides=overrides, environment=environment
        )
    return str(caught.value).splitlines()


def test_the_base_is_valid() -> None:
    parse_config(BASE, source="p.yaml", base=Path("/base"))


SINGLE = [
    (
        "  path: testbed",
        "  pth: testbed",
        [
            "p.yaml:1:1 model.path: required field is missing ('testbed' (the embedded model), a "
            "folder in the hub's layout (safetensors; relative to this file) or a hub id such as "
            "Qwen/Qwen2.5-Math-1.5B-Instruct.)",
            "p.yaml:2:3 model.pth: unknown field; did you mean 'path'?",
        ],
    ),
    (
        "  max_steps: 5",
        "  max_stpes: 5",
        ["p.yaml:7:3 train.max_stpes: unknown field; did you mean 'max_steps'?"],
    ),
    ("  max_steps: 5", "  max_steps: 0", ["p.yaml:7:14 train.max_steps: 0 must be at least 1"]),
    (
        "  max_steps: 5",
        "  max_steps: 5.5",
        ["p.yaml:7:14 train.max_steps: 5.5 is not a whole number"],
    ),
    (
        "  max_steps: 5",
        "  max_steps: '5'",
        [
            "p.yaml:7:14 train.max_steps: '5' is not a whole number; it is text here: "
            "drop the quotes or the underscores"
        ],
    ),
    (
        "  max_steps: 5",
        "  max_steps: true",
        ["p.yaml:7:14 train.max_steps: true is not a whole number"],
    ),
    (
        "  max_steps: 5",
        "  max_steps:",
        ["p.yaml:7:3 train.max_steps: null is not a whole number"],
    ),
    (
        "  max_steps: 5",
        "  max_steps: {a: 1}",
        ["p.yaml:7:3 train.max_steps: a mapping is not a whole number"],
    ),
    (
        "  max_steps: 5",
        "  effective_batch_size: 7",
        ["p.yaml:7:25 train.effective_batch_size: 7 must be a multiple of 2"],
    ),
    (
        "  max_steps: 5",
        "  learning_rate: .inf",
        ["p.yaml:7:18 train.learning_rate: inf is not a finite number"],
    ),
    (
        "  max_steps: 5",
        "  early_stopping: no",
        ["p.yaml:7:19 train.early_stopping: 'no' is not true or false; did you mean false?"],
    ),
    (
        "  max_steps: 5",
        "  objective: {kind: gapp}",
        [
            "p.yaml:7:21 train.objective.kind: 'gapp' is not one of 'constrained', 'group_gap', "
            "'gee', 'pair_gap', 'direct_gap', 'em', 'placebo', 'cda', 'consistency', 'plugin'; "
            "did you mean 'pair_gap'?"
        ],
    ),
    (
        "  max_steps: 5",
        "  objective: {rho: 3}",
        [
            "p.yaml:7:3 train.objective: 'kind' is missing (one of 'cda', 'consistency', "
            "'constrained', 'direct_gap', 'em', 'gee', 'group_gap', 'pair_gap', 'placebo', "
            "'plugin')"
        ],
    ),
    (
        "  max_steps: 5",
        "  objective: gee",
        ["p.yaml:7:14 train.objective: 'gee' is not a mapping"],
    ),
    (
        "  max_steps: 5",
        "  objective: {kind: gee, lamda: 3}",
        ["p.yaml:7:26 train.objective.lamda: unknown field; did you mean 'lambda'?"],
    ),
    (
        "  max_steps: 5",
        "  compare_with: [{objective: {kind: constrained}}]",
        [
            "p.yaml:6:1 train: two runs would be called 'constrained'; give compare_with entries "
            "a name of their own"
        ],
    ),
    (
        "    - kind: gsm8k",
        "    - kind: gms8k",
        [
            "p.yaml:10:13 evaluate.tasks.0.kind: 'gms8k' is not one of 'gsm8k', 'math', "
            "'math500', 'aime24', 'aime25', 'college_math', 'svamp', 'math_jsonl', "
            "'counterfactual_maths', 'humaneval', 'humaneval_plus', 'mbpp', "
            "'mbpp_sanitized', 'mbpp_plus', 'bigcodebench', 'bigcodebench_instruct', "
            "'bigcodebench_hard', 'bigcodebench_hard_instruct', 'counterfactual_code', "
            "'livecodebench', 'winogender', 'winobias', 'crows_pairs', 'crows_pairs_mean', "
            "'stereoset', 'bbq', 'perplexity', "
            "'word_counts', 'diversity', 'genderbench', 'entropy_gap'; did you mean 'gsm8k'?"
        ],
    ),
    (
        "    - kind: gsm8k",
        "    - kind: math_jsonl",
        [
            "p.yaml:10:7 evaluate.tasks.0: math_jsonl needs data: a file of {id, question, "
            "answer} rows"
        ],
    ),
    (
        "    - kind: gsm8k",
        "    - kind: gsm8k\n    - kind: gsm8k",
        ["p.yaml:8:1 evaluate: two tasks would be called 'gsm8k'; give one a name"],
    ),
    (
        "    - kind: gsm8k",
        "    []",
        [
            "p.yaml:9:3 evaluate.tasks: []: tuple should have at least 1 item after validation, "
            "not 0"
        ],
    ),
    (
        "    - kind: synthetic",
        "    - kind: synthetic\n      clusters: many",
        ["p.yaml:6:17 data.sources.0.clusters: 'many' is not a whole number"],
    ),
    (
        "  path: testbed",
        "  path: testbed\n  device: gpu",
        ["p.yaml:3:11 model.device: 'gpu' does not match ^(auto|cpu|mps|cuda(:\\d{1,3})?)$"],
    ),
    (
        "  path: testbed",
        "  path: 7",
        ["p.yaml:2:9 model.path: 7 is not text; put it in quotes"],
    ),
    (
        "  path: testbed",
        "  path: testbed\n  prompt: {system: Hi}",
        [
            "p.yaml:3:3 model.prompt: system needs chat_template: true; a plain prompt has no "
            "system message"
        ],
    ),
]


@pytest.mark.parametrize(("old", "new", "messages"), SINGLE, ids=range(len(SINGLE)))
def test_single_errors(old: str, new: str, messages: list[str]) -> None:
    assert old in BASE
    assert problems(BASE.replace(old, new, 1)) == messages


NO_MAPPING = "p.yaml:1:1: a configuration is a mapping of sections (model, data, train, …)"


def test_all_errors_at_once_in_file_order() -> None:
    text = BASE.replace("path: testbed", "path: testbed\n  dtpye: float32")
    text = text.replace("max_steps: 5", "max_steps: -1\n  learning_rate: fast")
    text = text.replace("kind: gsm8k", "kind: gsm8k\n      limit: none") + "trian: 3\n"
    assert problems(text) == [
        "p.yaml:3:3 model.dtpye: unknown field; did you mean 'dtype'?",
        "p.yaml:8:14 train.max_steps: -1 must be at least 1",
        "p.yaml:9:18 train.learning_rate: 'fast' is not a number",
        "p.yaml:13:14 evaluate.tasks.0.limit: 'none' is not a whole number",
        "p.yaml:14:1 trian: unknown field; did you mean 'train'?",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "p.yaml:1:1: a configuration is a mapping of sections (model, data, train, …)"),
        (
            "just text",
            "p.yaml:1:1: a configuration is a mapping of sections (model, data, train, …)",
        ),
        (
            "model: {path: testbed}",
            "p.yaml:1:1: nothing to do: give at least one of the sections 'data' and 'evaluate'",
        ),
        (
            "model: {path: testbed}\ntrain: {}\nevaluate: {tasks: [{kind: gsm8k}]}",
            "p.yaml:1:1: section 'train' needs section 'data': there are no pairs to train on",
        ),
        (
            "model: {path: testbed, dtype: float16}\ndata: {sources: [{kind: synthetic}]}\n"
            "train: {}",
            "p.yaml:1:1: float16 weights cannot be trained: set model.dtype: bfloat16, or give "
            "train.lora",
        ),
        (
            "model: {path: testbed}\nevaluate: {tasks: [{kind: entropy_gap}]}",
            "p.yaml:1:1: task 'entropy_gap' needs section 'data': there are no pairs to measure",
        ),
    ],
)
def test_whole_file_errors(text: str, message: str) -> None:
    assert problems(text) == [message]


def test_hostile_values_do_not_flood_the_message() -> None:
    found = problems(BASE.replace("max_steps: 5", f"max_steps: {'x' * 100_000}"))
    assert len(found) == 1
    assert len(found[0]) < 300


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no such file; `debias-cli init` writes one"):
        load_config(tmp_path / "nope.yaml")
    with pytest.raises(MissingError, match="is a folder, not a file"):
        load_config(tmp_path)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.max_steps=0", "--set train.max_steps: 0 must be at least 1"),
        ("train.maxsteps=7", "--set train.maxsteps: unknown field; did you mean 'max_steps'?"),
        ("train", "--set: 'train': write it as section.field=value"),
        ("=3", "--set: '=3': write it as section.field=value"),
        ("a..b=3", "--set: 'a..b=3': write it as section.field=value"),
        (
            "evaluate.tasks.5=1",
            "--set evaluate.tasks.5: '5' is no index of a list of 1",
        ),
        ("evaluate.tasks.x=1", "--set evaluate.tasks.x: 'x' is no index of a list of 1"),
        (
            "train.max_steps.x=1",
            "--set train.max_steps.x: 'train.max_steps' is a value and has no fields",
        ),
        (
            "train.seeds=!!python/x 3",
            "--set train.seeds: tag 'tag:yaml.org,2002:python/x' is refused; a configuration is "
            "plain values",
        ),
        ("train.seeds=" + "[" * 20_000, "--set train.seeds: nested more than 64 levels deep"),
    ],
)
def test_override_errors(override: str, message: str) -> None:
    assert problems(BASE, override) == [message]


def test_overrides_go_through_the_same_tree() -> None:
    loaded = parse_config(
        BASE,
        source="p.yaml",
        base=Path("/base"),
        overrides=[
            "train.max_steps=50",
            "train.learning_rate=1e-5",
            "train.objective={kind: gee, lambda: 2}",
            "train.seeds=[1, 2]",
            "evaluate.tasks.0.limit=3",
            "evaluate.tasks.1={kind: humaneval}",
            "run.name=other",
            "model.revision=",
        ],
    )
    train, evaluate = loaded.config.train, loaded.config.evaluate
    assert train is not None
    assert evaluate is not None
    assert (train.max_steps, train.learning_rate, train.seeds) == (50, 1e-5, (1, 2))
    assert train.objective.model_dump()["lambda_"] == 2
    assert [task.kind for task in evaluate.tasks] == ["gsm8k", "humaneval"]
    assert loaded.config.run.name == "other"


def test_environment_references() -> None:
    text = BASE.replace("max_steps: 5", "max_steps: ${STEPS}\n  seeds: ['${SEED:-3}']")
    loaded = parse_config(text, source="p.yaml", base=Path("/base"), environment={"STEPS": "9"})
    assert loaded.config.train is not None
    assert loaded.config.train.max_steps == 9
    assert loaded.config.train.seeds == (3,)
    saved = loaded.saved["train"]
    assert isinstance(saved, dict)
    assert saved["max_steps"] == "${STEPS}"
    assert saved["seeds"] == ["${SEED:-3}"]
    assert problems(text, environment={}) == [
        "p.yaml:7:14 train.max_steps: environment variable STEPS is not set; set it or write "
        "${STEPS:-DEFAULT}",
    ]


def test_input_paths_are_relative_to_the_file(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "model").mkdir()
    text = (
        "model: {path: ../model}\n"
        "data: {sources: [{kind: jsonl, path: x/d.jsonl}]}\n"
        "evaluate: {tasks: [{kind: math_jsonl, data: 'testbed:arithmetic.jsonl'}], data_dir: .}\n"
    )
    path = write(text, "conf/p.yaml")
    monkeypatch.chdir("/")
    config = load_config(path).config
    assert config.model.path == str(tmp_path / "model")
    assert config.data is not None
    assert config.data.sources[0].model_dump()["path"] == tmp_path / "conf/x/d.jsonl"
    assert config.evaluate is not None
    assert config.evaluate.data_dir == tmp_path / "conf"
    assert str(config.evaluate.tasks[0].model_dump()["data"]) == "testbed:arithmetic.jsonl"
    assert config.run.output_dir == Path("/runs")


@pytest.mark.parametrize("name", ["Qwen/Qwen2.5-Math-1.5B-Instruct", "gpt2", "testbed"])
def test_hub_ids_stay_as_they_are(name: str) -> None:
    config = parse_config(BASE.replace("testbed", name), source="p.yaml", base=Path("/base")).config
    assert config.model.path == name
