"""The sampling distribution: one definition for the sampler and the trainer.

Logits float32 [..., V] go in, log-probabilities of the same shape come out. Temperature and the mask of forbidden
tokens are part of the policy, so both sides apply them here; a difference between them would bias every ratio.
It knows no model and no reward.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from perc_jax.batch import TokenIds

FORBIDDEN = -1e30  # finite, so that a softmax over it keeps finite gradients


def sampling_logprobs(logits: Float[Array, "*n V"], temperature: float, ids: TokenIds) -> Float[Array, "*n V"]:
    """Log-probabilities of every token at a temperature > 0, in float32.

    Placeholders and vision marks (`ids.forbidden`) and ids that the tokenizer does not have get probability 0: a
    sampled image placeholder would shift the images of a prompt built from it.
    """
    forbidden = jnp.zeros(logits.shape[-1], bool).at[jnp.array(ids.forbidden)].set(True)
    forbidden = forbidden | (jnp.arange(logits.shape[-1]) >= ids.vocab_size)
    return jax.nn.log_softmax(jnp.where(forbidden, FORBIDDEN, logits.astype(jnp.float32) / temperature))


def entropy(logprobs: Float[Array, "*n V"]) -> Float[Array, "*n"]:
    """Entropy in nats of each distribution; forbidden tokens add 0."""
    return -jnp.sum(jnp.exp(logprobs) * logprobs, axis=-1)


def take(logprobs: Float[Array, "*n V"], tokens: Int[Array, "*n"]) -> Float[Array, "*n"]:
    """The log-probability of each token."""
    # A sum over a vocabulary that is split over devices stays split; looking tokens up would gather it.
    chosen = jnp.arange(logprobs.shape[-1]) == tokens[..., None]
    return jnp.sum(jnp.where(chosen, logprobs, 0.0), axis=-1)


def draw(
    logprobs: Float[Array, "P G V"], keys: UInt32[Array, "P G 2"], columns: Int[Array, "P G"]
) -> Int[Array, "P G"]:
    """Sample one token per row with the row's own key and column, so that neighbours and device counts change nothing.

    By the largest of log-probabilities plus Gumbel noise: nothing is sorted or summed up over the vocabulary.
    """

    def one(key, row, column):
        return jax.random.categorical(jax.random.fold_in(key, column), row)

    return jax.vmap(jax.vmap(one))(keys, logprobs, columns).astype(jnp.int32)
