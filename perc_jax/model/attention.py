"""Who sees whom, and the three ways to compute it. No parameters.

Three rules, the same whichever way is chosen; `decode_step`, for one new token per completion, has one way (`dense`).

- *group row*: in a row `[prompt | completion 1 | … | completion G]`, whose completions may have different lengths,
  token i sees token j <= i iff j is a real prompt token or in i's own completion;
- *same segment*: patches see the patches of their own image, both ways;
- *extension*: new tokens of a row see the real prompt, the row's own earlier tokens, and new ones up to themselves.

| way | holds | for |
|---|---|---|
| dense | every score at once: memory grows with the square of the row | short rows; the reference |
| blockwise | one block of scores at a time, forward and backward | long rows on GPU and CPU |
| splash | nothing but tiles in the TPU's fast memory | TPU |

What stands at padding is finite, differs between the ways, and is seen by no real token.
"""

from typing import Literal

from jaxtyping import Bool, Float, Int

from perc_jax.batch import Array
from perc_jax.model import blockwise, dense, splash
from perc_jax.model.cache import Stored, plain
from perc_jax.model.dense import Rows as Rows

Way = Literal["dense", "blockwise", "splash"]
_WAYS = {"dense": dense, "blockwise": blockwise, "splash": splash}


def group_row(
    way: Way,
    q: Float[Array, "P T K R hd"],
    k: Float[Array, "P T K hd"],
    v: Float[Array, "P T K hd"],
    rows: Rows,
) -> Float[Array, "P T K R hd"]:
    """Attend within group rows, T = S + W; q has H = K * R heads, R of them read each key/value head.

    With S = 2 and columns 0 1 0: token 3 (completion 1) sees 0, 1, 2, 3; token 4 (completion 2) sees 0, 1, 4.
    """
    return _WAYS[way].group_row(q, k, v, rows)


def same_segment(
    way: Way,
    q: Float[Array, "B T H hd"],
    k: Float[Array, "B T H hd"],
    v: Float[Array, "B T H hd"],
    segment: Int[Array, "B T"],
) -> Float[Array, "B T H hd"]:
    """Attend both ways to the positions with the same segment number; padding (-1) keeps to itself."""
    return _WAYS[way].same_segment(q, k, v, segment)


def extension(
    way: Way,
    q: Float[Array, "P W E K R hd"],
    k: Float[Array, "P W E K hd"],
    v: Float[Array, "P W E K hd"],
    prompt_cache: tuple[Stored, Stored],
    prompt_mask: Bool[Array, "P S"],
    ring: tuple[Stored, Stored],
    seen: Bool[Array, "P W B"],
) -> Float[Array, "P W E K R hd"]:
    """Attend from E new tokens of each of W rows of a prompt: to the prompt [P,K,S,hd], to those columns of the ring
    [P,K,W,B,hd] that are `seen`, and causally among themselves. `splash` has no way of its own: blockwise takes its
    place."""
    prompt, own = (tuple(plain(x, q.dtype) for x in kept) for kept in (prompt_cache, ring))
    chosen = dense if way == "dense" else blockwise
    return chosen.extension(q, k, v, prompt, prompt_mask, own, seen)
