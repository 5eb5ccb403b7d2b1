"""Make the test bed from nothing: ``python testbed/make.py --out FOLDER``.

Trains the tokenizer and the model, writes the data files, measures the result and writes the card.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

import tokenizers
import torch
import transformers
from card import card_text
from code_tasks import humaneval_rows, shipped_tasks
from corpus import documents, held_out_pairs
from measure import (
    Figures,
    Subject,
    arithmetic_accuracy,
    code_accuracy,
    occupation_skew,
    planted_gap,
)
from occupations import winogender_files
from train import TrainConfig, save, train_model, train_tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen2ForCausalLM

DATA_SEED: Final = 7
"""Seed of the shipped arithmetic items."""
MEASURE_SEED: Final = 11
"""Seed of the pairs that the card's figures are measured on."""


def main() -> None:
    """Parse the command line and make the test bed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder that receives model/, data/"
    )
    parser.add_argument("--steps", type=int, default=TrainConfig().steps, help="training steps")
    parser.add_argument("--seed", type=int, default=TrainConfig().seed, help="training seed")
    parser.add_argument("--data-only", action="store_true", help="rewrite data/ alone")
    parser.add_argument(
        "--measure-only", action="store_true", help="measure model/ and data/ again"
    )
    args = parser.parse_args()
    out: Path = args.out
    config = TrainConfig(steps=args.steps, seed=args.seed)
    cost: dict[str, float] = {}
    if not args.measure_only:
        _replace(out / "data", write_data)
    if not (args.measure_only or args.data_only):
        # 4% more than are trained on: clusters that are held out are skipped.
        docs = documents(round(1.04 * config.num_documents), seed=config.seed)
        tokenizer = train_tokenizer(docs[:10_000], vocab_size=config.vocab_size)
        model, cost = train_model(docs, tokenizer, config)
        _replace(out / "model", lambda folder: save(model, tokenizer, folder))
    if not args.data_only:
        write_card(out, config, cost)


def write_data(folder: Path) -> None:
    """Write the shipped benchmark files: arithmetic, code, occupation sentences."""
    lines = []
    pairs = held_out_pairs(100, seed=DATA_SEED)
    pairs += held_out_pairs(28, seed=DATA_SEED, domain="professional")
    for number, pair in enumerate(pairs):
        answer = f"{pair.step.expression} = {pair.step.answer}\n#### {pair.step.answer}"
        for group, prompt in (("female", pair.female), ("male", pair.male)):
            item = {"id": f"{number:03d}/{group}", "question": prompt.text, "answer": answer}
            lines.append(json.dumps(item))
    (folder / "arithmetic.jsonl").write_text("\n".join(lines) + "\n")
    rows = [json.dumps(row) for row in humaneval_rows(shipped_tasks())]
    (folder / "code.jsonl").write_text("\n".join(rows) + "\n")
    (folder / "winogender").mkdir()
    for name, text in winogender_files().items():
        (folder / "winogender" / name).write_text(text)


def write_card(out: Path, config: TrainConfig, cost: dict[str, float]) -> None:
    """Measure the saved model and write ``card.json`` and ``README.md`` beside it."""
    torch.manual_seed(MEASURE_SEED)
    torch.set_num_threads(config.threads)
    model = Qwen2ForCausalLM.from_pretrained(out / "model", dtype=torch.float32)
    model.train(mode=False)
    tokenizer = AutoTokenizer.from_pretrained(out / "model")
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    subject = Subject(model, tokenizer)
    pairs = held_out_pairs(256, seed=MEASURE_SEED)
    work = held_out_pairs(128, seed=MEASURE_SEED, domain="professional")
    old = out / "card.json"
    training = json.loads(old.read_text())["training"] if not cost and old.exists() else cost
    card: Figures = {
        "parameters": model.num_parameters(),
        "config": asdict(config),
        "training": training,
        "gap": planted_gap(subject, pairs, samples=4),
        "gap_professional": planted_gap(subject, work, samples=4),
        "arithmetic": arithmetic_accuracy(subject, pairs),
        "arithmetic_professional": arithmetic_accuracy(subject, work),
        "code": code_accuracy(subject, shipped_tasks()),
        "occupations": occupation_skew(subject),
        "seeds": {"training": config.seed, "data": DATA_SEED, "measurement": MEASURE_SEED},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
            "platform": f"{platform.system()} {platform.machine()}",
        },
    }
    _write(out / "card.json", json.dumps(card, indent=2) + "\n")
    _write(out / "README.md", card_text(card))
    sys.stdout.write(json.dumps(card, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(path.suffix + ".tmp")
    temporary.write_text(text)
    temporary.replace(path)


def _replace(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a temporary folder, then put it in the place of ``folder``."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent))
    fill(temporary)
    temporary.chmod(0o755)
    if folder.exists():
        shutil.rmtree(folder)
    temporary.replace(folder)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
