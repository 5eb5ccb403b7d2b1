"""The weights that a run changes: copied, gathered where processes hold parts of them, put back.

Where the weights are sharded (FSDP), every process holds a part of each. A *copy* holds this
process's parts; *whole* weights are gathered from all processes, which have to ask for them
together. Without sharding the two are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from debias_core.training.distributed import is_main

Json = dict[str, Any]  # an optimiser's state_dict

Copy = dict[str, Tensor]
"""This process's parts of the weights, on the CPU, by name."""


class TrainedWeights:
    """The trainable weights of a model, by the names they have in it; tied ones once."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model

    def _parameters(self) -> dict[str, Tensor]:
        # asked for every time: sharding puts other tensors in the place of the parameters
        named = self._model.named_parameters()
        return {name: p.detach() for name, p in named if p.requires_grad}

    def copy(self) -> Copy:
        """Returns a copy of this process's parts."""
        return {name: _part(p).to("cpu", copy=True) for name, p in self._parameters().items()}

    @torch.no_grad()
    def restore(self, copy: Copy) -> None:
        """Puts a copy back."""
        parameters = self._parameters()
        if copy.keys() != parameters.keys():
            missing = min(copy.keys() ^ parameters.keys())
            raise ValueError(f"the weight {missing!r} is in only one of the copy and the model")
        for name, parameter in parameters.items():
            _part(parameter).copy_(copy[name])

    def whole(self, copy: Copy | None = None) -> dict[str, Tensor]:
        """Returns the whole weights on the CPU: of a copy, or as they are now.

        On processes but the main one, sharded weights are left out of what is returned.
        """
        named = self._parameters().items()
        return gathered({n: p if copy is None else _like(p, copy[n]) for n, p in named})

    def parts(self, whole: Mapping[str, Tensor]) -> Copy:
        """Returns this process's parts of whole weights, as `copy` would."""
        parameters = self._parameters()
        return {
            name: _part(cut_alike(value, parameters[name])).to("cpu", copy=True)
            for name, value in whole.items()
        }


def whole_tensor(tensor: Tensor) -> Tensor:
    """Returns a tensor on the CPU, gathered from all processes where it is sharded."""
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach().cpu()


def gathered(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns tensors on the CPU, whole; those that are sharded on the main process only."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        whole = whole_tensor(tensor)  # every process has to ask for it
        if is_main() or not isinstance(tensor, DTensor):
            found[name] = whole
    return found


def cut_alike(whole: Tensor, pattern: Tensor) -> Tensor:
    """Returns a whole tensor sharded as `pattern` is; itself where that is not sharded."""
    if not isinstance(pattern, DTensor):
        return whole
    on_device = whole.to(pattern.device)
    return distribute_tensor(on_device, pattern.device_mesh, pattern.placements)


def whole_optimizer(optimizer: torch.optim.Optimizer) -> Json:
    """Returns the optimiser's `state_dict`, its tensors whole and on the CPU."""
    state = optimizer.state_dict()
    entries = {index: gathered(entry) for index, entry in state["state"].items()}
    return {**state, "state": entries}


def restore_optimizer(optimizer: torch.optim.Optimizer, whole: Json) -> None:
    """Takes over what `whole_optimizer` returned, sharded as the parameters are."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    entries = {
        index: {
            # a step count is a number, not of the parameter's shape
            name: cut_alike(value, parameters[index]) if value.dim() else value
            for name, value in entry.items()
        }
        for index, entry in whole["state"].items()
    }
    optimizer.load_state_dict({**whole, "state": entries})


def _part(tensor: Tensor) -> Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def _like(pattern: Tensor, part: Tensor) -> Tensor:
    if not isinstance(pattern, DTensor):
        return part
    return DTensor.from_local(
        part.to(pattern.device),
        pattern.device_mesh,
        pattern.placements,
        shape=pattern.shape,
        stride=pattern.stride(),
    )
