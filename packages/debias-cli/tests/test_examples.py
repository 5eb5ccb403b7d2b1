"""Every example is a valid configuration, and says what it is there to say."""

from pathlib import Path

import pytest

from debias_cli import resources
from debias_cli.config.dump import dump, dump_commented
from debias_cli.config.evaluate import benchmark_name
from debias_cli.config.load import load_config, parse_config
from debias_cli.config.points import listed_points
from debias_cli.config.sweep import GridSweep
from debias_cli.stages.fingerprints import check_tasks_exist
from debias_eval.tasks.registry import get_task

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "examples").glob("*.yaml"))
NAMES = {
    "quickstart",
    "real-small",
    "qwen2.5-math-1.5b",
    "gee",
    "evaluation-only",
    "lora-7b",
    "fsdp-72b",
    "sweep",
}


def test_all_examples_are_here() -> None:
    assert {path.stem for path in EXAMPLES} >= NAMES


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_valid_and_survive_being_saved(path: Path) -> None:
    loaded = load_config(path, environment={})
    base = path.parent
    for text in (dump(loaded.saved), dump_commented(loaded.config)):
        again = parse_config(text, source="saved", base=base, environment={})
        assert again.config == loaded.config


def test_the_packaged_quickstart_is_the_example() -> None:
    path = next(path for path in EXAMPLES if path.stem == "quickstart")
    assert resources.quickstart_text() == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_embedded_data_that_an_example_names_exists(path: Path) -> None:
    config = load_config(path, environment={}).config
    for task in config.evaluate.tasks if config.evaluate is not None else ():
        data = getattr(task, "data", None)
        if data is not None and str(data).startswith("testbed:"):
            assert resources.testbed_file(data).exists()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_benchmarks_of_an_example_are_installed(path: Path) -> None:
    section = load_config(path, environment={}).config.evaluate
    if section is not None:
        check_tasks_exist(section)
        assert all(get_task(benchmark_name(task)) for task in section.tasks)


def test_the_seed_plan_is_said() -> None:
    path = next(path for path in EXAMPLES if path.stem.startswith("qwen"))
    config = load_config(path, environment={}).config
    assert config.model.path == "Qwen/Qwen2.5-Math-1.5B-Instruct"
    assert config.data is not None
    assert config.data.sources[0].model_dump()["path"].name == "numina_00.parquet"
    assert config.train is not None
    train = config.train
    assert (train.target_gap, train.max_steps) == (0.01, 50)
    assert (train.micro_batch_size, train.effective_batch_size) == (2, 8)
    assert config.evaluate is not None
    kinds = {task.kind for task in config.evaluate.tasks}
    assert kinds >= {"humaneval", "mbpp", "bigcodebench", "livecodebench", "gsm8k", "math"}
    names = {benchmark_name(task) for task in config.evaluate.tasks}
    assert "livecodebench_v5_2024-08-01_2025-02-01" in names


def test_the_sweep_is_one() -> None:
    path = next(path for path in EXAMPLES if path.stem == "sweep")
    config = load_config(path, environment={}).config
    assert isinstance(config.sweep, GridSweep)
    assert len(listed_points(config.sweep)) == 4
