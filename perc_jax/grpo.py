"""GRPO: group-normalised advantages and the policy-gradient loss. Pure maths on [P, G] and [P, G, C].

Shao et al. 2024 (arXiv 2402.03300), equations 1-3 with three deviations:
1. Strictly on-policy (one update per rollout) with KL coefficient 0: the ratio is 1 and its gradient is that of the
   log-probability, so neither old nor reference log-probabilities are computed, and no clipping can be active.
2. The loss is the mean over all trained tokens of the global batch (token mean, DAPO, arXiv 2503.14476 eq. 12) instead
   of a mean of per-completion means, so a long completion is not discounted and micro-batching cannot change it.
3. Groups whose rewards are all equal carry no signal; they are masked out of the loss and out of its normaliser.

Worked example, G = 4, rewards 1 0 0 1: mean 0.5, standard deviation 0.5, advantages +1 -1 -1 +1.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


class Advantages(NamedTuple):
    """Advantages of each completion, and which groups carry signal."""

    advantages: Float[Any, "P G"]
    has_signal: Bool[Any, "P"]


def group_advantages(rewards: Float[Any, "P G"]) -> Advantages:
    """Standardise rewards within each group (population standard deviation); numpy in, numpy out, jax in, jax out.

    A group with equal rewards gets advantages of exactly 0 and has_signal False.
    """
    has_signal = rewards.max(axis=1) > rewards.min(axis=1)
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    scale = rewards.std(axis=1, keepdims=True) + ~has_signal[:, None]  # 1 more where there is no signal: no 0 / 0
    return Advantages(centred / scale * has_signal[:, None], has_signal)


def policy_loss_sum(
    logprobs: Float[Array, "P G C"], advantages: Float[Array, "P G"], mask: Bool[Array, "P G C"]
) -> Float[Array, ""]:
    """Minus the sum over tokens of ratio x advantage, to be divided by the global number of trained tokens.

    The ratio exp(logprob - stop_gradient(logprob)) has the value 1 and the gradient of the log-probability.
    """
    ratio = jnp.exp(logprobs - jax.lax.stop_gradient(logprobs))
    return -jnp.sum(jnp.where(mask, ratio * advantages[:, :, None], 0.0))


def mismatch(
    logprobs: Float[Array, "P G C"], sampler_logprobs: Float[Array, "P G C"], mask: Bool[Array, "P G C"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Sum over tokens and maximum of |p_trainer - p_sampler|: zero but for rounding when both are the same policy."""
    difference = jnp.where(mask, jnp.abs(jnp.exp(logprobs) - jnp.exp(sampler_logprobs)), 0.0)
    return jnp.sum(difference), jnp.max(difference)
