"""Whether a word that can mark gender does so where it stands."""

from __future__ import annotations

import re
from typing import Final

from debias_data.gender.lexicon import Entry
from debias_data.gender.names import starts_sentence
from debias_data.gender.tokens import EDGE, PROTECTED, Document
from debias_data.gender.words import MODALS, PREPOSITIONS, PRONOUNS, SUBJECT_VERBS, word_set

_GEOMETRY: Final = word_set(
    "triangle triangles angle angles segment segments line lines ray rays arc arcs square "
    "rectangle quadrilateral polygon parallelogram trapezoid rhombus side sides point points "
    "chord plane circle pentagon hexagon vector path edge diagonal altitude median radius "
    "diameter tetrahedron pyramid prism label labeled vertices vertex letters word string code "
    "△ ∠"
)
_CHEMICAL: Final = word_set(
    "gas gases atom atoms ion ions nucleus nuclei isotope isotopes molecule molecules laser "
    "lasers balloon plasma ne ar li liquid mole moles burning fusion core shell leak detector"
)
_HARDWARE: Final = word_set(
    "connector connectors plug plugs socket sockets thread threads threaded fitting fittings "
    "coupling couplings adapter adapters adaptor pin pins end ends jack jacks port ports screw "
    "header headers terminal terminals cable cables flower flowers part parts cone cones"
)
_ANIMALS: Final = word_set(
    "cat cats dog dogs rabbit rabbits bunny bunnies mouse mice rat rats bird birds duck ducks "
    "fish cow cows calf calves pig pigs piglet piglets goat goats sheep lamb lambs horse horses "
    "puppy puppies kitten kittens chick chicks chicken chickens elephant elephants lion lions "
    "tiger tigers bear bears wolf wolves deer snake snakes frog frogs turtle turtles penguin "
    "penguins spider spiders bee bees ant ants whale whales dolphin dolphins monkey monkeys "
    "gorilla giraffe zebra zebras hamster hamsters guppy guppies swan swans goose geese turkey "
    "turkeys animal animals fox foxes seal seals shark sharks crab crabs butterfly butterflies "
    "mosquito beetle salmon trout parrot parrots gecko lizard lizards insect insects fly flies"
)
_GAMES: Final = re.compile(
    r"\b(?:chess|chessboard|checkmate|rooks?|pawns?|bishops?|cards?|decks?|poker|jacks|aces|"
    r"spades|bridge hand|castling|stalemate|in check|(?:white|black)['’]s (?:king|queen)|"
    r"(?-i:[KQRBN]x?[a-h][1-8]))\b",
    re.IGNORECASE,
)
_VESSEL: Final = re.compile(
    r"\b(?:ships?|boats?|vessels?|yachts?|frigates?|schooners?|ferry|ferries|submarines?|warships?|"
    r"battleships?|freighters?|sailboats?|steamers?|galleons?|tankers?|Titanic|SS|HMS|USS)\b"
)
# After `she` or `her` these speak of the ship; `her crew` and `she sails` may be a captain's.
_OF_VESSELS: Final = word_set(
    "hull mast masts keel rudder bow stern rigging ballast maiden sank capsized docked"
)
_MODALS_PAST: Final = word_set("should could would")
_SUBJECTS_OF_MAN: Final = word_set("they we you i who people volunteers to")


def is_sure(word: str, entry: Entry) -> bool:
    """Whether `word`, which has the form of `entry`, marks gender wherever it stands."""
    plain = word.islower() or (word[0].isupper() and (len(word) == 1 or not word.isupper()))
    free = entry.form not in _CHECKS and entry.kind not in {"title", "adj"}
    return plain and free and entry.flags.isdisjoint({"adj", "own"})


def is_marker(document: Document, index: int, entry: Entry) -> bool:  # noqa: PLR0911 - one return a rule
    """Whether the word at `index`, which has the form of `entry`, marks gender here."""
    word = document.words[index]
    if word.isupper() and len(word) > 1 and not _capitals_are_prose(document, index):
        return False
    if not word[0].isupper() and not word.islower() and not word.isupper():
        return False  # hisCount, hE
    check = _CHECKS.get(entry.form)
    if check is not None:
        return check(document, index)
    if entry.kind == "title":
        return _is_title(document, index)
    if entry.kind == "adj" or "adj" in entry.flags:
        return _is_of_person(document, index)
    if "own" in entry.flags:
        before = document.lower(index - 1)
        return word[0].isupper() or before in {"my", "his", "her", "your", "our", "their"}
    return True


def _capitals_are_prose(document: Document, index: int) -> bool:
    if document.lower(index - 1) in _GEOMETRY:
        return False
    neighbours = (document.word(index - 1), document.word(index + 1))
    if any(len(word) > 1 and word.isalpha() and word.isupper() for word in neighbours):
        return True
    words = [word for word in document.words if len(word) > 1 and word.isalpha()]
    return len(words) > 1 and all(word.isupper() for word in words)


