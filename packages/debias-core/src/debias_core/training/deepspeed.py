"""DeepSpeed: every process holds all weights, and a part of the optimiser's state (ZeRO 1 and 2).

Weights are trained in float32 and their gradient is the exact one, as everywhere. What a DeepSpeed
configuration says about batches, optimiser, schedule and precision belongs into the run's config.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, distributed

from debias_core.errors import ConfigError, MissingPackageError
from debias_core.recovery.weights import Json
from debias_core.training.distributed import world_size
from debias_core.training.wrappers import Root, WholeInEach

if TYPE_CHECKING:
    from accelerate import Accelerator


class StatesShared(WholeInEach):
    """Every process holds all weights and updates a part of them: it alone has that part's state.

    With ZeRO 1 a process holds the whole gradient until the update, with ZeRO 2 its part of it.
    """

    def _wrap(self, accelerator: Accelerator) -> Any:
        self._trained = [p for group in self._optimizer.param_groups for p in group["params"]]
        for parameter in self._trained:
            if parameter.dtype != torch.float32:
                raise ConfigError(
                    f"DeepSpeed trains weights in float32, not {parameter.dtype}; set dtype to "
                    "float32, or use FSDP 2"
                )
        # it wants to know for its log; micro-batches are put together by losses.gradient
        accelerator.state.deepspeed_plugin.deepspeed_config |= {
            "train_batch_size": world_size(),
            "train_micro_batch_size_per_gpu": 1,
            "gradient_accumulation_steps": 1,
        }
        engine, _ = accelerator.prepare(Root(self.model), self._optimizer)
        accelerator.deepspeed_engine_wrapped = None  # `free_memory` would take the engine apart
        engine.set_gradient_accumulation_boundary(True)
        self.model.train(mode=False)
        return engine

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """A context in which gradients stay on their process, or are only added up (ZeRO 2)."""
        self._wrapped.set_gradient_accumulation_boundary(False)
        try:
            yield
        finally:
            self._wrapped.set_gradient_accumulation_boundary(True)

    def zero_grad(self) -> None:
        """Drops the gradient."""
        self._wrapped.optimizer.zero_grad(set_to_none=True)

    def step(self, *, learning_rate: float, max_grad_norm: float) -> float:
        """Takes the optimiser step, and returns the norm of the gradient before clipping.

        Where the norm is not finite, no weight was changed.
        """
        norm = self._norm()
        if math.isfinite(norm):
            self._set_learning_rate(learning_rate)
            self._wrapped.optimizer.clip_grad = max_grad_norm
            self._wrapped.step()
        return norm

    def _norm(self) -> float:
        # DeepSpeed's own takes NaN for 1 in some versions, and then takes the step
        parts = self._wrapped.optimizer.averaged_gradients[0]
        square = torch.stack([part.double().square().sum() for part in parts]).sum()
        distributed.all_reduce(square)
        return float(square.sqrt())

    def optimizer_state(self) -> Json:
        """Returns the optimiser's `state_dict`, its tensors whole and on the CPU."""
        (flat,) = self._optimizer.param_groups[0]["params"]
        parts = self._optimizer.state[flat]
        entries = {
            index: {
                # a step count is a number, not of the parameter's shape
                name: _whole(part, parameter) if part.dim() else part.to("cpu", copy=True)
                for name, part in parts.items()
            }
            for index, parameter in enumerate(self._trained)
        }
        (group,) = self._optimizer.state_dict()["param_groups"]
        return {"state": entries, "param_groups": [{**group, "params": list(entries)}]}

    def load_optimizer_state(self, whole: Json) -> None:
        """Takes over what `optimizer_state` returned, from however many processes."""
        (flat,) = self._optimizer.param_groups[0]["params"]
        parts: dict[str, Tensor] = {}
        for index, parameter in enumerate(self._trained):
            for name, value in whole["state"][index].items():
                if not value.dim():
                    parts[name] = value
                    continue
                part = parts.setdefault(name, torch.zeros_like(flat))
                for here, there in _places(part, value, parameter):
                    here.copy_(there)
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": {0: parts}})

    def weights_restored(self) -> None:
        """Takes the weights over into what the optimiser updates."""
        self._wrapped.optimizer.refresh_fp32_params()


def check_installed() -> None:
    """Raises MissingPackageError where DeepSpeed is asked for and not there."""
    if is_asked_for() and importlib.util.find_spec("deepspeed") is None:
        raise MissingPackageError(
            "training with DeepSpeed needs the package deepspeed: "
            "pip install 'debias-core[deepspeed]'"
        )


def is_asked_for() -> bool:
    """Returns whether the launcher says that DeepSpeed is to be used."""
    return os.environ.get("ACCELERATE_USE_DEEPSPEED", "false").lower() == "true"


def check_settings(config: Mapping[str, Any] | None) -> None:
    """Checks that training can do what a DeepSpeed configuration says; None where it is not used.

    Raises:
        ConfigError: another stage than 1 and 2, offloading, or what the run's config says; or it is
            asked for and not used.
    """
    if config is None:
        if is_asked_for():
            raise ConfigError(
                "accelerate leaves DeepSpeed out on the CPU: set device to auto, or use MULTI_CPU"
            )
        return
    zero = config["zero_optimization"]
    if zero.get("stage") not in (1, 2):
        raise ConfigError(
            f"training uses DeepSpeed's ZeRO stages 1 and 2, not {zero.get('stage')!r}; use FSDP 2 "
            "to shard the weights, MULTI_GPU to share nothing"
        )
    for what in ("offload_optimizer", "offload_param"):
        device = (zero.get(what) or {}).get("device", "none")
        if str(device) != "none":
            raise ConfigError(f"training cannot use DeepSpeed's {what}; set its device to none")
    for what, instead in (("optimizer", "learning_rate"), ("scheduler", "schedule")):
        if what in config:
            raise ConfigError(
                f"the DeepSpeed configuration has {what!r}; leave it out, "
                f"and set {instead} in the run's config"
            )
    for what in ("fp16", "bf16"):
        if str((config.get(what) or {}).get("enabled", False)).lower() == "true":
            raise ConfigError(
                f"the DeepSpeed configuration enables {what}; leave it out, "
                "and set mixed_precision in the run's config"
            )


def _whole(part: Tensor, parameter: Tensor) -> Tensor:
    """Returns a parameter's entry of the optimiser's state, gathered from all processes."""
    whole = torch.zeros_like(parameter, dtype=part.dtype)
    for here, there in _places(part, whole, parameter):
        there.copy_(here)
    distributed.all_reduce(whole)
    return whole.cpu()


def _places(part: Tensor, whole: Tensor, parameter: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Gives where a piece of a parameter's entry lies: in this process's part, in the whole."""
    mapping = parameter._hp_mapping
    if mapping is None:
        return  # another process has all of it
    inside, own = mapping.lp_fragment_address, mapping.hp_fragment_address
    yield part.narrow(0, own.start, own.numel), whole.view(-1).narrow(0, inside.start, inside.numel)
