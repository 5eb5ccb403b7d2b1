"""Shared by the tests of debias-core: a tiny random model, and the real ones where they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

torch.set_num_threads(1)

SHE = ["she", "her", "woman"]
HE = ["he", "him", "man"]


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


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    words = ["<pad>", "<eos>", *SHE, *HE, *(f"w{i}" for i in range(53))]
    model = WordLevel({w: i for i, w in enumerate(words)}, unk_token="<pad>")
    raw = Tokenizer(model)
    raw.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<eos>", pad_token="<pad>")


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., list[dict[str, object]]]:
    """Rows of a pair table: n pairs, two rows each; another `prefix` makes other clusters."""

    def make(n: int, *, prefix: str = "t") -> list[dict[str, object]]:
        return [
            {
                "pair_id": f"{prefix}{i}",
                "cluster_id": f"{prefix}{i}",
                "group": group,
                "prompt": f"w{i % 50} {words[i % 3]} w{(i * 7) % 50}",
            }
            for i in range(n)
            for group, words in (("female", SHE), ("male", HE))
        ]

    return make
