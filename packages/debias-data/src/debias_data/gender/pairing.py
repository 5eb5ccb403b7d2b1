"""Paired forms - `his or her`, `he/she`, `him (her)` - which speak of anybody."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from debias_data.gender.lexicon import Entry

if TYPE_CHECKING:
    from debias_data.gender.reader import Marker
    from debias_data.gender.tokens import Document

_DIRECT = re.compile(r"\s*/\s*|\s*\(\s*(?:or\s+)?|\s*,?\s*or\s+", re.IGNORECASE)
_PAIRED_KINDS = {"pronoun", "title", "address"}  # his or her, Mr. or Ms., Sir or Madam
_SPLIT_SHE = re.compile(r"[sS]\s*/\s*$|\([sS]\)\s*$")


def paired_pronouns(document: Document, markers: Sequence[Marker]) -> tuple[Marker, ...]:
    """The markers, those of paired forms flagged as such."""
    text = document.text
    if "/" not in text and "(" not in text:
        genders = {marker.gender for marker in markers}
        if len(genders) < 2 or "or" not in document.lowers:
            return tuple(markers)
    result = list(markers)
    for number, marker in enumerate(result):
        if not isinstance(marker.entry, Entry) or marker.entry.kind not in _PAIRED_KINDS:
            continue
        before = text[max(0, marker.start - 4) : marker.start]
        if marker.entry.form == "he" and _SPLIT_SHE.search(before):
            result[number] = marker._replace(is_paired=True)
        following = result[number + 1] if number + 1 < len(result) else None
        if (
            following is not None
            and isinstance(following.entry, Entry)
            and following.entry.kind == marker.entry.kind
            and following.gender != marker.gender
            and not marker.is_paired
            and _DIRECT.fullmatch(text[marker.stop : following.start])
        ):
            result[number] = marker._replace(is_paired=True)
            result[number + 1] = following._replace(is_paired=True)
    return tuple(result)
