"""Maths benchmarks and back ends in the `evaluate` section, and what debias-eval is then asked."""

from pathlib import Path

import pytest

from debias_cli.config.load import parse_config
from debias_cli.config.tree import PipelineConfig
from debias_cli.errors import ConfigError
from debias_cli.stages.evaluation import task_specs
from debias_eval.preparing import TaskSpec
from debias_eval.profiles import resolve_protocol
from debias_eval.tasks.registry import get_task

BASE = """\
model:
  path: testbed
  prompt: {template: "Q: {prompt}\\nA:"}
data:
  sources: [{kind: synthetic}]
train: {max_steps: 5}
evaluate:
"""
PAIRS = Path("/run/pairs.parquet")


def config(evaluate: str) -> PipelineConfig:
    indented = "".join(f"  {line}\n" for line in evaluate.splitlines())
    return parse_config(BASE + indented, source="p.yaml", base=Path("/base")).config


def specs(tasks: str) -> list[TaskSpec]:
    parsed = config(f"tasks: [{tasks}]")
    assert parsed.evaluate is not None
    return task_specs(parsed, parsed.evaluate, PAIRS)


@pytest.mark.parametrize("kind", ["aime24", "aime25", "college_math", "svamp", "gsm8k"])
def test_maths_benchmarks_and_their_protocols(kind: str) -> None:
    (spec,) = specs(f"{{kind: {kind}, protocol: qwen2.5-math-cot, max_new_tokens: 99}}")
    protocol = resolve_protocol(get_task(spec.task).protocol(), spec.protocol)
    assert (protocol.chat_template, protocol.max_new_tokens) == (True, 99)
    assert (protocol.sampling.n, protocol.sampling.temperature) == (1, 0.0)


def test_aime_samples_by_itself() -> None:
    (spec,) = specs("{kind: aime24, samples: 4}")
    assert resolve_protocol(get_task("aime24").protocol(), spec.protocol).sampling.n == 4


def test_swapped_problems_are_the_held_out_pairs_unless_a_file_is_named() -> None:
    own, named = specs(
        "{kind: counterfactual_maths}, {kind: counterfactual_maths, name: b, data: p.parquet}"
    )
    assert own.data == PAIRS
    assert own.protocol is not None
    protocol = resolve_protocol(get_task(own.task).protocol(), own.protocol)
    assert (protocol.split, protocol.template) == ("test", "Q: {prompt}\nA:")
    assert named.data == Path("/base/p.parquet")
    assert resolve_protocol(get_task(named.task).protocol(), named.protocol).split == "all"


def test_the_vllm_back_end_can_be_named() -> None:
    parsed = config(
        "tasks: [{kind: gsm8k}]\nbackend: vllm\nbackend_options: {tensor_parallel: 2, eager: true}"
    )
    assert parsed.evaluate is not None
    assert parsed.evaluate.backend == "vllm"
    assert parsed.evaluate.backend_options == {"tensor_parallel": 2, "eager": True}


@pytest.mark.parametrize(
    ("evaluate", "message"),
    [
        ("tasks: [{kind: entropy_gap}]\nbackend: vllm", "entropy_gap needs backend: transformers"),
        ("tasks: [{kind: gsm8k}]\nbackend_options: {a: 1}", "transformers has none"),
        ("tasks: [{kind: gsm8k}]\nbackend: openai", "transformers"),
    ],
)
def test_what_a_back_end_cannot_do(evaluate: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(evaluate)
