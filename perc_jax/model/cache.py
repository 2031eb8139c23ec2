"""Keys and values that decoding reads: in the model's dtype, or as int8 with a scale per token and head.

`Stored` is either. int8 halves what bfloat16 takes and what every token must read; a number is then off by at most half
a step of its own head's largest / 127. It changes what the sampler computes and not the trainer: their difference is
the price. Every generated column is written at one place for all rows, one update per array: a ring of B columns.

Layers are stacked on a leading axis, for a scan over them, or lie `apart`: XLA:CPU copies a layer out of its stack
before a product may read it, which at every token costs more than the product.
"""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int, Int8

from perc_jax.batch import Array

KvDtype = Literal["model", "int8"]


class Quantised(NamedTuple):
    """Numbers as `data * scale`; the scale stands for the last axis."""

    data: Int8[Array, "... hd"]
    scale: Float[Array, "..."]


Stored = Float[Array, "..."] | Quantised
Layers = Stored | tuple[Stored, ...]  # stacked, or apart


def stored(x: Float[Array, "*n hd"], dtype: KvDtype) -> Stored:
    """Keys or values as they are kept."""
    if dtype == "model":
        return x
    wide = x.astype(jnp.float32)
    scale = jnp.maximum(jnp.max(jnp.abs(wide), axis=-1), 1e-20) / 127
    return Quantised(jnp.round(wide / scale[..., None]).astype(jnp.int8), scale)


def plain(x: Stored, dtype: jnp.dtype) -> Float[Array, "*n hd"]:
    """Keys or values as numbers of their own."""
    if not isinstance(x, Quantised):
        return x
    return (x.data.astype(jnp.float32) * x.scale[..., None]).astype(dtype)


def empty(shape: tuple[int, ...], dtype: jnp.dtype, kept: KvDtype) -> Stored:
    """Room for keys or values [..., hd]."""
    if kept == "model":
        return jnp.zeros(shape, dtype)
    return Quantised(jnp.zeros(shape, jnp.int8), jnp.zeros(shape[:-1], jnp.float32))


def columns(cache: Stored) -> int:
    """Columns B of a ring [L,P,K,W,B,hd]."""
    return cache.scale.shape[-1] if isinstance(cache, Quantised) else cache.shape[-2]


def apart(tree: Any) -> tuple[Any, ...]:
    """The layers of a stack, one by one."""
    leaves, structure = jax.tree.flatten(tree)
    return tuple(jax.tree.unflatten(structure, layer) for layer in zip(*leaves, strict=True))


def together(layers: tuple[Any, ...]) -> Any:
    """Undo `apart`."""
    return jax.tree.map(lambda *xs: jnp.stack(xs), *layers)


def write(ring: Stored, fresh: Float[Array, "*L P W K hd"], time: Int[Array, ""]) -> Stored:
    """Write one token's keys or values of all rows, and of all layers, into column `time` modulo B of a ring
    [*L,P,K,W,B,hd]."""
    column = time % columns(ring)
    fresh = jnp.swapaxes(fresh, -3, -2)

    def put(old: Array, new: Array, axis: int) -> Array:
        return jax.lax.dynamic_update_slice_in_dim(old, jnp.expand_dims(new, axis).astype(old.dtype), column, axis)

    if not isinstance(ring, Quantised):
        return put(ring, fresh, -2)
    new = stored(fresh, "int8")
    return Quantised(put(ring.data, new.data, -2), put(ring.scale, new.scale, -1))


def seen(columns: int, time: Int[Array, ""], lengths: Int[Array, "P W"]) -> Bool[Array, "P W B"]:
    """Which columns of a ring hold the last `lengths` tokens of each row, `time` being the next to be written.

    With 4 columns and time 6, the columns 1, 0, 3, 2 hold the last token, the one before, and so on: a row of length 3
    sees 1, 0, 3.
    """
    age = (time - 1 - jnp.arange(columns)) % columns
    return age < lengths[..., None]


def rolled(ring: Stored, places: Int[Array, "P W"]) -> Stored:
    """The ring [L,P,K,W,B,hd] with each row's columns moved on by so many places, round the ring."""

    def roll(row: Array, by: Int[Array, ""]) -> Array:
        return jnp.roll(row, by, axis=1)

    rows = jax.vmap(jax.vmap(roll, in_axes=(1, 0), out_axes=1))  # over W within P

    def move(x: Array) -> Array:
        # Layer by layer in place: rolled at once, the whole ring would be needed three times.
        return jax.lax.fori_loop(0, len(x), lambda layer, x: x.at[layer].set(rows(x[layer], places)), x)

    return jax.tree.map(move, ring)


def extended(
    ring: Stored, fresh: Float[Array, "L P K W E hd"], time: Int[Array, ""], counts: Int[Array, "P W"]
) -> Stored:
    """The ring after the first `counts` of the E given tokens of each row, of which it must hold E: a row's own last
    tokens stand before them, as if they had been written one by one up to column `time` - 1; rows of count 0 are as
    they were.

    With 4 columns and time 6, a row whose last tokens are a, b (columns 0, 1) is given c: columns 3, 0, 1 hold a, b, c.
    """
    size = columns(ring)
    age = (time - 1 - jnp.arange(size)) % size
    is_new = (age < counts[..., None])[None, :, None]

    def pad(x: Array) -> Array:
        return jnp.pad(x, [(0, size - fresh.shape[4]) if axis == 4 else (0, 0) for axis in range(x.ndim)])

    def choose(new: Array, old: Array) -> Array:
        return jnp.where(is_new if old.ndim == 5 else is_new[..., None], new.astype(old.dtype), old)

    kept = jax.tree.map(pad, stored(fresh, "int8" if isinstance(ring, Quantised) else "model"))
    return jax.tree.map(choose, rolled(kept, time - counts), rolled(ring, -counts))


def resized(ring: Stored, time: Int[Array, ""], size: int) -> Stored:
    """The ring with another number of columns, of which one must divide the other; `time` modulo `size` goes on.

    Growing keeps every column, shrinking the last `size` ones. Each number is read once and written once, in its place
    or a fixed distance away.
    """
    before, place = columns(ring), time % columns(ring)

    def resize(x: Array, axis: int) -> Array:
        index = jnp.arange(size).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        if size > before:
            # The gap opens where the next column is written: what was written last stays just before it.
            room = [(0, 0)] * x.ndim
            room[axis] = (0, size - before)
            front = jnp.pad(x, room)
            room[axis] = (size - before, 0)
            return jnp.where(index < place, front, jnp.pad(x, room))
        out = jax.lax.slice_in_dim(x, 0, size, axis=axis)
        for start in range(size, before, size):
            part = jax.lax.slice_in_dim(x, start, start + size, axis=axis)
            out = jnp.where((time - 1 - start - index) % before < size, part, out)
        return out

    if isinstance(ring, Quantised):
        return Quantised(resize(ring.data, ring.data.ndim - 2), resize(ring.scale, ring.scale.ndim - 1))
    return resize(ring, ring.ndim - 2)
