"""Every setting of a training run, as frozen dataclasses; importing this never imports torch.

`TrainConfig` holds one objective config; its `kind` names the objective (see
`debias_core.objectives`). Values are checked when the object is made.
"""

from debias_core.config.objectives import (
    Anchors,
    CdaConfig,
    ConsistencyConfig,
    ConstrainedConfig,
    DirectGapConfig,
    EmConfig,
    GeeConfig,
    GroupGapConfig,
    ObjectiveConfig,
    PairGapConfig,
    PlaceboConfig,
    PluginConfig,
)
from debias_core.config.run import (
    GROUPS,
    TRACKERS,
    LoraConfig,
    PromptFormat,
    TrainConfig,
)

__all__ = [
    "GROUPS",
    "TRACKERS",
    "Anchors",
    "CdaConfig",
    "ConsistencyConfig",
    "ConstrainedConfig",
    "DirectGapConfig",
    "EmConfig",
    "GeeConfig",
    "GroupGapConfig",
    "LoraConfig",
    "ObjectiveConfig",
    "PairGapConfig",
    "PlaceboConfig",
    "PluginConfig",
    "PromptFormat",
    "TrainConfig",
]
