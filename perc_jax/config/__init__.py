"""What a run is: frozen dataclasses, each field with its rule, all checked together when a `Config` is made.

Plain data on the standard library alone, so that a config is read without jax; nothing that does work belongs here.
"""

from perc_jax.config.clip import TINY_CLIP, ClipConfig, ClipTowerConfig
from perc_jax.config.codes import AuxiliaryConfig, CodebookConfig, CodesConfig
from perc_jax.config.data import REASONED, CurriculumConfig, DataConfig, MixtureConfig, TableConfig
from perc_jax.config.environment import EnvironmentConfig
from perc_jax.config.model import LoraConfig, ModelConfig, TextConfig, VisionConfig
from perc_jax.config.reward import RewardConfig, TermConfig
from perc_jax.config.rules import Violation, check, refuse, unless, violations
from perc_jax.config.run import (
    CheckpointConfig,
    Config,
    EvaluationConfig,
    MeshConfig,
    RolloutConfig,
    from_dict,
    to_dict,
    untrainable,
)
from perc_jax.config.stage import LossConfig, OptimizerConfig, StageConfig
from perc_jax.config.start import PLAIN, TRACKERS, Start

__all__ = [
    "PLAIN",
    "REASONED",
    "TINY_CLIP",
    "TRACKERS",
    "AuxiliaryConfig",
    "CheckpointConfig",
    "ClipConfig",
    "ClipTowerConfig",
    "CodebookConfig",
    "CodesConfig",
    "Config",
    "CurriculumConfig",
    "DataConfig",
    "EnvironmentConfig",
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
    "Start",
    "TableConfig",
    "TermConfig",
    "TextConfig",
    "Violation",
    "VisionConfig",
    "check",
    "from_dict",
    "refuse",
    "to_dict",
    "unless",
    "untrainable",
    "violations",
]
