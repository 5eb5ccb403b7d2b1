"""Whether the packages that a run needs are installed, before hours of its stages have run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from debias_cli.config.tree import PipelineConfig
from debias_cli.errors import MissingError
from debias_cli.stages.planning import Decision


def check_packages(config: PipelineConfig, decisions: Sequence[Decision]) -> None:
    """Passes where the stages that would run find the optional packages that they use.

    Raises:
        MissingError: one is not installed; the message holds every one, with its command.
    """
    kinds = {item.stage.kind for item in decisions if item.action == "run"}
    wanted = [*_of_training(config)] if "train" in kinds else []
    wanted += _of_evaluation(config) if "evaluate" in kinds else []
    missing = [
        f"{field} needs the package {package}: pip install '{source}'"
        for field, package, source in wanted
        if find_spec(package) is None
    ]
    if missing:
        raise MissingError("\n".join(missing))


def _of_training(config: PipelineConfig) -> Iterator[tuple[str, str, str]]:
    """The field, the package, and what to give to pip."""
    assert config.train is not None
    if config.train.lora is not None:
        yield "train.lora", "peft", "debias-cli[lora]"
    for tracker in config.train.trackers:
        yield f"train.trackers: {tracker}", tracker, tracker


def _of_evaluation(config: PipelineConfig) -> Iterator[tuple[str, str, str]]:
    assert config.evaluate is not None
    if config.evaluate.backend == "vllm":
        yield "evaluate.backend: vllm", "vllm", "debias-eval[vllm]"
