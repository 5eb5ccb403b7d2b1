"""Prompt pairs as token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debias_core.config import PromptFormat
from debias_core.errors import DataError
from debias_core.pairs.prompts import encode_prompt
from debias_core.pairs.reading import PromptPair

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """A pair with its token ids.

    Attributes:
        pair: what they are made from.
        prompts: of the prompt of each declared group.
        references: of the reference answers with the end-of-sequence token; empty where they are
            not asked for.
    """

    pair: PromptPair
    prompts: tuple[list[int], ...]
    references: tuple[list[int], ...] = ()


def encode_pairs(
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[PromptPair],
    prompt_format: PromptFormat,
    *,
    references: bool = False,
) -> list[EncodedPair]:
    """Returns the pairs as token ids.

    Args:
        tokenizer: the model's.
        pairs: in order.
        prompt_format: how prompts are shown to the model.
        references: whether the reference answers are encoded too.

    Raises:
        DataError: a prompt without tokens, or a pair without a reference answer that needs one.
    """
    return [
        EncodedPair(
            pair,
            tuple(encode_prompt(tokenizer, text, prompt_format) for text in pair.prompts),
            _references(tokenizer, pair, prompt_format) if references else (),
        )
        for pair in pairs
    ]


def _references(
    tokenizer: PreTrainedTokenizerBase, pair: PromptPair, prompt_format: PromptFormat
) -> tuple[list[int], ...]:
    # "Answer:" is followed by a space that belongs to the answer's first token
    glued = prompt_format.chat_template or prompt_format.template[-1].isspace()
    encoded = []
    for text in pair.references:
        if text is None:
            raise DataError(
                f"pair {pair.pair_id!r} has no reference answer to fine-tune on; the objective "
                "'cda' needs the column 'reference' filled on every side"
            )
        ids = tokenizer(text if glued else f" {text}", add_special_tokens=False)["input_ids"]
        eos = tokenizer.eos_token_id
        encoded.append([int(i) for i in ids] + ([] if eos is None else [int(eos)]))
    return tuple(encoded)
