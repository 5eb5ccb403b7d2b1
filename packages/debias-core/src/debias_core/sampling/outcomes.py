"""What becomes of an answer, as data that is counted: complete, truncated, empty, too long.

A sample that cannot be used is no error. It is counted, and whoever reads a gap sees on how many
answers of which kind it rests.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debias_core.errors import DataError
from debias_core.pairs.encoding import EncodedPair
from debias_core.sampling.base import Answer

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How many answers came to what.

    Attributes:
        answers: that were drawn.
        truncated: of them, those that met the length limit.
        empty: of them, those of nothing but the end-of-sequence token; their entropy counts.
        too_long: pairs that were left out whole, because a side and its answer do not fit into the
            model's context.
    """

    answers: int = 0
    truncated: int = 0
    empty: int = 0
    too_long: int = 0


def count_outcomes(answers: Sequence[Answer]) -> Outcomes:
    """Returns how many of the answers came to what."""
    found = [answer.outcome for answer in answers]
    return Outcomes(len(found), found.count("truncated"), found.count("empty"))


def context_length(model: torch.nn.Module) -> int | None:
    """Returns how many tokens the model's positions reach, or None where it does not say."""
    config = getattr(model, "config", None)
    text = config if config is None else config.get_text_config()
    length = getattr(text, "max_position_embeddings", None)
    return length if isinstance(length, int) and length > 0 else None


def leave_out_too_long(
    pairs: Sequence[EncodedPair], *, limit: int | None, max_new_tokens: int, name: str
) -> list[EncodedPair]:
    """Returns the pairs whose sides both leave room for a whole answer; says how many do not.

    A pair goes as a whole: an answer that one side alone has to cut short would make a gap.

    Args:
        pairs: of one set.
        limit: tokens of the model's context; None leaves nothing out.
        max_new_tokens: that an answer may have.
        name: how the set is called in messages.

    Raises:
        DataError: no pair fits.
    """
    if limit is None:
        return list(pairs)
    needed = [
        max(map(len, p.prompts)) + max(max_new_tokens, *map(len, p.references), 1) for p in pairs
    ]
    kept = [pair for pair, tokens in zip(pairs, needed, strict=True) if tokens <= limit]
    if len(kept) == len(pairs):
        return kept
    example = pairs[needed.index(max(needed))].pair.pair_id
    finding = (
        f"{len(pairs) - len(kept)} of {len(pairs)} pairs of {name} do not fit into the model's "
        f"context of {limit} tokens with max_new_tokens={max_new_tokens}: {example!r} would need "
        f"{max(needed)}"
    )
    if not kept:
        raise DataError(f"{finding}; none is left. Set a smaller max_new_tokens, or shorten them")
    logger.warning("%s; they are left out and counted as too_long", finding)
    return kept
