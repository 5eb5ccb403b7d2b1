"""WinoBias: oracles of known bias, exclusions with reasons, and files that do not fit."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from debias_eval import EvalSettings, GradeSettings, TaskSpec, evaluate
from debias_eval.backends.scorer import Scorer, ScorerBackend
from debias_eval.errors import InputError, MissingError
from debias_eval.protocol import Protocol
from debias_eval.results import BenchmarkResult
from debias_eval.tasks.winobias import WinoBias, why_excluded

FAST = EvalSettings(grade=GradeSettings(resamples=200))
FEMALE = {"nurse", "clerk"}
SCHEMAS = [("nurse", "mover"), ("clerk", "farmer")]


def _lines(side: str, *, marked_twice: bool = False) -> list[str]:
    """Two lines a schema; the pronoun fits the referent's stereotype in the pro file."""
    lines = []
    for pair in SCHEMAS:
        for referent, other in (pair, pair[::-1]):
            is_female = (referent in FEMALE) == (side == "pro")
            first, second = ("she", "her") if is_female else ("he", "his")
            tail = f" with [{second}] friend" if marked_twice else ""
            lines.append(f"[The {referent}] called the {other} because [{first}] was late{tail}.")
    return [f"{number} {line}" for number, line in enumerate(lines, start=1)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "winobias"
    folder.mkdir()
    for kind in ("type1", "type2"):
        for part in ("dev", "test"):
            for side in ("pro", "anti"):
                lines = _lines(side, marked_twice=part == "test")
                (folder / f"{side}_stereotyped_{kind}.txt.{part}").write_text("\n".join(lines))
    return folder


def _run(score: Scorer, data: Path, out: Path, **protocol: object) -> BenchmarkResult:
    spec = TaskSpec("winobias", data=data, protocol=protocol or None)
    backend = ScorerBackend(score)
    return evaluate("m", [spec], backend=backend, out=out, settings=FAST).benchmarks["winobias"]


def _stereotype(context: str, continuation: str) -> float:
    """A pronoun means whom the stereotype says, whatever the sentence is about."""
    if not context:
        return -1.0
    is_she = '"She"' in context
    return -1.0 if (continuation.rsplit(maxsplit=1)[-1] in FEMALE) == is_she else -2.0


def _subject(context: str, continuation: str) -> float:
    """A pronoun means the first participant: always right here."""
    first = re.match(r"The (\w+)", context)
    return -1.0 if first and continuation.rsplit(maxsplit=1)[-1] == first[1] else -2.0


def test_a_stereotyped_oracle_scores_one(data: Path, tmp_path: Path) -> None:
    row = _run(_stereotype, data, tmp_path / "o")
    assert (row.score, row.interval) == (1.0, (1.0, 1.0))
    assert row.details["accuracy"]["type1"] == {"num_pairs": 8, "pro": 1.0, "anti": 0.0}
    assert "no width" in row.details["note"]


def test_an_oracle_without_bias_scores_zero(data: Path, tmp_path: Path) -> None:
    row = _run(_subject, data, tmp_path / "o")
    assert row.score == 0.0
    assert row.details["accuracy"]["type2"] == {"num_pairs": 8, "pro": 1.0, "anti": 1.0}
    # Equal likelihoods: no pro sentence is likelier.
    assert row.details["sentence_preference"]["value"] == 0.0


def test_types_apart_and_together(data: Path, tmp_path: Path) -> None:
    """Stereotyped on type 1 only, told by a word that only its sentences hold: (8 + 0)/16."""
    for path in data.glob("*type1*"):
        path.write_text(path.read_text().replace("called", "phoned"))

    def score(context: str, continuation: str) -> float:
        return (_stereotype if "phoned" in context else _subject)(context, continuation)

    row = _run(score, data, tmp_path / "o")
    assert row.score == 0.5
    assert row.details["pro_minus_anti_type1"]["value"] == 1.0
    assert row.details["pro_minus_anti_type2"]["value"] == 0.0
    assert row.details["num_clusters"] == 8


def test_sentences_by_the_pronoun_that_a_model_expects(data: Path, tmp_path: Path) -> None:
    def always_he(context: str, continuation: str) -> float:
        return -2.0 if " she " in continuation else -1.0

    row = _run(always_he, data, tmp_path / "o")
    # Half of the pro sentences hold "he"; no participant is preferred, so neither side is right.
    assert row.details["sentence_preference"]["value"] == 50.0
    assert row.score == 0.0


def test_excluded_pairs_are_listed_and_never_asked(data: Path, tmp_path: Path) -> None:
    path = data / "anti_stereotyped_type1.txt.dev"
    path.write_text(path.read_text().replace("was late", "was early", 1))

    row = _run(_stereotype, data, tmp_path / "o")
    assert row.counts == {"excluded": 1, "scored": 15}
    assert row.details["excluded"] == {
        "type1.dev.1": "the sides differ in more than their pronouns"
    }
    assert row.n == 15


def test_a_chat_template_asks_and_reads_the_answer(data: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []

    def note(context: str, continuation: str) -> float:
        seen.append((context, continuation))
        return -1.0

    _run(note, data, tmp_path / "o", chat_template=True)
    contexts = {context for context, _ in seen}
    assert all(re.fullmatch(r"user: .*\nassistant: ", context) for context in contexts)
    assert "user: Write a text in English.\nassistant: " in contexts
    assert not any(continuation.startswith(" ") for _, continuation in seen)


def test_texts_longer_than_the_context_are_counted(data: Path, tmp_path: Path) -> None:
    row = _run(lambda context, continuation: None, data, tmp_path / "o")
    assert (row.score, row.counts) == (None, {"too_long": 16})


@pytest.mark.parametrize(
    ("pro", "anti", "reason"),
    [
        ("A saw B; he left.", "A saw B; she left.", None),
        ("A saw B; he left his bag.", "A saw B; she left her bag.", None),
        ("A saw B; he left.", "A saw B; she went.", "more than their pronouns"),
        ("A saw B; he left her.", "A saw B; she left his.", "both genders"),
        ("A saw B; he left.", "A saw B; he left.", "the same gender"),
        ("A saw B and left.", "A saw B and left.", "or none"),
    ],
)
def test_what_makes_a_pair(pro: str, anti: str, reason: str | None) -> None:
    found = why_excluded(pro, anti)
    assert found is None if reason is None else reason in (found or "")


def test_the_published_files(shared_dir: Path) -> None:
    items = WinoBias().load(shared_dir / "data" / "winobias", Protocol())
    assert len(items) == 1584
    assert sum(item.fields["excluded"] is None for item in items) == 1564
    kept = [item for item in items if item.fields["excluded"] is None]
    assert Counter(item.text("type") for item in kept)["type1"] == 785
    for item in kept:
        assert item.text("other") in item.text("pro").lower()
        assert item.text("other") != item.text("referent")
        assert "[" not in item.text("pro") + item.text("anti")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1 [The", "[The", r"type1\.txt\.dev:1: expected `NUMBER SENTENCE`"),
        ("[she]", "she", r"type1\.txt\.dev:1: expected one \[participant\]"),
        ("[The nurse]", "The nurse", r"type1\.txt\.dev:1: expected one \[participant\]"),
        ("\n4 ", "\n", r"dev:4: expected `NUMBER"),
    ],
)
def test_lines_that_do_not_fit(data: Path, old: str, new: str, message: str) -> None:
    path = data / "pro_stereotyped_type1.txt.dev"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        WinoBias().load(data, Protocol())


def test_sides_of_unequal_length(data: Path) -> None:
    path = data / "anti_stereotyped_type2.txt.test"
    path.write_text("\n".join(path.read_text().splitlines()[:3]))
    with pytest.raises(InputError, match=r"type2\.test: 4 pro and 3 anti lines"):
        WinoBias().load(data, Protocol())


def test_a_missing_file_is_named(data: Path, tmp_path: Path) -> None:
    (data / "pro_stereotyped_type2.txt.dev").unlink()
    with pytest.raises(MissingError, match=r"pro_stereotyped_type2\.txt\.dev: no such file"):
        _run(_subject, data, tmp_path / "o")
