"""Protocols that have a name: those of published evaluations, and what a user asks for by name.

A profile holds only the fields that it changes; the rest stays as the task has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from debias_eval.errors import UnknownNameError
from debias_eval.protocol import PLACE, Protocol
from debias_eval.tasks._minerva_shots import MINERVA_SHOTS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PROFILES", "resolve_protocol"]

_QWEN_SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."

# What begins a statement that is no longer part of the function that was asked for.
_NEXT_STATEMENT = (
    "\nif __name__",
    "\ndef main(",
    "\nprint(",
    "\ndef ",
    "\nclass ",
    "\nimport ",
    "\nfrom ",
    "\nassert ",
)

PROFILES: Mapping[str, Mapping[str, object]] = {
    # The task's own protocol, unchanged.
    "default": {},
    # Qwen2.5-Math's evaluation: system prompt in the chat template, greedy, 2,048 tokens.
    "qwen2.5-math-cot": {
        "template": PLACE,
        "chat_template": True,
        "system": _QWEN_SYSTEM,
        "max_new_tokens": 2048,
        "stop": (),
        "sampling": {"n": 1, "temperature": 0.0, "top_p": 1.0},
        "grader": "qwen",
    },
    # Minerva's prompt as lm-evaluation-harness's minerva_math (version 3.1) puts it to base models.
    "minerva-4shot": {
        "template": f"Problem:\n{PLACE}\n\nSolution:",
        "chat_template": False,
        "system": None,
        "shots": tuple({"prompt": text, "answer": answer} for text, answer in MINERVA_SHOTS),
        "separator": "\n\n",
        "stop": ("Problem:",),
        "max_new_tokens": 256,
        "sampling": {"n": 1, "temperature": 0.0, "top_p": 1.0},
        "grader": "minerva-strict",
    },
    # DeepSeek-R1's evaluation, which others took over for AIME: no system prompt, 64 answers.
    "deepseek-r1-avg64": {
        "template": f"{PLACE}\n{_QWEN_SYSTEM}",
        "chat_template": True,
        "max_new_tokens": 32_768,
        "stop": (),
        "sampling": {"n": 64, "temperature": 0.6, "top_p": 0.95},
    },
    # The same with eight answers, for models that think less and readers who wait less.
    "aime-avg8-chat": {
        "template": f"{PLACE}\n{_QWEN_SYSTEM}",
        "chat_template": True,
        "max_new_tokens": 8192,
        "stop": (),
        "sampling": {"n": 8, "temperature": 0.6, "top_p": 0.95},
    },
    # The same question without a template, for base models.
    "boxed-plain": {
        "template": f"Question: {PLACE}\n{_QWEN_SYSTEM}\nAnswer:",
        "chat_template": False,
        "stop": ("\nQuestion:",),
    },
    # Codex' HumanEval: the prompt is continued and cut at the next top-level statement.
    "human-eval": {
        "template": PLACE,
        "chat_template": False,
        "stop": ("\nclass", "\ndef", "\n#", "\nif", "\nprint"),
        "extraction": "completion",
        "max_new_tokens": 512,
    },
    # EvalPlus' direct completion for base models; HumanEval+'s and MBPP+'s stops together.
    "evalplus": {
        "template": PLACE,
        "chat_template": False,
        "stop": (*_NEXT_STATEMENT, '\n"""', "\nassert"),
        "extraction": "completion",
        "max_new_tokens": 768,
    },
    # EvalPlus' question to chat models.
    "evalplus-chat": {
        "template": "Please provide a self-contained Python script that solves the following "
        f"problem in a markdown code block:\n```\n{PLACE}\n```\n",
        "chat_template": True,
        "extraction": "program",
        "max_new_tokens": 768,
        "stop": (),
    },
    # BigCodeBench's direct completion for base models, calibrated.
    "bcb-v0.1.4": {
        "template": PLACE,
        "chat_template": False,
        "stop": _NEXT_STATEMENT,
        "extraction": "completion",
        "max_new_tokens": 1280,
        "cpu_seconds": 240.0,
    },
    # BigCodeBench's question to chat models.
    "bcb-v0.1.4-instruct": {
        "template": "Please provide a self-contained Python script that solves the following "
        f"problem in a markdown code block:\n{PLACE}\n",
        "chat_template": True,
        "stop": (),
        "extraction": "program",
        "max_new_tokens": 1280,
        "cpu_seconds": 240.0,
    },
    # LiveCodeBench's question to chat models, release v5 and after: ten samples, six CPU seconds a
    # test.
    "lcb-v5": {
        "template": PLACE,
        "chat_template": True,
        "system": "You are an expert Python programmer. You will be given a question (problem "
        "specification) and will generate a correct Python program that matches the "
        "specification and passes all tests.",
        "extraction": "last_block",
        "max_new_tokens": 2000,
        "stop": (),
        "sampling": {"n": 10, "temperature": 0.2, "top_p": 0.95},
        "cpu_seconds": 6.0,
    },
    # LiveCodeBench's questions for base models: a worked example, then the question in its form.
    "lcb-v5-base": {
        "template": PLACE,
        "chat_template": False,
        "system": None,
        "extraction": "completion",
        "max_new_tokens": 2000,
        "stop": ("###",),
        "sampling": {"n": 10, "temperature": 0.2, "top_p": 0.95},
        "cpu_seconds": 6.0,
    },
    # A chat model is asked for the whole function and answers in a fenced block.
    "code-chat": {
        "template": f"Complete the following Python function. Answer with the whole function in "
        f"one ```python block.\n\n{PLACE}",
        "chat_template": True,
        "extraction": "program",
        "max_new_tokens": 1024,
        "stop": (),
    },
}


def resolve_protocol(base: Protocol, asked: str | Mapping[str, object] | None) -> Protocol:
    """Return ``base`` with a named profile or a mapping of changes on top.

    A mapping may name a profile under ``profile``: it is applied first, the rest on top of it.

    Raises:
        InputError: No such profile, no such field, or a value that does not fit.
    """
    if asked is None:
        return base
    changes: dict[str, object] = {"profile": asked} if isinstance(asked, str) else dict(asked)
    name = changes.pop("profile", None)
    if name is not None and name != base.profile:
        if name not in PROFILES:
            raise UnknownNameError("protocol profile", str(name), PROFILES)
        base = base.with_changes(PROFILES[cast("str", name)]).with_changes({"profile": name})
    return base.with_changes(changes)
