"""The processes of a run: who takes what, what is gathered, who writes. One process is one of one.

Every process takes a contiguous share of the pairs of a batch, in order of rank, and every n-th of
the held-out pairs; whatever is decided is decided on gathered values, by all alike. Only the main
process writes files and reports events.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch import distributed as dist

from debias_core.errors import ConfigError, DataError

Item = TypeVar("Item")
Floats = np.ndarray


def world_size() -> int:
    """Returns the number of training processes, 1 when there is only this one."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Returns which of the processes this one is, from 0."""
    return dist.get_rank() if world_size() > 1 else 0


def is_main() -> bool:
    """Returns whether this process writes files and reports events."""
    return rank() == 0


def first_of_share(items: Sequence[Item]) -> int:
    """Returns the index of the first item of this process's share of a batch.

    Raises:
        ConfigError: the items cannot be shared equally.
    """
    if len(items) % world_size():
        raise ConfigError(
            f"effective_batch_size counts prompts over all processes: its {len(items)} pairs "
            f"cannot be shared equally by {world_size()} processes"
        )
    return rank() * (len(items) // world_size())


def share_of(items: Sequence[Item]) -> Sequence[Item]:
    """Returns this process's share of a batch; one after the other, the shares are the batch."""
    first = first_of_share(items)
    return items[first : first + len(items) // world_size()]


def gather(values: Tensor) -> Tensor:
    """Returns the rows of all processes, in order of rank; all hold equally many.

    Raises:
        DataError: they do not.
    """
    if world_size() == 1:
        return values
    sizes = _all_gather(torch.tensor([len(values)], device=values.device))
    if len({int(size) for size in sizes}) != 1:
        raise DataError(
            f"processes hold {[int(s) for s in sizes]} samples; every process needs equally many"
        )
    return torch.cat(_all_gather(values))


def gather_dealt(values: Floats) -> Floats:
    """Returns the rows of all processes in the order from which `items[rank::world]` dealt them."""
    if world_size() == 1:
        return values
    counts = [int(n) for n in _all_gather(torch.tensor([len(values)], device=_device()))]
    padded = np.zeros((max(counts), *values.shape[1:]), dtype=np.float64)
    padded[: len(values)] = values
    parts = [part.cpu().numpy() for part in _all_gather(torch.from_numpy(padded).to(_device()))]
    # row j of process r was item j * world + r
    rounds = np.stack(parts, axis=1).reshape(-1, *values.shape[1:])
    there = np.stack([np.arange(max(counts)) < n for n in counts], axis=1).reshape(-1)
    return rounds[there]


def most(number: int) -> int:
    """Returns the largest of the processes' numbers."""
    if world_size() == 1:
        return number
    return max(int(n) for n in _all_gather(torch.tensor([number], device=_device())))


def any_process(flag: bool) -> bool:  # noqa: FBT001 - a question about one value
    """Returns whether the flag is set on any process; all get the same answer."""
    return bool(most(int(flag)))


def wait() -> None:
    """Returns when all processes came here."""
    if world_size() > 1:
        most(0)


@contextlib.contextmanager
def in_lockstep(layers: nn.Module, idle: Callable[[], object]) -> Iterator[None]:
    """Makes all processes run equally many forward passes in the block.

    Where weights are sharded, every process has to take part in every forward pass of every other
    one; but answers end after different numbers of tokens. Before each pass a process tells the
    others that it makes one; one that has finished goes on with idle passes until nobody does.

    Args:
        layers: the module whose forward passes are counted.
        idle: makes one forward pass of it.
    """

    def announce(module: nn.Module, args: object) -> None:
        del module, args
        any_process(flag=True)

    announced = layers.register_forward_pre_hook(announce)
    try:
        yield
    finally:
        announced.remove()
    while any_process(flag=False):
        idle()


class Channel:
    """Texts from the main process to the others, who wait for as long as it takes."""

    def __init__(self) -> None:
        """Opens it; all processes have to do so together."""
        # a group of its own: one that trains gives up on a process that is late by minutes
        self._group = dist.new_group(backend="gloo", timeout=timedelta(days=30))

    def tell(self, text: str) -> None:
        """Sends a text to all other processes; called on the main one."""
        data = torch.tensor(list(text.encode()), dtype=torch.uint8)
        dist.broadcast(torch.tensor([len(data)]), src=0, group=self._group)
        if len(data):
            dist.broadcast(data, src=0, group=self._group)

    def hear(self) -> str:
        """Returns the next text; called on the other processes."""
        size = torch.zeros(1, dtype=torch.long)
        dist.broadcast(size, src=0, group=self._group)
        data = torch.zeros(int(size), dtype=torch.uint8)
        if len(data):
            dist.broadcast(data, src=0, group=self._group)
        return bytes(data.tolist()).decode()


def _all_gather(values: Tensor) -> list[Tensor]:
    parts = [torch.empty_like(values) for _ in range(world_size())]
    dist.all_gather(parts, values.contiguous())
    return parts


def _device() -> torch.device:
    """The device that the processes' connection takes numbers from."""
    on_gpu = torch.cuda.is_available() and dist.get_backend() != "gloo"
    return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")
