"""What a loss is a function of: terms of every scored row, and what each row is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Terms:
    """Per-sample terms of a loss, each [n] or absent.

    Attributes:
        entropy: mean token entropy of the answer, nats.
        kl: mean token KL to the reference on the same answer, nats.
        reference_entropy: mean token entropy under the reference; a constant.
        logprob: log-probability of the whole answer, nats.
        divergence: mean token divergence between the sides of a pair on the same answer, nats.
    """

    entropy: Tensor
    kl: Tensor | None = None
    reference_entropy: Tensor | None = None
    logprob: Tensor | None = None
    divergence: Tensor | None = None

    def map(self, function: Callable[[Tensor], Tensor]) -> Terms:
        """Returns the terms with `function` applied to each that is there."""
        return Terms(**{name: function(term) for name, term in self.present().items()})

    def present(self) -> dict[str, Tensor]:
        """Returns the terms that are there, by name."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: term for name, term in named.items() if term is not None}

    def ranges(self) -> dict[str, dict[str, float]]:
        """Returns smallest, largest and mean finite value of each term, and how many are not."""
        found: dict[str, dict[str, float]] = {}
        for name, term in self.present().items():
            finite = term.detach()[torch.isfinite(term.detach())].double()
            values: dict[str, float] = {"of": len(term), "not_finite": len(term) - len(finite)}
            if len(finite):
                extremes = {"min": finite.min(), "max": finite.max(), "mean": finite.mean()}
                values |= {key: float(value) for key, value in extremes.items()}
            found[name] = values
        return found


def concatenate(parts: Sequence[Terms]) -> Terms:
    """Returns the terms of several micro-batches in order; all hold the same ones."""
    columns = [part.present() for part in parts]
    return Terms(**{name: torch.cat([column[name] for column in columns]) for name in columns[0]})


@dataclass(frozen=True, slots=True)
class Layout:
    """What each scored row of the effective batch is.

    Attributes:
        groups: [n] index of the group of the prompt, as the objective is told.
        pairs: [n] index of the pair.
        answers: [n] index of the answer; rows share one where answers are scored crosswise.
        own: [n] whether the answer was sampled under this very prompt.
        lengths: [n] tokens of the answer.
    """

    groups: Tensor
    pairs: Tensor
    answers: Tensor
    own: Tensor
    lengths: Tensor
