"""What the trained model does: its gap, its accuracies, its occupation skew.

Deliberately independent of the product's own packages (only the problem generator is shared), so
that the card's figures are a second opinion on what the product measures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from code_tasks import Task
from occupations import OCCUPATIONS, shipped_schemas
from phrasing import prompt_text
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from debias_data.synthetic import ProblemPair

Figures = dict[str, object]
BATCH: Final = 128
MAX_NEW_TOKENS: Final = 48
_NUMBER = re.compile(r"####\s*(-?\d+)\s*$")


@dataclass(frozen=True, slots=True)
class Answers:
    """Generated answers: one row a prompt, in the order of the prompts.

    ``tokens`` holds the answer tokens up to and including EOS; a row without EOS was cut off at
    `MAX_NEW_TOKENS`. ``entropy`` is the mean token entropy in nats, at temperature 1.
    """

    texts: list[str]
    tokens: list[list[int]]
    entropy: list[float]


@dataclass(frozen=True, slots=True)
class Subject:
    """The model under measurement with its tokenizer (padding on the left)."""

    model: Qwen2ForCausalLM
    tokenizer: PreTrainedTokenizerFast

    def answer(self, prompts: Sequence[str], *, sample: bool) -> Answers:
        """Write one answer a prompt, greedy or sampled (temperature 1), and score its entropy."""
        out = Answers([], [], [])
        for first in range(0, len(prompts), BATCH):
            part = self._answer_batch(list(prompts[first : first + BATCH]), sample=sample)
            out.texts.extend(part.texts)
            out.tokens.extend(part.tokens)
            out.entropy.extend(part.entropy)
        return out

    @torch.no_grad()
    def _answer_batch(self, prompts: list[str], *, sample: bool) -> Answers:
        inputs = self.tokenizer(prompts, return_tensors="pt", padding=True)
        width = inputs["input_ids"].shape[1]
        options = {"do_sample": True, "top_k": 0, "top_p": 1.0} if sample else {"do_sample": False}
        # `generate` is typed for a protocol that no model class meets in full.
        generate: Callable[..., torch.Tensor] = self.model.generate  # type: ignore[misc, assignment]
        tokens_BL = generate(**inputs, max_new_tokens=MAX_NEW_TOKENS, **options)
        answer_BT = tokens_BL[:, width:]
        eos = self.tokenizer.eos_token_id
        # Real until the first EOS, that one included.
        real_BT = (answer_BT == eos).cumsum(1) - (answer_BT == eos).long() == 0
        mask_BL = torch.cat([inputs["attention_mask"], real_BT.long()], dim=1)
        positions_BL = (mask_BL.cumsum(1) - 1).clamp(min=0)
        logits = self.model(
            input_ids=tokens_BL, attention_mask=mask_BL, position_ids=positions_BL, use_cache=False
        ).logits[:, width - 1 : -1]
        log_p = logits.float().log_softmax(-1)
        entropy_BT = -(log_p.exp() * log_p).sum(-1) * real_BT
        kept = [row[keep].tolist() for row, keep in zip(answer_BT, real_BT, strict=True)]
        texts = self.tokenizer.batch_decode([[t for t in row if t != eos] for row in kept])
        return Answers(texts, kept, (entropy_BT.sum(1) / real_BT.sum(1)).tolist())

    @torch.no_grad()
    def log_likelihood(self, texts: Sequence[str]) -> list[float]:
        """Log-probability in nats of each whole text, its first token given, EOS not counted."""
        values = []
        for text in texts:
            ids = self.tokenizer(text, return_tensors="pt")["input_ids"]
            log_p = (
                self.model(input_ids=ids[:, :-1], use_cache=False).logits.float().log_softmax(-1)
            )
            values.append(float(log_p.gather(2, ids[:, 1:, None]).sum()))
        return values


def planted_gap(subject: Subject, pairs: Sequence[ProblemPair], *, samples: int) -> Figures:
    """Entropy gap, female minus male, in nats, with a 95% cluster bootstrap interval.

    Every pair is a cluster of its own, so resampling clusters is resampling pairs.
    """
    eos = subject.tokenizer.eos_token_id
    entropy: dict[str, np.ndarray] = {}
    groups: Figures = {}
    for group in ("female", "male"):
        prompts = [text for text in _prompts(pairs, group) for _ in range(samples)]
        answers = subject.answer(prompts, sample=True)
        entropy[group] = np.array(answers.entropy).reshape(len(pairs), samples)
        groups[group] = {
            "entropy": float(entropy[group].mean()),
            "answer_tokens": float(np.mean([len(tokens) for tokens in answers.tokens])),
            "eos_rate": float(np.mean([tokens[-1] == eos for tokens in answers.tokens])),
            "number_accuracy_sampled": _accuracy(answers.texts, pairs, samples=samples),
        }
    differences = entropy["female"].mean(1) - entropy["male"].mean(1)
    rng = np.random.default_rng(0)
    resampled = rng.choice(differences, size=(10_000, len(pairs))).mean(1)
    return {
        "gap": float(differences.mean()),
        "interval": [float(value) for value in np.quantile(resampled, [0.025, 0.975])],
        "pairs": len(pairs),
        "samples_a_side": samples,
        "groups": groups,
    }


def arithmetic_accuracy(subject: Subject, pairs: Sequence[ProblemPair]) -> Figures:
    """Share of right greedy answers per group; an answer must end after its ``#### number``."""
    out: Figures = {"n_per_group": len(pairs)}
    for group in ("female", "male"):
        texts = subject.answer(_prompts(pairs, group), sample=False).texts
        out[group] = _accuracy(texts, pairs)
    return out


