"""Entropy with gradient from hidden states: time against the bare GEMM, and peak memory.

    python bench/core_entropy.py --n 1024 --d 1536 --v 151936 --threads 2 --out result.json

Times: all variants in one process, in a fresh random order every repetition, with a bare logits
GEMM before and after each; every figure is the median over repetitions of (variant / mean of its
two GEMMs), so that a machine that is slow for a while is slow for both, for wall time and for CPU
time, which other work on the machine disturbs less. Memory: every variant alone in a fresh
process, highest resident size minus the size before the call, in NV = one float32 [N, V] tensor.
TRL's fused head (`trl` 1.16 or later) is measured where it is installed, `torch.compile` where
there is a C++ compiler.

`--sweep` measures tile sizes instead.
"""

from __future__ import annotations

import os

# Threads that spin while they wait are charged as CPU time; on a busy machine that is most of it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import argparse
import ctypes
import importlib
import importlib.util
import json
import platform
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor

from debias_core.linear import CompileHead, Tiles, linear_token_entropy

FLOOR = "bare logits GEMM"
COMPILED = "torch.compile of lse - sum pz"


@dataclass(frozen=True, slots=True)
class Size:
    """N tokens, D width, V vocabulary."""

    n: int
    d: int
    v: int

    @property
    def logits_bytes(self) -> int:
        return 4 * self.n * self.v


@dataclass(frozen=True, slots=True)
class Inputs:
    hidden: Tensor
    weight: Tensor
    targets: Tensor
    ref_hidden: Tensor

    @classmethod
    def make(cls, size: Size) -> Inputs:
        generator = torch.Generator().manual_seed(0)
        hidden = torch.randn(size.n, size.d, generator=generator)
        # Logits of standard deviation 2: entropies of some nats, as a language model has them.
        weight = torch.randn(size.v, size.d, generator=generator).mul_(2.0 / size.d**0.5)
        return cls(
            hidden=hidden,
            weight=weight,
            targets=torch.randint(size.v, (size.n,), generator=generator),
            ref_hidden=hidden + 0.1 * torch.randn(size.n, size.d, generator=generator),
        )

    def leaves(self, *, trained: bool = False) -> tuple[Tensor, Tensor]:
        hidden = self.hidden.detach().requires_grad_()
        return hidden, self.weight.detach().requires_grad_(trained)


Variant = Callable[[Inputs], object]


def bare_gemm(inputs: Inputs) -> Tensor:
    return inputs.hidden @ inputs.weight.T


def two_gemms(inputs: Inputs) -> None:
    hidden, weight = inputs.leaves()
    logits = hidden @ weight.T
    torch.autograd.backward(logits, logits.detach())


def prototype(inputs: Inputs) -> None:
    hidden, weight = inputs.leaves()
    logits = hidden @ weight.T
    probabilities = torch.softmax(logits, -1)
    log_probabilities = torch.log_softmax(logits, -1)
    torch.autograd.backward((-(probabilities * log_probabilities).sum(-1)).mean())


def dense_entropies(hidden: Tensor, weight: Tensor) -> Tensor:
    logits = hidden @ weight.T
    return torch.logsumexp(logits, -1) - (torch.softmax(logits, -1) * logits).sum(-1)


def dense(inputs: Inputs) -> None:
    torch.autograd.backward(dense_entropies(*inputs.leaves()).mean())


@cache
def compiled_entropies() -> Callable[[Tensor, Tensor], Tensor]:
    return torch.compile(dense_entropies, fullgraph=True)


def compiled(inputs: Inputs) -> None:
    torch.autograd.backward(compiled_entropies()(*inputs.leaves()).mean())


def row_chunks(inputs: Inputs, rows: int = 128) -> None:
    """The way of TRL up to 1.10: full logits, then the entropy of 128 rows at a time."""
    hidden, weight = inputs.leaves()
    entropies = []
    for chunk in torch.split(hidden @ weight.T, rows):
        log_probabilities = torch.log_softmax(chunk, -1)
        entropies.append(-(log_probabilities.exp() * log_probabilities).sum(-1))
    torch.autograd.backward(torch.cat(entropies).mean())


def trl_fused(inputs: Inputs, *, trained: bool) -> None:
    kernels = importlib.import_module("trl.kernels.chunked_logprob")
    chunk_size = importlib.import_module("trl.trainer.utils")._CHUNKED_LOGPROB_CHUNK_SIZE

    hidden, weight = inputs.leaves(trained=trained)
    _, entropy, *_ = kernels.ChunkedLogProbFunction.apply(
        hidden, weight, None, inputs.targets, 1.0, chunk_size, None, 1.0, ("entropy",)
    )
    torch.autograd.backward(entropy.mean())


