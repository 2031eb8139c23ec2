"""What a stage of a run is: its kind, its data, its optimizer, what it rewards and what it minimises."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from perc_jax.config.codes import AuxiliaryConfig
from perc_jax.config.data import MixtureConfig
from perc_jax.config.environment import EnvironmentConfig
from perc_jax.config.reward import RewardConfig
from perc_jax.config.rules import (
    Sound,
    Violation,
    at_least,
    each,
    file_name,
    filled,
    pattern,
    unless,
    within,
)

# A stage that is cut short may end within its warm-up, but not where it has hardly begun: a slip in the number.
LONGEST_WARMUP = 30  # times the stage's updates
MOST_MEMORY = 0.99999  # of a running mean


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW or Muon with linear warm-up and cosine or constant rest."""

    # About how far a weight moves in an update; weights are smaller than 1, so 1 moves all there is. 0: nothing moves.
    learning_rate: Annotated[float, within(0, 1)]
    method: Literal["adamw", "muon"] = "adamw"  # muon: matrices by Muon, everything else by AdamW, at the same rate
    warmup_steps: Annotated[int, at_least(0)] = 0  # optimizer updates
    schedule: Literal["constant", "cosine"] = "constant"  # of the rate after the warm-up
    # A mean over 1 / (1 - b) updates, of which no stage has more than 100,000; float32 takes 0.99999999 for 1.
    b1: Annotated[float, within(0, MOST_MEMORY)] = 0.9
    b2: Annotated[float, within(0, MOST_MEMORY)] = 0.999  # of the squares' moving mean
    # Added to the gradient's root mean square: below the least float32 divides by 0, at 1 little of Adam is left.
    eps: Annotated[float, within(1e-20, 1)] = 1e-8
    # Times the rate it is the share of a weight that an update takes away: at 1 never more than there is.
    weight_decay: Annotated[float, within(0, 1)] = 0.0
    # At the upper bound nothing is clipped; at the lower one Adam's eps already slows what moves.
    max_grad_norm: Annotated[float, within(1e-6, 1e6)] = 1.0
    # Regular expressions; parameters whose path matches one do not change.
    frozen: Annotated[tuple[str, ...], each(filled), each(pattern)] = ()


@dataclass(frozen=True)
class LossConfig:
    """What a GRPO stage minimises; formulas and sources stand in `update/grpo.py`. Default: GRPO, DAPO's token mean.

    Dr. GRPO: `advantage="centred", aggregation="constant"`. DAPO: `clip_high=0.28, overlong_tokens=...`. GSPO:
    `objective="gspo", aggregation="completion_mean", clip_low=3e-4, clip_high=4e-4`. CISPO: `objective="cispo",
    clip_low=1.0`, which has no lower bound. GDPO: `advantage="per_reward"`.
    """

    objective: Literal["grpo", "gspo", "cispo"] = "grpo"  # ratio per token, per completion, or as a fixed weight
    aggregation: Literal["token_mean", "completion_mean", "constant"] = "token_mean"  # what each token's term weighs
    advantage: Literal["standardised", "centred", "per_reward"] = "standardised"  # of rewards within a group
    # A ratio below 1 - clip_low is clipped; 1: no bound. Below a millionth it would be float32's rounding that is.
    clip_low: Annotated[float, within(1e-6, 1)] = 0.2
    # And one above 1 + clip_high; a policy 100 times as sure as its sampler is another one: no bound.
    clip_high: Annotated[float, within(1e-6, 100)] = 0.2
    # Largest ratio of a completion with negative advantage; 0 is no bound.
    dual_clip: Annotated[float, within(0, 100)] = 0.0
    # Whether a token counts by how much likelier the trainer finds it than the sampler did, who rounds otherwise.
    # several: where a rollout serves several updates.
    sampler_weight: Literal["several", "always", "never"] = "several"
    sampler_weight_cap: Annotated[float, within(1, 100)] = 2.0  # the largest such weight
    # The last tokens of max_tokens in which a penalty on the reward grows to 1; 0 is none.
    overlong_tokens: Annotated[int, at_least(0)] = 0
    # Of the divergence from the policy at the stage's start; 0: no reference is kept or run; 10: nothing else counts.
    kl_coef: Annotated[float, within(0, 10)] = 0.0
    kl: Literal["k1", "k2", "k3"] = "k3"  # how it is estimated

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("dual_clip", "objective"):
            bound, rule = self.dual_clip, "must be 0 for cispo, which clips both signs alike"
            yield from unless(bound == 0 or bound > 1, "dual_clip", "must be 0 or > 1", bound)
            yield from unless(self.objective != "cispo" or bound == 0, "dual_clip", rule, bound)


