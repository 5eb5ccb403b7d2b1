"""The Triton kernels by Triton's interpreter, on the processor, and when they are taken.

`test_linear_kernels` runs this file in a process of its own: Triton asks whether it is to interpret
when it is imported first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from debias_core.linear import Tiles, TokenStats, api, choice, fused, linear_token_entropy
from debias_core.linear.choice import Kind

ON_PROCESSOR = Kind(torch.device("cpu"), torch.float32, has_reference=True)


@pytest.fixture(autouse=True)
def few_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every lane is a program, which the interpreter runs one after the other."""
    monkeypatch.setattr(fused, "_MOST_LANES", 3)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "choose", lambda _: fused)


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


Layer = dict[str, Any]


def layer(num_tokens: int, vocab: int, **settings: object) -> Layer:
    return {
        "hidden": randn(num_tokens, 6, seed=1) * 2,
        "weight": randn(vocab, 6, seed=2),
        "targets": torch.arange(num_tokens) * 7 % int(str(settings.get("vocab_size", vocab))),
        "ref_hidden": randn(num_tokens, 4, seed=3),
        "ref_weight": randn(vocab, 4, seed=4),
        **settings,
    }


LAYERS = {
    "plain": layer(9, 50),
    "one token": layer(1, 50),
    "one word": layer(9, 1),
    "bias": layer(9, 50, bias=randn(50, seed=5), ref_bias=randn(50, seed=6)),
    "a token taken out": layer(9, 50, bias=torch.tensor([-torch.inf, *[0.0] * 49]).double()),
    "softcap, temperature, scale": layer(9, 50, softcap=2.5, temperature=1.7, scale=1.5),
    "padded vocabulary": layer(9, 50, vocab_size=43),
    "no reference": layer(9, 50, ref_hidden=None, ref_weight=None),
    "no targets": layer(9, 50, targets=None),
}
TILES = [Tiles(50, 9), Tiles(17, 4), Tiles(64, 256)]


def as_single(given: Layer) -> Layer:
    return {
        name: value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
        for name, value in given.items()
    }


def statistics_and_gradients(given: Layer, tiles: Tiles) -> list[Tensor]:
    names = [name for name in ("hidden", "weight", "bias") if name in given]
    leaves = {name: given[name].clone().requires_grad_() for name in names}
    stats: TokenStats = linear_token_entropy(**{**given, **leaves}, tiles=tiles)
    wanted = [value for value in stats[:3] if value is not None]
    total = sum((i + 1.0) * (value * value).sum() for i, value in enumerate(wanted))
    assert isinstance(total, Tensor)
    gradients = torch.autograd.grad(total, list(leaves.values()))
    return [value.detach() for value in (*stats, *gradients) if value is not None]


def by_torch(given: Layer, tiles: Tiles) -> list[Tensor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "choose", lambda _: None)
        return statistics_and_gradients(given, tiles)


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize(
    ("given", "tiles"),
    [
        pytest.param(layer(300, 90), Tiles(64, 256), id="several blocks"),
        *(
            pytest.param(given, tiles, id=f"{name}-{tiles}")
            for name, given in LAYERS.items()
            for tiles in TILES
        ),
    ],
)
def test_the_kernels_are_as_close_to_the_truth_as_torch(given: Layer, tiles: Tiles) -> None:
    exact, single = by_torch(given, tiles), by_torch(as_single(given), tiles)
    found = statistics_and_gradients(as_single(given), tiles)
    for value, torchs, truth in zip(found, single, exact, strict=True):
        assert value.dtype == torch.float32
        scale = float(truth.abs().max().clamp(min=1.0))
        error, allowed = (float((v.double() - truth).abs().max()) for v in (value, torchs))
        assert error <= 2 * allowed + 1e-6 * scale


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize("magnitude", [1e-3, 1e4, 1e30])
def test_extreme_logits(magnitude: float) -> None:
    hidden = torch.tensor([[1.0, -1.0], [-1.0, -1.0]]) * magnitude
    stats = linear_token_entropy(hidden, torch.eye(2), targets=torch.tensor([0, 1]))
    exact = torch.log_softmax(hidden.double(), -1)
    entropy = -(exact.exp() * exact).nan_to_num().sum(-1)
    torch.testing.assert_close(stats.entropy.double(), entropy, rtol=1e-6, atol=1e-7)
    assert stats.logprob is not None
    torch.testing.assert_close(stats.logprob.double(), exact[[0, 1], [0, 1]], rtol=1e-6, atol=1e-7)


@pytest.mark.usefixtures("taken")
def test_a_small_kl_is_resolved() -> None:
    hidden, weight = randn(8, 6, seed=1), randn(200, 6, seed=2)
    given = {"hidden": hidden * 1.01, "weight": weight, "ref_hidden": hidden, "ref_weight": weight}
    found = linear_token_entropy(**as_single(given), tiles=Tiles(64, 8)).kl
    exact = linear_token_entropy(**given).kl
    assert found is not None
    assert exact is not None
    assert exact.max() < 1e-2
    torch.testing.assert_close(found.double(), exact, rtol=1e-2, atol=1e-7)


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_is_not_lost(value: float) -> None:
    hidden, weight = randn(3, 6, seed=1).float(), randn(40, 6, seed=2).float()
    hidden[1] = value
    entropy = linear_token_entropy(hidden, weight, tiles=Tiles(16, 2)).entropy
    assert entropy.isfinite().tolist() == [True, False, True]


def test_on_a_processor_the_passes_are_those_of_torch() -> None:
    assert choice.choose(ON_PROCESSOR) is None


def times(*seconds: float) -> Callable[[Callable[[], object]], float]:
    left = list(seconds)

    def measured(call: Callable[[], object]) -> float:
        call()
        return left.pop(0)

    return measured


@pytest.fixture
def small_trial(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(choice, "_TOKENS", 20)
    monkeypatch.setattr(choice, "_VOCAB", 60)
    caplog.set_level(logging.INFO, logger="debias_core")


@pytest.mark.usefixtures("small_trial")
def test_the_faster_way_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    assert choice.try_out(ON_PROCESSOR, times(2.0, 1.0)) is fused
    assert "are Triton's: Triton's kernels take 1000.00 ms a tile, torch 2000.00" in caplog.text
    assert choice.try_out(ON_PROCESSOR, times(1.0, 2.0)) is None
    assert "are torch's: Triton's kernels take 2000.00 ms a tile" in caplog.text


def wrong(state: Tensor, tile: Any, targets: Tensor | None, plain: Any = fused.add_tile_) -> None:
    plain(state, tile, targets)
    state[1] *= 1.001


def broken(*_: object) -> None:
    raise RuntimeError("Failed to find C compiler")


@pytest.mark.usefixtures("small_trial")
@pytest.mark.parametrize(
    ("name", "other", "said"),
    [
        ("add_tile_", wrong, "find something else"),
        ("to_gradient_", broken, "as Triton's kernels fail: Failed to find C compiler"),
    ],
)
def test_kernels_that_find_something_else_or_fail_are_not_taken(
    name: str,
    other: Callable[..., None],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(fused, name, other)
    assert choice.try_out(ON_PROCESSOR, times(2.0, 1.0)) is None
    assert said in caplog.text


@pytest.mark.usefixtures("small_trial")
def test_trying_out_leaves_random_numbers_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    choice.try_out(ON_PROCESSOR, times(2.0, 1.0))
    assert torch.equal(torch.rand(1), expected)
