"""The sampling distribution: one definition for the sampler and the trainer.

Logits float32 [..., V] go in, log-probabilities of the same shape come out. Temperature, nucleus and the masks of
forbidden tokens are part of the policy, so both sides apply them here; a difference between them would bias every
ratio. It knows no model and no reward.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from perc_jax.batch import TokenIds
from perc_jax.rollout import maps

FORBIDDEN = -1e30  # finite, so that a softmax over it keeps finite gradients
HALVINGS = 26  # of about 20 nats, to float32's last digit of a log-probability
ONE = 2.0**30  # the probability 1 as a whole number: all tokens of any vocabulary, each rounded, are below 2^31


class Draws(NamedTuple):
    """How tokens are drawn."""

    temperature: float = 1.0  # 0: the likeliest token; log-probabilities are then those of temperature 1
    top_p: float = (
        1.0  # from the likeliest tokens that together have this probability at least, the nucleus; 1: from all
    )


def sampling_logprobs(
    logits: Float[Array, "*n V"],
    draws: Draws,
    ids: TokenIds,
    drawn: Int[Array, "*n"] | None = None,
    place: Int[Array, "*n"] | None = None,
) -> Float[Array, "*n V"]:
    """Log-probabilities of every token, in float32.

    Placeholders and vision marks (`ids.forbidden`) and ids that the tokenizer does not have get probability 0: a
    sampled image placeholder would shift the images of a prompt built from it. So do tokens beyond the nucleus, but for
    those `drawn`: the trainer's rounding, or an update, may have moved them out of it since, and a ratio of 0 would say
    that they cannot be.

    `place`: the tokens' places in a map (`maps.places`), where maps are sampled whole: what may not stand there has
    probability 0 too, and the nucleus is that of the rest. Raises `ValueError` if it is there and `ids.map` is not, or
    the other way round.
    """
    if (place is None) != (ids.map is None):
        raise ValueError("places in a map must be given where maps are sampled whole, and nowhere else")
    forbidden = jnp.zeros(logits.shape[-1], bool).at[jnp.array(ids.forbidden)].set(True)
    forbidden = forbidden | (jnp.arange(logits.shape[-1]) >= ids.vocab_size)
    if ids.map is not None:
        forbidden = forbidden | maps.forbidden(place, logits.shape[-1], ids.map)
    scaled = logits.astype(jnp.float32) / (draws.temperature or 1.0)
    logprobs = jax.nn.log_softmax(jnp.where(forbidden, FORBIDDEN, scaled))
    if draws.temperature == 0 or draws.top_p == 1:
        return logprobs
    kept = logprobs >= nucleus(logprobs, draws.top_p)[..., None]
    if drawn is not None:
        kept = kept | (jnp.arange(logits.shape[-1]) == drawn[..., None])
    return jax.nn.log_softmax(jnp.where(kept, logprobs, FORBIDDEN))


def nucleus(logprobs: Float[Array, "*n V"], top_p: float) -> Float[Array, "*n"]:
    """The log-probability from which on tokens belong to the nucleus (Holtzman et al., arXiv 1904.09751): the largest
    at which they have `top_p` together. Equally likely tokens belong to it together.

    By halving an interval, without sorting the vocabulary: a sum over it for each halving, also where it is split over
    devices. No gradient passes through the choice. Each pass chooses by its own parameters: where a rollout serves
    several updates, a ratio also changes when another token comes into the nucleus or leaves it.
    """
    logprobs = jax.lax.stop_gradient(logprobs)
    probabilities = jnp.exp(logprobs)

    def halve(_: Int[Array, ""], bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = (low + high) / 2
        mass = jnp.sum(jnp.where(logprobs >= middle[..., None], probabilities, 0.0), axis=-1)
        return jnp.where(mass >= top_p, middle, low), jnp.where(mass >= top_p, high, middle)

    # Tokens less likely than this have less than 1 - top_p together; none is likelier than 1.
    least = math.log((1 - top_p) / logprobs.shape[-1])
    low = jnp.full(logprobs.shape[:-1], least, jnp.float32)
    return jax.lax.fori_loop(0, HALVINGS, halve, (low, jnp.zeros_like(low)))[0]


def entropy(logprobs: Float[Array, "*n V"]) -> Float[Array, "*n"]:
    """Entropy in nats of each distribution; forbidden tokens add 0."""
    return -jnp.sum(jnp.exp(logprobs) * logprobs, axis=-1)


def take(logprobs: Float[Array, "*n V"], tokens: Int[Array, "*n"]) -> Float[Array, "*n"]:
    """The log-probability of each token."""
    # A sum over a vocabulary that is split over devices stays split; looking tokens up would gather it.
    chosen = jnp.arange(logprobs.shape[-1]) == tokens[..., None]
    return jnp.sum(jnp.where(chosen, logprobs, 0.0), axis=-1)


def draw(
    logprobs: Float[Array, "P G V"], keys: UInt32[Array, "P G 2"], columns: Int[Array, "P G"], devices: int = 1
) -> Int[Array, "P G"]:
    """Sample one token per row with the row's own key and column, so that neighbours and device counts change nothing.

    By one random number of 32 bits: it falls among the tokens' probabilities, laid end to end. These are whole numbers
    of 2^-30, whose sums are exact: the same token is found however the vocabulary is split and summed, and one without
    probability never. A token's own is off by half a unit at most. `devices`: over how many the vocabulary is split.
    """

    def bits(key: Array, column: Array) -> UInt32[Array, ""]:
        return jax.random.bits(jax.random.fold_in(key, column))

    weights = jnp.round(jnp.exp(logprobs) * ONE).astype(jnp.int32)
    blocks, find = _blocks(weights, devices)
    sums = blocks.sum(axis=-1)
    ends = jnp.cumsum(sums.reshape(*columns.shape, -1), axis=-1)
    aim = _share(jax.vmap(jax.vmap(bits))(keys, columns), ends[..., -1])
    block = jnp.sum(ends <= aim[..., None], axis=-1)
    is_chosen = (jnp.arange(ends.shape[-1]) == block[..., None]).reshape(sums.shape)
    before = aim - jnp.sum(jnp.where(is_chosen, ends.reshape(sums.shape) - sums, 0), axis=(-2, -1))
    inside = jnp.cumsum(jnp.sum(jnp.where(is_chosen[..., None], blocks, 0), axis=(-3, -2)), axis=-1)
    token = find(block, jnp.sum(inside <= before[..., None], axis=-1))
    return jnp.clip(token, 0, logprobs.shape[-1] - 1).astype(jnp.int32)  # of what is no number too


def _blocks(
    weights: Int[Array, "P G V"], parts: int
) -> tuple[Int[Array, "P G T n side"], Callable[[Array, Array], Array]]:
    """The vocabulary in blocks, each on one of the T devices that it is split over, and the function that finds a token
    from the number of its block and its place there."""
    *rows, vocabulary = weights.shape
    own = vocabulary // parts
    side = 2 ** round(math.log2(own) / 2)
    count = -(-own // side)
    by_device = jnp.pad(weights.reshape(*rows, parts, own), [(0, 0)] * (len(rows) + 1) + [(0, count * side - own)])

    def find(block: Array, place: Array) -> Array:
        return block // count * own + block % count * side + place

    return by_device.reshape(*rows, parts, count, side), find


def _share(bits: UInt32[Array, "P G"], total: Int[Array, "P G"]) -> Int[Array, "P G"]:
    """bits x total / 2^32, two less at most, without numbers of 64 bits; total < 2^31."""
    high, low = bits >> 16, bits & 0xFFFF
    total = total.astype(jnp.uint32)
    total_high, total_low = total >> 16, total & 0xFFFF
    return (high * total_high + (high * total_low >> 16) + (low * total_high >> 16)).astype(jnp.int32)
