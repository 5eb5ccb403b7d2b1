"""Wraps the model for several processes, as `accelerate launch` says: DDP, FSDP 2 or DeepSpeed.

How the processes are started stands in accelerate's configuration; nothing of it in a run's config.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

import torch
from torch import nn

from debias_core.config import TrainConfig
from debias_core.errors import ConfigError
from debias_core.scoring.reference import FrozenModel
from debias_core.training.deepspeed import StatesShared, check_installed, check_settings
from debias_core.training.distributed import world_size
from debias_core.training.wrappers import OneProcess, Sharded, WholeInEach

if TYPE_CHECKING:
    from accelerate import Accelerator
    from transformers import PreTrainedModel


def launched() -> bool:
    """Returns whether this process is one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 or world_size() > 1


def sharding_is_asked() -> bool:
    """Returns whether the launcher says that processes share the weights."""
    return launched() and os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


def parallelise(
    model: PreTrainedModel,
    optimizer: torch.optim.Optimizer,
    reference: FrozenModel[PreTrainedModel] | None,
    config: TrainConfig,
) -> OneProcess:
    """Wraps the model as `accelerate launch` says.

    Args:
        model: to be trained; its weights may become parts.
        optimizer: of it; its parameters are changed with them.
        reference: a second model that has to be treated likewise, or None.
        config: of the run.

    Raises:
        ConfigError: a kind of distribution that training cannot use.
    """
    if not launched():
        return OneProcess(model, optimizer)
    accelerator = the_accelerator(cpu=config.device == "cpu")
    wrapped = _wrapped(model, optimizer, reference, accelerator)
    accelerator.free_memory()  # it outlives the training, and would hold the wrapped model
    return wrapped


def _wrapped(
    model: PreTrainedModel,
    optimizer: torch.optim.Optimizer,
    reference: FrozenModel[PreTrainedModel] | None,
    accelerator: Accelerator,
) -> OneProcess:
    if accelerator.is_fsdp2:
        other = None if reference is None else _shard(reference.model, accelerator)
        return Sharded(model, accelerator, optimizer, other)
    kind = str(accelerator.distributed_type.value)
    if sharding_is_asked():
        why = "1; set fsdp_version: 2" if kind == "FSDP" else f"with {kind}; it needs GPUs"
        raise ConfigError(f"training cannot use FSDP {why}")
    if kind == "DEEPSPEED":
        return StatesShared(model, accelerator, optimizer)
    if not kind.startswith("MULTI_"):
        raise ConfigError(
            f"training cannot use accelerate's {kind}; use FSDP 2 to shard the weights"
        )
    return WholeInEach(model, accelerator, optimizer)


@functools.cache  # its state is that of the whole process: a second one would reset it
def the_accelerator(*, cpu: bool) -> Accelerator:
    """Returns what `accelerate launch` set up for this process, its connection opened.

    Raises:
        ConfigError: DeepSpeed is asked to do what training cannot use.
        MissingPackageError: DeepSpeed is asked for, and not installed.
    """
    from accelerate import Accelerator  # noqa: PLC0415 - seconds to import

    check_installed()
    accelerator = Accelerator(
        cpu=cpu,
        gradient_accumulation_steps=1,  # losses.gradient puts micro-batches together
        mixed_precision="no",  # training.precision keeps the output layer in float32
    )
    plugin = accelerator.state.deepspeed_plugin
    check_settings(None if plugin is None else plugin.deepspeed_config)
    return accelerator


def _shard(model: PreTrainedModel, accelerator: Accelerator) -> nn.Module:
    """Shards a model that is not trained; `prepare` takes none without an optimiser."""
    from accelerate.utils.fsdp_utils import fsdp2_prepare_model  # noqa: PLC0415 - seconds to import

    sharded: nn.Module = fsdp2_prepare_model(accelerator, model)
    return sharded
