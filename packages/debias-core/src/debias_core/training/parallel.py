"""Wraps the model for several processes, with accelerate: whole in each (DDP), or sharded (FSDP).

`accelerate launch` starts the processes and says how; nothing of that stands in a run's config. The
loss is not a sum over processes, so what is synchronised are gradients of `sum c_i * term_i` (see
`debias_core.losses.gradient`), once a step.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule

from debias_core.config import TrainConfig
from debias_core.errors import ConfigError
from debias_core.scoring.reference import FrozenModel
from debias_core.training.distributed import in_lockstep, most, world_size

if TYPE_CHECKING:
    from accelerate import Accelerator
    from transformers import PreTrainedModel

P = ParamSpec("P")
R = TypeVar("R")


class Root(nn.Module):
    """Runs functions of a model as its forward pass.

    Wrappers hook into the forward pass of the module that they wrap. What is run here is more than
    that of the model: it reads the output layer's weights, or draws a whole answer.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model
        self._no_split_modules = getattr(model, "_no_split_modules", None)

    def forward(
        self,
        function: Callable[Concatenate[PreTrainedModel, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Returns the function of the model."""
        return function(self.model, *args, **kwargs)

    def tie_weights(self) -> None:
        """Is asked for by accelerate after it put other tensors in the place of the weights."""
        self.model.tie_weights()


class OneProcess:
    """Computes with the model as it is."""

    sharded = False

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model

    def run(
        self,
        function: Callable[Concatenate[PreTrainedModel, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Returns a function of the model; its graph is one whose gradients are synchronised."""
        return function(self.model, *args, **kwargs)

    def no_sync(self) -> AbstractContextManager[None]:
        """A context in which gradients stay on their process."""
        return contextlib.nullcontext()

    def in_lockstep(self) -> AbstractContextManager[None]:
        """A context in which processes may differ in how many forward passes they run."""
        return contextlib.nullcontext()

    def missing_passes(self, number: int) -> int:
        """Returns how many more forward passes this process has to run than its own `number`."""
        del number
        return 0


class WholeInEach(OneProcess):
    """Every process holds all weights; gradients are averaged over them (DDP)."""

    def __init__(self, model: PreTrainedModel, accelerator: Accelerator) -> None:
        super().__init__(model)
        self._wrapped: Any = accelerator.prepare_model(Root(model))

    def run(
        self,
        function: Callable[Concatenate[PreTrainedModel, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Returns a function of the model; its graph is one whose gradients are synchronised."""
        if not torch.is_grad_enabled():
            return function(self.model, *args, **kwargs)
        result: R = self._wrapped(function, *args, **kwargs)
        return result

    def no_sync(self) -> AbstractContextManager[None]:
        """A context in which gradients stay on their process."""
        context: AbstractContextManager[None] = self._wrapped.no_sync()
        return context


class Sharded(OneProcess):
    """Every process holds a part of every weight (FSDP2); all run every forward pass together."""

    sharded = True

    def __init__(
        self,
        model: PreTrainedModel,
        accelerator: Accelerator,
        optimizer: torch.optim.Optimizer,
        reference: nn.Module | None,
    ) -> None:
        super().__init__(model)
        # the optimiser's parameters become the parts
        self._wrapped, _ = accelerator.prepare(Root(model), optimizer)
        units = [*self._wrapped.modules(), *(() if reference is None else reference.modules())]
        self._units = [module for module in units if isinstance(module, FSDPModule)]
        # whole weights are put where the first pass put them; one that samples would put them into
        # tensors of inference mode, which no later pass with a gradient can use
        with torch.no_grad():
            self.run(_idle_pass)

    def run(
        self,
        function: Callable[Concatenate[PreTrainedModel, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Returns a function of the model; its graph is one whose gradients are synchronised."""
        result: R = self._wrapped(function, *args, **kwargs)
        if not torch.is_grad_enabled():
            # the outermost layers stay whole for a backward pass, which does not come
            for unit in self._units:
                unit.reshard()
        return result

    def in_lockstep(self) -> AbstractContextManager[None]:
        """A context in which processes may differ in how many forward passes they run."""
        return in_lockstep(self.model.base_model, lambda: _idle_pass(self.model))

    def missing_passes(self, number: int) -> int:
        """Returns how many more forward passes this process has to run than its own `number`."""
        return most(number) - number


def _idle_pass(model: PreTrainedModel) -> None:
    device = next(model.parameters()).device
    token = torch.zeros(1, 1, dtype=torch.long, device=device)
    model.base_model(input_ids=token, use_cache=False)


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
        return OneProcess(model)
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
    if not kind.startswith("MULTI_"):
        raise ConfigError(
            f"training cannot use accelerate's {kind}; use FSDP 2 to shard the weights"
        )
    return WholeInEach(model, accelerator)


@functools.cache  # its state is that of the whole process: a second one would reset it
def the_accelerator(*, cpu: bool) -> Accelerator:
    """Returns what `accelerate launch` set up for this process, its connection opened."""
    from accelerate import Accelerator  # noqa: PLC0415 - seconds to import

    return Accelerator(
        cpu=cpu,
        gradient_accumulation_steps=1,  # losses.gradient puts micro-batches together
        mixed_precision="no",  # training.precision keeps the output layer in float32
    )


def _shard(model: PreTrainedModel, accelerator: Accelerator) -> nn.Module:
    """Shards a model that is not trained; `prepare` takes none without an optimiser."""
    from accelerate.utils.fsdp_utils import fsdp2_prepare_model  # noqa: PLC0415 - seconds to import

    sharded: nn.Module = fsdp2_prepare_model(accelerator, model)
    return sharded
