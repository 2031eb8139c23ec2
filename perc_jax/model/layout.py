"""Where activations and weights lie on the mesh while the model computes.

A batch's rows are split over the data-parallel axes; a layer's weights are gathered over them, in the dtype they are
used in, when it is the layer's turn; the axis `tensor` splits heads, MLP width and vocabulary. Left alone, a compiler
that sees rows and weights split over the same devices may gather the batch instead, or both.

The mesh is the one in whose context (`jax.set_mesh`) the program is traced; without one, and for axes that a
`jax.shard_map` has taken over, nothing is asked for.
"""

import functools
import math
from typing import Literal

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, PartitionSpec
from jaxtyping import Shaped

from perc_jax.batch import Array

ROW_AXES = ("replica", "fsdp")  # mesh axes over which the first dimension of every activation is split
STORE_AXIS = "fsdp"  # mesh axis over which weights are stored in parts
Split = Literal["inputs", "outputs"] | None  # which side of a weight the axis `tensor` splits


def free_axes(*names: str) -> tuple[str, ...]:
    """Those of the named axes that the mesh in context has and leaves to the compiler to split over."""
    mesh = jax.sharding.get_abstract_mesh()
    kinds = dict(zip(mesh.axis_names, mesh.axis_types, strict=True))
    return tuple(name for name in names if kinds.get(name) == AxisType.Auto)


def devices(name: str, dim: int) -> int:
    """How many devices a dimension of an activation is split over by the named axis: as many as it has if these divide
    it, else one."""
    count = _devices(free_axes(name))
    return count if dim % count == 0 else 1


def rows(x: Shaped[Array, "P ..."], *, split: bool = False) -> Shaped[Array, "P ..."]:
    """Split the first dimension over the data-parallel axes, the last one over `tensor` if asked, no other."""
    last = [None] * (x.ndim - 2) + ["tensor"] if split and x.ndim > 1 else []
    return _place(x, ROW_AXES, *last)


def stored_axes(dim: int) -> tuple[str, ...]:
    """The axes over which weights are stored in parts, if they divide a dimension and no other axis splits weights."""
    names = free_axes(STORE_AXIS)
    return names if _devices(free_axes("tensor")) == 1 and dim % _devices(names) == 0 else ()


def weight(kernel: Shaped[Array, "I O"], split: Split) -> Shaped[Array, "I O"]:
    """Gather one layer's weight, but for the side that `tensor` splits; its gradient goes where it is stored."""
    if not free_axes(*jax.sharding.get_abstract_mesh().axis_names):
        return jnp.asarray(kernel)  # itself: a scan over layers need not keep it for the backward pass
    return _gather(split, kernel)


def stored(kernel: Shaped[Array, "I O"], split: Split) -> Shaped[Array, "I O"]:
    """Keep one layer's weight, or its gradient, in the parts in which the language model's weights are stored."""
    sides = {"inputs": ("tensor", STORE_AXIS), "outputs": (STORE_AXIS, "tensor")}
    return _place(kernel, *sides[split]) if split else kernel


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _gather(split: Split, kernel: Array) -> Array:
    return _place(kernel, *(side == split and "tensor" for side in ("inputs", "outputs")))


def _gather_forward(split: Split, kernel: Array) -> tuple[Array, None]:
    return _gather(split, kernel), None


def _gather_backward(split: Split, _: None, gradient: Array) -> tuple[Array]:
    # Without this the compiler may sum the whole gradient on every device before it keeps a part.
    return (stored(gradient, split),)


_gather.defvjp(_gather_forward, _gather_backward)


def _place(x: Shaped[Array, "..."], *axes: tuple[str, ...] | str | bool | None) -> Shaped[Array, "..."]:
    """Ask for a layout, as far as the axes are free and divide the dimensions."""
    if not free_axes(*jax.sharding.get_abstract_mesh().axis_names):
        return x
    kept = []
    for wanted, dim in zip(axes, x.shape, strict=False):
        names = free_axes(*((wanted,) if isinstance(wanted, str) else wanted or ()))
        kept.append(names if names and dim % _devices(names) == 0 else None)
    return jax.lax.with_sharding_constraint(x, PartitionSpec(*kept))


def _devices(names: tuple[str, ...]) -> int:
    mesh = jax.sharding.get_abstract_mesh()
    return math.prod(mesh.shape[name] for name in names)
