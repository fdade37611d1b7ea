"""Training configurations: dataclasses, read strictly from YAML with inheritance and overrides."""

from .data_schema import AugmentConfig, DataConfig, NormalisationConfig, SourceConfig
from .loader import class_names, from_mapping, load_config, merge_overrides, to_mapping
from .schema import (
    Config,
    EvaluationConfig,
    InitConfig,
    LossConfig,
    NetworkConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
)
