"""One training step: the exact gradient against a naive one, and the step against the prototype's.

    python bench/core_step.py --new-tokens 64 --vocab 32000 --threads 1 --out result.json

A random Qwen2 of the given size (or `--model FOLDER`) answers a batch of prompts of two groups.
Measured are the parts of a step:

- sampling: ours (KV cache, entropies on the way), and the prototype's (`generate` with
  `use_cache=False`);
- the gradient on the answers: naive (one pass, the mean of the losses of micro-batches: another
  direction, shown for its cost alone), exact in two passes, exact with the entropies that sampling
  computed, and the prototype's (softmax and log_softmax over the full logits of every position,
  the whole batch at once).

Times: all in one process, in a fresh random order every repetition; CPU time, the least over the
repetitions. Memory: every part alone in a fresh process, highest resident size less the size
before it, for the parts of the two steps that are compared.
"""

from __future__ import annotations

import os

# Threads that spin while they wait are charged as CPU time; on a busy machine that is most of it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import argparse
import ctypes
import json
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from core_entropy import report, resident_bytes
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

from debias_core.config import ConstrainedConfig, GroupGapConfig, ObjectiveConfig
from debias_core.losses.gradient import accumulate_gradient
from debias_core.losses.lagrangian import TrainingObjective
from debias_core.losses.terms import Layout, Terms
from debias_core.sampling.base import Answer, SamplingConfig
from debias_core.sampling.model import ModelSampler
from debias_core.scoring.answers import ScoredRow, score
from debias_core.scoring.reference import FrozenModel

OBJECTIVES: dict[str, ObjectiveConfig] = {
    "group_gap": GroupGapConfig(),
    "constrained": ConstrainedConfig(),
}
PARTS = [
    "sampling",
    "prototype's sampling",
    *(
        f"{way}, {objective}"
        for objective in OBJECTIVES
        for way in ("one pass", "two passes", "known terms")
    ),
    "prototype's gradient",
]
STEPS = {
    "prototype": ["prototype's sampling", "prototype's gradient"],
    "ours": ["sampling", "known terms, group_gap"],
}


@dataclass(frozen=True, slots=True)
class Size:
    """A model and a batch."""

    model: str | None
    hidden: int
    layers: int
    vocab: int
    answers: int
    micro: int
    prompt: int
    new_tokens: int


