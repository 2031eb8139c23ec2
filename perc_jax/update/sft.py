"""Supervised fine-tuning on gold answers: the negative log-likelihood of what the assistant says.

The same batch as GRPO's with G = 1: what is said last is the completion, what the assistant said before stands in the
prompt, in its place between what the user says and the pictures, and `TrainBatch.said` names its tokens. All of them
count alike, wherever they stand; nothing else of the prompt carries loss.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from perc_jax.batch import TrainBatch


def lesson(
    tokens: Int[np.ndarray, "P C"], mask: Bool[np.ndarray, "P C"], said: Bool[np.ndarray, "P S"] | None
) -> TrainBatch:
    """The host's part of a batch of gold completions, whose prompts are to be put in; `said` None: none of theirs."""
    nothing = np.zeros((len(tokens), 1, tokens.shape[1]), np.float32)
    return TrainBatch(None, tokens[:, None], mask[:, None], nothing, np.ones((len(tokens), 1), np.float32), said=said)


def carries_loss(mask: Bool[Array, "P 1 C"], said: Bool[Array, "P S"]) -> Bool[Array, "P 1 C+S"]:
    """Every token of rows that carries loss, completion and prompt in one."""
    return jnp.concatenate([mask, said[:, None]], axis=2)


def told_by_masks(batch: TrainBatch) -> TrainBatch:
    """A batch whose mask and log-probabilities are those of completion and prompt in one."""
    unsaid = jnp.zeros_like(batch.said, jnp.float32)[:, None]
    logprobs = jnp.concatenate([batch.logprobs, unsaid], axis=2)
    return batch._replace(mask=carries_loss(batch.mask, batch.said), logprobs=logprobs, said=None)


def with_prompts(completions: Sequence[Array], prompts: Sequence[Array]) -> list[Array]:
    """What is said of completions [P, 1, C] and of prompts [P, S] in one [P, 1, C+S], each for itself."""
    both = zip(completions, prompts, strict=True)
    return [jnp.concatenate([own, before[:, None]], axis=2) for own, before in both]


def nll_sum(logprobs: Float[Array, "P G C"], mask: Bool[Array, "P G C"]) -> Float[Array, ""]:
    """Sum of -log p over the answers' tokens, to be divided by the global number of trained tokens."""
    return -jnp.sum(jnp.where(mask, logprobs, 0.0))
