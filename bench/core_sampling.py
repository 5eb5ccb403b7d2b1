"""Tokens drawn a second: the model sampler against `model.generate`.

    python bench/core_sampling.py --model MODEL --prompts 256 --batch 64 --max-new 96

MODEL is a folder in the hub's layout; without it the embedded test bed is used, with its own
problems as prompts. All ways answer the same prompts with the same length limit at temperature 1,
in one process, in a fresh random order every repetition; figures are medians of answer tokens a
second of CPU time, which other work on the machine disturbs less than wall time, and of the ratio
to one-by-one `generate` of the same repetition. The slow ways answer fewer prompts (`--slow`).
`--ends` names tokens that end an answer, which spreads the lengths. `generate` reports no
entropies; the sampler computes the entropy of every token on the way.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import transformers

from debias_core.models.loading import load_model
from debias_core.sampling.base import SamplingConfig
from debias_core.sampling.model import Places, eos_ids, sample

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ROOT = Path(__file__).resolve().parents[1]
TEST_BED = ROOT / "packages/debias-cli/src/debias_cli/testbed"
NAMES = ("Lily", "Tom", "Anna", "Ben", "Mia", "Max", "Sara", "Tim")
PLACES = (
    "",
    " in a big red house",
    " near the sea, with a dog",
    " on a farm with many cows and a cat",
)

Prompts = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Setup:
    """What every way of answering is given."""

    model: PreTrainedModel
    batch: int
    max_new: int


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians of one way: answer tokens a second of CPU and of wall time, and the ratio."""

    name: str
    tokens_per_cpu_second: float
    tokens_per_second: float
    times_one_by_one: float


def generate(setup: Setup, prompts: Prompts, *, use_cache: bool = True) -> int:
    """Answers all prompts with one call of `generate`; returns the number of answer tokens."""
    width = max(map(len, prompts))
    ids = torch.zeros(len(prompts), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for b, prompt in enumerate(prompts):
        ids[b, width - len(prompt) :] = torch.tensor(list(prompt))
        mask[b, width - len(prompt) :] = 1
    ends = eos_ids(setup.model)
    with torch.inference_mode():
        drawn = setup.model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            max_new_tokens=setup.max_new,
            pad_token_id=ends[0],
            use_cache=use_cache,
        )[:, width:]
    ended = torch.isin(drawn, torch.tensor(ends)).cumsum(-1)
    return int(((ended - torch.isin(drawn, torch.tensor(ends)).long()) == 0).sum())


def one_by_one(setup: Setup, prompts: Prompts) -> int:
    """Answers every prompt alone."""
    return sum(generate(setup, [prompt]) for prompt in prompts)


def in_batches(setup: Setup, prompts: Prompts, answer: Callable[[Setup, Prompts], int]) -> int:
    """Answers prompts of like length together."""
    ordered = sorted(prompts, key=len)
    return sum(
        answer(setup, ordered[start : start + setup.batch])
        for start in range(0, len(ordered), setup.batch)
    )


def sampled(setup: Setup, prompts: Prompts, *, refill: bool = False) -> int:
    """Answers with the sampler; with `refill` prompts take the places of rows that ended."""
    config = SamplingConfig(setup.max_new)
    seeds = [[0, row] for row in range(len(prompts))]
    places = Places(setup.batch, refill=refill)
    answers = sample(setup.model, prompts, config, seeds=seeds, places=places)
    return sum(len(answer.tokens) for answer in answers)


WAYS: dict[str, tuple[Callable[[Setup, Prompts], int], bool]] = {
    "generate, one by one": (one_by_one, True),
    "generate, batches, use_cache=False": (
        lambda s, p: in_batches(s, p, lambda t, q: generate(t, q, use_cache=False)),
        True,
    ),
    "generate, batches": (lambda s, p: in_batches(s, p, generate), False),
    "sampler, batch by batch": (sampled, False),
    "sampler, refilled": (lambda s, p: sampled(s, p, refill=True), False),
}


def measure(setup: Setup, prompts: Prompts, *, slow: int, repetitions: int) -> list[Figure]:
    """Returns the figures of all ways; the slow ones answer the first `slow` prompts."""
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in WAYS}
    for _ in range(repetitions):
        speeds: dict[str, tuple[float, float]] = {}
        for name in random.sample(list(WAYS), len(WAYS)):
            answer, is_slow = WAYS[name]
            cpu, wall = time.process_time(), time.perf_counter()
            tokens = answer(setup, prompts[:slow] if is_slow else prompts)
            speeds[name] = (
                tokens / (time.process_time() - cpu),
                tokens / (time.perf_counter() - wall),
            )
        base = speeds["generate, one by one"][0]
        for name, (cpu_speed, wall_speed) in speeds.items():
            found[name].append((cpu_speed, wall_speed, cpu_speed / base))
    return [
        Figure(name, *(statistics.median(column) for column in zip(*rows, strict=True)))
        for name, rows in found.items()
    ]


def make_prompts(tokenizer: PreTrainedTokenizerBase, number: int, *, own: bool) -> Prompts:
    """Returns prompts of different lengths: the test bed's problems, or beginnings of stories."""
    if own:
        lines = (TEST_BED / "data" / "arithmetic.jsonl").read_text().splitlines()
        texts = [f"Question: {json.loads(line)['question']}\nAnswer:" for line in lines]
    else:
        texts = [
            f"Once upon a time, {name} lived{place} and had {count} friends."
            for place in PLACES
            for name in NAMES
            for count in ("two", "three", "many", "no")
        ]
    texts = [texts[i % len(texts)] for i in range(number)]
    random.shuffle(texts)
    return [tokenizer(text)["input_ids"] for text in texts]


def main() -> None:
    """Prints a line a way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--ends", nargs="*", default=[], help="tokens that end an answer besides")
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument("--slow", type=int, default=16)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--max-new", type=int, default=96)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    random.seed(0)
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    model, tokenizer = load_model(options.model or TEST_BED / "model", device="cpu")
    if options.ends:
        model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids(options.ends)
    prompts = make_prompts(tokenizer, options.prompts, own=options.model is None)
    setup = Setup(model, options.batch, options.max_new)
    sampled(setup, prompts[:4])  # what is made on first use is no part of the measurement
    generate(setup, prompts[:1])
    figures = measure(setup, prompts, slow=options.slow, repetitions=options.repetitions)
    for figure in figures:
        print(
            f"{figure.name:36} {figure.tokens_per_cpu_second:9.0f} tokens/CPU s "
            f"{figure.tokens_per_second:9.0f} tokens/s {figure.times_one_by_one:6.1f} x"
        )
    if options.out:
        options.out.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))


if __name__ == "__main__":
    main()
