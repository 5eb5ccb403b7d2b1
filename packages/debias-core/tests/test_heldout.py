"""Looks at held-out pairs: in parts where a part settles them, whole where it does not."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from debias_core.config import GroupGapConfig, TrainConfig
from debias_core.sampling.base import Answer, SamplingConfig
from debias_core.sampling.model import ModelSampler
from debias_core.training.heldout import DevEvaluation
from debias_core.training.looks import Draw, draws_of_a_look, look_until_settled
from debias_core.training.statistics import GapEstimate
from debias_core.training.trainer import DebiasTrainer

Rows = Callable[..., list[dict[str, object]]]
_FIRST_MALE_WORD = 5  # in the vocabulary of the tests


class Scripted:
    """Answers whose entropy differs by a known gap between the sides; remembers who was asked."""

    def __init__(self, gap: float) -> None:
        self.asked: list[tuple[int, ...]] = []
        self._gap, self._rng = gap, np.random.default_rng(0)

    def sample(
        self, prompts: Sequence[Sequence[int]], *, seeds: Sequence[Sequence[int]]
    ) -> list[Answer]:
        self.asked.extend(tuple(prompt) for prompt in prompts)
        return [
            Answer((2, 1), 1.0 + self._shift(prompt) + self._rng.normal(0, 0.02), truncated=False)
            for prompt in prompts
        ]

    def weights_changed(self) -> None:
        pass

    def _shift(self, prompt: Sequence[int]) -> float:
        return 0.0 if prompt[1] >= _FIRST_MALE_WORD else self._gap


@pytest.fixture
def first_look(
    tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows
) -> Callable[..., tuple[DevEvaluation, int]]:
    """The look before any step at so many clusters, and how many answers it drew."""

    def look(*, gap: float, clusters: int = 128, **changes: object) -> tuple[DevEvaluation, int]:
        sampler, drawn = Scripted(gap), []
        base: dict[str, object] = {"max_steps": 1, "effective_batch_size": 8}
        settings = TrainConfig(objective=GroupGapConfig(), **{**base, **changes})  # type: ignore[arg-type]
        trainer = DebiasTrainer(tiny_model.float(), tokenizer, settings, sampler=sampler)
        result = trainer.fit(
            make_rows(8),
            make_rows(clusters, prefix="d"),
            on_event=lambda _: drawn.append(len(sampler.asked)),
        )
        return result.evaluations[0], drawn[0]

    return look


class WithoutEntropies:
    """The model's own sampler, of which only the tokens are told: as an engine answers."""

    def __init__(self, sampler: ModelSampler) -> None:
        self._sampler = sampler

    def sample(
        self, prompts: Sequence[Sequence[int]], *, seeds: Sequence[Sequence[int]]
    ) -> list[Answer]:
        drawn = self._sampler.sample(prompts, seeds=seeds)
        return [replace(answer, entropy=None) for answer in drawn]

    def weights_changed(self) -> None:
        pass


def test_entropies_that_the_sampler_does_not_tell_are_scored(
    tiny_model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, make_rows: Rows
) -> None:
    model = tiny_model.float()
    model.generation_config.eos_token_id = list(range(1, 9))  # answers of many lengths
    settings = TrainConfig(
        objective=GroupGapConfig(), max_steps=1, max_new_tokens=24, micro_batch_size=4
    )
    sampling = SamplingConfig(max_new_tokens=24)
    looks = []
    for wrap in (None, WithoutEntropies):
        own = copy.deepcopy(model)
        sampler = wrap and wrap(ModelSampler(own, sampling, batch_size=8))
        trainer = DebiasTrainer(own, tokenizer, settings, sampler=sampler)
        looks.append(trainer.fit(make_rows(32), make_rows(16, prefix="d")).evaluations[0])
    told, scored = looks
    assert scored.gap.gap == pytest.approx(told.gap.gap, abs=1e-6)
    assert scored.entropies == pytest.approx(told.entropies, abs=1e-6)


def test_a_look_ends_with_its_first_quarter_where_that_is_outside_the_target(
    first_look: Callable[..., tuple[DevEvaluation, int]],
) -> None:
    for gap in (0.2, -0.2):
        look, drawn = first_look(gap=gap)
        assert (look.gap.num_pairs, drawn) == (32, 64)
        assert look.gap.low < gap < look.gap.high
        assert look.gap.outside(0.02)
        assert len(look.entropies) == 2


@pytest.mark.parametrize("gap", [0.0, 0.02])
def test_a_look_that_may_be_inside_is_measured_on_all_pairs(
    first_look: Callable[..., tuple[DevEvaluation, int]], gap: float
) -> None:
    look, drawn = first_look(gap=gap)
    assert (look.gap.num_pairs, drawn) == (128, 256)
    assert look.gap.low < gap < look.gap.high


@pytest.mark.parametrize("changes", [{"clusters": 127}, {"early_stopping": False}])
def test_a_look_is_whole_where_a_part_says_little_or_nothing_hangs_on_it(
    first_look: Callable[..., tuple[DevEvaluation, int]], changes: dict[str, object]
) -> None:
    look, _ = first_look(gap=0.2, **changes)
    assert look.gap.num_pairs == changes.get("clusters", 128)


def test_a_confirmation_that_is_undecided_draws_as_many_answers_again() -> None:
    rng, clusters = np.random.default_rng(0), [str(i) for i in range(128)]
    noise = rng.normal(0, 0.1, (128, 2, 2))
    noise -= noise.mean(0)  # so that the gap is what it is said to be

    def look(gap: float, *, confirming: bool, scale: float = 1.0) -> tuple[tuple[int, ...], float]:
        answers = noise * scale + np.array([gap, 0.0])[:, None]
        settings = TrainConfig(target_gap=0.02)
        measured, found = look_until_settled(
            draws_of_a_look([1] * 128, settings, confirming=confirming),
            lambda draw: answers[draw.pairs][:, :, draw.samples, None],
            clusters=clusters,
            target=settings.target_gap,
        )
        return measured.shape[:3], found.high - found.low

    undecided, width = look(0.001, confirming=False)
    again, narrower = look(0.001, confirming=True)
    assert (undecided, again) == ((128, 2, 1), (128, 2, 2))
    assert narrower < 0.8 * width
    assert look(0.001, confirming=True, scale=0.1)[0] == (128, 2, 1)  # plainly inside
    assert look(0.025, confirming=True)[0] == (128, 2, 1)  # more answers could only refute it
    assert look(0.2, confirming=True)[0] == (32, 2, 1)


def test_what_a_look_begins_with_are_whole_clusters_wherever_they_stand() -> None:
    draws = draws_of_a_look([3, 1] * 64, TrainConfig(dev_samples=2), confirming=True)
    assert [(draw.pairs, draw.samples) for draw in draws] == [
        (range(64), range(2)),
        (range(64, 256), range(2)),
        (range(256), range(2, 4)),
    ]
    few = draws_of_a_look([3, 1] * 63, TrainConfig(), confirming=False)
    assert few == [Draw(range(252), range(1))]


def test_outside_is_not_the_opposite_of_inside() -> None:
    estimates = {
        ends: GapEstimate(sum(ends) / 2, *ends, 64, 64)
        for ends in ((0.02, 0.1), (-0.1, -0.02), (0.01, 0.03), (-0.03, 0.03), (-0.01, 0.01))
    }
    found = [(e.outside(0.02), e.inside(0.02)) for e in estimates.values()]
    assert found == [(True, False), (True, False), (False, False), (False, False), (False, True)]
