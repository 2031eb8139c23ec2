"""From a rollout's tokens to its rewards, advantages, metrics and pages: the host's part of a GRPO step.

`Completions` [P, G, C] of this host and their samples go in; one `Graded` comes out. A group never spans hosts, so
rewards and advantages need no other host; only the counts behind the metrics are summed over all of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

import engines
from engines.base import make_rng
from perc_jax import samples, sharding
from perc_jax.batch import Completions
from perc_jax.config import Config, RewardConfig
from perc_jax.data import Batch, SampleInfo
from perc_jax.grpo import group_advantages
from perc_jax.reward import Verdict, Verifier, rewards
from perc_jax.tokenizer import Tokenizer

SHOWN_PROMPTS = 4  # of a step whose samples are kept


class Graded(NamedTuple):
    """P x G completions, graded."""

    texts: list[str]  # P * G, group by group
    verdicts: list[Verdict]
    rewards: Float[np.ndarray, "P G"]
    accuracy: Float[np.ndarray, "P G"]
    format: Float[np.ndarray, "P G"]
    advantages: Float[np.ndarray, "P G"]
    has_signal: Bool[np.ndarray, " P"]


def grade(
    completions: Completions,
    infos: Sequence[SampleInfo],
    tokens: Tokenizer,
    verifier: Verifier,
    config: RewardConfig,
    name: tuple[int, int],
) -> Graded:
    """Decode, verify and weigh; `name` (run seed, step) keys the coins of a control run."""
    prompts, group = completions.ended.shape
    rows = completions.tokens.reshape(prompts * group, -1)
    masks = completions.mask.reshape(prompts * group, -1)
    texts = [tokens.decode(row[mask].tolist()) for row, mask in zip(rows, masks, strict=True)]
    verdicts = verifier.verify(texts, [info.answer for info in infos for _ in range(group)])
    # One stream of coins per prompt: a prompt's coins do not depend on the host or the place it is verified in.
    coins = [make_rng("coin", *name, info.sample_id) for info in infos]
    parts = [rewards(verdicts[p * group : (p + 1) * group], config, coins[p]) for p in range(prompts)]
    total, accuracy, form = (np.stack(column) for column in zip(*parts, strict=True))
    advantages, has_signal = group_advantages(total)
    return Graded(texts, verdicts, total, accuracy, form, advantages.astype(np.float32), has_signal)


def summarise(graded: Graded, completions: Completions, infos: Sequence[SampleInfo]) -> dict[str, float]:
    """Metrics of a rollout over all hosts, by path; an engine that was not drawn has no accuracy in this step."""
    prompts, group = graded.rewards.shape
    correct = graded.accuracy.sum(axis=1)
    sums = {
        "rollout/reward": float(graded.rewards.sum()),
        "rollout/accuracy": float(correct.sum()),
        "rollout/format": float(graded.format.sum()),
        "rollout/completion_length": float(completions.mask.sum()),
        "rollout/cut_share": float((~completions.ended).sum()),
        "rollout/timed_out": float(sum(verdict.timed_out for verdict in graded.verdicts)),
        "groups/no_signal_share": float((~graded.has_signal).sum()),
        "groups/all_right_share": float((correct == group).sum()),
        "groups/all_wrong_share": float((correct == 0).sum()),
        "prompts": float(prompts),
    }
    for engine in engines.ENGINES:
        mine = np.array([info.engine == engine for info in infos])
        sums[f"rollout/accuracy/{engine}"] = float(correct[mine].sum())
        sums[f"prompts/{engine}"] = float(mine.sum())
    sums = sharding.sum_over_hosts(sums)
    metrics = {}
    for name, value in sums.items():
        if name.startswith("rollout/accuracy/"):
            drawn = sums[f"prompts/{name.rpartition('/')[2]}"]
            if drawn:
                metrics[name] = value / (drawn * group)
        elif name.startswith("groups/"):
            metrics[name] = value / sums["prompts"]
        elif name == "rollout/timed_out":
            metrics[name] = value
        elif name.startswith("rollout/"):
            metrics[name] = value / (sums["prompts"] * group)
    return metrics


def shown(graded: Graded, completions: Completions, batch: Batch, config: Config) -> list[samples.Shown]:
    """The first prompts of a step with all their answers."""
    group = graded.rewards.shape[1]
    pages = []
    for row in range(min(SHOWN_PROMPTS, len(batch.samples))):
        mine = slice(row * group, (row + 1) * group)
        answers = samples.answers(
            graded.texts[mine],
            graded.verdicts[mine],
            completions.ended[row],
            graded.rewards[row],
            graded.advantages[row],
        )
        pages.append(samples.Shown(batch.samples[row], samples.picture(config, batch.prompts, row), answers))
    return pages
