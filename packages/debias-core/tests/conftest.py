"""Shared by the tests of debias-core: a tiny random model, and the real ones where they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder with real models and data, beside the checkout."""
    root = Path(__file__).resolve().parents[3]
    folder = Path(os.environ.get("DEBIAS_SHARED", root.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set DEBIAS_SHARED")
    return folder


@pytest.fixture
def tiny_model() -> Qwen2ForCausalLM:
    """A random two-layer Qwen2 in float64; EOS is 1."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=61,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.6,
        eos_token_id=1,
        pad_token_id=1,
        bos_token_id=None,
    )
    return Qwen2ForCausalLM(config).double().eval()
