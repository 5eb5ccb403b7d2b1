"""Paired forms - `his or her`, `he/she`, `him (her)` - which speak of anybody."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from debias_data.gender.lexicon import Entry

if TYPE_CHECKING:
    from debias_data.gender.reader import Marker
    from debias_data.gender.tokens import Document

_DIRECT: Final = re.compile(r"\s*/\s*|\s*\(\s*(?:or\s+)?|\s*,?\s*or\s+", re.IGNORECASE)
_PAIRED_KINDS: Final = {"pronoun", "title", "address"}  # his or her, Mr. or Ms., Sir or Madam
_SPLIT_SHE: Final = re.compile(r"[sS]\s*/\s*$|\([sS]\)\s*$")


def flag_paired(document: Document, markers: Sequence[Marker]) -> None:
    """Set `is_paired` of the markers that are halves of paired forms."""
    text = document.text
    if "/" not in text and "(" not in text:
        genders = {marker.gender for marker in markers}
        if len(genders) < 2 or "or" not in map(str.lower, document.words):
            return
    for number, marker in enumerate(markers):
        entry = marker.entry
        if not isinstance(entry, Entry) or entry.kind not in _PAIRED_KINDS:
            continue
        was_paired = marker.is_paired
        if entry.form == "he" and _SPLIT_SHE.search(text, max(0, marker.start - 4), marker.start):
            marker.is_paired = True
        following = markers[number + 1] if number + 1 < len(markers) else None
        if (
            following is not None
            and isinstance(following.entry, Entry)
            and following.entry.kind == entry.kind
            and following.gender != marker.gender
            and not was_paired
            and _DIRECT.fullmatch(text, marker.stop, following.start)
        ):
            marker.is_paired = following.is_paired = True
