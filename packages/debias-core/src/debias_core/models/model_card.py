"""The model card of a trained model: what was trained, on how much, what was measured, the limits.

A card is made from plain values and holds no time and no path, so that two runs with the same
result write the same bytes. What the model can still do is measured by debias-eval, whose report
writes the results of benchmarks.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CARD_NAME = "README.md"

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_FRONT_MATTER = re.compile(r"\A---\n(.*?\n)---(\n|\Z)", re.DOTALL)
_LICENSE = re.compile(r"^license:[ \t]*(['\"]?)([\w.-]+)\1[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredGap:
    """A held-out gap with its 95% interval, and what was measured beside it.

    Attributes:
        gap: nats, first group minus second.
        low: lower end of the interval.
        high: upper end of the interval.
        entropies: mean entropy of every group, nats.
        kl: to the model before training, nats per answer token.
        truncated: share of answers that met the length limit.
    """

    gap: float
    low: float
    high: float
    entropies: tuple[float, ...]
    kl: float
    truncated: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """Everything a card says.

    Attributes:
        name: of the model, the card's title.
        base_model: hub id or folder of the model that training began from.
        base_license: licence of that model, as its own card names it; None where it names none.
        objective: its kind.
        settings: of the objective and the training, by name.
        groups: declared groups, in the order of the sign.
        train_pairs: pairs that steps were taken on.
        dev_pairs: pairs that the gap was measured on.
        dev_clusters: independent clusters among them.
        left_out: pairs that did not fit into the model's context.
        seed: of everything random.
        steps: taken.
        kept_step: whose weights these are.
        stop_reason: why training ended.
        looks: at the held-out pairs; the weights were chosen among those.
        target_gap: nats.
        reached: whether the interval lay inside +-target_gap as often in a row as was asked for.
        before: measured before any step.
        after: measured at these weights.
        template: of the prompts.
        adapter: the folder holds an adapter of the base model, not a whole model.
        versions: of the software, by name.
    """

    name: str
    base_model: str
    base_license: str | None = None
    objective: str
    settings: Mapping[str, object] = field(default_factory=dict)
    groups: tuple[str, ...]
    train_pairs: int
    dev_pairs: int
    dev_clusters: int
    left_out: int = 0
    seed: int
    steps: int
    kept_step: int
    stop_reason: str
    looks: int
    target_gap: float
    reached: bool
    before: MeasuredGap
    after: MeasuredGap
    template: str = "{prompt}"
    adapter: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)


def write_card(folder: Path, card: ModelCard) -> Path:
    """Writes the card as `README.md` into a model folder, whole or not at all; returns its path."""
    target = folder / CARD_NAME
    temporary = folder / f".{CARD_NAME}.tmp"
    with temporary.open("w", encoding="utf-8") as file:
        file.write(render_card(card))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(target)
    return target


def render_card(card: ModelCard) -> str:
    """Returns the card: YAML front matter as the hub reads it, then Markdown."""
    parts = (
        _front_matter(card),
        f"# {_inline(card.name)}\n\n{_summary(card)}\n",
        f"## What was trained\n\n{_table(_training(card))}\n",
        f"## What was measured\n\n{_measured(card)}\n",
        f"## Limits\n\n{_limits(card)}\n",
    )
    return "\n".join(parts)


def base_license(folder: Path) -> str | None:
    """Returns the licence that the card in a model folder names in its front matter, or None."""
    path = folder / CARD_NAME
    if not path.is_file():
        return None
    front = _FRONT_MATTER.match(path.read_text(encoding="utf-8", errors="replace"))
    found = _LICENSE.search(front.group(1)) if front else None
    return found.group(2) if found else None


def is_hub_id(name: str) -> bool:
    """Returns whether a model's name can be one on the hub: `name` or `owner/name`, no folder."""
    return bool(_HUB_ID.fullmatch(name)) and not Path(name).exists()


