"""What `compile_head` compiles finds what is found without; without a compiler, a clear error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import Qwen2ForCausalLM

from debias_core.config import TrainConfig
from debias_core.linear import CompileHead, Tiles, linear_token_entropy
from debias_core.scoring.answers import ScoredRow
from debias_core.training.engine import Engine

needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None, reason="torch.compile needs a C++ compiler"
)

WIDTH, VOCAB, PADDED = 6, 29, 3
WAYS: tuple[CompileHead, ...] = ("tiles", "logits")


def _inputs(num_tokens: int, *, is_full: bool) -> tuple[list[Tensor], dict[str, object]]:
    """Leaves (hidden, weight, bias) and the other arguments."""
    randn = torch.Generator().manual_seed(num_tokens)

    def layer(scale: float) -> list[Tensor]:
        shapes = ((num_tokens, WIDTH), (VOCAB + PADDED, WIDTH), (VOCAB + PADDED,))
        return [
            torch.randn(shape, generator=randn, dtype=torch.float64) * scale for shape in shapes
        ]

    leaves = layer(1.0)
    leaves[2][4] = -torch.inf  # a token that is taken out
    targets = torch.randint(5, VOCAB, (num_tokens,), generator=randn)
    if not is_full:
        return leaves[:2], {"targets": targets}
    ref_hidden, ref_weight, ref_bias = layer(0.8)
    ref_bias[4] = -torch.inf
    return leaves, {
        "targets": targets,
        "ref_hidden": ref_hidden,
        "ref_weight": ref_weight,
        "ref_bias": ref_bias,
        "vocab_size": VOCAB,
        "temperature": 0.7,
        "softcap": 5.0,
        "scale": 1.3,
    }


def _found(num_tokens: int, *, is_full: bool, compile_head: CompileHead) -> list[Tensor]:
    """The statistics and the gradients of the leaves."""
    leaves, others = _inputs(num_tokens, is_full=is_full)
    leaves = [leaf.requires_grad_() for leaf in leaves]
    hidden, weight, *bias = leaves
    stats = linear_token_entropy(
        hidden,
        weight,
        bias=bias[0] if bias else None,
        tiles=Tiles(vocab=12, tokens=3),  # several of them, the last ones smaller
        compile_head=compile_head,
        **others,
    )
    values = [value for value in stats if value is not None]
    parts = [(n + 1) * v.sin().sum() for n, v in enumerate(values) if v.requires_grad]
    return [*values, *torch.autograd.grad(sum(parts), leaves)]


@needs_compiler
@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_values_and_gradients_are_the_same(way: CompileHead, is_full: bool) -> None:
    for num_tokens in (5, 8):  # the second size is compiled for any
        expected = _found(num_tokens, is_full=is_full, compile_head="none")
        found = _found(num_tokens, is_full=is_full, compile_head=way)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


@needs_compiler
@pytest.mark.parametrize("way", WAYS)
def test_a_run_is_not_ended_by_many_kinds_of_batches(way: CompileHead) -> None:
    with torch._dynamo.config.patch(recompile_limit=1):
        for num_tokens in (5, 8, 1):
            assert _found(num_tokens, is_full=False, compile_head=way)


@needs_compiler
def test_compiled_tiles_are_nearly_as_exact_as_others() -> None:
    randn = torch.Generator().manual_seed(1)
    hidden, weight = (torch.randn(n, 64, generator=randn) for n in (40, 9000))
    layer = {"weight": weight / 4, "ref_hidden": hidden + 0.1, "ref_weight": weight / 4}
    truth = linear_token_entropy(hidden.double(), **layer)
    found = linear_token_entropy(hidden, **layer, compile_head="tiles")
    assert truth.kl is not None
    assert found.kl is not None
    torch.testing.assert_close(found.entropy.double(), truth.entropy, rtol=1e-6, atol=0)
    torch.testing.assert_close(found.kl.double(), truth.kl, rtol=1e-5, atol=0)


@needs_compiler
@pytest.mark.parametrize("way", WAYS)
def test_the_setting_reaches_the_output_layer(
    way: CompileHead, tiny_model: Qwen2ForCausalLM
) -> None:
    rows = [ScoredRow([5, 9, 11], [20, 21, 1]), ScoredRow([7], [1])]
    plain = Engine(tiny_model, TrainConfig(device="cpu"))
    expected = plain.score_all([rows], reference=plain.reference)
    with torch.profiler.profile() as profile:
        engine = Engine(tiny_model, TrainConfig(device="cpu", compile_head=way))
        found = engine.score_all([rows], reference=engine.reference)
    names = {event.key for event in profile.key_averages()}
    assert any("Compiled" in name for name in names)
    torch.testing.assert_close(found[0].present(), expected[0].present(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("way", WAYS)
def test_without_a_compiler(way: CompileHead, tmp_path: Path) -> None:
    program = f"""if True:
        import torch
        from debias_core.errors import ConfigError
        from debias_core.linear import linear_token_entropy
        try:
            linear_token_entropy(torch.zeros(3, 2), torch.zeros(5, 2), compile_head={way!r})
        except ConfigError as error:
            print(error)
    """
    environment = {
        **os.environ,
        "PATH": str(tmp_path),
        "CXX": "no-such-compiler",
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert "C++ compiler" in done.stdout
    assert "leave `compile_head` at 'none'" in done.stdout
