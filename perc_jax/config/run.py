"""What a run is: the sections of the other files, its stages in order, and how it samples, evaluates and stores.

A config file defines `get_config() -> Config`. The command line overrides any field by its path
(`--rollout.max-tokens 24`, `--stages.1.optimizer.learning-rate 3e-5`). `ValueError` names field, rule and value.
"""

import dataclasses
import itertools
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from perc_jax.config.data import DataConfig
from perc_jax.config.model import ModelConfig
from perc_jax.config.rules import check
from perc_jax.config.stage import StageConfig


@dataclass(frozen=True)
class RolloutConfig:
    """How completions are sampled."""

    max_tokens: int  # C
    segment_tokens: int = 128  # columns decoded between two looks of the host at which rows are done
    # Lengths of the ring of generated keys and values on the way to max_tokens: a segment runs on the shortest one that
    # holds the longest unfinished completion. Each must divide the next, the last one max_tokens.
    short_rings: tuple[int, ...] = ()
    # The rest is for training's rollouts; evaluation decodes all prompts of a batch at once in the model's dtype.
    slots: int = 0  # prompts decoded at a time over all devices, the others wait for a free place; 0: all of a step
    rows: int = 0  # completions of a prompt decoded at a time; one that ends makes room for the next; 0: the group
    prefill_prompts: int = 1  # waiting prompts that a device prefills at a time
    kv_dtype: Literal["model", "int8"] = "model"  # of keys and values; int8 halves bfloat16's memory and traffic
    temperature: float = 1.0  # of training rollouts; evaluation is greedy
    max_mismatch: float = 0.05  # mean |p_sampler - p_trainer| above which the run stops

    def __post_init__(self):
        """Check what loops."""
        check(self.max_tokens >= 1, "rollout.max_tokens", "must be >= 1", self.max_tokens)
        check(self.segment_tokens >= 1, "rollout.segment_tokens", "must be >= 1", self.segment_tokens)
        divide = all(x >= 1 and y % x == 0 and x < y for x, y in itertools.pairwise(self.rings))
        rule = f"must each divide the next and the last max_tokens ({self.max_tokens})"
        check(divide, "rollout.short_rings", rule, self.short_rings)
        check(self.slots >= 0, "rollout.slots", "must be >= 0", self.slots)
        check(self.rows >= 0, "rollout.rows", "must be >= 0", self.rows)
        check(self.prefill_prompts >= 1, "rollout.prefill_prompts", "must be >= 1", self.prefill_prompts)

    @property
    def rings(self) -> tuple[int, ...]:
        """All lengths of the ring."""
        return (*self.short_rings, self.max_tokens)


@dataclass(frozen=True)
class EvaluationConfig:
    """Which fresh scenes are asked before and after each stage."""

    suites: tuple[str, ...] = ("test_a", "test_b", "test_c", "test_d")
    samples: tuple[int, ...] = (1000, 1000, 1000, 1000)  # per suite
    hard_levels: tuple[int, ...] = (3, 4)  # of test_c: above every trained level
    batch: int = 128  # prompts per device call
    every: int = 0  # steps of a stage between two evaluations within it; 0: only between stages
    blind: int = 200  # first questions of the first suite that are asked again without the picture
    shown: int = 12  # samples per evaluation kept with picture and answer for the report

    def __post_init__(self):
        """Check what divides and loops."""
        check(all(count >= 1 for count in self.samples), "evaluation.samples", "must be >= 1", self.samples)
        check(self.batch >= 1, "evaluation.batch", "must be >= 1", self.batch)
        check(self.every >= 0, "evaluation.every", "must be >= 0", self.every)
        check(self.blind >= 0, "evaluation.blind", "must be >= 0", self.blind)


@dataclass(frozen=True)
class MeshConfig:
    """Devices along each mesh axis; fsdp = -1 takes what is left."""

    replica: int = 1
    fsdp: int = -1
    tensor: int = 1


