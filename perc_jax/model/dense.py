"""Attention with all scores at once: the plain way, and the reference of the others. Also the one-token step.

Every rule is computed *structurally*: a part of the scores exists only where a query can see keys. Parts that share a
query share one softmax (`mix`), in float32. A prompt's padding, which sees no key, gets a finite average.
q has H = K * R heads: R query heads read each of the K key/value heads.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Bool, Float, Int

from perc_jax.batch import Array
from perc_jax.model.cache import Quantised, Stored
from perc_jax.model.layers import ATTENTION

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


class Part(NamedTuple):
    """Keys and values, and which of them each query sees. Blocks of queries read their own (m = n) or all the same."""

    k: Float[Array, "P K m U hd"]
    v: Float[Array, "P K m U hd"]
    seen: Bool[Array, "P n t U"]  # n and t may be 1: the same for all


def scores(
    rule: str, q: Float[Array, "..."], k: Float[Array, "..."], mask: Bool[Array, "..."] | None = None
) -> Float[Array, "..."]:
    """Scaled dot products in float32, `HIDDEN` where the mask (broadcast) is False."""
    raw = jnp.einsum(rule, q * q.shape[-1] ** -0.5, k, preferred_element_type=jnp.float32)
    return raw if mask is None else jnp.where(mask, raw, HIDDEN)


def mix(*blocks: Float[Array, "..."]) -> tuple[tuple[Float[Array, "..."], ...], Float[Array, "... 1"]]:
    """One softmax over the last axes of several score parts: their unnormalised weights and the common sum."""
    weights, _, total = _softmax(blocks)
    return weights, total


def weighted(rule: str, weights: Float[Array, "..."], v: Float[Array, "..."]) -> Float[Array, "..."]:
    """Sum values by weights rounded to the values' dtype, accumulated in float32."""
    return jnp.einsum(rule, weights.astype(v.dtype), v, preferred_element_type=jnp.float32)


def _softmax(blocks: Sequence[Float[Array, "..."]]) -> tuple[tuple[Array, ...], Array, Array]:
    """`mix`, with the largest score between the two."""
    top = functools.reduce(jnp.maximum, [block.max(axis=-1, keepdims=True) for block in blocks])
    weights = tuple(jnp.exp(block - top) for block in blocks)
    return weights, top, sum(block.sum(axis=-1, keepdims=True) for block in weights)


@jax.custom_vjp
def attend(q: Float[Array, "P K n R t hd"], parts: tuple[Part, ...]) -> Float[Array, "P K n R t hd"]:
    """Attend from n blocks of t queries, R to a key/value head, to all parts under one softmax.

    The backward pass makes the weights again from each query's maximum and sum (Dao et al. 2022, arXiv 2205.14135,
    section 3.1), so none of them is stored; its products are ordered so that only queries are ever transposed, which
    are few beside the scores.
    """
    return _attend_forward(q, parts)[0]


def _attend_forward(q: Array, parts: tuple[Part, ...]) -> tuple[Array, tuple[Any, ...]]:
    weights, top, total = _softmax([_scores_of(q, part) for part in parts])
    out = sum(_over_keys(block.astype(q.dtype), part.v) for block, part in zip(weights, parts, strict=True)) / total
    out, top, total = (checkpoint_name(x, ATTENTION) for x in (out.astype(q.dtype), top, total))
    return out, (q, parts, out, top, total)


def _attend_backward(saved: tuple[Any, ...], to_out: Array) -> tuple[Array, tuple[Part, ...]]:
    q, parts, out, top, total = saved
    to_out = to_out.astype(jnp.float32) / total  # here and not at the weights, which are many more
    through_total = jnp.sum(to_out * out.astype(jnp.float32), axis=-1, keepdims=True)
    to_out = to_out.astype(q.dtype)
    to_q, to_parts = jnp.float32(0), []
    for part in parts:
        weights = jnp.exp(_scores_of(q, part) - top)
        to_scores = (weights * (_over_width(to_out, part.v) - through_total)).astype(q.dtype)
        to_q += _over_keys(to_scores, part.k)
        to_k = _over_queries_of(q, to_scores, part.k) * q.shape[-1] ** -0.5
        to_v = _over_queries_of(to_out, weights.astype(q.dtype), part.v)
        to_parts.append(Part(to_k.astype(part.k.dtype), to_v.astype(part.v.dtype), None))
    return (to_q * q.shape[-1] ** -0.5).astype(q.dtype), tuple(to_parts)


