"""Entropy with gradient on a GPU: time against the roof of its own products, and peak memory.

    python bench/core_gpu.py --n 8192 --d 1536 --v 151936 --out result.json

The roof is the time of the products alone, in bfloat16: the logits once
without gradient; twice, and the gradient of the hidden states, with a frozen output matrix; its own
gradient besides where that is trained. Measured against it, in one process, in a fresh random order
every repetition: `linear_token_entropy` with Triton's kernels and with torch's passes, the
prototype (softmax and log_softmax on full logits) and TRL's fused head where they fit. Times are
the median over repetitions; memory is the peak that torch allocated beyond what lay there before.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from core_entropy import Inputs, Size, prototype, trl_fused
from torch import Tensor

from debias_core.linear import api, linear_token_entropy
from debias_core.linear.choice import Kind, choose

PASSES = ("forward", "frozen", "trained")


@dataclass(frozen=True, slots=True)
class Way:
    """One way to do a pass.

    Attributes:
        name: in the table.
        of: the pass, and the roof that it is compared with.
        call: does it.
    """

    name: str
    of: str
    call: Callable[[Inputs], object]


def roof(inputs: Inputs, *, of: str) -> None:
    """The products of a pass, and nothing else."""
    logits = inputs.hidden @ inputs.weight.T
    if of != "forward":
        logits = inputs.hidden @ inputs.weight.T
        logits @ inputs.weight
    if of == "trained":
        logits.T @ inputs.hidden


def ours(inputs: Inputs, *, of: str) -> None:
    hidden, weight = inputs.leaves(trained=of == "trained")
    if of == "forward":
        with torch.no_grad():
            linear_token_entropy(hidden, weight)
    else:
        torch.autograd.backward(linear_token_entropy(hidden, weight).entropy.mean())


@contextmanager
def torchs_passes() -> Iterator[None]:
    """What is called inside takes the passes of torch."""
    chosen = api.choose
    api.choose = lambda _: None
    try:
        yield
    finally:
        api.choose = chosen


def ours_by_torch(inputs: Inputs, *, of: str) -> None:
    with torchs_passes():
        ours(inputs, of=of)


def ways() -> list[Way]:
    found = [Way("products alone", of, partial(roof, of=of)) for of in PASSES]
    found += [Way("ours", of, partial(ours, of=of)) for of in PASSES]
    found += [Way("ours, torch's passes", of, partial(ours_by_torch, of=of)) for of in PASSES]
    found.append(Way("prototype", "frozen", prototype))
    try:
        import trl.kernels.chunked_logprob  # noqa: F401
    except ImportError as error:
        print(f"TRL's fused head is not measured: {error}", file=sys.stderr)
    else:
        found += [
            Way("TRL fused", of, partial(trl_fused, trained=of == "trained")) for of in PASSES[1:]
        ]
    return found


def inputs_on(device: torch.device, size: Size) -> Inputs:
    made = Inputs.make(size)

    def moved(tensor: Tensor) -> Tensor:
        return tensor.to(device, torch.bfloat16 if tensor.is_floating_point() else None)

    return Inputs(*(moved(getattr(made, name)) for name in made.__dataclass_fields__))


def measured(device: torch.device, call: Callable[[], object]) -> tuple[float, int]:
    """Return the seconds and the peak bytes of a call."""
    if device.type != "cuda":
        start = time.perf_counter()
        call()
        return time.perf_counter() - start, 0
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    start = time.perf_counter()
    call()
    torch.cuda.synchronize(device)
    seconds = time.perf_counter() - start
    return seconds, torch.cuda.max_memory_allocated(device) - before


def run(device: torch.device, size: Size, repetitions: int) -> list[dict[str, Any]]:
    inputs, found = inputs_on(device, size), ways()
    seconds: dict[tuple[str, str], list[float]] = {}
    peaks: dict[tuple[str, str], int] = {}
    failed: dict[tuple[str, str], str] = {}
    for repetition in range(repetitions + 1):  # the first one compiles and warms up
        random.shuffle(found)
        for way in found:
            key = (way.name, way.of)
            if key in failed:
                continue
            try:
                took, peaks[key] = measured(device, partial(way.call, inputs))
            except torch.OutOfMemoryError:
                failed[key] = "out of memory"
                continue
            if repetition:
                seconds.setdefault(key, []).append(took)
    floors = {of: statistics.median(seconds["products alone", of]) for of in PASSES}
    rows = [
        {
            "way": name,
            "pass": of,
            "seconds": statistics.median(times),
            "share_of_roof": floors[of] / statistics.median(times),
            "peak_bytes": peaks[name, of],
            "peak_nv": peaks[name, of] / size.logits_bytes,
        }
        for (name, of), times in sorted(seconds.items())
    ]
    return rows + [{"way": name, "pass": of, "failed": why} for (name, of), why in failed.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--n", type=int, default=8192)
    parser.add_argument("--d", type=int, default=1536)
    parser.add_argument("--v", type=int, default=151_936)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    device, size = torch.device(arguments.device), Size(arguments.n, arguments.d, arguments.v)
    on_gpu = device.type == "cuda"
    result = {
        "size": asdict(size),
        "device": torch.cuda.get_device_name(device) if on_gpu else "the processor",
        "torch": torch.__version__,
        "kernels": choose(Kind(device, torch.float32, has_reference=False)) is not None,
        "rows": run(device, size, arguments.repetitions),
    }
    text = json.dumps(result, indent=1)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