@dataclass(frozen=True)
class CheckpointConfig:
    """When the run's state is written."""

    every: int = 50  # steps; each stage's end is written too
    keep: int = 3

    def __post_init__(self):
        """Check what divides."""
        check(self.every >= 1, "checkpoint.every", "must be >= 1", self.every)


@dataclass(frozen=True)
class Config:
    """A whole run."""

    name: str
    model: ModelConfig
    data: DataConfig
    rollout: RolloutConfig
    stages: tuple[StageConfig, ...]
    evaluation: EvaluationConfig = EvaluationConfig()
    mesh: MeshConfig = MeshConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    pretrained: str = ""  # Hugging Face folder or hub id whose weights start the run; empty: random ones
    seed: int = 0
    verifier_deadline_s: float = 2.0  # a completion whose verification takes longer earns 0 and is counted
    verifier_processes: int = 1
    samples_every: int = 25  # grpo steps between kept rollout samples
    phase_deadline_s: float = 1800.0  # a phase that takes longer dumps all stacks and ends the run, resumable

    def __post_init__(self):
        """Check what spans sections."""
        check(self.samples_every >= 1, "samples_every", "must be >= 1", self.samples_every)
        vision = self.model.vision
        unit = vision.patch_size * vision.spatial_merge_size
        check(self.data.image_px % unit == 0, "data.image_px", f"must be a multiple of {unit}", self.data.image_px)
        check(
            self.data.max_patches % vision.window_patches == 0,
            "data.max_patches",
            f"must be a multiple of {vision.window_patches}",
            self.data.max_patches,
        )
        suites = self.evaluation
        check(
            len(suites.samples) == len(suites.suites),
            "evaluation.samples",
            f"must have {len(suites.suites)} entries",
            suites.samples,
        )
        highest = max((max(stage.mixture.levels) for stage in self.stages), default=0)
        check(
            min(suites.hard_levels, default=10) > highest,
            "evaluation.hard_levels",
            f"must be above the trained level {highest}",
            suites.hard_levels,
        )
        for stage in self.stages:
            check(
                stage.loss.overlong_tokens <= self.rollout.max_tokens,
                f"stages[{stage.name}].loss.overlong_tokens",
                f"must be within rollout.max_tokens ({self.rollout.max_tokens})",
                stage.loss.overlong_tokens,
            )
            check(
                not stage.row_widths or stage.row_widths[-1] < stage.group_size * self.rollout.max_tokens,
                f"stages[{stage.name}].row_widths",
                f"must be below group_size x rollout.max_tokens ({stage.group_size * self.rollout.max_tokens})",
                stage.row_widths,
            )
        names = [stage.name for stage in self.stages]
        check(len(set(names)) == len(names), "stages", "must have different names", names)


def check_trains(config: Config) -> None:
    """Raise `ValueError` for what can be measured and planned but not trained: groups with nothing to compare."""
    for stage in config.stages:
        if stage.kind == "grpo":
            check(stage.group_size >= 2, f"stages[{stage.name}].group_size", "must be >= 2 for grpo", stage.group_size)


def to_dict(config: object) -> dict:
    """Turn a config section into JSON-ready plain data."""
    return dataclasses.asdict(config)


def from_dict(section: type, data: Mapping[str, Any]) -> Any:
    """Build a config section from what `to_dict` gave, also after a round trip through JSON.

    Raises `ValueError` for an unknown or missing field and for a value that breaks a rule.
    """
    types = typing.get_type_hints(section)
    needed = {field.name for field in dataclasses.fields(section) if field.default is dataclasses.MISSING}
    for name in (data.keys() - types.keys()) | (needed - data.keys()):
        raise ValueError(f"{section.__name__} must have the fields of this version, got {name!r} too many or too few")

    def value(kind: Any, raw: Any) -> Any:
        if dataclasses.is_dataclass(kind):
            return from_dict(kind, raw)
        if typing.get_origin(kind) is tuple:
            item = typing.get_args(kind)[0]
            return tuple(value(item, entry) for entry in raw)
        return raw

    return section(**{name: value(types[name], raw) for name, raw in data.items()})
