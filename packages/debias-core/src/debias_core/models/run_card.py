"""From a run to its model card: which of its values the card is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from debias_core.config import TrainConfig
from debias_core.models.model_card import (
    CARD_NAME,
    MeasuredGap,
    ModelCard,
    base_license,
    is_hub_id,
    write_card,
)
from debias_core.recovery.faults import versions
from debias_core.training.heldout import DevEvaluation
from debias_core.training.progress import RunProgress

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_SETTINGS = (
    "learning_rate",
    "effective_batch_size",
    "samples_per_prompt",
    "max_new_tokens",
    "temperature",
    "entropy_temperature",
    "score_function",
    "dtype",
)


@dataclass(frozen=True, slots=True)
class DataSizes:
    """How many pairs a run had to take steps on, and how many it left out as too long."""

    train: int
    too_long: int


def card_writer(
    model: PreTrainedModel,
    config: TrainConfig,
    run: RunProgress,
    kept: DevEvaluation,
    sizes: DataSizes,
) -> Callable[[Path], None]:
    """Returns a function that writes the card of a finished run into a folder.

    Args:
        model: that was trained.
        config: of the run.
        run: its log.
        kept: the look at the weights that are saved.
        sizes: of the data.
    """
    source = str(getattr(model.config, "_name_or_path", "") or "")
    base = base_name(source)
    settings = {name: getattr(config, name) for name in _SETTINGS}
    card = ModelCard(
        name=f"{base}, trained with {config.objective.kind}",
        base_model=base,
        base_license=_license(source),
        objective=config.objective.kind,
        settings={**asdict(config.objective), **settings},
        groups=config.groups,
        train_pairs=sizes.train,
        dev_pairs=kept.gap.num_pairs,
        dev_clusters=kept.gap.num_clusters,
        left_out=sizes.too_long,
        seed=config.seed,
        steps=len(run.history),
        kept_step=kept.step,
        stop_reason=run.stop_reason or "max_steps",
        looks=len(run.looks),
        target_gap=config.target_gap,
        reached=run.seconds_to_target is not None,
        before=_measured(run.looks[0]),
        after=_measured(kept),
        template=config.prompt.template,
        versions=versions(),
    )

    def write(folder: Path) -> None:
        write_card(folder, card)

    return write


def base_name(source: str) -> str:
    """Returns how a base model is called in public: its hub id, or the last part of its path.

    A snapshot in the hub's cache lies in `models--OWNER--NAME/snapshots/REVISION`.
    """
    if is_hub_id(source):
        return source
    path = Path(source)
    repository = path.parent.parent.name
    if path.parent.name == "snapshots" and repository.startswith("models--"):
        return repository.removeprefix("models--").replace("--", "/")
    return path.name or "a model"


def _license(source: str) -> str | None:
    """Returns the licence in the base model's card, where that card is on this machine."""
    if not is_hub_id(source):
        return base_license(Path(source))
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - slow to import

    found = try_to_load_from_cache(source, CARD_NAME)
    return base_license(Path(found).parent) if isinstance(found, str) else None


def _measured(look: DevEvaluation) -> MeasuredGap:
    return MeasuredGap(
        gap=look.gap.gap,
        low=look.gap.low,
        high=look.gap.high,
        entropies=look.entropies,
        kl=look.kl,
        truncated=look.truncated,
    )
