"""Maps in completions: which tokens can be drawn where, one definition for the sampler and the trainer.

A map is written as its start mark, exactly `length` codes and its end mark (`batch.MapIds`). A token's *place in a map*
says what it may be: k where k codes stand behind the start mark, `OUTSIDE` where no map is open. At k < length only
codes can be drawn, at k = length only the end mark, outside neither codes nor end mark, the start mark like any word.

Worked example, length 2, `<` `>` marks, 5 7 codes, a b words: tokens a < 5 7 > b, places -1 -1 0 1 2 -1.

The sampler carries the number from token to token (`after`), the trainer counts it for all tokens at once (`places`).

- A map has no room reserved: where a completion is cut at its most tokens, or a turn at its own, the map stays a part.
- A turn begins outside, and what an environment replies is outside, whatever tokens it holds.
- No end token can be drawn within a map, so nothing ends there but by being cut.
- Text that nobody drew may hold anything. A token where it may not stand closes the map, or opens another if it is a
  start mark, and has the log-probability of what is forbidden. Supervised learning therefore leaves this mask out
  (`update.make_loss`).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from perc_jax.batch import MapIds, TokenIds

OUTSIDE = -1


def check(ids: TokenIds) -> None:
    """Raise `ValueError` where maps cannot be sampled whole: a mark or code is no token of its own, or is forbidden."""
    if ids.map is None:
        return
    codes = range(ids.map.first, ids.map.first + ids.map.count)
    own = {ids.map.start, ids.map.end, *codes}
    is_own = len(own) == len(codes) + 2 and own.isdisjoint({*ids.ends, *ids.forbidden, ids.image, ids.pad})
    if not is_own or min(own) < 0 or max(own) >= ids.vocab_size or ids.map.length < 1:
        raise ValueError(f"a map's marks and codes must be ids of their own below {ids.vocab_size}, got {ids.map}")


def first(shape: tuple[int, ...], ids: MapIds | None) -> Int[Array, "..."] | None:
    """The places of first tokens of completions or turns, int32; None where maps are not sampled whole."""
    return None if ids is None else jnp.full(shape, OUTSIDE, jnp.int32)


def after(place: Int[Array, "*n"], tokens: Int[Array, "*n"], ids: MapIds) -> Int[Array, "*n"]:
    """The places of the next tokens, behind `tokens` at these places."""
    goes_on = _is_code(tokens, ids) & (place >= 0) & (place < ids.length)
    return jnp.where(tokens == ids.start, 0, jnp.where(goes_on, place + 1, OUTSIDE))


def places(tokens: Int[Array, "*n C"], ids: MapIds, sampled: Bool[Array, "*n C"] | None = None) -> Int[Array, "*n C"]:
    """The place of each token of completions, as `after` gives it token by token.

    `sampled`: which tokens were; the others, an environment's, are outside and so is what follows them. None: all.
    """
    sampled = jnp.ones(tokens.shape, bool) if sampled is None else sampled
    column = jnp.arange(tokens.shape[-1], dtype=jnp.int32)
    is_code, is_start = _is_code(tokens, ids) & sampled, (tokens == ids.start) & sampled
    # Twice the column of what is no code, plus one if that is a start mark; the last one decides.
    seen = jax.lax.cummax(jnp.where(is_code, -2, 2 * column + is_start), axis=tokens.ndim - 1)
    last = jnp.concatenate([jnp.full_like(seen[..., :1], -2), seen[..., :-1]], axis=-1)
    codes = column - 1 - last // 2
    return jnp.where((last % 2 == 1) & (codes <= ids.length) & sampled, codes, OUTSIDE)


def forbidden(place: Int[Array, "*n"], vocabulary: int, ids: MapIds) -> Bool[Array, "*n V"]:
    """Which tokens of the vocabulary cannot be drawn at these places."""
    token, place = jnp.arange(vocabulary), place[..., None]
    is_code, is_end = _is_code(token, ids), token == ids.end
    return jnp.where(place < 0, is_code | is_end, jnp.where(place < ids.length, ~is_code, ~is_end))


def _is_code(tokens: Int[Array, "*n"], ids: MapIds) -> Bool[Array, "*n"]:
    return (tokens >= ids.first) & (tokens < ids.first + ids.count)
