"""Attention with all scores at once: the plain way, and the reference of the others. Also the one-token step.

Every rule is computed *structurally*: a part of the scores exists only where a query can see keys. Parts that share a
query share one softmax (`mix`), in float32. A prompt's padding, which sees no key, gets a finite average.
q has H = K * R heads: R query heads read each of the K key/value heads.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from perc_jax.batch import Array
from perc_jax.model.cache import Quantised, Stored

HIDDEN = -1e30  # score of a key that may not be seen; finite, so that a row of nothing but padding stays finite


class Rows(NamedTuple):
    """How group rows `[prompt | completion 1 | … | completion G]` are cut: what the rule of attention reads."""

    prompt_mask: Bool[Array, "P S"]  # real tokens
    columns: Int[Array, "P W"]  # each token's place in its own completion
    longest: int  # tokens that a completion has at most

    @classmethod
    def of_prompts(cls, prompt_mask: Bool[Array, "P S"]) -> "Rows":
        """Rows without completions."""
        return cls(prompt_mask, jnp.zeros((prompt_mask.shape[0], 0), jnp.int32), 0)


def scores(
    rule: str, q: Float[Array, "..."], k: Float[Array, "..."], mask: Bool[Array, "..."] | None = None
) -> Float[Array, "..."]:
    """Scaled dot products in float32, `HIDDEN` where the mask (broadcast) is False."""
    raw = jnp.einsum(rule, q * q.shape[-1] ** -0.5, k, preferred_element_type=jnp.float32)
    return raw if mask is None else jnp.where(mask, raw, HIDDEN)


def mix(*blocks: Float[Array, "..."]) -> tuple[tuple[Float[Array, "..."], ...], Float[Array, "... 1"]]:
    """One softmax over the last axes of several score parts: their unnormalised weights and the common sum."""
    top = blocks[0].max(axis=-1, keepdims=True)
    for block in blocks[1:]:
        top = jnp.maximum(top, block.max(axis=-1, keepdims=True))
    top = jax.lax.stop_gradient(top)  # the softmax does not depend on it
    weights = tuple(jnp.exp(block - top) for block in blocks)
    return weights, sum(block.sum(axis=-1, keepdims=True) for block in weights)


def weighted(rule: str, weights: Float[Array, "..."], v: Float[Array, "..."]) -> Float[Array, "..."]:
    """Sum values by weights rounded to the values' dtype, accumulated in float32."""
    return jnp.einsum(rule, weights.astype(v.dtype), v, preferred_element_type=jnp.float32)


def same_segment(
    q: Float[Array, "B T H hd"], k: Float[Array, "B T H hd"], v: Float[Array, "B T H hd"], segment: Int[Array, "B T"]
) -> Float[Array, "B T H hd"]:
    """Attend within segments, as the rule in `attention` says."""
    mask = segment[:, None, :, None] == segment[:, None, None, :]
    (weights,), total = mix(scores("bqhd,bkhd->bhqk", q, k, mask))
    # Normalised before the sum: the product with v then lands in [B, T, H, hd] without another transpose.
    return weighted("bhqk,bkhd->bqhd", weights / total, v).astype(q.dtype)


def causal(
    q: Float[Array, "P K R S hd"], k: Float[Array, "P K S hd"], v: Float[Array, "P K S hd"], mask: Bool[Array, "P S"]
) -> Float[Array, "P K R S hd"]:
    """Attend to real positions up to one's own."""
    seen = jnp.tril(jnp.ones((k.shape[2], k.shape[2]), bool)) & mask[:, None, None, None, :]
    (weights,), total = mix(scores("pkrsd,pktd->pkrst", q, k, seen))
    return (weighted("pkrst,pktd->pkrsd", weights, v) / total).astype(q.dtype)


def completions(
    q: Float[Array, "P K R W hd"],
    prompt_k: Float[Array, "P K S hd"],
    prompt_v: Float[Array, "P K S hd"],
    k: Float[Array, "P K W hd"],
    v: Float[Array, "P K W hd"],
    rows: Rows,
) -> Float[Array, "P K R W hd"]:
    """Attend to the whole real prompt and causally to one's own completion, in one softmax.

    Places are cut into blocks of `longest`: a completion lies in one of them or across two neighbours, so that nobody
    needs keys further away than the block before. Rows too short for that to pay are one block.
    """
    width = k.shape[2]
    side = rows.longest if 2 * rows.longest < width else width
    blocks = -(-width // side)
    extra = blocks * side - width
    q, k, v = (jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(0, extra), (0, 0)]) for x in (q, k, v))
    columns = jnp.pad(rows.columns, [(0, 0), (0, extra)]).reshape(-1, blocks, side)
    q = q.reshape(*q.shape[:3], blocks, side, -1).swapaxes(2, 3)  # [P,K,n,R,t,hd]
    k, v = (_with_block_before(x.reshape(*x.shape[:2], blocks, side, -1)) for x in (k, v))
    place, key_place = side + jnp.arange(side), (2 * side - k.shape[3]) + jnp.arange(k.shape[3])
    distance = place[:, None] - key_place
    seen = (distance >= 0) & (distance <= columns[..., None])
    to_prompt = scores("pknrtd,pksd->pknrts", q, prompt_k, rows.prompt_mask[:, None, None, None, None, :])
    to_own = scores("pknrtd,pknud->pknrtu", q, k, seen[:, None, :, None])
    (over_prompt, over_own), total = mix(to_prompt, to_own)
    out = weighted("pknrts,pksd->pknrtd", over_prompt, prompt_v) + weighted("pknrtu,pknud->pknrtd", over_own, v)
    out = (out / total).astype(q.dtype).swapaxes(2, 3)
    return out.reshape(*out.shape[:3], blocks * side, -1)[..., :width, :]