attend.defvjp(_attend_forward, _attend_backward)


def _scores_of(q: Float[Array, "P K n R t hd"], part: Part) -> Float[Array, "P K n R t U"]:
    # Tied to the queries: otherwise JAX takes what does not change from layer to layer, masks as large as the scores,
    # out of a scan over layers and stores it.
    q, seen = jax.lax.optimization_barrier((q, part.seen))
    hidden = jnp.where(seen, 0.0, HIDDEN)[:, None, :, None]  # added, every score that it is added to is lost in it
    return _over_width(q * q.shape[-1] ** -0.5, part.k) + hidden


def _over_width(a: Float[Array, "P K n R t hd"], keys: Float[Array, "P K m U hd"]) -> Float[Array, "P K n R t U"]:
    out = jnp.einsum("pkmqd,pkmud->pkmqu", _by_keys(a, keys), keys, preferred_element_type=jnp.float32)
    return out.reshape(*a.shape[:-1], -1)


def _over_keys(a: Float[Array, "P K n R t U"], values: Float[Array, "P K m U hd"]) -> Float[Array, "P K n R t hd"]:
    out = jnp.einsum("pkmqu,pkmud->pkmqd", _by_keys(a, values), values, preferred_element_type=jnp.float32)
    return out.reshape(*a.shape[:-1], -1)


def _over_queries_of(
    a: Float[Array, "P K n R t hd"], b: Float[Array, "P K n R t U"], keys: Float[Array, "P K m U hd"]
) -> Float[Array, "P K m U hd"]:
    rule = "pkmqd,pkmqu->pkmdu"
    out = jnp.einsum(rule, _by_keys(a, keys), _by_keys(b, keys), preferred_element_type=jnp.float32)
    return jnp.swapaxes(out, 3, 4)


def _by_keys(a: Float[Array, "P K n R t X"], keys: Float[Array, "P K m U hd"]) -> Float[Array, "P K m Q X"]:
    """Queries in line that read the same keys: those of one block, or all."""
    return a.reshape(*keys.shape[:3], -1, a.shape[-1])


def same_segment(
    q: Float[Array, "B T H hd"], k: Float[Array, "B T H hd"], v: Float[Array, "B T H hd"], segment: Int[Array, "B T"]
) -> Float[Array, "B T H hd"]:
    """Attend within segments, as the rule in `attention` says."""
    q, k, v = (jnp.swapaxes(x, 1, 2)[:, :, None] for x in (q, k, v))
    seen = (segment[:, :, None] == segment[:, None, :])[:, None]
    return jnp.swapaxes(attend(q[:, :, None], (Part(k, v, seen),))[:, :, 0, 0], 1, 2)


def causal(
    q: Float[Array, "P K R S hd"], k: Float[Array, "P K S hd"], v: Float[Array, "P K S hd"], mask: Bool[Array, "P S"]
) -> Float[Array, "P K R S hd"]:
    """Attend to real positions up to one's own."""
    seen = jnp.tril(jnp.ones((k.shape[2], k.shape[2]), bool)) & mask[:, None, None, :]
    return attend(q[:, :, None], (Part(k[:, :, None], v[:, :, None], seen),))[:, :, 0]


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
    prompt = Part(prompt_k[:, :, None], prompt_v[:, :, None], rows.prompt_mask[:, None, None, :])
    own = Part(k, v, (distance >= 0) & (distance <= columns[..., None]))
    out = attend(q, (prompt, own)).swapaxes(2, 3)
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
    *,
    keys_lead: bool = False,
) -> Float[Array, "P W K R hd"]:
    """Attend from one new token per row to its prompt, its own earlier columns and itself, in one softmax.

    prompt_cache [P,K,S,hd] and ring [P,K,W,B,hd] are only read, the prompt's once for all of its W rows; `seen` tells
    which columns of the ring are the row's. Heads stand before rows in the ring as in every product here: in another
    order a TPU would copy it at every token. `keys_lead`: keys times queries, not queries times keys, for XLA:CPU:
    there few queries times many keys take twice as long.
    """
    (prompt_k, prompt_v), (own_k, own_v) = prompt_cache, ring
    q, k, v = (jnp.swapaxes(x, 1, 2) for x in (q, k, v))
    to_prompt = _stored_scores("pkgrd,pksd->pkgrs", q, prompt_k, prompt_mask[:, None, None, None, :])
    if keys_lead:
        to_own = _scores_by_keys(q, own_k, seen)
    else:
        to_own = _stored_scores("pkgrd,pkgcd->pkgrc", q, own_k, seen[:, None, :, None, :])
    to_self = scores("pkgrd,pkgd->pkgr", q, k)[..., None]
    (over_prompt, over_own, over_self), total = mix(to_prompt, to_own, to_self)
    out = _stored_sum("pkgrs,pksd->pkgrd", over_prompt, prompt_v, q.dtype)
    out = out + _stored_sum("pkgrc,pkgcd->pkgrd", over_own, own_v, q.dtype)
    out = out + over_self * v[:, :, :, None].astype(jnp.float32)
    return jnp.swapaxes((out / total).astype(q.dtype), 1, 2)


