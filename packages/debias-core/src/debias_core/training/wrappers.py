"""The model as one of several processes computes with it: whole in each, or a part of every weight.

The loss is not a sum over processes, so what is synchronised are gradients of `sum c_i * term_i`
(see `debias_core.losses.gradient`), once a step.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule

from debias_core.recovery.weights import Json, restore_optimizer, whole_optimizer, whole_tensor
from debias_core.training.distributed import in_lockstep, most

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
        self.config = model.config  # its sizes stand for `auto` in a DeepSpeed configuration
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
    """Computes with the model as it is, and changes it with its optimiser."""

    sharded = False

    def __init__(self, model: PreTrainedModel, optimizer: torch.optim.Optimizer) -> None:
        self.model, self._optimizer = model, optimizer

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

    def zero_grad(self) -> None:
        """Drops the gradient."""
        self._optimizer.zero_grad(set_to_none=True)

    def step(self, *, learning_rate: float, max_grad_norm: float) -> float:
        """Takes the optimiser step, and returns the norm of the gradient before clipping.

        Where the norm is not finite, no weight was changed.
        """
        parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
        total = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        norm = float(whole_tensor(total))
        if math.isfinite(norm):
            torch.nn.utils.clip_grads_with_norm_(parameters, max_grad_norm, total)
            self._set_learning_rate(learning_rate)
            self._optimizer.step()
        return norm

    def _set_learning_rate(self, learning_rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate

    def optimizer_state(self) -> Json:
        """Returns the optimiser's `state_dict`, its tensors whole and on the CPU."""
        return whole_optimizer(self._optimizer)

    def load_optimizer_state(self, whole: Json) -> None:
        """Takes over what `optimizer_state` returned, from however many processes."""
        restore_optimizer(self._optimizer, whole)

    def weights_restored(self) -> None:
        """Is told that other values were put into the weights."""


class WholeInEach(OneProcess):
    """Every process holds all weights; gradients are averaged over them (DDP)."""

    def __init__(
        self, model: PreTrainedModel, accelerator: Accelerator, optimizer: torch.optim.Optimizer
    ) -> None:
        super().__init__(model, optimizer)
        self._wrapped = self._wrap(accelerator)

    def _wrap(self, accelerator: Accelerator) -> Any:
        return accelerator.prepare_model(Root(self.model))

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
        super().__init__(model, optimizer)
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
