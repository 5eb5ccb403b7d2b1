"""Uploads a saved model to the hub, when somebody asks for it in so many words.

Nothing in debias-core calls this. A repository is private unless `private=False` is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from debias_core.errors import PublishingError
from debias_core.models.model_card import CARD_NAME

_PUBLISHED = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model", CARD_NAME, "LICENSE*")
_PICKLES = ("*.bin", "*.pt", "*.pkl", "*.pth")


@dataclass(frozen=True, slots=True)
class Hub:
    """Which hub, and who is asking.

    Attributes:
        endpoint: URL; None is the one of `HF_ENDPOINT`, else huggingface.co.
        token: None is the one that `hf auth login` saved, or that of `HF_TOKEN`.
    """

    endpoint: str | None = None
    token: str | None = None


def push_to_hub(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool = True,
    message: str = "Upload a model trained with debias-core",
    hub: Hub = Hub(),
) -> str:
    """Uploads a model folder as one commit, and returns the commit's URL.

    Args:
        folder: in the hub's layout with a model card, as `fit(out=...)` writes it.
        repo_id: `owner/name`; made if it is not there.
        private: whether the repository must be private. An existing public one is refused then.
        message: of the commit.
        hub: which one, and the token.

    Raises:
        PublishingError: the folder is no whole model, the hub cannot be reached or refuses, or the
            repository is public and `private` was not switched off.
    """
    from huggingface_hub import HfApi, constants  # noqa: PLC0415 - slow, and rarely needed
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # noqa: PLC0415 - as above

    path = Path(folder)
    _check_folder(path)
    if constants.HF_HUB_OFFLINE:
        raise PublishingError(
            f"{path} was not uploaded: HF_HUB_OFFLINE is set; unset it to reach the hub"
        )
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        if private and not api.model_info(repo_id).private:
            raise PublishingError(
                f"{repo_id} is there already and is public; nothing was uploaded. Pass "
                "private=False to publish, or give another repo_id"
            )
        commit = api.upload_folder(
            repo_id=repo_id,
            folder_path=path,
            commit_message=message,
            allow_patterns=list(_PUBLISHED),
        )
    except HFValidationError as error:
        raise PublishingError(f"{repo_id!r} cannot be a repository: {error}") from error
    except (HfHubHTTPError, OSError) as error:
        raise PublishingError(
            f"{path} was not uploaded to {repo_id} at {api.endpoint}: {error}; is the token "
            "(HF_TOKEN, `hf auth login`) one that may write there?"
        ) from error
    return str(commit.commit_url)


def _check_folder(folder: Path) -> None:
    """Raises PublishingError where something is missing, or must not be there."""
    if not folder.is_dir():
        raise PublishingError(f"{folder} is no folder; save a model there first")
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    if pickles:
        raise PublishingError(f"{folder / pickles[0]}: pickled weights are never published")
    for names in (("config.json", "adapter_config.json"), ("*.safetensors",), (CARD_NAME,)):
        if not any(found for name in names for found in folder.glob(name)):
            raise PublishingError(
                f"{folder} holds no {' or '.join(names)}; `fit(out=...)` writes a whole model with "
                "its card"
            )
