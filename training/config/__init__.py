"""Configurations of training runs: dataclasses, read strictly from YAML with inheritance and overrides."""

from .load import from_mapping, load_config, to_mapping
from .schema import (
    AugmentConfig,
    Config,
    DataConfig,
    EvaluationConfig,
    InitConfig,
    LossConfig,
    NetworkConfig,
    NormalisationConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
)

__all__ = [
    "AugmentConfig",
    "Config",
    "DataConfig",
    "EvaluationConfig",
    "InitConfig",
    "LossConfig",
    "NetworkConfig",
    "NormalisationConfig",
    "OptimizerConfig",
    "ScheduleConfig",
    "TrainConfig",
    "from_mapping",
    "load_config",
    "to_mapping",
]
