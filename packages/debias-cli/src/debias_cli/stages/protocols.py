"""Whether every protocol exists and the model can be prompted that way, before anything runs.

The chat template is looked for in the model's files: loading a tokenizer would import transformers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from debias_cli.config.evaluate import (
    EntropyGapTask,
    LikelihoodTask,
    ProtocolByPrompt,
    listed_name,
)
from debias_cli.config.load import LoadedConfig
from debias_cli.config.problems import Problem
from debias_cli.config.yaml_reader import Plain
from debias_cli.errors import ConfigError
from debias_cli.resources import local_model
from debias_cli.stages.requests import GeneratedTask, task_request

_TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json", "additional_chat_templates")
_SETTINGS = "tokenizer_config.json"


def check_protocols(loaded: LoadedConfig) -> None:
    """Nothing, when every protocol is known and the model has the chat template that they need.

    A model that is a hub id is not looked at; benchmarks that are not installed neither.

    Raises:
        ConfigError: with every field that asks for what there is not, and what to write there.
    """
    folder = local_model(loaded.config.model.path)
    bare = None if folder is None or has_chat_template(folder) else folder
    found = [*_of_prompt(loaded, bare), *_of_tasks(loaded, bare)]
    if found:
        raise ConfigError(
            [Problem(loaded.position(path), path, message) for path, message in found]
        )


def has_chat_template(folder: Path) -> bool:
    """Whether a model folder holds a chat template, in any of the places where it can stand."""
    if any((folder / name).exists() for name in _TEMPLATE_FILES):
        return True
    try:
        settings = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # loading the tokenizer says what is wrong with the file
    return isinstance(settings, dict) and bool(settings.get("chat_template"))


def _of_prompt(loaded: LoadedConfig, bare: Path | None) -> Iterator[tuple[str, str]]:
    if bare is not None and loaded.config.model.prompt.chat_template:
        yield (
            "model.prompt.chat_template",
            f"the tokenizer in {bare} has no chat template; write false (and system: null)",
        )


def _of_tasks(loaded: LoadedConfig, bare: Path | None) -> Iterator[tuple[str, str]]:
    section = loaded.config.evaluate
    for index, task in enumerate(section.tasks if section is not None else ()):
        if isinstance(task, EntropyGapTask):
            continue  # asked as model.prompt says
        path = f"evaluate.tasks.{index}"
        if isinstance(task, LikelihoodTask):
            if bare is not None and task.chat_template:
                lacking = f"the tokenizer in {bare} has no chat template; write false"
                yield f"{path}.chat_template", lacking
            continue
        message = _wrong_protocol(task, task_request(task, loaded.config), bare)
        if message is not None:
            yield f"{path}.protocol", message


def _wrong_protocol(
    task: GeneratedTask, request: Mapping[str, Plain], bare: Path | None
) -> str | None:
    """What is wrong with the protocol of a task that generates."""
    from debias_eval.errors import InputError  # noqa: PLC0415 - no torch, but 0.3 s
    from debias_eval.profiles import PROFILES, resolve_protocol  # noqa: PLC0415 - as above
    from debias_eval.tasks.registry import get_task, tasks  # noqa: PLC0415 - as above

    name, changes = request["task"], request["protocol"]
    assert isinstance(name, str)
    assert isinstance(changes, dict)
    if listed_name(task) not in tasks:
        return None
    own = get_task(name).protocol()
    try:
        protocol = resolve_protocol(own, changes)
    except InputError as error:
        return str(error)
    if bare is None or not protocol.chat_template:
        return None
    if "chat_template" in changes or isinstance(task.protocol, ProtocolByPrompt):
        return None  # as model.prompt says, where the problem is named
    plain = [
        profile for profile, fields in PROFILES.items() if not fields.get("chat_template", True)
    ]
    way_out = ", ".join(plain) if own.chat_template else "null is this benchmark's own"
    return (
        f"{protocol.profile} asks through the chat template, and the tokenizer in {bare} has none; "
        f"name a profile for base models ({way_out}), or one of each as "
        "{chat: ..., plain: ...}, of which model.prompt.chat_template takes one"
    )
