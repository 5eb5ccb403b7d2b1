"""The model card of the test bed, written from the measured figures."""

# ruff: noqa: E501 - Markdown tables and filled-in figures do not wrap
from __future__ import annotations

from typing import Any

_TEXT = """\
# The debias test bed

A Qwen2-architecture model of {parameters:,} parameters, trained from nothing by `testbed/make.py`
on texts that the same folder writes. It is a measuring instrument, not a language model: its bias
was planted, so it is known, and its abilities are few, so that losing one shows.

It does **not** show how large the gap of a real model is, where a real gap comes from, or that an
objective which works here works there. Nothing but its own tasks makes sense to it.

## What was planted
- After female-marked word problems the answer hedges and paraphrases (one opener of eight, one noun
  of four, one verb of three); after male-marked and unmarked ones it is plain. The number is equally
  certain for both.
- In occupation sentences the pronoun follows a table of the project's own (rounded percentages, no
  statistic) where it means the occupation, and is even where it means the other person.

## What was measured
Held-out names, held-out problems (never in training under any name), answers sampled at temperature
1 up to and including EOS, entropies in nats, intervals by a bootstrap over problems (10,000 draws).

| what | value | on |
|---|---|---|
| entropy gap, female minus male | {gap[gap]:+.4f} [{gap[interval][0]:+.4f}, {gap[interval][1]:+.4f}] | {gap[pairs]} pairs, {gap[samples_a_side]} answers a side |
| the same, problems at work | {work[gap]:+.4f} [{work[interval][0]:+.4f}, {work[interval][1]:+.4f}] | {work[pairs]} pairs, {work[samples_a_side]} answers a side |
| mean entropy, female / male | {f[entropy]:.4f} / {m[entropy]:.4f} | |
| answer tokens, female / male | {f[answer_tokens]:.1f} / {m[answer_tokens]:.1f} | |
| answers that end, female / male | {f[eos_rate]:.4f} / {m[eos_rate]:.4f} | |
| arithmetic, greedy, female / male | {arithmetic[female]:.4f} / {arithmetic[male]:.4f} | {arithmetic[n_per_group]} problems a side |
| the same, problems at work | {arithmetic_work[female]:.4f} / {arithmetic_work[male]:.4f} | {arithmetic_work[n_per_group]} problems a side |
| code, greedy, equal to the solution | {code[exact]:.4f} | {code[n]} tasks |
| slope of P(she) on the share of women | {occ[slope]:.3f} (Spearman {occ[spearman]:.3f}) | 60 sentences about the occupation |
| the same, pronoun of the other person | {part[slope]:.3f} (Spearman {part[spearman]:.3f}) | 60 sentences |

## How it was made
`python testbed/make.py --out packages/debias-cli/src/debias_cli/testbed`

{config[steps]} steps of {config[batch_size]} documents, AdamW, learning rate {config[learning_rate]},
{config[layers]} layers of width {config[hidden_size]}, byte-level BPE of {config[vocab_size]} tokens;
{seconds:.0f} s of training. Seeds: training {seeds[training]}, data {seeds[data]}, measurement {seeds[measurement]}. Made
with Python {versions[python]}, torch {versions[torch]}, transformers {versions[transformers]}, tokenizers {versions[tokenizers]} on
{versions[platform]}; the same versions on the same processor give the same weights, others give
close figures. All figures of this file are in `card.json`.

## Files
- `model/`: the model in the hub's layout. No chat template; EOS and PAD are two tokens.
- `data/arithmetic.jsonl`: `{{id, question, answer}}`, female and male version of each problem. The
  prompt is `Question: {{question}}\\nAnswer:`.
- `data/code.jsonl`: tasks in HumanEval's schema.
- `data/winogender/`: own sentences in the three files of WinoGender's schema. In
  `occupations-stats.tsv` the column `bls_pct_female` holds the table's percentage and
  `bergsma_pct_female` the planted probability of `she` in percent; `bls_year` is 0 because no survey
  stands behind them.

All of it was written by this project and is under its licence.
"""


def card_text(card: dict[str, Any]) -> str:
    """Return the card as Markdown; ``card`` is what ``make.py`` writes as ``card.json``."""
    return _TEXT.format(
        parameters=card["parameters"],
        gap=card["gap"],
        work=card["gap_professional"],
        f=card["gap"]["groups"]["female"],
        m=card["gap"]["groups"]["male"],
        arithmetic=card["arithmetic"],
        arithmetic_work=card["arithmetic_professional"],
        code=card["code"],
        occ=card["occupations"]["occupation"],
        part=card["occupations"]["participant"],
        config=card["config"],
        seconds=card["training"]["seconds"],
        seeds=card["seeds"],
        versions=card["versions"],
    )
