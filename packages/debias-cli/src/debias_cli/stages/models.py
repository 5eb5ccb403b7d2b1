"""Where the model that is measured and trained lies on this machine."""

from __future__ import annotations

from pathlib import Path

from debias_cli.config.model import ModelSection
from debias_cli.errors import MissingError
from debias_cli.resources import local_model

_PATTERNS = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


def model_folder(model: ModelSection) -> Path:
    """The folder of the model; a hub id is brought into the local cache first.

    One folder for training and evaluation, so that both see the same revision.

    Raises:
        MissingError: no such folder, or the hub cannot be reached and the cache does not have it.
    """
    folder = local_model(model.path)
    if folder is not None:
        return folder
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - hub ids only
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # noqa: PLC0415 - as above

    patterns = [*_PATTERNS, "*.py"] if model.trust_remote_code else _PATTERNS
    try:
        found = snapshot_download(model.path, revision=model.revision, allow_patterns=patterns)
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise MissingError(
            f"model.path: {model.path!r} is no folder here, and the hub did not give it: {error}\n"
            "Download it on a machine with a network and name the folder in model.path."
        ) from error
    return Path(found)


def silence_loading() -> None:
    """Turns off the bars that transformers draws while it loads and saves: ours say enough."""
    from transformers.utils import logging  # noqa: PLC0415 - torch

    logging.disable_progress_bar()  # type: ignore[no-untyped-call] # transformers has no types
