"""linear_token_entropy: gradcheck, properties, precision, and what it never allocates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from debias_core.linear import Tiles, linear_token_entropy


@pytest.mark.parametrize("softcap", [None, 2.0])
@pytest.mark.parametrize("tiles", [Tiles(3, 2), Tiles(8, 4)], ids=str)
def test_gradcheck_of_all_outputs_at_once(softcap: float | None, tiles: Tiles) -> None:
    torch.manual_seed(0)
    hidden = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(8, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(8, dtype=torch.float64, requires_grad=True)
    ref_hidden, ref_weight = torch.randn(4, 3).double(), torch.randn(8, 3).double()

    def outputs(hidden: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor | None, ...]:
        return tuple(
            linear_token_entropy(
                hidden,
                weight,
                bias=bias,
                targets=torch.tensor([0, 6, 3, 6]),
                ref_hidden=ref_hidden,
                ref_weight=ref_weight,
                temperature=0.8,
                scale=1.3,
                softcap=softcap,
                vocab_size=7,
                tiles=tiles,
            )
        )

    assert torch.autograd.gradcheck(outputs, (hidden, weight, bias))


def test_a_matrix_tied_to_the_embedding_gets_both_gradients() -> None:
    torch.manual_seed(0)
    embedding = torch.randn(11, 3, dtype=torch.float64, requires_grad=True)
    tokens = torch.tensor([0, 5, 5, 10])

    def entropies(embedding: Tensor) -> Tensor:
        return linear_token_entropy(embedding[tokens].tanh(), embedding, tiles=Tiles(4, 3)).entropy

    assert torch.autograd.gradcheck(entropies, (embedding,))


@pytest.mark.parametrize("used", ["entropy", "logprob", "kl"])
def test_an_output_alone_has_its_own_gradient(used: str) -> None:
    torch.manual_seed(0)
    hidden = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    weight, ref_hidden = torch.randn(9, 3).double(), torch.randn(4, 3).double()

    def output(hidden: Tensor) -> Tensor:
        stats = linear_token_entropy(
            hidden,
            weight,
            targets=torch.tensor([0, 6, 3, 8]),
            ref_hidden=ref_hidden,
            ref_weight=weight,
            tiles=Tiles(4, 3),
        )
        found = getattr(stats, used)
        assert isinstance(found, Tensor)
        return found

    assert torch.autograd.gradcheck(output, (hidden,))


def test_the_reference_is_a_constant() -> None:
    hidden = torch.randn(3, 4, requires_grad=True)
    weight = torch.randn(7, 4)
    ref_weight = torch.randn(7, 4, requires_grad=True)
    stats = linear_token_entropy(hidden, weight, ref_hidden=hidden, ref_weight=ref_weight)
    assert stats.kl is not None
    stats.kl.sum().backward()
    assert ref_weight.grad is None
    assert hidden.grad is not None


sizes = st.tuples(st.integers(1, 6), st.integers(1, 40), st.integers(1, 5))
seeds = st.integers(0, 2**31 - 1)
tile_sizes = st.builds(Tiles, vocab=st.integers(1, 50), tokens=st.integers(1, 7))
spreads = st.floats(0.0, 50.0)


def random_layer(size: tuple[int, int, int], seed: int, spread: float) -> tuple[Tensor, Tensor]:
    num_tokens, vocab, width = size
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(num_tokens, width, generator=generator) * spread
    return hidden, torch.randn(vocab, width, generator=generator)


@settings(max_examples=60, deadline=None)
@given(sizes, seeds, spreads, tile_sizes)
def test_entropy_lies_between_zero_and_the_uniform_one(
    size: tuple[int, int, int], seed: int, spread: float, tiles: Tiles
) -> None:
    hidden, weight = random_layer(size, seed, spread)
    entropy = linear_token_entropy(hidden, weight, tiles=tiles).entropy
    assert (entropy >= 0).all()
    assert (entropy <= math.log(size[1]) * (1 + 1e-6)).all()


@settings(max_examples=60, deadline=None)
@given(sizes, seeds, st.floats(0.0, 10.0), tile_sizes, st.floats(-1e3, 1e3))
def test_a_shift_of_all_logits_changes_nothing(
    size: tuple[int, int, int], seed: int, spread: float, tiles: Tiles, shift: float
) -> None:
    hidden, weight = (tensor.double() for tensor in random_layer(size, seed, spread))
    targets = torch.arange(size[0]) % size[1]
    shifted = torch.full((size[1],), shift, dtype=torch.float64)
    plain = linear_token_entropy(hidden, weight, targets=targets, tiles=tiles)
    moved = linear_token_entropy(hidden, weight, bias=shifted, targets=targets, tiles=tiles)
    torch.testing.assert_close(moved, plain, rtol=1e-9, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(sizes, seeds, spreads, tile_sizes)
def test_kl_is_never_negative_and_zero_to_itself(
    size: tuple[int, int, int], seed: int, spread: float, tiles: Tiles
) -> None:
    hidden, weight = random_layer(size, seed, spread)
    other = random_layer(size, seed + 1, spread)
    itself = linear_token_entropy(hidden, weight, ref_hidden=hidden, ref_weight=weight, tiles=tiles)
    apart = linear_token_entropy(
        hidden, weight, ref_hidden=other[0], ref_weight=other[1], tiles=tiles
    )
    assert itself.kl is not None
    assert apart.kl is not None
    assert (itself.kl == 0).all()
    assert (apart.kl >= 0).all()


@settings(max_examples=40, deadline=None)
@given(sizes, seeds, st.floats(0.0, 10.0), tile_sizes)
def test_the_tiles_do_not_change_the_result(
    size: tuple[int, int, int], seed: int, spread: float, tiles: Tiles
) -> None:
    hidden, weight = (tensor.double() for tensor in random_layer(size, seed, spread))
    whole = linear_token_entropy(hidden, weight, tiles=Tiles(size[1], size[0]))
    torch.testing.assert_close(linear_token_entropy(hidden, weight, tiles=tiles), whole)


def test_a_small_kl_is_resolved_in_float32() -> None:
    torch.manual_seed(0)
    hidden, weight = torch.randn(32, 16), torch.randn(2000, 16) * 0.5
    ref_hidden = hidden + 1e-3 * torch.randn(32, 16)
    exact_hidden = hidden.double().requires_grad_()
    log_p = torch.log_softmax(exact_hidden @ weight.double().T, -1)
    log_q = torch.log_softmax(ref_hidden.double() @ weight.double().T, -1)
    expected = (log_p.exp() * (log_p - log_q)).sum(-1)
    assert expected.max() < 1e-5
    hidden.requires_grad_()
    kl = linear_token_entropy(hidden, weight, ref_hidden=ref_hidden, ref_weight=weight).kl
    assert kl is not None
    assert (kl - expected).abs().max() < 5e-7
    kl.sum().backward()
    expected.sum().backward()
    assert hidden.grad is not None
    assert exact_hidden.grad is not None
    assert (hidden.grad - exact_hidden.grad).norm() < 1e-3 * exact_hidden.grad.norm()


def bfloat16_layer() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    hidden = torch.randn(128, 256).bfloat16()
    weight = (torch.randn(6000, 256) * 3.0 / 16.0).bfloat16()
    return hidden, weight, torch.randint(6000, (128,))


def test_bfloat16_inputs_cost_no_digits_in_the_outputs() -> None:
    hidden, weight, targets = bfloat16_layer()
    log_p = torch.log_softmax(hidden.double() @ weight.double().T, -1)
    entropy = -(log_p.exp() * log_p).sum(-1)
    logprob = log_p.gather(1, targets.unsqueeze(1)).squeeze(1)
    stats = linear_token_entropy(hidden, weight, targets=targets)
    assert stats.entropy.dtype == torch.float32
    assert stats.logprob is not None
    assert (stats.entropy - entropy).square().mean().sqrt() <= 1e-6
    # a log-probability of -20 in float32 cannot be nearer than 1e-6
    assert (stats.logprob - logprob).square().mean().sqrt() <= 2e-6


def test_bfloat16_gradients_are_rounded_once() -> None:
    hidden, weight, targets = bfloat16_layer()

    def gradients(dtype: torch.dtype) -> list[Tensor]:
        leaves = [t.detach().to(dtype).requires_grad_() for t in (hidden, weight)]
        stats = linear_token_entropy(*leaves, targets=targets, tiles=Tiles(1000, 50))
        assert stats.logprob is not None
        (stats.entropy.sum() - stats.logprob.sum()).backward()
        return [leaf.grad for leaf in leaves if leaf.grad is not None]

    for rounded, exact in zip(gradients(torch.bfloat16), gradients(torch.float64), strict=True):
        assert rounded.dtype == torch.bfloat16
        largest = exact.abs().max().item()
        torch.testing.assert_close(rounded.double(), exact, rtol=2**-8, atol=1e-5 * largest)


def test_autocast_changes_nothing() -> None:
    hidden, weight = torch.randn(5, 16, requires_grad=True), torch.randn(50, 16)
    plain = linear_token_entropy(hidden, weight).entropy
    (expected,) = torch.autograd.grad(plain.sum(), hidden)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        entropy = linear_token_entropy(hidden, weight).entropy
        (found,) = torch.autograd.grad(entropy.sum(), hidden)
    assert torch.equal(entropy, plain)
    assert torch.equal(found, expected)


class Recorder(TorchDispatchMode):
    """Remembers the largest storage that any operation returned, and counts matrix products."""

    def __init__(self, *known: Tensor) -> None:
        super().__init__()
        self.largest = 0
        self.num_products = 0
        self._known = {tensor.untyped_storage().data_ptr() for tensor in known}

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.num_products += "mm" in str(func)
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                storage = leaf.untyped_storage()
                if storage.data_ptr() not in self._known:
                    self.largest = max(self.largest, storage.nbytes() // leaf.element_size())
        return result


@contextmanager
def recorded(*known: Tensor) -> Iterator[Recorder]:
    with Recorder(*known) as recorder:
        yield recorder


N, D, V = 256, 8, 20_000
SMALL = Tiles(512, 64)


def test_the_recorder_sees_the_logits_of_a_dense_entropy() -> None:
    hidden, weight = torch.randn(N, D, requires_grad=True), torch.randn(V, D)
    with recorded(hidden, weight) as recorder:
        log_p = torch.log_softmax(hidden @ weight.T, -1)
        (log_p.exp() * log_p).sum().backward()
    assert recorder.largest >= N * V
    assert recorder.num_products == 2


@pytest.mark.parametrize("softcap", [None, 30.0])
@pytest.mark.parametrize("tiles", [SMALL, None], ids=str)
def test_logits_are_never_held(tiles: Tiles | None, softcap: float | None) -> None:
    hidden, weight = torch.randn(N, D, requires_grad=True), torch.randn(V, D)
    ref_hidden = torch.randn(N, D)
    targets = torch.randint(V, (N,))
    with recorded(hidden, weight, ref_hidden, targets) as recorder:
        stats = linear_token_entropy(
            hidden,
            weight,
            targets=targets,
            ref_hidden=ref_hidden,
            ref_weight=weight,
            softcap=softcap,
            tiles=tiles,
        )
        assert stats.logprob is not None
        assert stats.kl is not None
        (stats.entropy + stats.logprob + stats.kl).sum().backward()
    chosen = tiles or Tiles.choose(N, V, torch.device("cpu"))
    assert recorder.num_products > 0
    assert recorder.largest <= max(chosen.vocab * chosen.tokens, N * D) < N * V / 8


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_trained_matrix_costs_its_gradient_and_no_more(dtype: torch.dtype) -> None:
    hidden = torch.randn(N, D, dtype=dtype, requires_grad=True)
    weight = torch.randn(V, D, dtype=dtype, requires_grad=True)
    with recorded(hidden, weight) as recorder:
        linear_token_entropy(hidden, weight, tiles=SMALL).entropy.sum().backward()
    assert weight.grad is not None
    assert weight.grad.dtype == dtype
    assert recorder.largest == V * D


@pytest.mark.parametrize(("frozen", "products"), [("weight", 2), ("hidden", 2), (None, 3)])
def test_only_required_gradients_are_computed(frozen: str | None, products: int) -> None:
    hidden = torch.randn(N, D, requires_grad=frozen != "hidden")
    weight = torch.randn(V, D, requires_grad=frozen != "weight")
    stats = linear_token_entropy(hidden, weight, tiles=SMALL)
    with recorded(hidden, weight) as recorder:
        stats.entropy.sum().backward()
    assert recorder.num_products == products * math.ceil(V / 512) * math.ceil(N / 64)
    assert (hidden.grad is None) == (frozen == "hidden")
    assert (weight.grad is None) == (frozen == "weight")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_cuda_agrees_with_the_processor(dtype: torch.dtype) -> None:
    hidden, weight, targets = bfloat16_layer()
    found = []
    for device, as_dtype in (("cpu", torch.float64), ("cuda", dtype)):
        leaves = [t.detach().to(device, as_dtype).requires_grad_() for t in (hidden, weight)]
        stats = linear_token_entropy(
            *leaves,
            targets=targets.to(device),
            ref_hidden=leaves[0].detach() * 0.5,
            ref_weight=leaves[1].detach(),
            tiles=Tiles(1000, 50),
        )
        assert stats.logprob is not None
        assert stats.kl is not None
        (stats.entropy + stats.logprob + stats.kl).sum().backward()
        gradients = [leaf.grad.cpu().double() for leaf in leaves if leaf.grad is not None]
        found.append(([values.detach().cpu().double() for values in stats], gradients))
    (values, gradients), (cuda_values, cuda_gradients) = found
    torch.testing.assert_close(cuda_values, values, rtol=1e-5, atol=1e-5)
    for cuda_gradient, gradient in zip(cuda_gradients, gradients, strict=True):
        assert (cuda_gradient - gradient).norm() <= 1e-2 * gradient.norm()
