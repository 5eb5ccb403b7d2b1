"""Settings are checked where they are made, and cost no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from debias_core.config import ConstrainedConfig, GroupGapConfig, PromptFormat, TrainConfig
from debias_core.errors import ConfigError


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TrainConfig(effective_batch_size=7), "must be even"),
        (lambda: TrainConfig(learning_rate=0.0), "learning_rate must be a positive number"),
        (lambda: TrainConfig(target_gap=float("nan")), "target_gap must be a positive number"),
        (lambda: TrainConfig(kl_budget=-1.0), "kl_budget must be a positive number"),
        (lambda: GroupGapConfig(norm="l3"), "norm must be 'l1' or 'l2'"),  # type: ignore[arg-type]
        (lambda: ConstrainedConfig(kl=0.0), "kl must be a positive number"),
        (lambda: PromptFormat(template="Question:"), "must contain '{prompt}'"),
        (lambda: PromptFormat(system="Be brief."), "needs prompt.chat_template"),
    ],
)
def test_bad_settings(make: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()  # type: ignore[operator]


def test_importing_package_and_config_costs_no_torch() -> None:
    code = (
        "import sys, debias_core, debias_core.config\n"
        "sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'scipy', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
