"""Says what ran out of memory, with the numbers, and which smaller setting helps.

Nothing is made smaller silently: a run that changed its own batch sizes would no longer be the run
that its config describes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import torch

from debias_core.errors import NotEnoughMemoryError

_GIB = 1024**3

_MARKS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory: you tried to allocate",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether an allocator gave up: torch's on any device, the CPU's, or Python's."""
    if isinstance(error, NotEnoughMemoryError):
        return False  # explained already
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(mark in str(error) for mark in _MARKS)


@contextlib.contextmanager
def explaining_memory(what: str, *, model: torch.nn.Module, advice: str) -> Iterator[None]:
    """Turns a failed allocation in the block into an error that says what to do.

    Args:
        what: was being done, with its sizes.
        model: whose device and dtype are named.
        advice: the smaller setting to use.

    Raises:
        NotEnoughMemoryError: an allocation failed.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise NotEnoughMemoryError(
            f"out of memory {what}, {describe_model(model)}; {memory_state(model)}; {advice} "
            f"(the allocator said: {_first_line(error)})"
        ) from error


def describe_model(model: torch.nn.Module) -> str:
    """Returns parameter count, dtype and size of a model in words."""
    parameters = list(model.parameters())
    count = sum(p.numel() for p in parameters)
    size = sum(p.numel() * p.element_size() for p in parameters)
    dtype = str(parameters[0].dtype).removeprefix("torch.")
    return f"with a model of {count:,} parameters in {dtype} ({size / _GIB:.2f} GiB)"


def memory_state(model: torch.nn.Module) -> str:
    """Returns how much memory the model's device has, and how much of it is taken, in words."""
    device = next(model.parameters()).device
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        held, peak = torch.cuda.memory_allocated(device), torch.cuda.max_memory_allocated(device)
        return (
            f"{device} has {total / _GIB:.1f} GiB, {free / _GIB:.1f} free; tensors hold "
            f"{held / _GIB:.1f}, at most {peak / _GIB:.1f} so far"
        )
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"the machine has {total / _GIB:.1f} GiB{_available()}"


def _available() -> str:
    meminfo = Path("/proc/meminfo")  # Linux only
    if not meminfo.is_file():
        return ""
    fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
    if "MemAvailable" not in fields:
        return ""
    return f", {int(fields['MemAvailable'].split()[0]) * 1024 / _GIB:.1f} of it available"


def smaller_batch(name: str, size: int, *, multiple: int = 1, otherwise: str) -> str:
    """Returns the advice to halve a batch size, or `otherwise` where it cannot be smaller.

    Args:
        name: of the setting.
        size: as it is.
        multiple: what the smaller one must be a multiple of.
        otherwise: advice for the smallest batch.
    """
    half = size // 2 // multiple * multiple
    return f"set {name}: {half}, now {size}" if half else f"{name} is {size} already: {otherwise}"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
