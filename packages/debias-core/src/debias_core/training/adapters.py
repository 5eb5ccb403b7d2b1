"""A low-rank adapter: put on a model, switched off for the reference, merged for saving.

The adapter's layers are put into the model in place (by `peft`), so the model computes with them
wherever it is called. Only they are trained. The reference of a KL is the same weights with the
adapter switched off: no second copy.

Merging rounds: `W + BA` in the dtype of `W` is not what `Wx + BAx` computes. The merged model is
another model by that much, so it has to be measured itself; `Adapter.merge` returns the reference
to do that with.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from debias_core.config import LoraConfig
from debias_core.errors import ConfigError, MissingPackageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peft import PeftModel
    from transformers import PreTrainedModel


class AdapterOff:
    """The reference of a model that is trained through an adapter: the adapter switched off."""

    def __init__(self, model: nn.Module) -> None:
        self._model, self._layers = model, adapter_layers(model)

    @contextlib.contextmanager
    def using(self) -> Iterator[nn.Module]:
        """Gives the model with its adapter off; it is on again afterwards."""
        # the flag that peft's own enable_adapters sets; that method sets requires_grad besides,
        # which must not change between a forward and its backward pass
        for layer in self._layers:
            layer._disable_adapters = True
        try:
            yield self._model
        finally:
            for layer in self._layers:
                layer._disable_adapters = False


class WeightsBefore:
    """The reference of a merged model: its weights as they were, swapped in while it is used."""

    def __init__(self, model: nn.Module, before: list[tuple[Tensor, Tensor]]) -> None:
        """Takes the merged model, and of every changed weight the tensor and its older values."""
        self._model, self._before = model, before

    @contextlib.contextmanager
    def using(self) -> Iterator[nn.Module]:
        """Gives the model with its older weights; the merged ones are back afterwards."""
        with torch.no_grad():
            merged = [weight.to("cpu", copy=True) for weight, _ in self._before]
            for weight, old in self._before:
                weight.copy_(old)
            try:
                yield self._model
            finally:
                for (weight, _), new in zip(self._before, merged, strict=True):
                    weight.copy_(new)


class Adapter:
    """An adapter on a model.

    Attributes:
        off: the reference: the model without it.
        merged: whether it is a part of the weights now.
    """

    def __init__(self, adapted: PeftModel, model: PreTrainedModel) -> None:
        self._peft, self._base = adapted, model
        self.merged = False
        self.off = AdapterOff(self._base)

    def saving(self, weights: Mapping[str, Tensor]) -> Callable[[Path], None]:
        """Returns a function that writes the adapter as `adapter` into a folder, in peft's layout.

        Args:
            weights: of the adapter, whole, by the names they have in the model.
        """
        settings: Any = copy.copy(self._peft.peft_config["default"])
        settings.inference_mode = True
        settings.target_modules = sorted(settings.target_modules)  # a set has no fixed order
        # peft names weights from the wrapper around the model, and leaves the adapter's name out
        named = {
            f"base_model.model.{name.replace('.default.', '.')}": tensor.contiguous()
            for name, tensor in weights.items()
        }

        def save(folder: Path) -> None:
            settings.save_pretrained(folder / "adapter")
            save_file(named, folder / "adapter" / "adapter_model.safetensors", {"format": "pt"})

        return save

    def merge(self) -> WeightsBefore:
        """Adds the adapter to the weights for good, takes its layers out, returns the reference."""
        weights = [layer.get_base_layer().weight for layer in adapter_layers(self._base)]
        before = [(weight.detach(), weight.detach().to("cpu", copy=True)) for weight in weights]
        merge: Any = self._peft.merge_and_unload
        merge()
        self.merged = True
        self._base.requires_grad_(requires_grad=True)
        return WeightsBefore(self._base, before)


def add_adapter(model: PreTrainedModel, config: LoraConfig, *, seed: int) -> Adapter:
    """Puts an adapter on a model, in place; it changes nothing until it is trained.

    Args:
        model: whose other weights are frozen.
        config: of the adapter.
        seed: of its first weights.

    Raises:
        MissingPackageError: peft is not installed.
        ConfigError: no module has one of the names in `lora.target_modules`.
    """
    try:
        import peft  # noqa: PLC0415 - an extra, and seconds to import
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "training with lora needs the package peft: pip install 'debias-core[lora]'"
        ) from error
    targets = config.target_modules
    settings = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            adapted = peft.get_peft_model(model, settings)
        except ValueError as error:
            raise ConfigError(f"lora.target_modules: {error}") from error
    adapted.train(mode=False)
    return Adapter(adapted, model)


def adapter_layers(model: nn.Module) -> list[Any]:
    """Returns the modules of a model that hold a part of an adapter."""
    from peft.tuners.tuners_utils import BaseTunerLayer  # noqa: PLC0415 - an extra

    return [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
