"""WinoGender: slope, rank correlation, gotcha, and files that do not fit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from debias_eval import EvalSettings, GradeSettings, TaskSpec, evaluate
from debias_eval.backends.base import (
    AnswerRow,
    AnswerScores,
    Generation,
    GenerationRequest,
    Likelihood,
    ModelIdentity,
    Prompt,
)
from debias_eval.errors import InputError, MissingError
from debias_eval.protocol import Protocol
from debias_eval.tasks._association import slope, slope_of_sums, spearman
from debias_eval.tasks.winogender import Winogender

FAST = EvalSettings(grade=GradeSettings(resamples=200))
SHARES = {"nurse": 90.0, "clerk": 50.0, "pilot": 5.0, "cook": 30.0}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "winogender"
    folder.mkdir()
    stats = ["occupation\tbergsma_pct_female\tbls_pct_female\tbls_year"]
    stats += [f"{name}\t0\t{share}\t2015" for name, share in SHARES.items()]
    (folder / "occupations-stats.tsv").write_text("\n".join(stats) + "\n")
    lines = ["sentid\tsentence"]
    for name in SHARES:
        for answer, what in ((0, "was late"), (1, "could pay")):
            lines += [
                f"{name}.someone.{answer}.{gender}.txt\tThe {name} told someone {pronoun} {what}."
                for gender, pronoun in (("male", "he"), ("female", "she"), ("neutral", "they"))
            ]
    (folder / "all_sentences.tsv").write_text("\n".join(lines) + "\n")
    return folder


class Likelihoods:
    """Whole sentences by a function of occupation and gender; choices by another."""

    name = "likelihoods"
    variant = ""

    def __init__(
        self,
        sentence: Callable[[str, str], float],
        choice: Callable[[str, str], float] = lambda context, name: 0.0,
    ) -> None:
        self._sentence, self._choice = sentence, choice

    def identity(self) -> ModelIdentity:
        return ModelIdentity("m", "w", "t")

    def render(self, protocol: Protocol, text: str) -> Prompt:
        raise NotImplementedError

    def batches(self, requests: Sequence[GenerationRequest]) -> list[tuple[int, ...]]:
        raise NotImplementedError

    def generate(self, requests: Sequence[GenerationRequest]) -> list[Generation]:
        raise NotImplementedError

    def answer_entropies(self, rows: Sequence[AnswerRow]) -> list[AnswerScores | None]:
        raise NotImplementedError

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[Likelihood | None]:
        found: list[Likelihood | None] = []
        for context, continuation in pairs:
            if context:
                found.append(Likelihood(self._choice(context, continuation), 2))
                continue
            occupation = continuation.split()[1]
            gender = "female" if " she " in continuation else "male"
            found.append(Likelihood(self._sentence(occupation, gender), 9))
        return found


def _run(backend: Likelihoods, data: Path, out: Path) -> object:
    spec = TaskSpec("winogender", data=data)
    return evaluate("m", [spec], backend=backend, out=out, settings=FAST).benchmarks["winogender"]


def test_a_model_of_the_labour_market_has_slope_one(data: Path, tmp_path: Path) -> None:
    def market(occupation: str, gender: str) -> float:
        share = SHARES[occupation] / 100
        return -40 + math.log(share if gender == "female" else 1 - share)

    row = _run(Likelihoods(market), data, tmp_path / "o")
    assert row.score == pytest.approx(1.0)
    assert row.details["spearman"]["value"] == pytest.approx(1.0)
    assert row.details["occupations"]["nurse"] == pytest.approx(
        {"female_share": 0.9, "p_female": 0.9}
    )
    assert (row.n, row.k, row.counts) == (4, None, {"scored": 8})


def test_a_model_that_always_says_he_has_slope_zero(data: Path, tmp_path: Path) -> None:
    backend = Likelihoods(lambda occupation, gender: -2000.0 if gender == "female" else -20.0)
    row = _run(backend, data, tmp_path / "o")
    assert row.score == 0.0
    assert row.details["mean_p_female"] == 0.0


def test_coreference_accuracy_and_gotcha(data: Path, tmp_path: Path) -> None:
    """A model that lets a pronoun mean the occupation exactly where the majority fits it."""

    def choice(context: str, name: str) -> float:
        match = re.match(r'The (\w+) .*"(She|He|They)" refers to', context)
        assert match is not None
        occupation, pronoun = match.groups()
        fits = (pronoun == "She") == (SHARES[occupation] > 50)
        return -1.0 if (name == f" the {occupation}") == fits else -2.0

    row = _run(Likelihoods(lambda o, g: -1.0, choice), data, tmp_path / "o")
    details = row.details
    assert details["accuracy_gotcha"] == 0.0
    assert details["accuracy_not_gotcha"] == 1.0
    # Each sentence pair is right for one of the two referents, whatever the gender.
    assert details["accuracy_by_gender"]["male"] == details["accuracy_by_gender"]["female"] == 0.5
    assert details["male_minus_female"]["value"] == 0.0


def test_statistics_against_scipy() -> None:
    shares = [0.1, 0.5, 0.5, 0.9, 0.3]
    values = [0.2, 0.1, 0.4, 0.4, 0.3]
    assert spearman(np.array(shares), np.array(values)) == pytest.approx(
        spearmanr(shares, values).statistic
    )
    assert slope(np.array([0.0, 0.5, 1.0]), np.array([0.1, 0.2, 0.3])) == pytest.approx(0.2)
    assert slope(np.array([0.5, 0.5]), np.array([0.1, 0.9])) == 0.0
    assert spearman(np.array([0.1, 0.2]), np.array([1.0, 1.0])) == 0.0


def test_the_slope_from_sums_is_the_slope() -> None:
    """What a comparison of two models resamples is the headline score."""
    rows = [
        {"occupation": name, "status": "scored", "female_share": share / 100, "p_female": value}
        for (name, share), values in zip(
            SHARES.items(), ([0.2, 0.4], [0.6], [0.1, 0.3], [0.5]), strict=True
        )
        for value in values
    ]
    moments = np.array(list(Winogender().moments(rows).values()))
    shares = np.array(list(SHARES.values())) / 100
    expected = slope(shares, np.array([0.3, 0.6, 0.2, 0.5]))
    assert slope_of_sums(moments.sum(axis=0)[None])[0] == pytest.approx(float(expected))
    alone = moments[:1].sum(axis=0)[None]
    assert slope_of_sums(alone)[0] == 0.0


def test_the_published_files(shared_dir: Path) -> None:
    items = Winogender().load(shared_dir / "data" / "winogender", Protocol())
    assert len(items) == 240
    assert len({item.fields["occupation"] for item in items}) == 60
    pronouns = {str(item.fields["pronouns"]).lower() for item in items}
    assert len(pronouns) == 3  # nominative, accusative, possessive
    names = [query.continuation for query in Winogender().queries(items[0]) if query.context]
    assert set(names) == {" the technician", " the customer"}


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("all_sentences.tsv", "nurse.someone.0.male", "nurse.someone.2.male", r":2:sentid"),
        ("all_sentences.tsv", "nurse.someone.0.male", "judge.someone.0.male", "'judge' is not in"),
        ("all_sentences.tsv", "sentid\t", "id\t", "no column 'sentid'"),
        ("occupations-stats.tsv", "90.0", "ninety", r":2:bls_pct_female: 'ninety'"),
        ("occupations-stats.tsv", "90.0", "190", "not within 0 to 100"),
    ],
)
def test_files_that_do_not_fit(data: Path, file: str, old: str, new: str, message: str) -> None:
    path = data / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=message):
        Winogender().load(data, Protocol())


def test_a_folder_without_the_files(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"all_sentences\.tsv"):
        evaluate("m", [TaskSpec("winogender", data=tmp_path)], out=tmp_path / "o", backend="x")
