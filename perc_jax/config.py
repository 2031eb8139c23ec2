"""What a run is: frozen dataclasses, checked when made; every field is read somewhere.

A config file defines `get_config() -> Config`. The command line overrides any field by its path
(`--rollout.max-tokens 24`, `--stages.1.optimizer.learning-rate 3e-5`). `ValueError` names field, rule and value.
"""

import dataclasses
import itertools
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from perc_jax.config_data import CurriculumConfig as CurriculumConfig
from perc_jax.config_data import DataConfig, MixtureConfig, check


@dataclass(frozen=True)
class VisionConfig:
    """The vision tower; names and meanings as `vision_config` of Hugging Face's config.json."""

    depth: int
    hidden_size: int
    num_heads: int
    intermediate_size: int
    fullatt_block_indexes: tuple[int, ...]  # blocks that attend to the whole image; the others stay in windows
    window_size: int = 112  # pixels
    patch_size: int = 14  # pixels
    temporal_patch_size: int = 2  # frames; a still image is doubled
    spatial_merge_size: int = 2  # patches per side of a merged token

    def __post_init__(self):
        """Check what spans fields."""
        merged_px = self.patch_size * self.spatial_merge_size
        check(
            self.window_size % merged_px == 0,
            "vision.window_size",
            f"must be a multiple of {merged_px}",
            self.window_size,
        )
        head_dim = self.hidden_size // self.num_heads
        check(head_dim % 4 == 0, "vision.hidden_size / vision.num_heads", "must be a multiple of 4", head_dim)

    @property
    def window_patches(self) -> int:
        """Patch slots of one attention window (64 at the published sizes)."""
        return (self.window_size // self.patch_size) ** 2

    @property
    def patch_bytes(self) -> int:
        """Bytes of one patch: 3 channels x pixels (588 at the published sizes)."""
        return 3 * self.patch_size**2

    @property
    def patch_values(self) -> int:
        """Values of one patch: its bytes' in every frame (1176 at the published sizes)."""
        return self.temporal_patch_size * self.patch_bytes


@dataclass(frozen=True)
class TextConfig:
    """The language model; names and meanings as Hugging Face's config.json."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    mrope_section: tuple[int, int, int]  # rotary frequencies given to time, height, width; they sum to head_dim / 2
    rope_theta: float = 1_000_000.0
    rms_norm_eps: float = 1e-6
    tie_word_embeddings: bool = True

    def __post_init__(self):
        """Check what spans fields."""
        check(
            sum(self.mrope_section) * 2 == self.head_dim,
            "text.mrope_section",
            "must sum to head_dim / 2",
            self.mrope_section,
        )
        ratio = self.num_attention_heads % self.num_key_value_heads
        check(
            ratio == 0,
            "text.num_attention_heads",
            "must be a multiple of num_key_value_heads",
            self.num_attention_heads,
        )


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adapters on a frozen base (LoRA, `model/low_rank.py`). Rank 0: none, all parameters are trained."""

    rank: int = 0
    alpha: float = 32.0  # the adapters' product counts alpha / rank times
    targets: tuple[str, ...] = ("text",)  # text, merger, all, or regular expressions on names of kernels
    base_dtype: Literal["float32", "bfloat16"] = "bfloat16"  # in which the frozen weights are stored

    def __post_init__(self):
        """Check what divides, and what would train nothing."""
        check(self.rank >= 0, "model.lora.rank", "must be >= 0", self.rank)
        check(self.alpha > 0, "model.lora.alpha", "must be > 0", self.alpha)
        check(bool(self.targets), "model.lora.targets", "must not be empty", self.targets)


@dataclass(frozen=True)
class ModelConfig:
    """A Qwen2.5-VL of any size."""

    vision: VisionConfig
    text: TextConfig
    dtype: Literal["float32", "bfloat16"] = "bfloat16"  # of activations; parameters are float32 in training
    # How scores are computed: all at once (short rows), in blocks (long rows on GPU and CPU), by the kernel for TPUs.
    attention: Literal["dense", "blockwise", "splash"] = "dense"
    lora: LoraConfig = LoraConfig()


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW or Muon with linear warm-up and cosine or constant rest."""

    learning_rate: float
    method: Literal["adamw", "muon"] = "adamw"  # muon: matrices by Muon, everything else by AdamW, at the same rate
    warmup_steps: int = 0  # optimizer updates
    schedule: Literal["constant", "cosine"] = "constant"
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    frozen: tuple[str, ...] = ()  # regular expressions; parameters whose path matches one do not change


@dataclass(frozen=True)
class RewardConfig:
    """Accuracy (0 or 1) plus an optional, separately logged format term."""

    format_weight: float = 0.0  # added for a well-formed answer, right or wrong
    control: Literal["none", "random"] = "none"  # random: a coin per completion, the control arm of an experiment


@dataclass(frozen=True)
class LossConfig:
    """What a GRPO stage minimises; formulas and sources stand in `grpo.py`. The default is GRPO with DAPO's token mean.

    Dr. GRPO: `advantage="centred", aggregation="constant"`. DAPO: `clip_high=0.28, overlong_tokens=...`. GSPO:
    `objective="gspo", aggregation="completion_mean", clip_low=3e-4, clip_high=4e-4`. CISPO: `objective="cispo"`; with
    `clip_low=1.0, clip_high=1.0` its weights are importance weights truncated at 2. GDPO: `advantage="per_reward"`.
    """

    objective: Literal["grpo", "gspo", "cispo"] = "grpo"  # ratio per token, per completion, or as a fixed weight
    aggregation: Literal["token_mean", "completion_mean", "constant"] = "token_mean"  # what each token's term weighs
    advantage: Literal["standardised", "centred", "per_reward"] = "standardised"
    clip_low: float = 0.2  # a ratio below 1 - clip_low is clipped; 1 is no bound
    clip_high: float = 0.2  # and one above 1 + clip_high
    dual_clip: float = 0.0  # largest ratio of a completion with negative advantage; 0 is no bound
    overlong_tokens: int = 0  # the last tokens of max_tokens in which a penalty on the reward grows to 1; 0 is none
    kl_coef: float = 0.0  # of the divergence from the policy at the stage's start; 0: no reference is kept or run
    kl: Literal["k1", "k2", "k3"] = "k3"  # how it is estimated

    def __post_init__(self):
        """Check what spans fields."""
        check(0 < self.clip_low <= 1, "loss.clip_low", "must be within (0, 1]", self.clip_low)
        check(self.clip_high > 0, "loss.clip_high", "must be > 0", self.clip_high)
        check(self.dual_clip == 0 or self.dual_clip > 1, "loss.dual_clip", "must be 0 or > 1", self.dual_clip)
        has_signs = self.objective != "cispo" or self.dual_clip == 0
        check(has_signs, "loss.dual_clip", "must be 0 for cispo, which clips both signs alike", self.dual_clip)
        check(self.overlong_tokens >= 0, "loss.overlong_tokens", "must be >= 0", self.overlong_tokens)
        check(self.kl_coef >= 0, "loss.kl_coef", "must be >= 0", self.kl_coef)


@dataclass(frozen=True)
class StageConfig:
    """One line of the recipe."""

    name: str
    kind: Literal["sft", "grpo"]
    steps: int
    prompts_per_step: int  # P, over all hosts
    optimizer: OptimizerConfig
    mixture: MixtureConfig = dataclasses.field(default=MixtureConfig())
    micro_batches: int = 1  # parts of an update; those without any signal are left out; never changes the gradient
    # Places for all completions of a group for which the update is compiled, ascending, beside G x max_tokens, which is
    # always there: each micro-batch takes the narrowest rows that hold its groups.
    row_widths: tuple[int, ...] = ()
    # What the backward pass computes again: nothing, whole blocks, or all of a block but its products with weights and
    # its attention.
    remat: Literal["none", "block", "dots"] = "block"
    group_size: int = 1  # G; 1 for sft
    reward: RewardConfig = RewardConfig()
    loss: LossConfig = LossConfig()  # of grpo
    updates_per_rollout: int = 1  # optimizer updates of a step, each on its own part of the prompts
    max_rounds: int = 1  # rollouts of a step until all its groups have right and wrong answers (DAPO); 1: one, as it is

    def __post_init__(self):
        """Check what spans fields."""
        name = f"stages[{self.name}]"
        check(self.steps >= 0, f"{name}.steps", "must be >= 0", self.steps)
        check(self.prompts_per_step >= 1, f"{name}.prompts_per_step", "must be >= 1", self.prompts_per_step)
        check(self.micro_batches >= 1, f"{name}.micro_batches", "must be >= 1", self.micro_batches)
        widths = self.row_widths
        ascending = all(0 < low < high for low, high in zip((0.5, *widths), widths, strict=False))
        check(ascending, f"{name}.row_widths", "must be positive and ascending", widths)
        updates = self.updates_per_rollout
        check(updates >= 1, f"{name}.updates_per_rollout", "must be >= 1", updates)
        check(
            self.prompts_per_step % (self.micro_batches * updates) == 0,
            f"{name}.prompts_per_step",
            "must be a multiple of micro_batches" + " x updates_per_rollout" * (updates > 1),
            self.prompts_per_step,
        )
        check(self.max_rounds >= 1, f"{name}.max_rounds", "must be >= 1", self.max_rounds)
        if self.kind == "grpo":
            check(self.group_size >= 1, f"{name}.group_size", "must be >= 1", self.group_size)
        else:
            check(self.group_size == 1, f"{name}.group_size", "must be 1 for sft", self.group_size)
            check(updates == 1, f"{name}.updates_per_rollout", "must be 1 for sft", updates)
            check(self.max_rounds == 1, f"{name}.max_rounds", "must be 1 for sft", self.max_rounds)
            curriculum = self.mixture.curriculum.kind
            check(curriculum == "none", f"{name}.mixture.curriculum.kind", "must be none for sft", curriculum)
            check(self.loss == LossConfig(), f"{name}.loss", "must be left as it is for sft", self.loss)


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
