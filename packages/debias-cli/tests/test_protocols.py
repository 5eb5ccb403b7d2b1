"""Protocols are checked before anything runs: they exist, and the model can be asked that way."""

from pathlib import Path

import pytest

from debias_cli.config.load import LoadedConfig, parse_config
from debias_cli.errors import ConfigError
from debias_cli.stages.evaluation import task_specs
from debias_cli.stages.protocols import check_protocols

TEXT = """\
model:
  path: MODEL
  prompt: {chat_template: CHAT}
evaluate:
  tasks:
    - TASK
"""
BOTH = "protocol: {chat: code-chat, plain: human-eval}"


def load(model: Path, task: str, *, chat: bool = False) -> LoadedConfig:
    text = TEXT.replace("MODEL", str(model)).replace("CHAT", str(chat).lower())
    return parse_config(text.replace("TASK", task), source="p.yaml", base=model)


@pytest.fixture
def base_model(tmp_path: Path) -> Path:
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": null}')
    return tmp_path


@pytest.fixture(params=["tokenizer_config.json", "chat_template.jinja"])
def chat_model(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    (tmp_path / request.param).write_text('{"chat_template": "{{ messages }}"}')
    return tmp_path


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("{kind: gsm8k, protocol: boxed-plian}", "did you mean 'boxed-plain'"),
        ("{kind: humaneval, protocol: code-chat}", "null is this benchmark's own"),
        ("{kind: livecodebench}", "lcb-v5-base"),
        ("{kind: aime24, protocol: deepseek-r1-avg64}", "has none"),
        ("{kind: bbq, chat_template: true}", "write false"),
    ],
)
def test_what_a_base_model_cannot_be_asked(base_model: Path, task: str, message: str) -> None:
    with pytest.raises(ConfigError, match=r"^p.yaml:6:\d+ evaluate.tasks.0") as caught:
        check_protocols(load(base_model, task))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "task",
    [
        "{kind: gsm8k}",
        f"{{kind: humaneval, {BOTH}}}",
        "{kind: livecodebench, protocol: lcb-v5-base}",
        "{kind: bbq}",
        "{kind: word_counts}",
    ],
)
def test_what_a_base_model_can_be_asked(base_model: Path, task: str) -> None:
    check_protocols(load(base_model, task))


@pytest.mark.parametrize("task", ["{kind: livecodebench}", "{kind: bbq, chat_template: true}"])
def test_a_chat_model_has_its_template_in_one_of_two_places(chat_model: Path, task: str) -> None:
    check_protocols(load(chat_model, task, chat=True))


def test_a_prompt_without_template_is_named_once(base_model: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        check_protocols(load(base_model, f"{{kind: humaneval, {BOTH}}}", chat=True))
    (line,) = str(caught.value).splitlines()
    assert line.startswith("p.yaml:3:27 model.prompt.chat_template")


@pytest.mark.parametrize(("chat", "profile"), [(True, "code-chat"), (False, "human-eval")])
def test_of_two_protocols_the_prompt_takes_one(
    base_model: Path, *, chat: bool, profile: str
) -> None:
    config = load(base_model, f"{{kind: humaneval, {BOTH}}}", chat=chat).config
    assert config.evaluate is not None
    (spec,) = task_specs(config, config.evaluate, Path("pairs.parquet"))
    assert spec.protocol == {"profile": profile}


def test_a_hub_id_is_not_looked_at() -> None:
    check_protocols(load(Path("some/model"), "{kind: livecodebench}", chat=True))
