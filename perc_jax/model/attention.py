"""Who sees whom, and the three ways to compute it. No parameters.

Two rules, the same whichever way is chosen; `decode_step`, for one new token per completion, has one way (`dense`).

- *group row*: in a row `[prompt | completion 1 | … | completion G]` token i sees token j <= i iff j is a real prompt
  token or in i's own completion;
- *same segment*: patches see the patches of their own image, both ways.

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

Way = Literal["dense", "blockwise", "splash"]
_WAYS = {"dense": dense, "blockwise": blockwise, "splash": splash}


def group_row(
    way: Way,
    q: Float[Array, "P T K R hd"],
    k: Float[Array, "P T K hd"],
    v: Float[Array, "P T K hd"],
    prompt_mask: Bool[Array, "P S"],
    group: int,
) -> Float[Array, "P T K R hd"]:
    """Attend within group rows, T = S + group * C; q has H = K * R heads, R of them read each key/value head.

    With S = 2, G = 2, C = 1: token 2 (completion 1) sees 0, 1, 2; token 3 (completion 2) sees 0, 1, 3.
    """
    return _WAYS[way].group_row(q, k, v, prompt_mask, group)


def same_segment(
    way: Way,
    q: Float[Array, "B T H hd"],
    k: Float[Array, "B T H hd"],
    v: Float[Array, "B T H hd"],
    segment: Int[Array, "B T"],
) -> Float[Array, "B T H hd"]:
    """Attend both ways to the positions with the same segment number; padding (-1) keeps to itself."""
    return _WAYS[way].same_segment(q, k, v, segment)
