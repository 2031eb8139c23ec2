"""What a stage of a run is: its kind, its data, its optimizer, what it rewards and what it minimises."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from perc_jax.config.data import MixtureConfig
from perc_jax.config.rules import check


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
    """What a GRPO stage minimises; formulas and sources stand in `update/grpo.py`. Default: GRPO, DAPO's token mean.

    Dr. GRPO: `advantage="centred", aggregation="constant"`. DAPO: `clip_high=0.28, overlong_tokens=...`. GSPO:
    `objective="gspo", aggregation="completion_mean", clip_low=3e-4, clip_high=4e-4`. CISPO: `objective="cispo"`. GDPO:
    `advantage="per_reward"`.
    """

    objective: Literal["grpo", "gspo", "cispo"] = "grpo"  # ratio per token, per completion, or as a fixed weight
    aggregation: Literal["token_mean", "completion_mean", "constant"] = "token_mean"  # what each token's term weighs
    advantage: Literal["standardised", "centred", "per_reward"] = "standardised"
    clip_low: float = 0.2  # a ratio below 1 - clip_low is clipped; 1 is no bound
    clip_high: float = 0.2  # and one above 1 + clip_high
    dual_clip: float = 0.0  # largest ratio of a completion with negative advantage; 0 is no bound
    # Whether a token counts by how much likelier the trainer finds it than the sampler did, who rounds otherwise.
    # several: where a rollout serves several updates.
    sampler_weight: Literal["several", "always", "never"] = "several"
    sampler_weight_cap: float = 2.0  # the largest such weight
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
        check(self.sampler_weight_cap >= 1, "loss.sampler_weight_cap", "must be >= 1", self.sampler_weight_cap)
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
    max_rounds: int = 1  # rollouts of a step until the rewards within each group differ (DAPO); 1: one, as it is

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
