"""Bias suites in a configuration: every name is known to debias-eval, and how each is asked."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from debias_cli.config.evaluate import EvaluateSection
from debias_cli.config.load import parse_config
from debias_cli.config.tree import PipelineConfig
from debias_cli.errors import MissingError
from debias_cli.stages.evaluation import task_specs
from debias_cli.stages.fingerprints import check_tasks_exist, task_data_path
from debias_eval.preparing import TaskSpec

SUITES = ("winogender", "winobias", "crows_pairs", "crows_pairs_mean", "stereoset", "bbq")
WRITING = ("word_counts", "diversity")


def configured(task: str, prompt: str = "") -> tuple[PipelineConfig, EvaluateSection]:
    text = (
        f"model:\n  path: testbed\n{prompt}"
        "data:\n  sources:\n    - kind: synthetic\n"
        "train:\n  max_steps: 5\n"
        f"evaluate:\n  tasks:\n    - {task}\n"
    )
    config = parse_config(text, source="p.yaml", base=Path("/base")).config
    assert config.evaluate is not None
    return config, config.evaluate


def spec(task: str, prompt: str = "") -> TaskSpec:
    config, section = configured(task, prompt)
    return task_specs(config, section, Path("pairs.parquet"))[0]


@pytest.mark.parametrize("kind", [*SUITES, *WRITING])
def test_every_name_is_a_task_of_debias_eval(kind: str) -> None:
    _, section = configured(f"kind: {kind}")
    check_tasks_exist(section)
    assert spec(f"kind: {kind}").task == kind


@pytest.mark.parametrize("kind", SUITES)
def test_suites_are_bare_unless_a_chat_template_is_asked_for(kind: str) -> None:
    assert spec(f"kind: {kind}").protocol is None
    assert spec(f"{{kind: {kind}, chat_template: true}}").protocol == {"chat_template": True}


@pytest.mark.parametrize("kind", WRITING)
def test_begun_texts_take_no_template_for_problems(kind: str) -> None:
    prompt = "  prompt: {template: 'Q: {prompt}', chat_template: true, system: Be brief.}\n"
    found = spec(f"{{kind: {kind}, max_new_tokens: 9}}", prompt).protocol
    assert isinstance(found, Mapping)
    assert found == {"chat_template": True, "system": "Be brief.", "max_new_tokens": 9}


def test_variants_share_a_folder_and_what_lacks_is_named(tmp_path: Path) -> None:
    (task,) = configured("kind: crows_pairs_mean")[1].tasks
    with pytest.raises(MissingError, match=r"crows_pairs_mean: no 'crows_pairs/.*put it at"):
        task_data_path(task, tmp_path)
    data = tmp_path / "crows_pairs" / "crows_pairs_anonymized.csv"
    data.parent.mkdir()
    data.touch()
    assert task_data_path(task, tmp_path) == data