def _with_block_before(blocks: Float[Array, "P K n t hd"]) -> Float[Array, "P K n u hd"]:
    """Each block with the one before it in front; a single block as it is."""
    if blocks.shape[2] == 1:
        return blocks
    before = jnp.pad(blocks[:, :, :-1], [(0, 0), (0, 0), (1, 0), (0, 0), (0, 0)])
    return jnp.concatenate([before, blocks], axis=3)


def group_row(
    q: Float[Array, "P T K R hd"],
    k: Float[Array, "P T K hd"],
    v: Float[Array, "P T K hd"],
    rows: Rows,
) -> Float[Array, "P T K R hd"]:
    """Attend within group rows, as the rule in `attention` says."""
    length = rows.prompt_mask.shape[1]
    queries = jnp.moveaxis(q, 1, 3)  # [P,K,R,T,hd]: heads lead, so that scores are plain batched matrix products
    keys, values = jnp.swapaxes(k, 1, 2), jnp.swapaxes(v, 1, 2)
    prompt_k, prompt_v = keys[:, :, :length], values[:, :, :length]
    out = causal(queries[..., :length, :], prompt_k, prompt_v, rows.prompt_mask)
    if q.shape[1] > length:
        own = (queries[..., length:, :], prompt_k, prompt_v, keys[:, :, length:], values[:, :, length:])
        out = jnp.concatenate([out, completions(*own, rows)], axis=3)
    return jnp.moveaxis(out, 3, 1)


def decode_step(
    q: Float[Array, "P W K R hd"],
    k: Float[Array, "P W K hd"],
    v: Float[Array, "P W K hd"],
    prompt_cache: tuple[Stored, Stored],
    prompt_mask: Bool[Array, "P S"],
    ring: tuple[Stored, Stored],
    seen: Bool[Array, "P W B"],
) -> Float[Array, "P W K R hd"]:
    """Attend from one new token per row to its prompt, its own earlier columns and itself, in one softmax.

    prompt_cache [P,K,S,hd] and ring [P,K,W,B,hd] are only read, the prompt's once for all of its W rows; `seen` tells
    which columns of the ring are the row's. Heads stand before rows in the ring as in every product here: in another
    order a TPU would copy it at every token.
    """
    (prompt_k, prompt_v), (own_k, own_v) = prompt_cache, ring
    q, k, v = (jnp.swapaxes(x, 1, 2) for x in (q, k, v))
    to_prompt = _stored_scores("pkgrd,pksd->pkgrs", q, prompt_k, prompt_mask[:, None, None, None, :])
    to_own = _stored_scores("pkgrd,pkgcd->pkgrc", q, own_k, seen[:, None, :, None, :])
    to_self = scores("pkgrd,pkgd->pkgr", q, k)[..., None]
    (over_prompt, over_own, over_self), total = mix(to_prompt, to_own, to_self)
    out = _stored_sum("pkgrs,pksd->pkgrd", over_prompt, prompt_v, q.dtype)
    out = out + _stored_sum("pkgrc,pkgcd->pkgrd", over_own, own_v, q.dtype)
    out = out + over_self * v[:, :, :, None].astype(jnp.float32)
    return jnp.swapaxes((out / total).astype(q.dtype), 1, 2)


def _stored_scores(
    rule: str, q: Float[Array, "P K W R hd"], k: Stored, mask: Bool[Array, "..."]
) -> Float[Array, "P K W R n"]:
    """`scores` of stored keys."""
    if not isinstance(k, Quantised):
        return scores(rule, q, k, mask)
    # Scales multiply the scores: the keys themselves are read as they are kept.
    return jnp.where(mask, scores(rule, q, k.data.astype(q.dtype)) * _over_queries(k.scale), HIDDEN)


def _stored_sum(rule: str, weights: Float[Array, "P K W R n"], v: Stored, dtype: jnp.dtype) -> Array:
    """`weighted` sum of stored values."""
    if not isinstance(v, Quantised):
        return weighted(rule, weights, v)
    return weighted(rule, weights * _over_queries(v.scale), v.data.astype(dtype))


def _over_queries(scale: Float[Array, "P K *W n"]) -> Float[Array, "P K W1 R1 n"]:
    """A scale per key [P,K,n] or [P,K,W,n], for scores [P,K,W,R,n]."""
    return scale.reshape(*scale.shape[:-1], *[1] * (5 - scale.ndim), scale.shape[-1])