@dataclass(frozen=True)
class StageConfig:
    """One line of the recipe."""

    name: Annotated[str, file_name]  # in metrics, evaluations and --only
    kind: Literal["sft", "grpo"]  # of gold answers, or of sampled ones
    steps: Annotated[int, at_least(0)]  # rollouts with their updates, or supervised updates
    prompts_per_step: Annotated[int, at_least(1)]  # P, over all hosts
    optimizer: OptimizerConfig  # a fresh one for each stage
    mixture: MixtureConfig = dataclasses.field(default=MixtureConfig())  # what is drawn
    # Parts of an update; those without any signal are left out; never changes the gradient.
    micro_batches: Annotated[int, at_least(1)] = 1
    # Places for all completions of a group for which the update is compiled, ascending, beside G x max_tokens, which is
    # always there: each micro-batch takes the narrowest rows that hold its groups.
    row_widths: Annotated[tuple[int, ...], each(at_least(1))] = ()
    # What the backward pass computes again: nothing, whole blocks, or all of a block but its products with weights and
    # its attention.
    remat: Literal["none", "block", "dots"] = "block"
    group_size: Annotated[int, at_least(1)] = 1  # G; 1 for sft
    reward: RewardConfig = dataclasses.field(default=RewardConfig())  # of grpo
    loss: LossConfig = LossConfig()  # of grpo
    # What sft learns of a table's chats: all that the assistant says, or what it says last. All turns cost the head's
    # work over the prompt's tokens, so say last where no row has a history.
    turns: Literal["all", "last"] = "all"
    max_tokens: Annotated[int, at_least(0)] = 0  # of what sft has the model say last; 0: rollout.max_tokens
    # What sft has the model write before the engines' answers.
    auxiliary: AuxiliaryConfig = dataclasses.field(default=AuxiliaryConfig())
    # Optimizer updates of a step, each on its own part of the prompts.
    updates_per_rollout: Annotated[int, at_least(1)] = 1
    # Rollouts of a step until the rewards within each of its groups differ (DAPO); 1: one, as it is.
    max_rounds: Annotated[int, at_least(1)] = 1
    # Groups whose mean accuracy is not within, ends included, carry no signal either: (1, 1) learns from what is known
    # by other rewards than accuracy, (0.01, 0.99) from what is neither known nor hopeless (PeBR-R1's online filter).
    accuracy_band: Annotated[tuple[float, float], each(within(0, 1))] = (0.0, 1.0)
    # What completions talk with, over several turns; sft learns solutions that it shows.
    environment: EnvironmentConfig = dataclasses.field(default=EnvironmentConfig())

    @staticmethod
    def upgraded(data: Mapping[str, Any]) -> dict[str, Any]:
        """The same settings as this version writes them: an earlier one stored what nobody read, the reward of an sft
        stage and the turns of a grpo one."""
        unread = {"sft": "reward", "grpo": "turns"}.get(data.get("kind", ""))
        return {name: value for name, value in data.items() if name != unread}

    @property
    def learns_history(self) -> bool:
        """Whether tokens of prompts may carry loss: what the assistant said before its last turn."""
        has_history = bool(self.mixture.tables) or self.plays
        return self.kind == "sft" and self.turns == "all" and has_history

    @property
    def plays(self) -> bool:
        """Whether it has an environment."""
        return self.environment.name != "none"

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        widths, updates, prompts = self.row_widths, self.updates_per_rollout, self.prompts_per_step
        if sound("row_widths"):
            ascending = all(low < high for low, high in itertools.pairwise(widths))
            yield from unless(ascending, "row_widths", "must be ascending", widths)
        if sound("prompts_per_step", "micro_batches", "updates_per_rollout"):
            rule = "must be a multiple of micro_batches" + " x updates_per_rollout" * (updates > 1)
            multiple = prompts % (self.micro_batches * updates) == 0
            yield from unless(multiple, "prompts_per_step", rule, prompts)
        if sound("accuracy_band"):
            low, high = self.accuracy_band
            yield from unless(low <= high, "accuracy_band", "must be two accuracies in order", self.accuracy_band)
        if sound("steps", "updates_per_rollout", "optimizer.warmup_steps") and self.steps:
            longest, asked = LONGEST_WARMUP * self.steps * updates, self.optimizer.warmup_steps
            rule = f"must be <= {longest}, {LONGEST_WARMUP} x the stage's updates: its rate would never come near"
            yield from unless(asked <= longest, "optimizer.warmup_steps", rule, asked)
        if sound("kind", "group_size", "loss", "reward", "accuracy_band", "mixture.curriculum") and self.kind == "sft":
            yield from self._of_grpo_only()
        if sound("environment", "reward"):
            yield from self._endings()
        if sound("kind", "auxiliary") and self.kind == "grpo":
            rule = "must be left as it is for grpo, whose completions are the model's own"
            yield from unless(self.auxiliary == AuxiliaryConfig(), "auxiliary", rule, self.auxiliary)
        if sound("kind", "turns") and self.kind == "grpo":
            rule = "must be left as it is for grpo, which learns its completions"
            yield from unless(self.turns == "all", "turns", rule, self.turns)
        if sound("kind", "max_tokens") and self.kind == "grpo":
            rule = "must be 0 for grpo, whose completions have rollout.max_tokens"
            yield from unless(not self.max_tokens, "max_tokens", rule, self.max_tokens)

    def _endings(self) -> Iterator[Violation]:
        """Whether the environment's endings have what the reward names."""
        known = self.environment.parts
        for place, term in enumerate(self.reward.terms):
            if term.term == "ending":
                rule = f"must be one of {', '.join(known)}" if known else "must not be read without an environment"
                yield from unless(term.part in known, f"reward.terms.{place}.part", rule, term.part)

    def _of_grpo_only(self) -> Iterator[Violation]:
        """What a stage of supervised steps must leave as it is."""
        for name in ("group_size", "updates_per_rollout", "max_rounds"):
            yield from unless(getattr(self, name) == 1, name, "must be 1 for sft", getattr(self, name))
        whole, band = (0, 1), self.accuracy_band
        yield from unless(band == whole, "accuracy_band", "must be left as it is for sft", band)
        curriculum = self.mixture.curriculum.kind
        yield from unless(curriculum == "none", "mixture.curriculum.kind", "must be none for sft", curriculum)
        for name, default in (("loss", LossConfig()), ("reward", RewardConfig())):
            given = getattr(self, name)
            yield from unless(given == default, name, "must be left as it is for sft", given)
