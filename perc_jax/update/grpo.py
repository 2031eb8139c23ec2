"""GRPO and its relatives: advantages within groups, and the policy-gradient loss. Pure maths on [P, G] and [P, G, C].

GRPO is Shao et al. 2024 (arXiv 2402.03300), equations 1-4, with three deviations as the default:
1. Where a rollout serves one update, the policy that is trained is the one that sampled: the ratio is 1 by
   construction, its gradient is that of the log-probability, and no clipping is active. Where it serves several, the
   ratio is that of the trainer's probability now to the trainer's own before the first of them. The sampler, which
   rounds otherwise, is in neither: before the policy has moved nothing is clipped, whatever the dtypes.
2. The loss is the mean over all trained tokens of the update's batch (token mean, DAPO, arXiv 2503.14476 eq. 12)
   instead of a mean of per-completion means, so a long completion is not discounted.
3. Groups whose rewards are all equal carry no signal; they are masked out of the loss and out of its normaliser.

With r = pi / pi_old of a token, A its completion's advantage, l and h the config's `clip_low` and `clip_high`, the
terms that are maximised are
    grpo   min(r A, clip(r, 1 - l, 1 + h) A), which clips r from above where A > 0 and from below where A < 0
    gspo   the same with the completion's s = exp(mean over its tokens of log r) in the place of r
    cispo  stop_gradient(clip(r, 1 - l, 1 + h)) A log pi
l = h is PPO's clip (arXiv 1707.06347 eq. 7), h > l DAPO's clip-higher (arXiv 2503.14476 eq. 8). GSPO: arXiv 2507.18071
eq. 5-7. CISPO: arXiv 2506.13585 eq. 4-5. `dual_clip` c (Ye et al., arXiv 1912.09729) makes it max(., c A) where A < 0:
without it r, and the step, have no bound there.

What the sampler drew with other probabilities than the trainer's is corrected apart from the clipping: with
`sampler_weight` each of these terms is multiplied by min(pi_old / pi_sampler, `sampler_weight_cap`), the truncated
importance weight of IMPALA (arXiv 1802.01561), without gradient.

`kl_coef` adds its multiple of the divergence from a reference policy (GRPO eq. 3-4), token by token and aggregated like
the terms above. With d = log pi_ref - log pi the config's `kl` is one of Schulman's estimators of KL(pi || pi_ref)
(joschu.net/blog/kl-approx.html, 2020); GRPO's equation 4 is k3:
    k1 = -d         unbiased, of either sign; its gradient alone, that of log pi, is 0 on average on policy
    k2 = d^2 / 2    biased a little, of low variance; its gradient is, on policy, an unbiased one of the KL
    k3 = e^d - 1 - d    unbiased, never negative, of low variance
Groups without signal are left out of the loss here too (deviation 3).

Worked example, G = 4, rewards 1 0 0 1: mean 0.5, standard deviation 0.5, advantages +1 -1 -1 +1.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from perc_jax.config import LossConfig

EQUAL = 1e-6  # ten times what float32 rounds
MAX_LOG_RATIO = 20.0  # beyond it a ratio is cut without gradient: exp must stay finite even where it is clipped


class Advantages(NamedTuple):
    """Advantages of each completion, and which groups carry signal."""

    advantages: Float[Any, "P G"]
    has_signal: Bool[Any, "P"]


class PolicyLoss(NamedTuple):
    """A loss yet to be divided by `normaliser`; of the tokens with an advantage, how many had their ratio clipped, and
    the sum of what their ratios differ from 1."""

    total: Float[Array, ""]
    clipped: Float[Array, ""]
    moved: Float[Array, ""]


class Divergence(NamedTuple):
    """The KL term's part of the loss, yet to be divided by `normaliser`, and the estimate's sum over all tokens."""

    total: Float[Array, ""]
    estimate: Float[Array, ""]


def group_advantages(rewards: Float[Any, "P G"], *, standardise: bool = True) -> Advantages:
    """Centre rewards within each group and divide by their population standard deviation; numpy in, numpy out, jax in,
    jax out.

    Without `standardise` they are only centred: Dr. GRPO (arXiv 2503.20783), where a question that is nearly always or
    nearly never answered does not weigh more. A group with equal rewards gets advantages of exactly 0 and has_signal
    False; equal are those that differ by less than `EQUAL`, of the larger or of 1: as much as float32 makes of sums of
    the same worth, terms that are added up in another order.
    """
    spread = rewards.max(axis=1) - rewards.min(axis=1)
    has_signal = spread > EQUAL * abs(rewards).max(axis=1).clip(1)
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    if not standardise:
        return Advantages(centred * has_signal[:, None], has_signal)
    scale = rewards.std(axis=1, keepdims=True) + ~has_signal[:, None]  # 1 more where there is no signal: no 0 / 0
    return Advantages(centred / scale * has_signal[:, None], has_signal)


def per_reward_advantages(rewards: Float[Any, "N P G"], weights: Float[Any, "N"]) -> Advantages:
    """Standardise each of N rewards within each group and add them up by weight (GDPO, arXiv 2601.05242).

    So a reward that nearly every completion earns cannot drown the differences in another. The paper then divides by
    the deviation over the whole batch, which is the caller's part: it spans hosts.
    """
    parts = [group_advantages(reward).advantages * weight for reward, weight in zip(rewards, weights, strict=True)]
    advantages = sum(parts[1:], parts[0])
    return Advantages(advantages, (advantages != 0).any(axis=1))


def overlong_penalty(lengths: Float[Any, "P G"], max_tokens: int, overlong_tokens: int) -> Float[Any, "P G"]:
    """What a reward loses for length (DAPO's soft overlong punishment, arXiv 2503.14476 eq. 13): 0 up to `max_tokens -
    overlong_tokens` tokens, from there linearly down to -1 at `max_tokens`, where completions are cut."""
    return -(lengths - (max_tokens - overlong_tokens)).clip(0, overlong_tokens) / overlong_tokens


def policy_loss_sum(
    logprobs: Float[Array, "P G C"],
    old_logprobs: Float[Array, "P G C"] | None,
    advantages: Float[Array, "P G"],
    mask: Bool[Array, "P G C"],
    config: LossConfig,
    *,
    on_policy: bool,
    weights: Float[Array, "P G C"] | None = None,
) -> PolicyLoss:
    """Minus the weighted sum of the config's terms over the tokens of the mask.

    `on_policy` says that the parameters are those that sampled: then the ratio is exp(logprob - stop_gradient(logprob))
    with the value 1 and the gradient of the log-probability, and nobody reads the old ones. `weights`: what each
    token's term is multiplied by (`sampler_weights`).
    """
    old = jax.lax.stop_gradient(logprobs) if on_policy else old_logprobs
    log_ratio = jnp.where(mask, logprobs - old, 0.0)
    if config.objective == "gspo":
        log_ratio = jnp.sum(log_ratio, axis=2, keepdims=True) / _lengths(mask)
    ratio = jnp.exp(jnp.minimum(log_ratio, MAX_LOG_RATIO))
    advantages, beyond, moved = advantages[:, :, None], jnp.float32(0), jnp.float32(0)
    fixed = jnp.float32(1)  # the value of a ratio that is a weight only
    if not on_policy:
        lower, upper = _bounds(advantages, config)
        is_inside, counted = (ratio >= lower) & (ratio <= upper), mask & (advantages != 0)
        fixed = jnp.clip(jax.lax.stop_gradient(ratio), lower, upper)
        beyond = jnp.sum(counted & ~is_inside).astype(jnp.float32)
        moved = jnp.sum(jnp.where(counted, jnp.abs(jax.lax.stop_gradient(ratio) - 1.0), 0.0))
        ratio = jnp.where(is_inside, ratio, fixed)
    if config.objective == "cispo":
        ratio = fixed * jnp.where(mask, logprobs, 0.0)
    terms = jnp.where(mask, ratio * advantages, 0.0)
    return PolicyLoss(-_weighted_sum(terms if weights is None else terms * weights, mask, config), beyond, moved)


def sampler_weights(
    old_logprobs: Float[Array, "P G C"], sampler_logprobs: Float[Array, "P G C"], mask: Bool[Array, "P G C"], cap: float
) -> tuple[Float[Array, "P G C"], Float[Array, ""]]:
    """The importance weight pi_old / pi_sampler of each token, at most `cap` and without gradient; how many were cut.

    1 beyond the mask.
    """
    log_weights = jnp.where(mask, jax.lax.stop_gradient(old_logprobs - sampler_logprobs), 0.0)
    limit = math.log(cap)
    return jnp.exp(jnp.minimum(log_weights, limit)), jnp.sum(log_weights > limit).astype(jnp.float32)


def kl_loss_sum(
    logprobs: Float[Array, "P G C"],
    reference_logprobs: Float[Array, "P G C"],
    advantages: Float[Array, "P G"],
    mask: Bool[Array, "P G C"],
    config: LossConfig,
) -> Divergence:
    """`kl_coef` times the weighted sum of the config's estimates over the tokens of groups with signal."""
    difference = jnp.where(mask, reference_logprobs - logprobs, 0.0)
    if config.kl == "k1":
        each = -difference
    elif config.kl == "k2":
        each = jnp.square(difference) / 2
    else:
        each = jnp.exp(jnp.minimum(difference, MAX_LOG_RATIO)) - 1 - difference
    counted = jnp.where(_has_signal(advantages), each, 0.0)
    return Divergence(config.kl_coef * _weighted_sum(counted, mask, config), jnp.sum(each))


def _weighted_sum(terms: Float[Array, "P G C"], mask: Bool[Array, "P G C"], config: LossConfig) -> Float[Array, ""]:
    """The sum of all tokens' terms, each with the weight that the config's aggregation gives it."""
    if config.aggregation == "completion_mean":
        terms = terms / _lengths(mask)
    elif config.aggregation == "constant":
        terms = terms / mask.shape[2]
    return jnp.sum(terms)


def _has_signal(advantages: Float[Array, "P G"]) -> Bool[Array, "P 1 1"]:
    return jnp.any(advantages != 0, axis=1)[:, None, None]


def _lengths(mask: Bool[Array, "P G C"]) -> Int[Array, "P G 1"]:
    """Trained tokens of each completion, at least 1."""
    return jnp.maximum(jnp.sum(mask, axis=2, keepdims=True), 1)


def _bounds(advantages: Float[Array, "P G 1"], config: LossConfig) -> tuple[Array, Array]:
    """Between which ratios a completion is trained on; beyond them a larger step would not be held back otherwise."""
    low, high = 1.0 - config.clip_low, 1.0 + config.clip_high
    if config.objective == "cispo":
        return jnp.full_like(advantages, low), jnp.full_like(advantages, high)
    return jnp.where(advantages >= 0, 0.0, low), jnp.where(advantages >= 0, high, config.dual_clip or jnp.inf)


def normaliser(
    mask: Bool[Array, "P G C"], advantages: Float[Array, "P G"], config: LossConfig, groups: int | None = None
) -> Float[Array, ""]:
    """What the loss sum of an update's whole batch is divided by, at least 1; `groups` of it count (default: all).

    token_mean: trained tokens (DAPO). completion_mean: completions, each a mean over its own tokens (GRPO eq. 3, GSPO).
    Both of groups with signal only. constant: all completions, each a sum over its tokens divided by C, whatever was
    sampled (Dr. GRPO, arXiv 2503.20783: no bias towards short right and long wrong answers).
    """
    if config.aggregation == "constant":
        return jnp.float32((groups or mask.shape[0]) * mask.shape[1])
    counted = mask if config.aggregation == "token_mean" else jnp.any(mask, axis=2, keepdims=True)
    return trained_count(counted, advantages)


def trained_count(mask: Bool[Array, "P G C"], advantages: Float[Array, "P G"]) -> Float[Array, ""]:
    """Entries of the mask in groups with signal, at least 1."""
    return jnp.maximum(jnp.sum(mask & _has_signal(advantages)), 1).astype(jnp.float32)


def mismatch(
    logprobs: Float[Array, "P G C"], sampler_logprobs: Float[Array, "P G C"], mask: Bool[Array, "P G C"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Sum over tokens and maximum of |p_trainer - p_sampler|: zero but for rounding when both are the same policy."""
    difference = jnp.where(mask, jnp.abs(jnp.exp(logprobs) - jnp.exp(sampler_logprobs)), 0.0)
    return jnp.sum(difference), jnp.max(difference)
