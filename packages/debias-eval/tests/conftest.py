"""Shared by the tests of debias-eval: tiny random models, and the real data where it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

CHAT_TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder with real models and data, beside the checkout."""
    root = Path(__file__).resolve().parents[3]
    folder = Path(os.environ.get("DEBIAS_SHARED", root.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set DEBIAS_SHARED")
    return folder


@pytest.fixture(scope="session")
def stories(shared_dir: Path) -> Path:
    """A real pretrained model of 260K parameters."""
    folder = shared_dir / "models" / "stories260K"
    if not folder.is_dir():
        pytest.skip(f"no model at {folder}")
    return folder


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a folder with a tiny random model and a byte-level tokenizer."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
        Qwen2Config,
        Qwen2ForCausalLM,
    )

    torch.set_num_threads(1)

    def make(
        kind: str = "qwen2",
        *,
        seed: int = 0,
        chat_template: bool = False,
        context: int = 256,
        width: int = 32,
    ) -> Path:
        folder = tmp_path_factory.mktemp(kind)
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        vocab = {"<eos>": 0, **{byte: place for place, byte in enumerate(alphabet, start=1)}}
        raw = Tokenizer(models.BPE(vocab=vocab, merges=[]))
        raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        raw.decoder = decoders.ByteLevel()
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=raw, eos_token="<eos>", pad_token="<eos>"
        )
        if chat_template:
            tokenizer.chat_template = CHAT_TEMPLATE
        tokenizer.save_pretrained(folder)
        torch.manual_seed(seed)
        common = {
            "vocab_size": len(vocab),
            "hidden_size": width,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": context,
            "eos_token_id": 0,
            "bos_token_id": None,
            "pad_token_id": 0,
            "initializer_range": 0.3,  # far from uniform, so that greedy choices are clear
        }
        if kind == "qwen2":
            model = Qwen2ForCausalLM(Qwen2Config(**common))
        else:
            model = LlamaForCausalLM(LlamaConfig(**common))
        model.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_qwen(make_model: Callable[..., Path]) -> Path:
    return make_model("qwen2", chat_template=True)


@pytest.fixture(scope="session")
def tiny_llama(make_model: Callable[..., Path]) -> Path:
    return make_model("llama", seed=1)