def extension(
    q: Float[Array, "P W E K R hd"],
    k: Float[Array, "P W E K hd"],
    v: Float[Array, "P W E K hd"],
    prompt: tuple[Float[Array, "P K S hd"], Float[Array, "P K S hd"]],
    prompt_mask: Bool[Array, "P S"],
    own: tuple[Float[Array, "P K W B hd"], Float[Array, "P K W B hd"]],
    seen: Bool[Array, "P W B"],
) -> Float[Array, "P W E K R hd"]:
    """Attend from E new tokens per row, as the rule in `attention` says; the prompt is read once for all W rows."""
    length = q.shape[2]
    queries = jnp.moveaxis(q, 2, 4).swapaxes(1, 2)  # [P,W,E,K,R,hd] -> [P,W,K,R,E,hd] -> [P,K,W,R,E,hd]
    keys, values = (jnp.moveaxis(x, 3, 1) for x in (k, v))  # [P,K,W,E,hd]
    parts = (
        Part(prompt[0][:, :, None], prompt[1][:, :, None], prompt_mask[:, None, None, :]),
        Part(*own, seen[:, :, None, :]),
        Part(keys, values, jnp.tril(jnp.ones((1, 1, length, length), bool))),
    )
    return jnp.moveaxis(attend(queries, parts).swapaxes(1, 2), 4, 2)


def _stored_scores(
    rule: str, q: Float[Array, "P K W R hd"], k: Stored, mask: Bool[Array, "..."]
) -> Float[Array, "P K W R n"]:
    """`scores` of stored keys."""
    if not isinstance(k, Quantised):
        return scores(rule, q, k, mask)
    # Scales multiply the scores: the keys themselves are read as they are kept.
    return jnp.where(mask, scores(rule, q, k.data.astype(q.dtype)) * _over_queries(k.scale), HIDDEN)


def _scores_by_keys(q: Float[Array, "P K W R hd"], k: Stored, seen: Bool[Array, "P W B"]) -> Float[Array, "P K W R B"]:
    """`_stored_scores` of a ring, made as [P,K,W,B,R]; hidden before it is turned, which otherwise the compiler does to
    the product."""
    data = k.data.astype(q.dtype) if isinstance(k, Quantised) else k
    scaled = q * q.shape[-1] ** -0.5
    raw = jnp.einsum("pkgcd,pkgrd->pkgcr", data, scaled, preferred_element_type=jnp.float32)
    if isinstance(k, Quantised):
        raw = raw * k.scale[..., None]
    return jnp.swapaxes(jnp.where(seen[:, None, :, :, None], raw, HIDDEN), 3, 4)


def _stored_sum(rule: str, weights: Float[Array, "P K W R n"], v: Stored, dtype: jnp.dtype) -> Array:
    """`weighted` sum of stored values."""
    if not isinstance(v, Quantised):
        return weighted(rule, weights, v)
    return weighted(rule, weights * _over_queries(v.scale), v.data.astype(dtype))


def _over_queries(scale: Float[Array, "P K *W n"]) -> Float[Array, "P K W1 R1 n"]:
    """A scale per key [P,K,n] or [P,K,W,n], for scores [P,K,W,R,n]."""
    return scale.reshape(*scale.shape[:-1], *[1] * (5 - scale.ndim), scale.shape[-1])
