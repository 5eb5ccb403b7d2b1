"""Loading a local model folder safely: safetensors only, no remote code, every tensor finite."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from debias_eval.errors import MissingError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from debias_eval.backends.base import BackendSettings

__all__ = ["LoadedModel", "load_model", "model_folder", "torch_device"]

_PICKLED = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")


class LoadedModel(NamedTuple):
    """A model in evaluation mode and its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    device: torch.device


def model_folder(model: str) -> Path:
    """Return the local folder of a model: the path itself, or a hub snapshot.

    Raises:
        MissingError: There is no such folder, and the hub cannot give it.
        ModelError: Only pickled weights are there.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        folder = _hub_snapshot(model)
    if not (folder / "config.json").is_file():
        raise MissingError(f"{folder}: no config.json; this is not a model folder")
    if not list(folder.glob("*.safetensors")):
        pickled = sorted(path.name for pattern in _PICKLED for path in folder.glob(pattern))
        if pickled:
            raise ModelError(
                f"{folder}: only pickled weights ({', '.join(pickled)}); loading them runs code "
                "that is hidden in the file. Convert the model to safetensors"
            )
        raise MissingError(f"{folder}: no *.safetensors file")
    return folder


def _hub_snapshot(model: str) -> Path:
    try:
        return Path(
            snapshot_download(
                model, allow_patterns=["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]
            )
        )
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise MissingError(
            f"model {model!r}: no such folder, and no copy from the hub ({type(error).__name__}); "
            "give the path of a folder with config.json, *.safetensors and the tokenizer's files"
        ) from error


def load_model(folder: Path, settings: BackendSettings) -> LoadedModel:
    """Return the model of ``folder``, ready to be asked.

    Raises:
        ModelError: Files that do not load, a tensor that is missing or not finite.
        MissingError: The device that was asked for is not there.
    """
    device = torch_device(settings.device)
    if settings.dtype == "auto":
        dtype: torch.dtype | str = torch.float32 if device.type == "cpu" else "auto"
    else:
        dtype = _dtype(settings.dtype)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        with _no_progress_bar():
            model, missing = _read_weights(folder, dtype)
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(f"{folder}: cannot be loaded: {error}") from error
    if missing:
        raise ModelError(
            f"{folder}: weights lack {', '.join(missing[:5])}; "
            "they would have been filled with random numbers"
        )
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise ModelError(f"{folder}: tensor {name} holds values that are not finite")
    placed: torch.nn.Module = model  # `to` of the library's own class is typed for no device
    placed.to(device).eval()
    return LoadedModel(model, cast("PreTrainedTokenizerBase", tokenizer), device)


def _read_weights(folder: Path, dtype: torch.dtype | str) -> tuple[PreTrainedModel, list[str]]:
    """Return the model and the names of weights that its files lack."""
    loaded = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    # The stubs do not know that output_loading_info makes this a pair.
    model, info = cast("tuple[PreTrainedModel, dict[str, set[str]]]", loaded)
    return model, sorted(info["missing_keys"])


@contextlib.contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Keep the library's own bar off stderr while inside; a library is silent."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def torch_device(name: str) -> torch.device:
    """Return the device of a name; ``auto`` is the first GPU, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise MissingError(f"device {name!r}: {error}") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise MissingError(f"device {name!r}: no CUDA device is there")
    return device


def _dtype(name: str) -> torch.dtype:
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name not in known:
        raise ModelError(f"dtype {name!r}: give one of auto, {', '.join(known)}")
    return known[name]
