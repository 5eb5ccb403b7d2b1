"""A protocol: everything that decides a score besides the weights, as data with a short hash.

The same weights give 75.8 or 18.9 on MATH by harness alone, and 33.0 or 61.8 on MATH-500 by chat
template alone. So a score is never shown without the hash of its protocol.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from debias_eval.errors import InputError, UnknownNameError
from debias_eval.files import canonical_json
from debias_eval.tasks._minerva_shots import MINERVA_SHOTS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PROFILES", "Message", "Protocol", "Sampling", "Shot", "resolve_protocol"]

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_HASH_LENGTH = 10
_PLACE = "{prompt}"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation, as chat templates take them."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Shot:
    """One worked example: a prompt and the answer that is shown for it."""

    prompt: str
    answer: str

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True)
class Sampling:
    """How answers are drawn.

    Attributes:
        n: Answers an item.
        temperature: 0 is greedy.
        top_p: Mass of the nucleus that is sampled from; 1 is the whole distribution.
        seed: Every request draws from a stream of its own made of this, its item and its index.
    """

    n: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n is {self.n}; at least one sample is needed")
        if self.temperature < 0:
            raise ValueError(f"temperature is {self.temperature}; it must be 0 or more")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}; it must lie in (0, 1]")
        if self.temperature == 0 and self.n > 1:
            raise ValueError(
                f"n is {self.n} at temperature 0: copies of one answer are one sample; "
                "give a temperature above 0, or n = 1"
            )


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a benchmark is put to a model and how its answers are read.

    Attributes:
        profile: The name that this started from.
        template: Text with ``{prompt}`` where the item's prompt goes.
        chat_template: Whether the text goes through the tokenizer's chat template. Never guessed.
        system: System prompt; without a chat template it is put in front of the text.
        shots: Worked examples in front of the item.
        separator: Text between shots where there is no chat template.
        stop: Strings that end an answer; they are cut off.
        max_new_tokens: Longest answer, in tokens.
        sampling: How answers are drawn.
        extraction: How the answer is taken out of the text (names are the task's).
        grader: Profile of the grader.
        cpu_seconds: CPU limit of one program, for tasks that run code; None is the executor's.
        split: Which part of the data, for data that carries a split.
        data_sha256: Content of the data; filled in when the data is read.
    """

    profile: str = "default"
    template: str = _PLACE
    chat_template: bool = False
    system: str | None = None
    shots: tuple[Shot, ...] = ()
    separator: str = "\n\n"
    stop: tuple[str, ...] = ()
    max_new_tokens: int = 512
    sampling: Sampling = field(default_factory=Sampling)
    extraction: str = "default"
    grader: str = "default"
    cpu_seconds: float | None = None
    split: str | None = None
    data_sha256: str = ""

    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        if _PLACE not in self.template:
            raise ValueError(f"template {self.template!r} does not contain {_PLACE}")
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens is {self.max_new_tokens}; it must be 1 or more")
        if any(not stop for stop in self.stop):
            raise ValueError("a stop string is empty")

    @property
    def hash(self) -> str:
        """Return ten hexadecimal digits over the canonical JSON of all fields but the name."""
        content = self.to_dict()
        content.pop("profile")  # two names for one protocol are one protocol
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()[:_HASH_LENGTH]

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON values, nested as the fields are."""
        return asdict(self)

    def messages(self, prompt: str) -> list[Message]:
        """Return the conversation that ends in ``prompt``, template applied to every turn."""
        turns = [Message("system", self.system)] if self.system else []
        for shot in self.shots:
            turns.append(Message("user", self.fill(shot.prompt)))
            turns.append(Message("assistant", shot.answer))
        turns.append(Message("user", self.fill(prompt)))
        return turns

    def fill(self, prompt: str) -> str:
        """Return the template with ``prompt`` in it; other braces are left as they are."""
        return self.template.replace(_PLACE, prompt)

    def plain_text(self, prompt: str) -> str:
        """Return the prompt as one text, for models that are used without a chat template."""
        parts = [self.system] if self.system else []
        parts += [self.fill(shot.prompt) + shot.answer for shot in self.shots]
        return self.separator.join([*parts, self.fill(prompt)])

    def with_changes(self, changes: Mapping[str, object]) -> Protocol:
        """Return this protocol with some fields changed, every value checked.

        ``sampling`` may be given in part; the rest of it stays.

        Raises:
            InputError: An unknown field or a value that does not fit.
        """
        known = {item.name for item in fields(self)}
        for name in changes:
            if name not in known:
                raise UnknownNameError("protocol field", name, known)
        merged = self.to_dict() | dict(changes)
        if "sampling" in changes and isinstance(changes["sampling"], dict):
            merged["sampling"] = asdict(self.sampling) | changes["sampling"]
        return Protocol.from_dict(merged)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Protocol:
        """Return the protocol that ``to_dict`` wrote.

        Raises:
            InputError: ``protocol.field: what``.
        """
        plain = {
            key: asdict(value) if isinstance(value, Sampling) else value
            for key, value in values.items()
        }
        try:
            return _ADAPTER.validate_python(plain)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(["protocol", *(str(part) for part in first["loc"])])
            raise InputError(f"{where}: {first['msg']}") from error


_ADAPTER = TypeAdapter(Protocol)

_QWEN_SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."

PROFILES: Mapping[str, Mapping[str, object]] = {
    # The task's own protocol, unchanged.
    "default": {},
    # Qwen2.5-Math's evaluation: system prompt in the chat template, greedy, 2,048 tokens.
    "qwen2.5-math-cot": {
        "template": _PLACE,
        "chat_template": True,
        "system": _QWEN_SYSTEM,
        "max_new_tokens": 2048,
        "stop": (),
        "sampling": {"n": 1, "temperature": 0.0, "top_p": 1.0},
        "grader": "qwen",
    },
    # Minerva's prompt as lm-evaluation-harness's minerva_math (version 3.1) puts it to base models.
    "minerva-4shot": {
        "template": f"Problem:\n{_PLACE}\n\nSolution:",
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
        "template": f"{_PLACE}\n{_QWEN_SYSTEM}",
        "chat_template": True,
        "max_new_tokens": 32_768,
        "stop": (),
        "sampling": {"n": 64, "temperature": 0.6, "top_p": 0.95},
    },
    # The same with eight answers, for models that think less and readers who wait less.
    "aime-avg8-chat": {
        "template": f"{_PLACE}\n{_QWEN_SYSTEM}",
        "chat_template": True,
        "max_new_tokens": 8192,
        "stop": (),
        "sampling": {"n": 8, "temperature": 0.6, "top_p": 0.95},
    },
    # The same question without a template, for base models.
    "boxed-plain": {
        "template": f"Question: {_PLACE}\n{_QWEN_SYSTEM}\nAnswer:",
        "chat_template": False,
        "stop": ("\nQuestion:",),
    },
    # Codex' HumanEval: the prompt is continued and cut at the next top-level statement.
    "human-eval": {
        "template": _PLACE,
        "chat_template": False,
        "stop": ("\nclass", "\ndef", "\n#", "\nif", "\nprint"),
        "extraction": "completion",
        "max_new_tokens": 512,
    },
    # EvalPlus' direct completion for base models; HumanEval+'s and MBPP+'s stops together.
    "evalplus": {
        "template": _PLACE,
        "chat_template": False,
        "stop": (
            "\nif __name__",
            "\ndef main(",
            "\nprint(",
            "\ndef ",
            "\nclass ",
            "\nimport ",
            "\nfrom ",
            "\nassert ",
            '\n"""',
            "\nassert",
        ),
        "extraction": "completion",
        "max_new_tokens": 768,
    },
    # EvalPlus' question to chat models.
    "evalplus-chat": {
        "template": "Please provide a self-contained Python script that solves the following "
        f"problem in a markdown code block:\n```\n{_PLACE}\n```\n",
        "chat_template": True,
        "extraction": "program",
        "max_new_tokens": 768,
        "stop": (),
    },
    # BigCodeBench's direct completion for base models, calibrated.
    "bcb-v0.1.4": {
        "template": _PLACE,
        "chat_template": False,
        "stop": (
            "\nif __name__",
            "\ndef main(",
            "\nprint(",
            "\ndef ",
            "\nclass ",
            "\nimport ",
            "\nfrom ",
            "\nassert ",
        ),
        "extraction": "completion",
        "max_new_tokens": 1280,
        "cpu_seconds": 240.0,
    },
    # BigCodeBench's question to chat models.
    "bcb-v0.1.4-instruct": {
        "template": "Please provide a self-contained Python script that solves the following "
        f"problem in a markdown code block:\n{_PLACE}\n",
        "chat_template": True,
        "stop": (),
        "extraction": "program",
        "max_new_tokens": 1280,
        "cpu_seconds": 240.0,
    },
    # LiveCodeBench's question to chat models, release v5 and after: ten samples, six CPU seconds a
    # test.
    "lcb-v5": {
        "template": _PLACE,
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
        "template": _PLACE,
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
        f"one ```python block.\n\n{_PLACE}",
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
