"""Settings are checked where they are made, and cost no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from debias_core.config import (
    CdaConfig,
    ConsistencyConfig,
    ConstrainedConfig,
    GroupGapConfig,
    PairGapConfig,
    PromptFormat,
    TrainConfig,
)
from debias_core.errors import ConfigError


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TrainConfig(effective_batch_size=7), "7 is not a multiple of 2"),
        (lambda: TrainConfig(groups=("a",)), "two or more different names"),
        (lambda: TrainConfig(groups=("a", "b", "a")), "two or more different names"),
        (lambda: TrainConfig(groups=("a", "b", "c")), "32 is not a multiple of 3"),
        (lambda: TrainConfig(objective=CdaConfig(), score_function=True), "needs sampled answers"),
        (
            lambda: TrainConfig(objective=ConsistencyConfig(), micro_batch_size=3),
            "micro_batch_size must be a multiple of 2",
        ),
        (lambda: PairGapConfig(estimator="jackknife"), "estimator must be"),  # type: ignore[arg-type]
        (lambda: TrainConfig(learning_rate=0.0), "learning_rate must be a positive number"),
        (lambda: TrainConfig(target_gap=float("nan")), "target_gap must be a positive number"),
        (lambda: TrainConfig(kl_budget=-1.0), "kl_budget must be a positive number"),
        (lambda: TrainConfig(dtype="float16"), "weights in float16 cannot be trained; set dtype"),
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
