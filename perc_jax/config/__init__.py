"""What a run is: frozen dataclasses, each field with its rule, checked when they are made.

Plain data on the standard library alone, so that a config is read without jax; nothing that does work belongs here.
"""

from perc_jax.config.data import CurriculumConfig, DataConfig, MixtureConfig
from perc_jax.config.model import LoraConfig, ModelConfig, TextConfig, VisionConfig
from perc_jax.config.run import (
    CheckpointConfig,
    Config,
    EvaluationConfig,
    MeshConfig,
    RolloutConfig,
    check_trains,
    from_dict,
    to_dict,
)
from perc_jax.config.stage import LossConfig, OptimizerConfig, RewardConfig, StageConfig

__all__ = [
    "CheckpointConfig",
    "Config",
    "CurriculumConfig",
    "DataConfig",
    "EvaluationConfig",
    "LoraConfig",
    "LossConfig",
    "MeshConfig",
    "MixtureConfig",
    "ModelConfig",
    "OptimizerConfig",
    "RewardConfig",
    "RolloutConfig",
    "StageConfig",
    "TextConfig",
    "VisionConfig",
    "check_trains",
    "from_dict",
    "to_dict",
]
