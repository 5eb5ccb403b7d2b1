"""Several processes, started by `accelerate launch`: the main one runs the pipeline, all train.

The others wait for the main process to say which training begins and where, take part in it, and
wait again. They write nothing and show nothing; they need to see the run folder and the model under
the paths that the main process has.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from debias_cli.config.tree import PipelineConfig
from debias_cli.stages.context import StopSignal
from debias_cli.stages.graph import training_runs
from debias_core.errors import DebiasCoreError

if TYPE_CHECKING:
    from debias_core.training.distributed import Channel

logger = logging.getLogger(__name__)


class Order(BaseModel):
    """What the main process says: a training to take part in.

    Attributes:
        run: name of the training.
        pairs: the pair table.
        out: the stage's folder.
        config: of the run; in a sweep each point has its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    pairs: Path
    out: Path
    config: PipelineConfig


def num_processes() -> int:
    """Returns how many processes the launcher started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_helper() -> bool:
    """Returns whether this process only takes part in trainings."""
    return num_processes() > 1 and os.environ.get("RANK", "0") != "0"


@contextmanager
def helpers_at_hand(config: PipelineConfig) -> Iterator[None]:
    """Lets the other processes wait for trainings while the block runs; then they end."""
    if num_processes() == 1:
        yield
        return
    channel = _channel(cpu=config.model.device == "cpu")
    try:
        yield
    finally:
        channel.tell("")


def call_helpers(config: PipelineConfig, order: Order) -> None:
    """Tells the other processes, if there are any, to take part in a training that begins now."""
    if num_processes() > 1:
        _channel(cpu=config.model.device == "cpu").tell(order.model_dump_json(by_alias=True))


def help_training(config: PipelineConfig) -> int:
    """Takes part in the trainings that the main process begins; returns the exit code.

    Args:
        config: of the file; which device it names is all that counts before the first order.
    """
    from debias_cli.stages.training import train  # noqa: PLC0415 - a cycle

    channel, stop = _channel(cpu=config.model.device == "cpu"), StopSignal()
    with stop.installed():
        while text := channel.hear():
            order = Order.model_validate_json(text)
            runs = {run.name: run for run in training_runs(order.config.train)}
            try:
                train(order.config, runs[order.run], order, stop=stop)
            except DebiasCoreError as error:
                # all processes come to it together, and the main one reports it
                logger.warning("training %s: %s", order.run, error)
    return 0


@functools.cache
def _channel(*, cpu: bool) -> Channel:
    from debias_core.training.distributed import Channel  # noqa: PLC0415 - torch
    from debias_core.training.parallel import the_accelerator  # noqa: PLC0415 - torch

    the_accelerator(cpu=cpu)
    return Channel()
