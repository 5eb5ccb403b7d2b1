"""Which rows are scored together, and which read their prompt once for several answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from debias_eval.backends.prefix import (
    SharedPrompt,
    can_share_prompts,
    score_after_prompts,
    worth_sharing,
)
from debias_eval.backends.scoring import TokenScores, score_answers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transformers import PreTrainedModel

__all__ = ["RowCosts", "group_by_length", "score_rows"]

_LEAST_FILLED = 0.75  # a row shorter than this share of its batch's longest goes to the next batch
_FEWEST_ROWS = 8  # but a batch this small is not worth a forward pass of its own


class RowCosts(NamedTuple):
    """What a row holds in memory while it is scored, and how many rows fit.

    Attributes:
        kv_bytes: Keys and values of one token.
        logit_bytes: Scored logits of one token.
        rows_for: Takes tokens a row and bytes a token, returns how many rows fit.
    """

    kv_bytes: int
    logit_bytes: int
    rows_for: Callable[[int, int], int]


def group_by_length(
    lengths: Sequence[int], most_rows: Callable[[int], int], *, least_filled: float = 0.0
) -> list[tuple[int, ...]]:
    """Return batches of indices, longest first, so that what does not fit fails at once.

    Args:
        lengths: Tokens of each row.
        most_rows: Takes a batch's longest length and returns how many rows it may have.
        least_filled: Share of the longest length below which a row opens the next batch.
    """
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    groups: list[list[int]] = []
    room, least = 0, 0.0
    for index in order:
        is_short = lengths[index] < least and len(groups[-1]) >= _FEWEST_ROWS
        if not room or is_short:
            groups.append([])
            room, least = most_rows(lengths[index]), least_filled * lengths[index]
        groups[-1].append(index)
        room -= 1
    return [tuple(group) for group in groups]


def score_rows(
    model: PreTrainedModel, rows: Sequence[tuple[list[int], list[int]]], costs: RowCosts
) -> list[TokenScores]:
    """Return the scores of every (prompt, answer), neither of them empty, in order."""
    by_prompt: dict[tuple[int, ...], list[int]] = {}
    for index, (prompt, _) in enumerate(rows):
        by_prompt.setdefault(tuple(prompt), []).append(index)
    can_share = can_share_prompts(model)
    alone: list[int] = []
    together: list[tuple[SharedPrompt, list[int]]] = []
    for tokens, indices in by_prompt.items():
        shared = SharedPrompt(tokens, [rows[index][1] for index in indices])
        if can_share and worth_sharing(shared):
            together.append((shared, indices))
        else:
            alone += indices
    found = _score_alone(model, [rows[index] for index in alone], costs)
    scored = dict(zip(alone, found, strict=True))
    for (_, indices), scores in zip(
        together, _score_shared(model, [shared for shared, _ in together], costs), strict=True
    ):
        scored.update(zip(indices, scores, strict=True))
    return [scored[index] for index in range(len(rows))]


def _score_alone(
    model: PreTrainedModel, rows: Sequence[tuple[list[int], list[int]]], costs: RowCosts
) -> list[TokenScores]:
    lengths = [len(prompt) + len(answer) for prompt, answer in rows]
    scored: dict[int, TokenScores] = {}
    for group in group_by_length(
        lengths,
        lambda longest: costs.rows_for(longest, costs.logit_bytes),
        least_filled=_LEAST_FILLED,
    ):
        prompts, answers = zip(*(rows[index] for index in group), strict=True)
        scored.update(zip(group, score_answers(model, prompts, answers, 0), strict=True))
    return [scored[index] for index in range(len(rows))]


def _score_shared(
    model: PreTrainedModel, prompts: Sequence[SharedPrompt], costs: RowCosts
) -> list[list[TokenScores]]:
    if not prompts:
        return []
    most = max(len(shared.answers) for shared in prompts)
    longest_answer = max(len(answer) for shared in prompts for answer in shared.answers)

    def most_rows(longest: int) -> int:
        cached = (longest * (1 + most) + most * longest_answer) * costs.kv_bytes
        scored = most * longest_answer * costs.logit_bytes
        return costs.rows_for(longest, -(-(cached + scored) // longest))

    scored: dict[int, list[TokenScores]] = {}
    lengths = [len(shared.prompt) for shared in prompts]
    for group in group_by_length(lengths, most_rows, least_filled=_LEAST_FILLED):
        found = score_after_prompts(model, [prompts[index] for index in group], 0)
        scored.update(zip(group, found, strict=True))
    return [scored[index] for index in range(len(prompts))]
