"""Which way the passes over tiles go: operations of torch, or Triton's kernels where they pay.

The kernels are for float32 tiles on a GPU for which Triton is installed. They are tried out there
once, on a tile of the usual size: taken where they find what torch finds, in less time. One logged
line says what was taken and why.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from debias_core.linear import backward, forward
from debias_core.linear.backward import Gradients, TokenConstants, Upstream
from debias_core.linear.tiles import Head, LogitTransform, Problem, Tiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from debias_core.linear.tiles import Kernels

logger = logging.getLogger(__name__)

_TOKENS, _VOCAB = 1024, 1 << 17  # as in training; one tile of it is worked
_WIDTH = 64  # of the hidden states that are tried: the products are not what is measured
_TRIALS = 5
_TOLERANCE = 1e-4  # of the largest value; float32 passes in two orders differ by a hundredth of it


@dataclass(frozen=True, slots=True)
class Kind:
    """What a choice is made for.

    Attributes:
        device: of the tiles.
        dtype: of the tiles.
        has_reference: whether KL is computed.
    """

    device: torch.device
    dtype: torch.dtype
    has_reference: bool


_CHOSEN: dict[Kind, Kernels | None] = {}


def choose(kind: Kind) -> Kernels | None:
    """Return the kernels, or None where the passes are those of torch; tried out once a kind."""
    if kind.device.type != "cuda" or kind.dtype != torch.float32:
        return None
    if kind not in _CHOSEN:
        is_there = find_spec("triton") is not None
        _CHOSEN[kind] = try_out(kind, partial(_seconds, kind.device)) if is_there else None
    return _CHOSEN[kind]


def try_out(kind: Kind, seconds_of: Callable[[Callable[[], object]], float]) -> Kernels | None:
    """Return the kernels where they agree with torch and are faster; logs what was found.

    Args:
        kind: of the tiles.
        seconds_of: measures a call.
    """
    trial = _Trial(kind)
    try:
        from debias_core.linear import fused  # noqa: PLC0415 - Triton: only where it can be used

        worst = _distance(trial.run(None), trial.run(fused))
        torch_seconds = seconds_of(lambda: trial.run(None))
        fused_seconds = seconds_of(lambda: trial.run(fused))
    except Exception as error:  # noqa: BLE001 - its compiler, a driver or a missing C compiler raise anything
        logger.warning("the passes over logits are torch's, as Triton's kernels fail: %s", error)
        return None
    if not worst < _TOLERANCE:
        logger.warning(
            "the passes over logits are torch's, as Triton's kernels find something else "
            "(by %.1e of the largest value); please report that with your GPU and versions",
            worst,
        )
        return None
    taken = fused_seconds < torch_seconds
    logger.info(
        "the passes over logits are %s: Triton's kernels take %.2f ms a tile, torch %.2f ms",
        "Triton's" if taken else "torch's",
        1000 * fused_seconds,
        1000 * torch_seconds,
    )
    return fused if taken else None


class _Trial:
    """One tile, with numbers as models make them, through both passes."""

    def __init__(self, kind: Kind) -> None:
        # a generator of its own: the caller's random numbers stay what they are
        generator = torch.Generator(kind.device).manual_seed(0)
        randn = partial(torch.randn, generator=generator, device=kind.device, dtype=kind.dtype)
        tiles = Tiles.choose(_TOKENS, _VOCAB, kind.device)
        tokens, vocab = tiles.tokens, tiles.vocab

        def head() -> Head:
            layer = (randn(tokens, _WIDTH), randn(vocab, _WIDTH) / 4, None)
            return Head.prepare(
                layer, vocab_size=vocab, transform=LogitTransform(), dtype=kind.dtype
            )

        self._problem = Problem(
            head=head(),
            reference=head() if kind.has_reference else None,
            targets=torch.randint(vocab, (tokens,), generator=generator, device=kind.device),
            tiles=tiles,
        )
        self._upstream = Upstream(
            entropy=randn(tokens),
            logprob=randn(tokens),
            kl=randn(tokens) if kind.has_reference else None,
        )

    def run(self, kernels: Kernels | None) -> tuple[Tensor, ...]:
        """Return the statistics and the gradient of the hidden states."""
        problem = replace(self._problem, kernels=kernels)
        outcome = forward.run(problem)
        hidden = torch.zeros_like(problem.head.hidden)
        backward.run_(
            problem,
            TokenConstants.of(outcome, self._upstream, problem),
            Gradients(hidden=hidden, weight=None, bias=None),
            problem.buffers(2 if problem.reference else 1),
        )
        return (*(value for value in outcome if value is not None), hidden)


def _distance(expected: tuple[Tensor, ...], found: tuple[Tensor, ...]) -> float:
    """Return the largest difference, as a share of the largest value of its kind; nan where nan."""
    shares = [
        ((a - b).abs().max() / a.abs().max().clamp(min=1.0)).item()
        for a, b in zip(expected, found, strict=True)
    ]
    return math.nan if any(map(math.isnan, shares)) else max(shares)


def _seconds(device: torch.device, call: Callable[[], object]) -> float:
    """Return the least time that a call took on a GPU."""
    times = []
    with torch.cuda.device(device):
        for _ in range(_TRIALS):
            torch.cuda.synchronize()
            start = time.perf_counter()
            call()
            torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
    return min(times)
