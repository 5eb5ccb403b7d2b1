"""Text to tokens and back, the same way for every back end that holds the tokenizer itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from debias_eval.backends.base import Prompt
from debias_eval.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

    from debias_eval.protocol import Protocol

__all__ = ["AnswerText", "TextCodec", "earliest_cut"]

_TAIL = 8  # prompt tokens that an answer is decoded with


class AnswerText(NamedTuple):
    """The text of an answer, and whether a stop string cut it."""

    text: str
    cut: bool


def earliest_cut(text: str, stops: Sequence[str]) -> int | None:
    """Return where the first of any stop string begins, or None."""
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return min(places, default=None)


class TextCodec:
    """A tokenizer with the rules of this package around it.

    Args:
        tokenizer: Of the model; for `split` it must know offsets (a fast one).
        path: The model's folder, for messages.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, path: str) -> None:
        self._tokenizer = tokenizer
        self._path = path

    def render(self, protocol: Protocol, text: str) -> Prompt:
        """Return the prompt that ``protocol`` makes of an item's text.

        Raises:
            ModelError: It asks for a chat template and the tokenizer has none.
        """
        if not protocol.chat_template:
            return Prompt(protocol.plain_text(text))
        if not getattr(self._tokenizer, "chat_template", None):
            raise ModelError(
                f"{self._path}: the protocol asks for a chat template and the tokenizer "
                "has none; set chat_template to false for a base model"
            )
        messages = [
            {"role": turn.role, "content": turn.content} for turn in protocol.messages(text)
        ]
        rendered = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        return Prompt(cast("str", rendered), special_tokens=False)

    def encode(self, prompt: Prompt) -> list[int]:
        """Return the tokens of a prompt; an empty one is the start of a text."""
        ids = cast(
            "list[int]",
            self._tokenizer(prompt.text, add_special_tokens=prompt.special_tokens)["input_ids"],
        )
        return ids or [self.start_id()]

    def start_id(self) -> int:
        """Return the token that stands for "the start of a text"."""
        for token in (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id):
            if isinstance(token, int):
                return token
        raise ModelError(f"{self._path}: the tokenizer has neither a BOS nor an EOS token")

    def decode(self, ids: list[int]) -> str:
        """Return text without special tokens."""
        return cast("str", self._tokenizer.decode(ids, skip_special_tokens=True))

    def answer_text(
        self, prompt_ids: Sequence[int], answer_ids: Sequence[int], stops: Sequence[str]
    ) -> AnswerText:
        """Return the text of an answer, cut before the first stop string.

        Tokenizers that mark words by a leading space drop it from the first word they decode, and
        that space may be the indentation of a program: decode with a little of the prompt.
        """
        tail, answer = list(prompt_ids[-_TAIL:]), list(answer_ids)
        before, text = self.decode(tail), self.decode(tail + answer)
        text = text[len(before) :] if text.startswith(before) else self.decode(answer)
        cut = earliest_cut(text, stops)
        return AnswerText(text if cut is None else text[:cut], cut is not None)

    def split(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        """Return the tokens of a pair, cut where the continuation begins.

        Both are tokenised as one text, because a tokenizer may join across the cut; a token that
        straddles it counts as continuation. A start token that a template wrote is not doubled.
        """
        start = self._tokenizer.bos_token
        written = isinstance(start, str) and context.startswith(start)
        encoded = self._tokenizer(
            context + continuation, return_offsets_mapping=True, add_special_tokens=not written
        )
        ids = cast("list[int]", encoded["input_ids"])
        offsets = cast("list[tuple[int, int]]", encoded["offset_mapping"])
        first = next(
            (place for place, (_, end) in enumerate(offsets) if end > len(context)), len(ids)
        )
        if first == 0:  # nothing in front: the start of a text is the condition
            return [self.start_id()], ids
        return ids[:first], ids[first:]