def ours(
    inputs: Inputs,
    *,
    trained: bool = False,
    tiles: Tiles | None = None,
    compile_head: CompileHead = "none",
) -> None:
    hidden, weight = inputs.leaves(trained=trained)
    stats = linear_token_entropy(hidden, weight, tiles=tiles, compile_head=compile_head)
    torch.autograd.backward(stats.entropy.mean())


def ours_no_gradient(
    inputs: Inputs, *, tiles: Tiles | None = None, compile_head: CompileHead = "none"
) -> None:
    linear_token_entropy(inputs.hidden, inputs.weight, tiles=tiles, compile_head=compile_head)


def ours_all_outputs(inputs: Inputs, *, compile_head: CompileHead = "none") -> None:
    hidden, weight = inputs.leaves()
    stats = linear_token_entropy(
        hidden,
        weight,
        targets=inputs.targets,
        ref_hidden=inputs.ref_hidden,
        ref_weight=inputs.weight,
        compile_head=compile_head,
    )
    assert stats.logprob is not None
    assert stats.kl is not None
    torch.autograd.backward((stats.entropy + stats.logprob + stats.kl).mean())


VARIANTS: dict[str, Variant] = {
    FLOOR: bare_gemm,
    "two GEMMs, forward + backward": two_gemms,
    "prototype: softmax and log_softmax": prototype,
    "dense lse - sum pz": dense,
    COMPILED: compiled,
    "128-row chunks (TRL <= 1.10)": row_chunks,
    "TRL fused head, frozen": partial(trl_fused, trained=False),
    "TRL fused head, trained": partial(trl_fused, trained=True),
    "ours, no gradient": ours_no_gradient,
    "ours, frozen head": ours,
    "ours, trained head": partial(ours, trained=True),
    "ours, entropy + logprob + KL, frozen": ours_all_outputs,
    "ours, tiles compiled, no gradient": partial(ours_no_gradient, compile_head="tiles"),
    "ours, tiles compiled, frozen head": partial(ours, compile_head="tiles"),
    "ours, tiles compiled, trained head": partial(ours, trained=True, compile_head="tiles"),
    "ours, tiles compiled, entropy + logprob + KL": partial(ours_all_outputs, compile_head="tiles"),
    "ours, logits compiled, frozen head": partial(ours, compile_head="logits"),
    "ours, logits compiled, entropy + logprob + KL": partial(
        ours_all_outputs, compile_head="logits"
    ),
}


def available() -> dict[str, Variant]:
    missing = set()
    if importlib.util.find_spec("trl") is None:
        missing |= {name for name in VARIANTS if "fused" in name}
    if shutil.which("c++") is None:  # what it compiles to, on a processor
        missing |= {name for name in VARIANTS if "compile" in name}
    return {name: run for name, run in VARIANTS.items() if name not in missing}


@dataclass(frozen=True, slots=True)
class Seconds:
    wall: float
    cpu: float


def timed(run: Variant, inputs: Inputs) -> Seconds:
    wall, cpu = time.perf_counter(), time.process_time()
    run(inputs)
    return Seconds(time.perf_counter() - wall, time.process_time() - cpu)


@dataclass(frozen=True, slots=True)
class Measured:
    """A variant, and the bare GEMMs right before and after it."""

    run: Seconds
    floor: Seconds


def measure_times(
    variants: dict[str, Variant], inputs: Inputs, repetitions: int
) -> dict[str, list[Measured]]:
    """Return the times of every variant, one a repetition."""
    times: dict[str, list[Measured]] = {name: [] for name in variants}
    before = timed(bare_gemm, inputs)
    for repetition in range(repetitions):
        for name in random.Random(repetition).sample(list(variants), len(variants)):
            seconds = timed(variants[name], inputs)
            after = timed(bare_gemm, inputs)
            floor = Seconds((before.wall + after.wall) / 2, (before.cpu + after.cpu) / 2)
            times[name].append(Measured(seconds, floor))
            before = after
            report(
                f"{name}: {seconds.wall:.2f} s, {seconds.cpu:.2f} s of CPU time, "
                f"{seconds.cpu / floor.cpu:.2f} of the GEMMs around it"
            )
    return times


def report(line: str) -> None:
    """Show progress; the result itself goes to the standard output."""
    print(line, file=sys.stderr, flush=True)


def warm_up(variants: dict[str, Variant], size: Size) -> None:
    """Run every variant on a small vocabulary: imports, thread pools, the libraries' buffers.

    What is compiled is compiled for its sizes, and runs on those.
    """
    small = Inputs.make(Size(n=size.n, d=size.d, v=min(size.v, 4096)))
    for name, run in variants.items():
        run(Inputs.make(size) if "compile" in name else small)


