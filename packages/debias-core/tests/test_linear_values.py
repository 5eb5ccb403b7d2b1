"""linear_token_entropy: values by hand, against a dense float64 reference, and its refusals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from debias_core.errors import ConfigError, DataError
from debias_core.linear import Tiles, TokenStats, linear_token_entropy


@dataclass(frozen=True)
class Layer:
    """One call's inputs; `stats` is the function under test, `dense` the same from full logits."""

    hidden: Tensor
    weight: Tensor
    bias: Tensor | None
    targets: Tensor
    ref_hidden: Tensor
    ref_weight: Tensor
    ref_bias: Tensor | None
    temperature: float = 1.0
    softcap: float | None = None
    scale: float = 1.0
    vocab_size: int | None = None

    def stats(self, tiles: Tiles | None = None) -> TokenStats:
        return linear_token_entropy(
            self.hidden,
            self.weight,
            bias=self.bias,
            temperature=self.temperature,
            targets=self.targets,
            ref_hidden=self.ref_hidden,
            ref_weight=self.ref_weight,
            ref_bias=self.ref_bias,
            softcap=self.softcap,
            scale=self.scale,
            vocab_size=self.vocab_size,
            tiles=tiles,
        )

    def dense(self) -> TokenStats:
        log_p = self._log_softmax(self.hidden, self.weight, self.bias)
        log_q = self._log_softmax(self.ref_hidden, self.ref_weight, self.ref_bias).detach()
        p = log_p.exp()
        return TokenStats(
            entropy=-torch.where(p > 0, p * log_p, 0.0).sum(-1),
            logprob=log_p.gather(1, self.targets.unsqueeze(1)).squeeze(1),
            kl=torch.where(p > 0, p * (log_p - log_q), 0.0).sum(-1),
            ref_entropy=-torch.where(log_q.exp() > 0, log_q.exp() * log_q, 0.0).sum(-1),
        )

    def _log_softmax(self, hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        logits = hidden @ weight.T
        if bias is not None:
            logits = logits + bias
        logits = logits * self.scale
        if self.softcap is not None:
            logits = self.softcap * torch.tanh(logits / self.softcap)
        return torch.log_softmax(logits[:, : self.vocab_size] / self.temperature, -1)


def make_layer(
    num_tokens: int = 9,
    vocab: int = 23,
    width: int = 5,
    *,
    spread: float = 1.0,
    with_bias: bool = False,
    seed: int = 0,
) -> Layer:
    generator = torch.Generator().manual_seed(seed)

    def randn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return Layer(
        hidden=randn(num_tokens, width) * spread,
        weight=randn(vocab, width),
        bias=randn(vocab) if with_bias else None,
        targets=torch.randint(vocab, (num_tokens,), generator=generator),
        ref_hidden=randn(num_tokens, width + 2),
        ref_weight=randn(vocab, width + 2),
        ref_bias=randn(vocab) if with_bias else None,
    )


LAYERS = {
    "plain": make_layer(),
    "one token": make_layer(num_tokens=1),
    "one word": make_layer(vocab=1),
    "one dimension": make_layer(width=1),
    "bias": make_layer(with_bias=True),
    "temperature": replace(make_layer(with_bias=True), temperature=0.6),
    "softcap": replace(make_layer(spread=4.0, with_bias=True), softcap=3.0),
    "scale": replace(make_layer(), scale=0.0625),
    "padded vocabulary": replace(
        make_layer(with_bias=True), vocab_size=19, targets=torch.arange(9) + 10
    ),
    "all at once": replace(
        make_layer(with_bias=True, seed=3),
        temperature=1.7,
        softcap=2.5,
        scale=1.5,
        vocab_size=20,
        targets=torch.arange(9) % 20,
    ),
}
TILES = [Tiles(4, 2), Tiles(23, 9), Tiles(1, 1), Tiles(7, 100), Tiles(100, 4), None]


@pytest.mark.parametrize("tiles", TILES, ids=str)
@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())
def test_values_equal_the_dense_reference(layer: Layer, tiles: Tiles | None) -> None:
    torch.testing.assert_close(layer.stats(tiles), layer.dense(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("tiles", TILES, ids=str)
@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())
def test_gradients_equal_the_dense_reference(layer: Layer, tiles: Tiles | None) -> None:
    leaves = [layer.hidden, layer.weight] + ([] if layer.bias is None else [layer.bias])
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    layer = replace(
        layer, hidden=leaves[0], weight=leaves[1], bias=leaves[2] if len(leaves) > 2 else None
    )
    upstream = torch.randn(3, len(layer.targets), dtype=torch.float64)

    def gradients(stats: TokenStats) -> tuple[Tensor, ...]:
        assert stats.ref_entropy is not None
        assert not stats.ref_entropy.requires_grad
        return torch.autograd.grad(torch.stack(stats[:3]), leaves, upstream)

    torch.testing.assert_close(
        gradients(layer.stats(tiles)), gradients(layer.dense()), rtol=1e-10, atol=1e-11
    )


def logits_layer(logits: list[list[float]]) -> tuple[Tensor, Tensor]:
    """Return hidden states and a matrix whose product is `logits`."""
    hidden = torch.tensor(logits)
    return hidden, torch.eye(hidden.shape[1])


def test_equal_logits_have_the_entropy_of_a_uniform_choice() -> None:
    stats = linear_token_entropy(torch.zeros(3, 4), torch.randn(37, 4))
    torch.testing.assert_close(stats.entropy, torch.full((3,), math.log(37)))


def test_a_certain_token_has_no_entropy() -> None:
    hidden, weight = logits_layer([[0.0, 200.0, 0.0]])
    stats = linear_token_entropy(hidden, weight, targets=torch.tensor([1]))
    assert stats.entropy.item() == 0.0
    assert stats.logprob is not None
    assert stats.logprob.item() == 0.0


def test_two_way_choice_by_hand() -> None:
    # logits (ln 3, 0): p = 3/4, 1/4; the reference is fair, q = 1/2, 1/2
    hidden, weight = logits_layer([[math.log(3.0), 0.0]])
    stats = linear_token_entropy(
        hidden,
        weight,
        targets=torch.tensor([1]),
        ref_hidden=torch.zeros(1, 2),
        ref_weight=weight,
    )
    entropy = math.log(4.0) - 0.75 * math.log(3.0)
    assert stats.entropy.item() == pytest.approx(entropy, abs=1e-6)
    assert stats.logprob is not None
    assert stats.logprob.item() == pytest.approx(-math.log(4.0), abs=1e-6)
    assert stats.kl is not None
    assert stats.kl.item() == pytest.approx(math.log(2.0) - entropy, abs=1e-6)


def test_gradient_of_a_two_way_choice_by_hand() -> None:
    # dH/dz_j = -p_j (log p_j + H): for p = (3/4, 1/4) it is -+ (3/16) ln 3
    hidden, weight = logits_layer([[math.log(3.0), 0.0]])
    hidden.requires_grad_()
    linear_token_entropy(hidden, weight).entropy.sum().backward()
    expected = 3.0 / 16.0 * math.log(3.0)
    torch.testing.assert_close(hidden.grad, torch.tensor([[-expected, expected]]))


@pytest.mark.parametrize("magnitude", [1e2, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_logits(magnitude: float, dtype: torch.dtype) -> None:
    # The winner comes in the last tile, the loser in the first; two winners share the last row.
    logits = torch.zeros(4, 11, dtype=torch.float64)
    logits[0, 10] = magnitude
    logits[1, 0] = -magnitude
    logits[2] = torch.linspace(-magnitude, magnitude, 11)
    logits[3, [0, 10]] = magnitude
    hidden = logits.to(dtype).requires_grad_()
    stats = linear_token_entropy(
        hidden,
        torch.eye(11, dtype=dtype),
        targets=torch.full((4,), 10),
        ref_hidden=torch.zeros(4, 11, dtype=dtype),
        ref_weight=torch.eye(11, dtype=dtype),
        tiles=Tiles(3, 2),
    )
    assert stats.logprob is not None
    assert stats.kl is not None
    expected_entropy = torch.tensor([0.0, math.log(10), 0.0, math.log(2)], dtype=dtype)
    expected_logprob = torch.tensor([0.0, -math.log(10), 0.0, -math.log(2)], dtype=dtype)
    torch.testing.assert_close(stats.entropy, expected_entropy, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(stats.logprob, expected_logprob, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(stats.kl, math.log(11) - expected_entropy, rtol=1e-6, atol=1e-6)
    (stats.entropy + stats.logprob + stats.kl).sum().backward()
    assert hidden.grad is not None
    assert torch.isfinite(hidden.grad).all()


def test_a_bias_of_minus_infinity_takes_a_token_out() -> None:
    layer = make_layer(with_bias=True)
    assert layer.bias is not None
    bias = layer.bias.clone()
    bias[[0, 1, 2, 3, 11]] = -torch.inf  # the whole first tile, and one row amid another
    weight = layer.weight.clone().requires_grad_()
    bias.requires_grad_()
    kept = [row for row in range(23) if bias[row] > -torch.inf]
    stats = linear_token_entropy(layer.hidden, weight, bias=bias, tiles=Tiles(4, 4))
    expected = linear_token_entropy(layer.hidden, layer.weight[kept], bias=layer.bias[kept])
    torch.testing.assert_close(stats.entropy, expected.entropy)
    stats.entropy.sum().backward()
    assert weight.grad is not None
    assert bias.grad is not None
    assert torch.isfinite(weight.grad).all()
    assert (weight.grad[[0, 1, 2, 3, 11]] == 0).all()
    assert (bias.grad[[0, 1, 2, 3, 11]] == 0).all()


def test_no_tokens() -> None:
    layer = replace(
        make_layer(num_tokens=0, with_bias=True), hidden=torch.zeros(0, 5, requires_grad=True)
    )
    weight = torch.randn(23, 5, requires_grad=True)
    stats = replace(layer, weight=weight).stats()
    assert [len(values) for values in stats if values is not None] == [0] * 4
    torch.cat(tuple(stats)).sum().backward()
    assert layer.hidden.grad is not None
    assert layer.hidden.grad.shape == (0, 5)
    torch.testing.assert_close(weight.grad, torch.zeros(23, 5))


def test_only_what_is_asked_for_is_returned() -> None:
    stats = linear_token_entropy(torch.randn(3, 4), torch.randn(7, 4))
    assert stats.entropy.dtype == torch.float32
    assert stats.logprob is None
    assert stats.kl is None


REFUSED = [
    ({"hidden": torch.zeros(2, 3, 4)}, DataError, "hidden must be"),
    ({"hidden": torch.zeros(3, 5)}, DataError, "hidden must be"),
    ({"hidden": torch.zeros(3, 4, dtype=torch.int64)}, DataError, "floating point"),
    ({"bias": torch.zeros(6)}, DataError, "bias must be"),
    ({"targets": torch.zeros(2, dtype=torch.int64)}, DataError, "targets must be"),
    ({"targets": torch.zeros(3)}, DataError, "targets must be"),
    ({"targets": torch.tensor([0, 7, 1])}, DataError, "targets must lie in"),
    ({"targets": torch.tensor([0, -100, 1])}, DataError, "targets must lie in"),
    ({"targets": torch.tensor([0, 5, 1]), "vocab_size": 5}, DataError, "targets must lie in"),
    ({"ref_hidden": torch.zeros(3, 4)}, DataError, "ref_hidden needs ref_weight"),
    ({"ref_weight": torch.zeros(7, 4)}, DataError, "need ref_hidden"),
    (
        {"ref_hidden": torch.zeros(2, 4), "ref_weight": torch.zeros(7, 4)},
        DataError,
        "ref_hidden has 2 tokens",
    ),
    (
        {"ref_hidden": torch.zeros(3, 4), "ref_weight": torch.zeros(6, 4)},
        DataError,
        "ref_weight has 6 rows",
    ),
    ({"temperature": 0.0}, ConfigError, "temperature"),
    ({"temperature": math.nan}, ConfigError, "temperature"),
    ({"softcap": -1.0}, ConfigError, "softcap"),
    ({"scale": 0.0}, ConfigError, "scale"),
    ({"vocab_size": 0}, ConfigError, "vocab_size"),
    ({"vocab_size": 8}, ConfigError, "vocab_size"),
    ({"compile_head": "tile"}, ConfigError, "one of 'none', 'tiles', 'logits', not 'tile'"),
]


@pytest.mark.parametrize(("change", "error", "message"), REFUSED)
def test_refusals(change: dict[str, object], error: type[Exception], message: str) -> None:
    arguments = {"hidden": torch.zeros(3, 4), "weight": torch.zeros(7, 4)} | change
    with pytest.raises(error, match=message):
        linear_token_entropy(**arguments)  # type: ignore[arg-type] # wrong on purpose
