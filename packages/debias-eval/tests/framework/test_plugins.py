"""Plug-ins: found by entry point, reported and skipped when broken."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint

import pytest

from debias_eval import plugins
from debias_eval.errors import UnknownNameError
from debias_eval.plugins import Registry

GROUP = "debias_eval.test"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry[object]:
    points = [
        EntryPoint("good", "math:pi", GROUP),
        EntryPoint("gone", "no_such_module_of_ours:thing", GROUP),
        EntryPoint("nameless", "math:no_such_name", GROUP),
    ]

    def find(*, group: str, name: str | None = None) -> list[EntryPoint]:
        return [p for p in points if p.group == group and name in (None, p.name)]

    monkeypatch.setattr(plugins, "entry_points", find)
    return Registry("thing", GROUP, {"own": "debias_eval.tests_own"})


def test_a_plugin_is_loaded_and_our_own_come_first(registry: Registry[object]) -> None:
    registry.register("own")("ours")
    assert registry.get("own") == "ours"
    assert registry.get("good") == pytest.approx(3.14159, abs=1e-4)
    assert registry.names() == ["gone", "good", "nameless", "own"]
    assert all(name in registry for name in registry.names())
    assert "other" not in registry


def test_a_broken_plugin_is_reported_and_skipped(
    registry: Registry[object], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for name in ("gone", "nameless"):
            with pytest.raises(UnknownNameError, match=f"unknown thing '{name}'"):
                registry.get(name)
    assert "no_such_module_of_ours" in caplog.text
    assert set(registry.broken) == {"gone", "nameless"}
    assert registry.names() == ["good", "own"]
    assert "gone" not in registry
    assert registry.get("good")


def test_an_unknown_name_suggests_the_nearest(registry: Registry[object]) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'good'"):
        registry.get("goood")
