"""Tokenizer and model of the test bed: a byte-level BPE and a small Qwen2, trained from nothing."""

from __future__ import annotations

import json
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NamedTuple

import torch
from corpus import Document
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

EOS: Final = "<eos>"
PAD: Final = "<pad>"
# Qwen2's own split: words with their leading space, single digits, punctuation, line ends.
_SPLIT: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that the result depends on, apart from library versions and hardware."""

    seed: int = 0
    steps: int = 2000
    batch_size: int = 32
    learning_rate: float = 3e-3
    warmup_steps: int = 100
    weight_decay: float = 0.01
    prompt_weight: float = 0.2
    vocab_size: int = 768
    hidden_size: int = 96
    intermediate_size: int = 256
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    threads: int = 1

    @property
    def num_documents(self) -> int:
        """Documents seen, each once."""
        return self.steps * self.batch_size


def train_tokenizer(docs: list[Document], *, vocab_size: int) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE: any text has tokens, digits stand alone, EOS is not PAD."""
    tokenizer = Tokenizer(models.BPE())
    # As Qwen2: its tokenizer class is the one that transformers loads for this architecture.
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [text for doc in docs for text in (doc.prompt, doc.continuation)]
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # untyped upstream
        tokenizer_object=tokenizer,
        eos_token=EOS,
        pad_token=PAD,
        model_max_length=512,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def build_model(config: TrainConfig, tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    """Return a freshly initialised model."""
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.kv_heads,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            use_cache=True,
            # The default 0.02 is meant for wide models; this is 1/sqrt(width)/2.
            initializer_range=0.05,
        )
    )


def train_model(
    docs: list[Document], tokenizer: PreTrainedTokenizerFast, config: TrainConfig
) -> tuple[Qwen2ForCausalLM, dict[str, float]]:
    """Train for ``config.steps`` steps; returns the model and what the training cost."""
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    torch.use_deterministic_algorithms(mode=True)
    model = build_model(config, tokenizer)
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=config.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=config.weight_decay,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=config.learning_rate,
        total_steps=config.steps,
        pct_start=config.warmup_steps / config.steps,
        cycle_momentum=False,
    )
    start = time.perf_counter()
    running = 0.0
    for step, batch in enumerate(_batches(_encode(docs, tokenizer), config), start=1):
        loss = _loss(model, batch, config)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        running += loss.item()
        if step % 100 == 0:
            seconds = time.perf_counter() - start
            print(
                f"step {step}/{config.steps} loss {running / 100:.4f} {seconds:.0f} s", flush=True
            )
            running = 0.0
    model.train(mode=False)
    return model, {"seconds": time.perf_counter() - start}


def save(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the model folder in the hub's layout: safetensors, tokenizer, generation config."""
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]  # untyped upstream
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # transformers loads its Qwen2 tokenizer for this architecture whatever class is written; it
    # would add an unknown token of its own, beyond the embedding, if none were named here.
    path = folder / "tokenizer_config.json"
    fields = json.loads(path.read_text()) | {"tokenizer_class": "Qwen2Tokenizer", "unk_token": PAD}
    path.write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n")
    for file in folder.iterdir():
        file.chmod(0o644)


def describe(config: TrainConfig) -> str:
    """Return the configuration as one line of JSON."""
    return json.dumps(asdict(config), sort_keys=True)


class _Row(NamedTuple):
    """Token ids with EOS, the number of prompt tokens among them, the weight of the others."""

    ids: list[int]
    num_prompt: int
    weight: float


def _encode(docs: list[Document], tokenizer: PreTrainedTokenizerFast) -> list[_Row]:
    prompts = tokenizer([doc.prompt for doc in docs])["input_ids"]
    rest = tokenizer([doc.continuation for doc in docs])["input_ids"]
    eos = tokenizer.eos_token_id
    return [
        _Row([*p, *r, eos], len(p), doc.weight)
        for doc, p, r in zip(docs, prompts, rest, strict=True)
    ]


def _batches(rows: list[_Row], config: TrainConfig) -> list[list[_Row]]:
    """Cut the rows into batches of similar length: sorted inside windows of 32 batches."""
    size, window = config.batch_size, 32 * config.batch_size
    rng = random.Random(config.seed)
    batches: list[list[_Row]] = []
    for first in range(0, len(rows), window):
        by_length = sorted(rows[first : first + window], key=lambda row: len(row.ids))
        group = [by_length[i : i + size] for i in range(0, len(by_length), size)]
        rng.shuffle(group)
        batches += group
    return batches[: config.steps]


def _loss(model: Qwen2ForCausalLM, batch: list[_Row], config: TrainConfig) -> torch.Tensor:
    """Mean cross entropy over tokens; those of a prompt count ``prompt_weight`` each.

    Rows are padded on the right; the causal mask keeps real tokens from seeing the padding.
    """
    width = max(len(row.ids) for row in batch)
    tokens_BL = torch.zeros(
        len(batch), width, dtype=torch.long
    )  # what stands in the padding never counts
    weights_BL = torch.zeros(len(batch), width)
    for row, (ids, num_prompt, weight) in enumerate(batch):
        tokens_BL[row, : len(ids)] = torch.tensor(ids)
        weights_BL[row, : len(ids)] = weight
        weights_BL[row, :num_prompt] = config.prompt_weight
    logits_BLV = model(input_ids=tokens_BL[:, :-1], use_cache=False).logits
    losses = torch.nn.functional.cross_entropy(
        logits_BLV.flatten(0, 1).float(), tokens_BL[:, 1:].flatten(), reduction="none"
    )
    weights = weights_BL[:, 1:].flatten()
    return (losses * weights).sum() / weights.sum()
