"""Supervised fine-tuning on gold answers: the negative log-likelihood of the answer's tokens.

The same batch as GRPO's with G = 1; the prompt carries no loss.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def nll_sum(logprobs: Float[Array, "P G C"], mask: Bool[Array, "P G C"]) -> Float[Array, ""]:
    """Sum of -log p over the answers' tokens, to be divided by the global number of trained tokens."""
    return -jnp.sum(jnp.where(mask, logprobs, 0.0))
