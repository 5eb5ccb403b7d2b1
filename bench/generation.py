"""Tokens a second of the transformers back end against one-by-one `generate`; prints JSON.

    python bench/generation.py --model DIR [--model DIR ...] [--prompts 64] [--out FILE]

Both answer the same prompts greedily with the same weights in the same process, both with a KV
cache. Repetitions take turns, so that a busy machine slows both; the medians are compared. The goal
is at least 3 times the tokens a second, and the same tokens for every prompt.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from debias_eval.backends.base import BackendSettings, GenerationRequest, Prompt
from debias_eval.backends.transformers_backend import TransformersBackend

STARTS = ("Once upon a time", "Lily had", "Tom went to the park and", "The cat", "One day, a boy")


def requests_for(number: int, new_tokens: int) -> list[GenerationRequest]:
    """Prompts of unequal length, as benchmarks have them."""
    return [
        GenerationRequest(
            f"p{index}#0", Prompt(" ".join(STARTS[: 1 + index % len(STARTS)])), new_tokens
        )
        for index in range(number)
    ]


def batched(backend: TransformersBackend, requests: list[GenerationRequest]) -> list[list[int]]:
    """The back end as a run uses it: its own batches."""
    found: dict[int, list[int]] = {}
    for batch in backend.batches(requests):
        answers = backend.generate([requests[index] for index in batch])
        found.update(
            (index, list(answer.token_ids)) for index, answer in zip(batch, answers, strict=True)
        )
    return [found[index] for index in range(len(requests))]


def one_by_one(backend: TransformersBackend, requests: list[GenerationRequest]) -> list[list[int]]:
    """What `generate` gives for each prompt alone."""
    model, tokenizer, device = backend._loaded  # the same weights, not loaded twice
    found = []
    for request in requests:
        ids = torch.tensor([tokenizer(request.prompt.text)["input_ids"]], device=device)
        with torch.inference_mode():
            out = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=request.max_new_tokens,
                do_sample=False,
            )
        found.append(out[0, ids.shape[1] :].tolist())
    return found


def compare(folder: Path, arguments: argparse.Namespace) -> dict[str, object]:
    """Both ways on one model, taking turns."""
    backend = TransformersBackend(folder, BackendSettings(device=arguments.device))
    requests = requests_for(arguments.prompts, arguments.new_tokens)
    batched(backend, requests[:4])  # load and warm up
    ways = {"batched": batched, "one_by_one": one_by_one}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    cpu_rates: dict[str, list[float]] = {name: [] for name in ways}
    answers: dict[str, list[list[int]]] = {}
    for _ in range(arguments.repeats):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            answers[name] = way(backend, requests)
            tokens = sum(map(len, answers[name]))
            cpu_rates[name].append(tokens / (time.process_time() - cpu))
            rates[name].append(tokens / (time.perf_counter() - wall))
    same = sum(a == b for a, b in zip(answers["batched"], answers["one_by_one"], strict=True))
    wall_medians = {name: statistics.median(values) for name, values in rates.items()}
    cpu_medians = {name: statistics.median(values) for name, values in cpu_rates.items()}
    return {
        "model": folder.name,
        "prompts": len(requests),
        "same_tokens": same,
        "tokens": sum(map(len, answers["batched"])),
        "tokens_per_second": {name: round(rate, 1) for name, rate in wall_medians.items()},
        "tokens_per_cpu_second": {name: round(rate, 1) for name, rate in cpu_medians.items()},
        "times_faster": round(wall_medians["batched"] / wall_medians["one_by_one"], 2),
        "times_faster_by_cpu": round(cpu_medians["batched"] / cpu_medians["one_by_one"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, action="append", required=True)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--new-tokens", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found = [compare(folder, arguments) for folder in arguments.model]
    text = json.dumps(found, indent=1)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
