"""How large a tile of the logits is and how it is made.

Shape suffixes: N tokens, V vocabulary, D width of the hidden states; n and v are the parts of N
and V that one tile covers. Tiles are stored vocabulary first, `[v, n]`: the constants of a token
then lie along the contiguous axis, and a slice of the weight's gradient is one plain product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import torch
from torch import Tensor

if TYPE_CHECKING:
    from debias_core.linear.backward import TokenConstants

MASKED_LOGIT = -1e30
"""Stands in for a bias of -inf: its probability is exactly 0, and 0 times it is 0, not nan."""

_STRIP_ELEMENTS = 1 << 17
"""512 KB in float32: a strip and its scratch copy fit in a second-level cache of 1 MB."""

_MM_WRITES_FLOAT32 = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 8)


@dataclass(frozen=True, slots=True)
class Tiles:
    """Size of one tile of logits.

    Attributes:
        vocab: rows of the output matrix.
        tokens: hidden states.
    """

    vocab: int
    tokens: int

    def __post_init__(self) -> None:
        if self.vocab < 1 or self.tokens < 1:
            raise ValueError(f"a tile needs at least one row and one token, not {self}")

    @classmethod
    def choose(cls, num_tokens: int, vocab_size: int, device: torch.device) -> Self:
        """Return a size that suits the kind of device.

        On a CPU a tile is wide enough for products at full speed and small enough to stay in the
        shared cache until it is used up (`bench/core_entropy.py --sweep`); elsewhere a tile is
        large enough to hide the start of a kernel.
        """
        if device.type == "cpu":
            elements, most_tokens, most_rows = 1 << 20, 1024, 2048
        else:
            elements, most_tokens, most_rows = 1 << 23, 4096, 8192
        tokens = max(1, min(num_tokens, most_tokens))
        return cls(vocab=min(elements // tokens, most_rows, vocab_size), tokens=tokens)


def spans(length: int, step: int) -> Iterator[slice]:
    """Cut `range(length)` into slices of `step`; the last one may be shorter."""
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))


def length(span: slice) -> int:
    """Number of rows in a slice made by `spans`."""
    return int(span.stop - span.start)


class Buffers:
    """Memory for a few tiles and a strip, made once and used for every tile."""

    def __init__(self, num_tiles: int, problem: Problem) -> None:
        tiles, like = problem.tiles, problem.head.hidden
        size = tiles.vocab * tiles.tokens
        strip_size = max(problem.strip_rows(n) * n for n in (1, tiles.tokens))
        self._tiles, self._scratch = (
            [torch.empty(n, dtype=problem.head.dtype, device=like.device) for n in sizes]
            for sizes in ([size] * num_tiles, [min(size, strip_size)])
        )

    def tiles(self, rows: int, columns: int) -> list[Tensor]:
        """Return every tile as a contiguous `[rows, columns]`, contents undefined."""
        return [flat[: rows * columns].view(rows, columns) for flat in self._tiles]

    def scratch(self, rows: int, columns: int) -> Tensor:
        """Return room for a strip, a contiguous `[rows, columns]`, contents undefined."""
        return self._scratch[0][: rows * columns].view(rows, columns)


@dataclass(frozen=True, slots=True)
class LogitTransform:
    """What is done to `u = hidden @ weight.T + bias` before the softmax.

    `z = softcap * tanh(scale * u / softcap) / temperature`; without softcap
    `z = scale * u / temperature`.
    """

    temperature: float = 1.0
    softcap: float | None = None
    scale: float = 1.0

    @property
    def slope(self) -> float:
        """dz/du at 0; everywhere, where there is no softcap."""
        return self.scale / self.temperature

    def apply_(self, tile: Tensor) -> None:
        """Turn raw logits into logits, in place."""
        if self.softcap is not None:
            tile.mul_(self.scale / self.softcap).tanh_().mul_(self.softcap / self.temperature)
        elif self.slope != 1.0:
            tile.mul_(self.slope)

    @property
    def per_tanh(self) -> float | None:
        """What a logit is multiplied by to give the tanh that bounds it; None: nothing does."""
        return None if self.softcap is None else self.temperature / self.softcap

    def flattening(self, tile: Tensor) -> Tensor | None:
        """Return `(dz/du) / slope` at the logits of `tile`, or None where it is 1 everywhere."""
        if self.per_tanh is None:
            return None
        tanh = tile * self.per_tanh
        return tanh.square_().neg_().add_(1.0)


@dataclass(frozen=True, slots=True)
class Head:
    """An output layer over hidden states of its own, that makes tiles of logits.

    Attributes:
        hidden: `[N, D]`, in the dtype in which products are taken.
        weight: `[V, D]`, padded rows already cut off, in its own dtype.
        bias: `[V]` in the dtype of the tiles, or None.
        transform: what is done to the raw logits.
        dtype: of the tiles.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor | None
    transform: LogitTransform
    dtype: torch.dtype

    @classmethod
    def prepare(
        cls,
        layer: tuple[Tensor, Tensor, Tensor | None],
        *,
        vocab_size: int,
        transform: LogitTransform,
        dtype: torch.dtype,
    ) -> Self:
        """Return the head of `layer`, (hidden, weight, bias), for tiles of `dtype`."""
        hidden, weight, bias = layer
        keeps_dtype = (
            hidden.device.type == "cuda"
            and hidden.dtype == weight.dtype == torch.bfloat16
            and _MM_WRITES_FLOAT32
        )
        return cls(
            hidden=hidden if keeps_dtype else hidden.to(dtype),
            weight=weight[:vocab_size],
            bias=None if bias is None else bias[:vocab_size].to(dtype).clamp(min=MASKED_LOGIT),
            transform=transform,
            dtype=dtype,
        )

    def rows(self, vocab: slice) -> HeadRows:
        """Return the rows `vocab` of the output layer, ready for products."""
        return HeadRows(
            head=self,
            weight=self.weight[vocab].to(self.hidden.dtype),
            bias=None if self.bias is None else self.bias[vocab].unsqueeze(1),
        )


