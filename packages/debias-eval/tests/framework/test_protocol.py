"""Protocols: what the hash sees, what is refused, how prompts are made."""

from __future__ import annotations

import pytest

from debias_eval.errors import InputError, UnknownNameError
from debias_eval.profiles import PROFILES, resolve_protocol
from debias_eval.protocol import Message, Protocol, Sampling, Shot


def test_the_hash_is_stable_and_sees_every_field_but_the_name() -> None:
    base = Protocol()
    assert base.hash == Protocol().hash
    assert len(base.hash) == 10
    changes: list[dict[str, object]] = [
        {"template": "Q: {prompt}"},
        {"chat_template": True},
        {"system": "x"},
        {"shots": [{"prompt": "a", "answer": "b"}]},
        {"separator": "\n"},
        {"stop": ["\n"]},
        {"max_new_tokens": 7},
        {"sampling": {"temperature": 0.5}},
        {"sampling": {"seed": 1}},
        {"extraction": "program"},
        {"grader": "other"},
        {"cpu_seconds": 3.0},
        {"split": "dev"},
        {"data_sha256": "0"},
    ]
    hashes = {base.with_changes(change).hash for change in changes}
    assert len(hashes) == len(changes)
    assert base.hash not in hashes
    assert base.with_changes({"profile": "renamed"}).hash == base.hash


def test_round_trip_through_plain_values() -> None:
    protocol = Protocol(
        shots=(Shot("a", "b"),), stop=("x", "y"), sampling=Sampling(4, 0.8, 0.9, 7), system="s"
    )
    assert Protocol.from_dict(protocol.to_dict()) == protocol


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_tokens": 5}, "unknown protocol field 'max_tokens'; did you mean 'max_new_tokens'"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"max_new_tokens": "many"}, "protocol.max_new_tokens"),
        ({"template": "no place"}, "does not contain {prompt}"),
        ({"sampling": {"n": 8}}, "copies of one answer are one sample"),
        ({"sampling": {"top_p": 0.0}}, "top_p is 0.0"),
        ({"sampling": {"tempature": 1}}, "protocol.sampling.tempature"),
        ({"stop": [""]}, "a stop string is empty"),
        ({"sampling": {"temperature": float("nan")}}, "protocol.sampling.temperature"),
    ],
)
def test_wrong_changes_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Protocol().with_changes(changes)
    assert message in str(caught.value)


def test_profiles_are_valid_and_changes_come_on_top() -> None:
    for name in PROFILES:
        assert resolve_protocol(Protocol(), name).profile == name
    chosen = resolve_protocol(
        Protocol(), {"profile": "qwen2.5-math-cot", "max_new_tokens": 9, "sampling": {"seed": 3}}
    )
    assert chosen.chat_template
    assert chosen.max_new_tokens == 9
    assert chosen.sampling == Sampling(seed=3)
    with pytest.raises(UnknownNameError, match=r"did you mean 'qwen2.5-math-cot'"):
        resolve_protocol(Protocol(), "qwen2.5-math")


def test_prompts_with_and_without_a_chat_template() -> None:
    protocol = Protocol(template="Q: {prompt} {x}", system="S", shots=(Shot("1+1", " 2"),))
    assert protocol.plain_text("2+2") == "S\n\nQ: 1+1 {x} 2\n\nQ: 2+2 {x}"
    assert protocol.messages("2+2") == [
        Message("system", "S"),
        Message("user", "Q: 1+1 {x}"),
        Message("assistant", " 2"),
        Message("user", "Q: 2+2 {x}"),
    ]
