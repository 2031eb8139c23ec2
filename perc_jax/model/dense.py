"""Attention with all scores at once: the plain way, and the reference of the others. Also the one-token step.

Every rule is computed *structurally*: a part of the scores exists only where a query can see keys. Parts that share a
query share one softmax (`mix`), in float32. A prompt's padding, which sees no key, gets a finite average.
q has H = K * R heads: R query heads read each of the K key/value heads.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from perc_jax.batch import Array

HIDDEN = -1e30  # score of a key that may not be seen; finite, so that a row of nothing but padding stays finite


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
    q: Float[Array, "P K G R C hd"],
    prompt_k: Float[Array, "P K S hd"],
    prompt_v: Float[Array, "P K S hd"],
    prompt_mask: Bool[Array, "P S"],
    k: Float[Array, "P K G C hd"],
    v: Float[Array, "P K G C hd"],
) -> Float[Array, "P K G R C hd"]:
    """Attend to the whole real prompt and causally to one's own completion, in one softmax.

    Padding at the end of a completion needs no mask: no real token comes after it.
    """
    to_prompt = scores("pkgrcd,pksd->pkgrcs", q, prompt_k, prompt_mask[:, None, None, None, None, :])
    to_own = scores("pkgrcd,pkgtd->pkgrct", q, k, jnp.tril(jnp.ones((k.shape[3], k.shape[3]), bool)))
    (over_prompt, over_own), total = mix(to_prompt, to_own)
    out = weighted("pkgrcs,pksd->pkgrcd", over_prompt, prompt_v) + weighted("pkgrct,pkgtd->pkgrcd", over_own, v)
    return (out / total).astype(q.dtype)


def group_row(
    q: Float[Array, "P T K R hd"],
    k: Float[Array, "P T K hd"],
    v: Float[Array, "P T K hd"],
    prompt_mask: Bool[Array, "P S"],
    group: int,
) -> Float[Array, "P T K R hd"]:
    """Attend within group rows, as the rule in `attention` says."""
    prompts, length = prompt_mask.shape
    queries = jnp.moveaxis(q, 1, 3)  # [P,K,R,T,hd]: heads lead, so that scores are plain batched matrix products
    keys, values = jnp.swapaxes(k, 1, 2), jnp.swapaxes(v, 1, 2)
    prompt_k, prompt_v = keys[:, :, :length], values[:, :, :length]
    out = causal(queries[..., :length, :], prompt_k, prompt_v, prompt_mask)
    if q.shape[1] > length:
        _, heads, repeats, _, width = queries.shape
        own = queries[..., length:, :].reshape(prompts, heads, repeats, group, -1, width).swapaxes(2, 3)
        own_k, own_v = (x[:, :, length:].reshape(prompts, heads, group, -1, width) for x in (keys, values))
        answer = completions(own, prompt_k, prompt_v, prompt_mask, own_k, own_v)
        out = jnp.concatenate([out, answer.swapaxes(2, 3).reshape(prompts, heads, repeats, -1, width)], axis=3)
    return jnp.moveaxis(out, 3, 1)


def decode_step(
    q: Float[Array, "P G K R hd"],
    k: Float[Array, "P G K hd"],
    v: Float[Array, "P G K hd"],
    prompt_cache: tuple[Float[Array, "P K S hd"], Float[Array, "P K S hd"]],
    prompt_mask: Bool[Array, "P S"],
    cache: tuple[Float[Array, "P K G C hd"], Float[Array, "P K G C hd"]],
    column: Int[Array, ""],
) -> Float[Array, "P G K R hd"]:
    """Attend from one new token per completion to prompt, own earlier columns (< column) and itself, in one softmax.

    The caches are only read. The prompt's keys are read once per group, not once per completion. Heads stand before the
    group in the cache as in every product here: in another order a TPU would copy the cache at every token.
    """
    (prompt_k, prompt_v), (own_k, own_v) = prompt_cache, cache
    q, k, v = (jnp.swapaxes(x, 1, 2) for x in (q, k, v))
    to_prompt = scores("pkgrd,pksd->pkgrs", q, prompt_k, prompt_mask[:, None, None, None, :])
    to_own = scores("pkgrd,pkgcd->pkgrc", q, own_k, jnp.arange(own_k.shape[3]) < column)
    to_self = scores("pkgrd,pkgd->pkgr", q, k)[..., None]
    (over_prompt, over_own, over_self), total = mix(to_prompt, to_own, to_self)
    out = weighted("pkgrs,pksd->pkgrd", over_prompt, prompt_v) + weighted("pkgrc,pkgcd->pkgrd", over_own, own_v)
    out = out + over_self * v[:, :, :, None].astype(jnp.float32)
    return jnp.swapaxes((out / total).astype(q.dtype), 1, 2)
