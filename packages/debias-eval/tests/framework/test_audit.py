"""With and without the chat template: the same items, two protocols, one paired difference."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from debias_eval import EvalSettings, GradeSettings, audit_template
from debias_eval.backends.base import Generation, GenerationRequest, ModelIdentity, Prompt
from debias_eval.cli.app import app
from debias_eval.errors import InputError, ModelError
from debias_eval.protocol import Protocol

FAST = EvalSettings(grade=GradeSettings(workers=1, resamples=200))


class Chatty:
    """Right where it gets a chat template; right once in three where it does not."""

    name = "chatty"
    variant = ""

    def identity(self) -> ModelIdentity:
        return ModelIdentity("chatty", "w", "t")

    def render(self, protocol: Protocol, text: str) -> Prompt:
        return Prompt(("chat:" if protocol.chat_template else "bare:") + text)

    def batches(self, requests: Sequence[GenerationRequest]) -> list[tuple[int, ...]]:
        return [tuple(range(len(requests)))] if requests else []

    def generate(self, requests: Sequence[GenerationRequest]) -> list[Generation]:
        answers = []
        for request in requests:
            way, _, number = request.prompt.text.partition(":")
            right = way == "chat" or int(number) % 3 == 0
            answers.append(Generation(f"The answer is {number if right else 999}.", "stop", (1,)))
        return answers


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "d.jsonl"
    rows = [{"id": str(n), "question": str(n), "answer": str(n)} for n in range(60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_difference_is_paired_and_signed(tmp_path: Path, data: Path) -> None:
    found = audit_template(
        "m", "math_jsonl", out=tmp_path / "o", data=data, backend=Chatty(), settings=FAST
    )
    assert (found.chat.score, found.bare.score) == (1.0, 17 / 50)
    assert found.difference == pytest.approx(33 / 50)
    assert found.interval is not None
    assert found.interval[0] > 0.4
    assert found.better == "chat"
    assert found.chat.protocol_hash != found.bare.protocol_hash
    few = audit_template(
        "m", "math_jsonl", out=tmp_path / "p", data=data, limit=2, backend=Chatty(), settings=FAST
    )
    assert (few.difference, few.better) == (0.5, "undecided")


def test_what_cannot_be_audited(tmp_path: Path, tiny_llama: Path, data: Path) -> None:
    with pytest.raises(InputError, match="no right answers"):
        audit_template(tiny_llama, "winogender", out=tmp_path / "o")
    with pytest.raises(ModelError, match="chat_template to false for a base model"):
        audit_template(tiny_llama, "math_jsonl", data=data, out=tmp_path / "o", settings=FAST)


def test_the_command(tmp_path: Path, tiny_qwen: Path, data: Path) -> None:
    command = ["audit", "math_jsonl", "--model", str(tiny_qwen), "--data", str(data)]
    command += ["--limit", "3", "--protocol", '{"max_new_tokens": 4}', "--device", "cpu"]
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "o")])
    assert done.exit_code == 0, done.output
    assert "with chat template" in done.stdout
    assert "undecided" in done.stdout