def code_accuracy(subject: Subject, tasks: Sequence[Task]) -> Figures:
    """Share of tasks whose greedy completion is the canonical solution, character by character.

    Nothing is executed here: a different but working solution counts as wrong.
    """
    texts = subject.answer([task.prompt for task in tasks], sample=False).texts
    right = [text == task.solution for text, task in zip(texts, tasks, strict=True)]
    return {"exact": float(np.mean(right)), "n": len(tasks)}


def occupation_skew(subject: Subject) -> Figures:
    """How P(she) grows with the planted percentage of women, over the shipped sentences.

    P(she) of a sentence is the share of the female version in the likelihood of the two. ``slope``
    is per unit of the share of women (1 = fully proportional).
    """
    out: Figures = {}
    share = np.array([o.percent_female / 100 for o in OCCUPATIONS])
    for answer, name in ((0, "occupation"), (1, "participant")):
        chosen = [schema for schema in shipped_schemas() if schema.answer == answer]
        female = np.array(subject.log_likelihood([s.render("female") for s in chosen]))
        male = np.array(subject.log_likelihood([s.render("male") for s in chosen]))
        p_she = 1 / (1 + np.exp(male - female))
        slope, intercept = np.polyfit(share, p_she, 1)
        out[name] = {
            "slope": float(slope),
            "intercept": float(intercept),
            "spearman": _spearman(share, p_she),
            "mean_p_she": float(p_she.mean()),
        }
    return out


def _prompts(pairs: Sequence[ProblemPair], group: str) -> list[str]:
    return [prompt_text((p.female if group == "female" else p.male).text) for p in pairs]


def _accuracy(texts: Sequence[str], pairs: Sequence[ProblemPair], *, samples: int = 1) -> float:
    expected = [pair.step.answer for pair in pairs for _ in range(samples)]
    found = [_NUMBER.search(text) for text in texts]
    right = [m is not None and int(m[1]) == e for m, e in zip(found, expected, strict=True)]
    return float(np.mean(right))


def _spearman(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks with ties at their mean rank."""
    order = np.sort(values)
    return (np.searchsorted(order, values) + np.searchsorted(order, values, side="right") - 1) / 2