def _front_matter(card: ModelCard) -> str:
    fields: dict[str, object] = {
        "library_name": "peft" if card.adapter else "transformers",
        "pipeline_tag": "text-generation",
    }
    if is_hub_id(card.base_model):
        fields["base_model"] = card.base_model
        fields["base_model_relation"] = "adapter" if card.adapter else "finetune"
    if card.base_license is not None:
        fields["license"] = card.base_license
    fields["tags"] = ["debias", "entropy-gap", "fairness", f"objective:{card.objective}"]
    # a JSON value is a YAML value, with every string quoted
    lines = (f"{key}: {json.dumps(value)}" for key, value in fields.items())
    return "\n".join(("---", *lines, "---", ""))


def _summary(card: ModelCard) -> str:
    base = _inline(card.base_model)
    what = "An adapter for" if card.adapter else "A fine-tuned"
    return (
        f"{what} `{base}`, trained with debias-core so that the entropy of its answers does not "
        f"depend on whether a prompt is marked {_and(card.groups)}."
    )


def _training(card: ModelCard) -> list[tuple[str, str]]:
    settings = ", ".join(f"{key}={value}" for key, value in card.settings.items())
    rows = [
        ("base model", f"`{_inline(card.base_model)}`"),
        ("objective", f"`{card.objective}`"),
        ("settings", _inline(settings) or "defaults"),
        ("groups", ", ".join(card.groups)),
        ("prompt template", f"`{json.dumps(card.template)}`"),
        ("training pairs", f"{card.train_pairs:,}"),
        ("held-out pairs", f"{card.dev_pairs:,} from {card.dev_clusters:,} clusters"),
        ("pairs left out, too long for the context", f"{card.left_out:,}"),
        ("steps", f"{card.steps}; these are the weights after step {card.kept_step}"),
        ("ended by", card.stop_reason),
        ("seed", str(card.seed)),
    ]
    software = ", ".join(f"{name} {number}" for name, number in card.versions.items())
    return [*rows, ("software", software)] if software else rows


def _measured(card: ModelCard) -> str:
    before, after = card.before, card.after
    of = f"{card.groups[0]} minus {card.groups[1]}" if len(card.groups) == 2 else "widest to mean"
    rows = [
        (f"gap, {of}, nats [95%]", _interval(before), _interval(after)),
        *(
            (f"mean entropy, {group}, nats", f"{old:.4f}", f"{new:.4f}")
            for group, old, new in zip(card.groups, before.entropies, after.entropies, strict=True)
        ),
        ("KL to the base model, nats per token", f"{before.kl:.4f}", f"{after.kl:.4f}"),
        ("answers cut at the length limit", f"{before.truncated:.1%}", f"{after.truncated:.1%}"),
    ]
    reached = "was" if card.reached else "was **not**"
    return (
        "| on held-out pairs | before | after |\n|---|---|---|\n"
        + "".join(f"| {' | '.join(row)} |\n" for row in rows)
        + f"\nThe target, the whole interval inside ±{card.target_gap:g} nats, {reached} reached."
    )


def _limits(card: ModelCard) -> str:
    points = (
        f"The weights were chosen among {card.looks} looks at the held-out pairs above, so the "
        "figures after training flatter them a little; a claim needs pairs that were never "
        "looked at.",
        "A gap in entropy is how much more certain answers are for one group than for the other. "
        "It is no measure of what the answers say, and one that is closed on these prompts may be "
        "open on others.",
        "What the model can still do was not measured here.",
        f"Only the declared groups were looked at: {', '.join(card.groups)}.",
    )
    return "\n".join(f"- {point}" for point in points)


def _interval(found: MeasuredGap) -> str:
    return f"{found.gap:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"


def _table(rows: list[tuple[str, str]]) -> str:
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows)


def _and(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _inline(text: str) -> str:
    """Returns text that cannot end a table cell, a line or a code span."""
    return " ".join(text.replace("|", "\\|").replace("`", "'").split())