def ratios(times: dict[str, list[Measured]]) -> dict[str, dict[str, float]]:
    """Return medians over repetitions of the ratios to the floor, and the median seconds."""
    fastest_wall = min(one.floor.wall for found in times.values() for one in found)
    fastest_cpu = min(one.floor.cpu for found in times.values() for one in found)
    return {
        name: {
            "wall": statistics.median(one.run.wall / one.floor.wall for one in found),
            "cpu": statistics.median(one.run.cpu / one.floor.cpu for one in found),
            "wall_best": min(one.run.wall for one in found) / fastest_wall,
            "cpu_best": min(one.run.cpu for one in found) / fastest_cpu,
            "seconds": statistics.median(one.run.wall for one in found),
        }
        for name, found in times.items()
    }


def resident_bytes(field: str) -> int:
    """Return `VmRSS` or `VmHWM` of this process (Linux)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}; peak memory needs Linux")


def measure_peak(name: str, size: Size) -> int:
    """Return the peak of resident memory during one call, less what was resident before it."""
    inputs = Inputs.make(size)
    warm_up({name: VARIANTS[name]}, size)
    # What the warm-up freed must not stand ready in the heap, or the variant would seem to need
    # no memory of its own.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts from here
    before = resident_bytes("VmRSS")
    VARIANTS[name](inputs)
    return resident_bytes("VmHWM") - before


def peaks(names: list[str], size: Size, threads: int) -> dict[str, int]:
    """Return the peak of every variant, each from a fresh process."""
    found = {}
    for name in names:
        arguments = [f"--n={size.n}", f"--d={size.d}", f"--v={size.v}", f"--threads={threads}"]
        command = [sys.executable, __file__, *arguments, f"--peak-of={name}"]
        finished = subprocess.run(command, check=True, capture_output=True, text=True)
        found[name] = int(finished.stdout.split()[-1])
        report(f"{name}: {found[name] / size.logits_bytes:.3f} NV")
    return found


def markdown(table: dict[str, dict[str, float]], size: Size) -> str:
    lines = [
        "| implementation | time / floor: wall | CPU | best wall | best CPU | peak |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in table.items():
        peak = "-"
        if "peak_bytes" in row:
            share = row["peak_bytes"] / size.logits_bytes
            peak = f"{share:.3f} NV ({row['peak_bytes'] / 2**20:.0f} MB)"
        figures = (
            f"{row[key]:.2f}" if key in row else "-"
            for key in ("wall", "cpu", "wall_best", "cpu_best")
        )
        lines.append(f"| {name} | {' | '.join(figures)} | {peak} |")
    return "\n".join(lines)


def sweep_variants() -> dict[str, Variant]:
    variants: dict[str, Variant] = {FLOOR: bare_gemm}
    for tiles in (
        Tiles(vocab, tokens)
        for tokens in (256, 512, 1024, 2048)
        for vocab in (256, 512, 1024, 2048, 4096)
        if vocab * tokens <= 1 << 21
    ):
        label = f"{tiles.vocab} x {tiles.tokens}"
        variants[f"{label}, no gradient"] = partial(ours_no_gradient, tiles=tiles)
        variants[f"{label}, frozen"] = partial(ours, tiles=tiles)
        variants[f"{label}, trained"] = partial(ours, tiles=tiles, trained=True)
    return variants


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--n", type=int, default=1024, help="scored tokens")
    parser.add_argument("--d", type=int, default=1536, help="width of the hidden states")
    parser.add_argument("--v", type=int, default=151_936, help="size of the vocabulary")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="parts of the variants' names; the floor stays")
    parser.add_argument("--measure", choices=("time", "memory", "both"), default="both")
    parser.add_argument("--sweep", action="store_true", help="measure tile sizes")
    parser.add_argument("--out", type=Path, help="JSON file of the result")
    parser.add_argument("--peak-of", choices=VARIANTS, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parse()
    size = Size(options.n, options.d, options.v)
    torch.set_num_threads(options.threads)
    if options.peak_of:
        print(measure_peak(options.peak_of, size))
        return
    variants = sweep_variants() if options.sweep else available()
    if options.only:
        kept = [name for name in variants if any(part in name for part in options.only)]
        variants = {FLOOR: bare_gemm} | {name: variants[name] for name in kept}
    table: dict[str, dict[str, float]] = {name: {} for name in variants}
    if options.measure != "memory":
        warm_up(variants, size)
        table = ratios(measure_times(variants, Inputs.make(size), options.repetitions))
    if options.measure != "time" and not options.sweep:
        for name, peak in peaks(list(variants), size, options.threads).items():
            table[name]["peak_bytes"] = peak
    print(markdown(table, size))
    if options.out:
        result = {
            "size": asdict(size),
            "threads": options.threads,
            "repetitions": options.repetitions,
            "torch": torch.__version__,
            "machine": platform.machine(),
            "load_average": os.getloadavg(),
            "variants": table,
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
