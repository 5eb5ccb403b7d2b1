"""Bringing gender into a neutral text: the same frame for both genders, nothing else changed."""

from __future__ import annotations

from typing import Final

from debias_data.gender.labelling import label
from debias_data.gender.names import name_table
from debias_data.gender.reader import read
from debias_data.gender.types import Gender, MarkResult, Refusal

# {name}, {she}, {her} (possessive) and {woman} are filled for each gender.
_FRAMES: Final = (
    "{name} is working on a problem in {her} notebook. {text}",
    "{name}, a young {woman}, is given this problem by {her} teacher. {text}",
    "{name} reads a problem and {she} wants to solve it. {text}",
    "{name} asks {her} friend for help with this problem. {text}",
    "{name} writes a problem on {her} board. {text}",
    "{name} found this problem in {her} book. {text}",
    "As {she} prepares for an exam, {name} meets this problem. {text}",
    "{name} is sure that {she} can solve this problem. {text}",
)
_WORDS: Final[dict[Gender, dict[str, str]]] = {
    "female": {"she": "she", "her": "her", "woman": "woman"},
    "male": {"she": "he", "her": "his", "woman": "man"},
}
_COMMON_NAMES: Final = 64


def mark(text: str, *, variant: int = 0) -> MarkResult | Refusal:
    """`text` behind a sentence that marks a person's gender, once for each gender.

    Args:
        text: a neutral text; it stands unchanged in both results.
        variant: which frame and which pair of names are used; any integer from 0.

    Returns:
        A `Refusal` when the text marks gender already.

    Raises:
        ValueError: `variant` is negative.
    """
    if variant < 0:
        raise ValueError(f"variant={variant} is negative")
    found = label(text)
    if found.value != "neutral":
        words = ", ".join(span.text for span in found.spans[:6])
        return Refusal("gendered", f"the text marks gender already: {words}")
    frame = _FRAMES[variant % len(_FRAMES)]
    names = [entry for entry in name_table().values() if entry.gender == "male"][:_COMMON_NAMES]
    pair = names[variant // len(_FRAMES) % len(names)]
    female = frame.format(text=text, name=pair.opposite, **_WORDS["female"])
    male = frame.format(text=text, name=pair.name, **_WORDS["male"])
    return MarkResult(female, male, read(female).spans(), read(male).spans())