class Bench:
    """A model, prompts, and answers to them; every part of a step as a function of no arguments."""

    def __init__(self, size: Size) -> None:
        self.size, self.model = size, _model(size)
        self.reference = FrozenModel.copy_of(self.model)
        for parameter in self.model.parameters():
            parameter.data.mul_(1.001)  # a KL that is not 0
        generator = torch.Generator().manual_seed(0)
        shape = (size.answers, size.prompt)
        self.prompts = torch.randint(3, min(size.vocab, 200), shape, generator=generator)
        config = SamplingConfig(max_new_tokens=size.new_tokens)
        self.sampler = ModelSampler(self.model, config, batch_size=size.answers)
        self.answers = self.sampling()
        index = torch.arange(size.answers)
        lengths = torch.tensor([len(answer.tokens) for answer in self.answers])
        self.layout = Layout(index % 2, index // 2, index, torch.ones_like(index).bool(), lengths)
        rows = [
            ScoredRow(prompt, answer.tokens)
            for prompt, answer in zip(self.prompts.tolist(), self.answers, strict=True)
        ]
        self.micro = [rows[i : i + size.micro] for i in range(0, len(rows), size.micro)]

    def parts(self) -> dict[str, Callable[[], object]]:
        """Returns what can be measured."""
        found: dict[str, Callable[[], object]] = {
            "sampling": self.sampling,
            "prototype's sampling": self.prototype_sampling,
            "prototype's gradient": self.prototype_gradient,
        }
        for name, config in OBJECTIVES.items():
            objective = TrainingObjective(config)
            objective.multipliers = [0.5, -0.5]
            found[f"one pass, {name}"] = lambda o=objective: self.one_pass(o)
            found[f"two passes, {name}"] = lambda o=objective: self.exact(o, known=False)
            found[f"known terms, {name}"] = lambda o=objective: self.exact(o, known=True)
        return found

    def sampling(self) -> list[Answer]:
        return self.sampler.sample(
            self.prompts.tolist(), seeds=[[0, i] for i in range(len(self.prompts))]
        )

    @torch.no_grad()
    def prototype_sampling(self) -> Tensor:
        return self.model.generate(
            self.prompts,
            attention_mask=torch.ones_like(self.prompts),
            max_new_tokens=self.size.new_tokens,
            min_new_tokens=self.size.new_tokens,
            do_sample=True,
            use_cache=False,
        )

    def terms(self, rows: list[ScoredRow], objective: TrainingObjective) -> Terms:
        reference = self.reference if objective.needs_reference else None
        return score(self.model, rows, reference=reference)

    def one_pass(self, objective: TrainingObjective) -> None:
        self.model.zero_grad()
        for number, rows in enumerate(self.micro):
            part = slice(number * self.size.micro, number * self.size.micro + len(rows))
            layout = Layout(
                self.layout.groups[part],
                self.layout.pairs[part] - self.layout.pairs[part.start],
                self.layout.answers[part],
                self.layout.own[part],
                self.layout.lengths[part],
            )
            loss = objective.loss(self.terms(rows, objective), layout) / len(self.micro)
            torch.autograd.backward(loss)

    def exact(self, objective: TrainingObjective, *, known: bool) -> None:
        self.model.zero_grad()
        terms = None
        if known:
            entropies = torch.tensor([answer.entropy for answer in self.answers])
            zeros = torch.zeros_like(entropies) if objective.needs_reference else None
            terms = Terms(entropies, kl=zeros, reference_entropy=zeros)
        accumulate_gradient(
            self.micro,
            lambda rows: self.terms(rows, objective),
            lambda found: objective.loss(found, self.layout),
            known=terms,
        )

    def prototype_gradient(self) -> None:
        self.model.zero_grad()
        longest = max(len(answer.tokens) for answer in self.answers)
        ids = torch.zeros(self.size.answers, self.size.prompt + longest, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, (prompt, answer) in enumerate(zip(self.prompts, self.answers, strict=True)):
            end = self.size.prompt + len(answer.tokens)
            ids[row, :end] = torch.tensor([*prompt.tolist(), *answer.tokens])
            mask[row, :end] = 1
        logits = self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        probabilities = torch.softmax(logits, -1)
        log_probabilities = torch.log_softmax(logits, -1)
        entropies = -(probabilities * log_probabilities).sum(-1)
        means = (entropies * mask).sum(-1) / mask.sum(-1)
        torch.autograd.backward((means[0::2].mean() - means[1::2].mean()).square())


def _model(size: Size) -> PreTrainedModel:
    if size.model is not None:
        return AutoModelForCausalLM.from_pretrained(size.model, dtype=torch.float32).eval()
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=size.vocab,
        hidden_size=size.hidden,
        intermediate_size=4 * size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.hidden // 64,
        num_key_value_heads=max(1, size.hidden // 256),
        tie_word_embeddings=True,
        eos_token_id=1,
        pad_token_id=0,
        bos_token_id=None,
    )
    return Qwen2ForCausalLM(config).eval()


def measure_times(bench: Bench, repetitions: int) -> dict[str, float]:
    """Returns the least CPU time of every part, seconds."""
    parts = bench.parts()
    least = dict.fromkeys(parts, float("inf"))
    for repetition in range(repetitions + 1):  # the first one warms up
        for name in random.Random(repetition).sample(list(parts), len(parts)):
            began = time.process_time()
            parts[name]()
            taken = time.process_time() - began
            report(f"{name}: {taken:.2f} s of CPU time")
            if repetition > 0:
                least[name] = min(least[name], taken)
    return least


def measure_peak(bench: Bench, name: str) -> int:
    """Returns the peak of resident memory during a part, less what was resident before it."""
    part = bench.parts()[name]
    bench.model.zero_grad(set_to_none=False)
    for parameter in bench.model.parameters():  # gradients are the same for all: not counted
        parameter.grad = torch.zeros_like(parameter)
    bench.model.zero_grad = lambda: None  # type: ignore[method-assign,assignment]
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts from here
    before = resident_bytes("VmRSS")
    part()
    return resident_bytes("VmHWM") - before


def peaks(arguments: list[str]) -> dict[str, int]:
    """Returns the peak of every part of the two steps, each from a fresh process."""
    found = {}
    for name in STEPS["prototype"] + STEPS["ours"]:
        command = [sys.executable, __file__, *arguments, f"--peak-of={name}"]
        finished = subprocess.run(command, check=True, capture_output=True, text=True)
        found[name] = int(finished.stdout.split()[-1])
        report(f"{name}: {found[name] / 2**20:.0f} MB")
    return found


def ratios(seconds: dict[str, float], memory: dict[str, int]) -> dict[str, Any]:
    """Returns what the parts say together.

    `gradient` and `step` hold, by objective and way, the exact gradient over one pass;
    `times_faster` the prototype over ours; `peak_share` our highest peak over the prototype's.
    """
    sampling, before = seconds["sampling"], seconds["prototype's sampling"]
    found: dict[str, Any] = {"gradient": {}, "step": {}}
    for objective in OBJECTIVES:
        naive = seconds[f"one pass, {objective}"]
        for way in ("two passes", "known terms"):
            exact = seconds[f"{way}, {objective}"]
            found["gradient"][f"{objective}: {way}"] = exact / naive
            found["step"][f"{objective}: {way}"] = (sampling + exact) / (sampling + naive)
    gradient, ours = seconds["prototype's gradient"], seconds["known terms, group_gap"]
    found["times_faster"] = {
        "gradient": gradient / ours,
        "step": (before + gradient) / (sampling + ours),
    }
    if memory:
        highest = {whose: max(memory[part] for part in parts) for whose, parts in STEPS.items()}
        found["peak_share"] = highest["ours"] / highest["prototype"]
    return found


def markdown(seconds: dict[str, float], memory: dict[str, int]) -> str:
    """Returns the parts, and steps made of them."""
    lines = ["| part | CPU seconds | peak MB |", "|---|---|---|"]
    for name in PARTS:
        peak = f"{memory[name] / 2**20:.0f}" if name in memory else "-"
        lines.append(f"| {name} | {seconds[name]:.3f} | {peak} |")
    found = ratios(seconds, memory)
    lines += ["", "| ratio | gradient | step |", "|---|---|---|"]
    for name, gradient in found["gradient"].items():
        lines.append(f"| {name} / one pass | {gradient:.2f} | {found['step'][name]:.2f} |")
    faster = found["times_faster"]
    ends = f"{faster['gradient']:.2f} | {faster['step']:.2f}"
    lines.append(f"| prototype / ours (group_gap, known terms) | {ends} |")
    if memory:
        lines.append(f"\nPeak of a step, ours / prototype: {found['peak_share']:.3f}")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", help="folder of a model; then the sizes are its own")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--vocab", type=int, default=32_000)
    parser.add_argument("--answers", type=int, default=16, help="rows of the effective batch")
    parser.add_argument("--micro", type=int, default=4, help="rows of a micro-batch")
    parser.add_argument("--prompt", type=int, default=32, help="tokens")
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--out", type=Path, help="JSON file of the result")
    parser.add_argument("--peak-of", choices=PARTS, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parse()
    size = Size(**{field: getattr(options, field) for field in Size.__slots__})
    torch.set_num_threads(options.threads)
    bench = Bench(size)
    if options.peak_of:
        print(measure_peak(bench, options.peak_of))
        return
    seconds = measure_times(bench, options.repetitions)
    memory = {} if options.no_memory else peaks(sys.argv[1:])
    print(markdown(seconds, memory))
    if options.out:
        result = {
            "size": asdict(size),
            "threads": options.threads,
            "torch": torch.__version__,
            "machine": platform.machine(),
            "load_average": os.getloadavg(),
            "cpu_seconds": seconds,
            "peak_bytes": memory,
            "ratios": ratios(seconds, memory),
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