def _is_he(document: Document, index: int) -> bool:  # noqa: PLR0911 - one return a rule
    """`He` the pronoun, not helium, and not the name of a letter."""
    word = document.words[index]
    if document.lower(index - 1) in {"letter", "symbol", "element"}:
        return False
    if word[:2] != "He" or (word.isupper() and len(word) > 1):
        return True
    after, gap = document.lower(index + 1), document.gap_after(index)
    if gap.startswith(")"):
        return False
    if len(word) > 2:
        return after not in _CHEMICAL  # He's 12, He'll …
    if after in _CHEMICAL or after[:1].isdigit() or gap[:1] in {PROTECTED, EDGE, "-", "_", "^"}:
        return gap.strip() == "/"
    if starts_sentence(document, index):
        return bool(after) or gap.strip() in {"?", "!", '."', "..."}
    before = document.lower(index - 1)
    if before in PREPOSITIONS or before[:1].isdigit() or len(document.word(index - 1)) <= 1:
        return False
    if document.gap_before(index).strip() == ",":
        return after in SUBJECT_VERBS
    titled = document.word(index - 1)[0].isupper() and document.word(index + 1)[:1].isupper()
    return after in SUBJECT_VERBS or titled


def _is_title(document: Document, index: int) -> bool:
    word, following = document.words[index], document.word(index + 1)
    gap = document.gap_after(index)
    if not word[0].isupper() or "\n" in gap:
        return False
    if word.lower() in {"mr", "mrs"}:
        return True
    if not following[:1].isupper() and not (
        gap.startswith(".") and document.lower(index + 1) in {"and", "or"}
    ):
        return False
    if gap.strip() not in {"", "."}:
        return False
    if word == "MS" and not gap.startswith("."):
        return False
    return not (word == "Miss" and following.lower() in PRONOUNS)


def _is_of_person(document: Document, index: int) -> bool:
    after = {document.lower(index + 1), document.lower(index + 2)}
    if after & _HARDWARE and document.lower(index + 1) not in {"and", "or"}:
        return False
    near = {document.lower(index + offset) for offset in (-2, -1, 1, 2, 3)}
    return not (near & _ANIMALS or document.lower(index + 1) in _HARDWARE)


def _is_monarch(document: Document, index: int) -> bool:
    before = document.lower(index - 1)
    if document.gap_before(index).strip() in {"", "."} and document.words[index][0].isupper():
        if before in {"mr", "mrs", "ms", "dr", "miss", "prof", "professor"}:
            return False
        # A surname: `Larry King`; a title stands before its name instead.
        previous = document.word(index - 1)
        if (
            previous[:1].isupper()
            and not starts_sentence(document, index)
            and before
            not in {
                "the",
                "a",
                "his",
                "her",
                "of",
                "and",
                "when",
                "if",
            }
        ):
            return False
    return _GAMES.search(document.text) is None


def _is_man(document: Document, index: int) -> bool:
    """`man`, not the verb."""
    if starts_sentence(document, index) and document.lower(index + 1) in {"the", "your", "our"}:
        return False
    before, after = document.lower(index - 1), document.lower(index + 1)
    if after not in {"the", "a", "an", "our", "their", "his", "her", "all", "each", "every"}:
        return True
    # `to man the booth`, `They man the booth`, `Two clerks man the booth`; `this man the …` is one.
    plural = before.endswith("s") and not before.endswith(("'s", "ss", "is", "us"))
    return not (plural or before in _SUBJECTS_OF_MAN or before in MODALS or before in _MODALS_PAST)


def _is_woman_not_ship(document: Document, index: int) -> bool:
    """`she` or `her` of a person: not `her maiden voyage` of a ship."""
    if document.lower(index + 1) not in _OF_VESSELS:
        return True
    return _VESSEL.search(document.text, 0, document.starts[index]) is None


def _is_gal(document: Document, index: int) -> bool:
    before = document.word(index - 1)
    return not (before[:1].isdigit() or document.lower(index - 1) in {"per", "in", "mi"}) and not (
        document.gap_after(index).startswith(("/", "."))
        and not document.gap_after(index).strip(" ./")
        and document.gap_before(index).endswith("/")
    )


def _is_guys(document: Document, index: int) -> bool:
    """`guys` of men: not the address to anybody."""
    if document.lower(index - 1) in {"you", "hey", "hi", "hello", "thanks", "okay", "ok", "these"}:
        return False
    gap = document.gap_after(index)
    return not (starts_sentence(document, index) and gap.startswith(","))


def _is_sir(document: Document, index: int) -> bool:
    return document.lower(index + 1) not in {"isaac", "arthur", "francis", "winston"}


def _is_son(document: Document, index: int) -> bool:
    """`son` the English word, not the French possessive."""
    return document.lower(index - 1) not in {"dans", "avec", "à", "et", "sur", "pour", "ami"}


_CHECKS: Final = {
    "he": _is_he,
    "she": _is_woman_not_ship,
    "her": _is_woman_not_ship,
    "king": _is_monarch,
    "queen": _is_monarch,
    "kings": _is_monarch,
    "queens": _is_monarch,
    "man": _is_man,
    "gal": _is_gal,
    "gals": _is_gal,
    "guys": _is_guys,
    "sir": _is_sir,
    "son": _is_son,
}
