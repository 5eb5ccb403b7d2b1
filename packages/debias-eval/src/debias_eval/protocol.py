"""A protocol: everything that decides a score besides the weights, as data with a short hash.

The same weights give 75.8 or 18.9 on MATH by harness alone, and 33.0 or 61.8 on MATH-500 by chat
template alone. So a score is never shown without the hash of its protocol.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING

from pydantic import ConfigDict, TypeAdapter, ValidationError

from debias_eval.errors import InputError, UnknownNameError
from debias_eval.files import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PLACE", "Message", "Protocol", "Sampling", "Shot"]

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_HASH_LENGTH = 10
PLACE = "{prompt}"
"""Where the prompt goes in a template."""


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
    template: str = PLACE
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
        if PLACE not in self.template:
            raise ValueError(f"template {self.template!r} does not contain {PLACE}")
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
        return self.template.replace(PLACE, prompt)

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