@dataclass(frozen=True, slots=True)
class HeadRows:
    """Some rows of an output layer; converted once, used for every block of tokens."""

    head: Head
    weight: Tensor  # [v, D]
    bias: Tensor | None  # [v, 1]

    def logits_(self, out: Tensor, tokens: slice) -> None:
        """Write the logits of `tokens` to `out`, `[v, n]`."""
        product_(out, self.weight, self.head.hidden[tokens].T)
        if self.bias is not None:
            out.add_(self.bias)
        self.head.transform.apply_(out)


@dataclass(frozen=True, slots=True)
class Tile:
    """Logits of some rows of the vocabulary and some tokens.

    Attributes:
        logits: `[v, n]`.
        reference: those of the reference, `[v, n]`, or None.
        first_row: of the vocabulary.
        tokens: which they are.
    """

    logits: Tensor
    reference: Tensor | None
    first_row: int
    tokens: slice


class Kernels(Protocol):
    """The passes over a tile, one kernel each; see `fused`, the module that has them."""

    def new_state(self, num_tokens: int, tile_tokens: int, device: torch.device) -> Tensor:
        """Return the sums of nothing."""
        ...

    def add_tile_(self, state: Tensor, tile: Tile, targets: Tensor | None) -> None:
        """Take a tile into the sums."""
        ...

    def to_gradient_(
        self,
        tile: Tile,
        constants: TokenConstants,
        targets: Tensor | None,
        per_tanh: float | None,
    ) -> None:
        """Overwrite the logits of a tile with the gradient."""
        ...


@dataclass(frozen=True, slots=True)
class Problem:
    """What both passes work on.

    Attributes:
        head: the output layer that is differentiated.
        reference: the output layer that KL is taken to, over as many rows, or None.
        targets: `[N]` int64, or None.
        tiles: size of a tile.
        kernels: what takes the passes over a tile in torch's place, or None.
    """

    head: Head
    reference: Head | None
    targets: Tensor | None
    tiles: Tiles
    kernels: Kernels | None = None

    def strip_rows(self, num_tokens: int) -> int:
        """Return how many rows of a tile the passes over its elements take at a time.

        A product wants a large tile. The passes that follow, half a dozen, want what they go over
        to stay in a core's own cache: on a CPU they finish one strip before they begin the next.
        """
        if self.head.hidden.device.type != "cpu":
            return self.tiles.vocab
        return max(1, min(_STRIP_ELEMENTS // num_tokens, self.tiles.vocab))

    def buffers(self, num_tiles: int) -> Buffers:
        """Return memory for `num_tiles` tiles, and a strip."""
        return Buffers(num_tiles, self)


def make_tile(
    heads: tuple[HeadRows, HeadRows | None], buffers: Buffers, vocab: slice, tokens: slice
) -> Tile:
    """Return the logits of the rows `vocab`, of the head and of the reference's, in `buffers`."""
    rows, ref_rows = heads
    logits_vn, *spare = buffers.tiles(length(vocab), length(tokens))
    rows.logits_(logits_vn, tokens)
    ref_vn = None
    if ref_rows is not None:
        ref_vn = spare[0]
        ref_rows.logits_(ref_vn, tokens)
    return Tile(logits_vn, ref_vn, vocab.start, tokens)


def product_(out: Tensor, left: Tensor, right: Tensor) -> None:
    """`out = left @ right`, never rounded to the factors' dtype where that is the narrower one."""
    if left.dtype == out.dtype:
        torch.mm(left, right, out=out)
    else:
        torch.mm(left, right, out_dtype=out.dtype, out=out)


def add_product_(out: Tensor, left: Tensor, right: Tensor) -> None:
    """`out += left @ right`, never rounded to the factors' dtype where that is the narrower one."""
    if left.dtype == out.dtype:
        out.addmm_(left, right)
    else:
        torch.addmm(out, left, right, out_dtype=out.dtype, out=out)
