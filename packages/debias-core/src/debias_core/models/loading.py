"""Loads a causal LM and its tokenizer safely; saves them whole or not at all.

Weights come from safetensors only: pickled weights (`*.bin`, `*.pt`) can run code when they are
read. Code that a repository ships is not run unless `trust_remote_code` says so.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from debias_core.errors import ModelError
from debias_core.training.parallel import launched, sharding_is_asked, the_accelerator

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def resolve_device(device: str) -> torch.device:
    """Returns the device; `auto` is the process's own CUDA device, else the CPU."""
    if device == "auto":
        own = os.environ.get("LOCAL_RANK", "0") if launched() else None
        cuda = "cuda" if own is None else f"cuda:{own}"
        return torch.device(cuda if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def load_model(
    path: str | Path,
    *,
    dtype: str = "float32",
    device: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Returns the model, in eval mode, and its tokenizer.

    Where processes are to share its weights, it stays on the CPU, and on all processes but the
    first of each machine it holds none yet.

    Args:
        path: a local folder in the hub's layout, or a hub id.
        dtype: of the weights: float32, bfloat16, float16, float64.
        device: `auto`, `cpu`, `cuda`, ...
        revision: of a hub id.
        trust_remote_code: run the code that the repository ships.

    Raises:
        ModelError: nothing there, weights that are not safetensors, or values that are not finite.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415 - seconds to import

    if launched():
        the_accelerator(cpu=device == "cpu")  # transformers asks it who reads the weights
    folder = Path(path)
    if folder.is_dir():
        _refuse_pickles(folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            path, revision=revision, trust_remote_code=trust_remote_code
        )
        model = AutoModelForCausalLM.from_pretrained(
            path,
            revision=revision,
            dtype=getattr(torch, dtype),
            trust_remote_code=trust_remote_code,
            use_safetensors=True,
        )
    except (OSError, ValueError) as error:
        raise ModelError(f"the model {str(path)!r} cannot be loaded: {error}") from error
    check_finite(model)
    if not sharding_is_asked():
        # transformers wraps `to` in a way that loses its signature
        model.to(device=resolve_device(device))  # type: ignore[call-arg]
    model.train(mode=False)
    return model, tokenizer


def _refuse_pickles(folder: Path) -> None:
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(p.name for ext in ("*.bin", "*.pt", "*.pkl") for p in folder.glob(ext))
    if pickles:
        raise ModelError(
            f"{folder / pickles[0]}: pickled weights can run code when they are read and are "
            "refused; convert them to safetensors"
        )
    raise ModelError(f"{folder} holds no *.safetensors file")


def check_finite(model: torch.nn.Module) -> None:
    """Raises ModelError, naming the tensor, where a weight is NaN or infinite."""
    for name, parameter in model.named_parameters():
        if not parameter.is_meta and not bool(torch.isfinite(parameter).all()):
            raise ModelError(f"the weight {name!r} holds values that are not finite")


def save_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: str | Path,
    *,
    parts: Iterable[Callable[[Path], None]] = (),
    state: Mapping[str, Tensor] | None = None,
) -> Path:
    """Writes model and tokenizer in the hub's layout, and returns the folder.

    They are written beside it and renamed, so a folder of that name is always whole. An older one
    is replaced.

    Args:
        model: to be saved.
        tokenizer: its tokenizer.
        folder: under its final name.
        parts: each writes something more into the folder that it is given.
        state: the model's state where its weights are sharded; its own where it is None.
    """
    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    model.save_pretrained(temporary, state_dict=None if state is None else dict(state))
    tokenizer.save_pretrained(temporary)
    for part in parts:
        part(temporary)
    for path in sorted(path for path in temporary.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    temporary.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    return target
