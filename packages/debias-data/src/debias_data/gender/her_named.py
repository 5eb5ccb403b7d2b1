"""`her` as the person that is named or left out: `elected her president`, `everybody but her`."""

from __future__ import annotations

from typing import Final

from debias_data.gender.phrases import ends_here
from debias_data.gender.tokens import Document
from debias_data.gender.words import word_set

_EVERYBODY: Final = word_set("everyone everybody nobody anyone anybody none all someone no-one one")
_CALLING: Final = word_set(
    "call calls called calling name names named nickname nicknamed dub dubbed"
)
_NAMING: Final = _CALLING | word_set(
    "elect elects elected appoint appoints appointed make makes made crown crowned vote voted "
    "declare declared choose chose"
)
_OFFICES: Final = word_set(
    "president captain chair chairman chairwoman chairperson leader queen king mayor treasurer "
    "secretary director head goalkeeper valedictorian champion winner queen ambassador"
)


def names_her(document: Document, index: int) -> tuple[bool, float] | None:
    """Whether the `her` at `index` is an object, by who is named; None where nobody is."""
    before, after, then = (document.lower(index + offset) for offset in (-1, 1, 2))
    if before in {"but", "except"} and document.lower(index - 2) in _EVERYBODY:
        return True, 0.85
    if before in _NAMING and not document.gap_after(index).strip():
        if document.word(index + 1)[:1].isupper() and before in _CALLING:
            return True, 0.8
        alone = ends_here(document, index + 1) or then in {"of", "for", "in", "after", "by"}
        if after in _OFFICES and alone:
            return True, 0.8
    return None
