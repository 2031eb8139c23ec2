"""Attention by JAX's splash TPU kernel: scores stay in the chip's fast memory, blocks that see nothing are skipped.

The group-row rule is computed in the kernel, from a number per query that says where its completion begins; a static
mask says which blocks are skipped whatever the lengths are, segments say which prompt tokens are real. Under a mesh a
kernel has to be told what each device computes, so whoever traces a program for several devices does it within
`jax.set_mesh(mesh)`. The mesh's axes `replica` and `fsdp` together must divide the prompts; its axis `tensor` splits
the key/value heads where it divides them. Without a mesh in force, the kernel takes its arrays whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.pallas.ops.tpu import splash_attention as kernels
from jax.sharding import PartitionSpec
from jaxtyping import Bool, Float, Int

from perc_jax.batch import Array
from perc_jax.model.dense import Rows
from perc_jax.model.layers import ATTENTION
from perc_jax.model.layout import ROW_AXES, free_axes

HEADS_AXIS = "tensor"  # the mesh axis over which heads are split
LANES = 128  # a kernel's blocks are multiples of the vector unit's width
BLOCK = 512  # longest side of a block of scores
BITS = 31  # of the number that the kernel gets of a query: its place in the row, and its place in its completion


@dataclass(frozen=True)
class GroupRows(kernels.Mask):
    """Which pairs can be seen at all in a row of `size` places, whatever the completions' lengths: a superset.

    `mask_function` is the rule itself, computed in the kernel from the query's number (`numbers`) and the key's place.
    The numbers in `q_sequence` only stand for those of real rows, which `_attend` puts in their place.
    """

    size: int
    prompt: int  # S
    longest: int  # tokens of a completion at most

    def __post_init__(self):
        """Raise `ValueError` where a number cannot hold both places."""
        most = 2 ** (BITS - self._bits)
        if self.longest > most:
            rule = f"must have completions of at most {most} tokens for attention by splash"
            raise ValueError(f"a row of {self.size} tokens {rule}, got {self.longest}")

    @property
    def _bits(self) -> int:
        """Of a place in the row."""
        return (self.size - 1).bit_length()

    @property
    def shape(self) -> tuple[int, int]:
        """Queries by keys."""
        return self.size, self.size

    @property
    def q_sequence(self) -> Int[np.ndarray, "q"]:
        """A number per query."""
        return np.zeros(self.size, np.int32)

    def __getitem__(self, index: tuple[slice, slice]) -> Bool[np.ndarray, "q k"]:
        rows, columns = (np.arange(self.size)[cut] for cut in index)
        distance = rows[:, None] - columns
        return (distance >= 0) & ((columns < self.prompt) | (distance < max(self.longest, 1)))

    def mask_function(self, number: Int[Array, "..."], key: Int[Array, "..."]) -> Bool[Array, "..."]:
        """The rule: up to one's own place, the prompt or one's own completion."""
        place, back = number & ((1 << self._bits) - 1), number >> self._bits
        return (key <= place) & ((key < self.prompt) | (key >= place - back))

    def numbers(self, columns: Int[Array, "P W"]) -> Int[Array, "P q"]:
        """Place in the row and in one's own completion (0 of a prompt token), as one number."""
        back = jnp.pad(columns, [(0, 0), (self.prompt, self.size - self.prompt - columns.shape[1])])
        return (back << self._bits) + jnp.arange(self.size)


def group_row(
    q: Float[Array, "P T K R hd"],
    k: Float[Array, "P T K hd"],
    v: Float[Array, "P T K hd"],
    rows: Rows,
    *,
    interpret: bool = False,
) -> Float[Array, "P T K R hd"]:
    """Attend within group rows, as the rule in `attention` says; `interpret` runs the kernel on a CPU, slowly."""
    prompts, row, width = q.shape[0], q.shape[1], q.shape[-1]
    length = rows.prompt_mask.shape[1]
    size, block = _blocks(row)
    mask = GroupRows(size, length, rows.longest)
    real = jnp.concatenate([rows.prompt_mask, jnp.ones((prompts, row - length), bool)], axis=1).astype(jnp.int32)
    flat = q.reshape(prompts, row, -1, width)
    out = _attend(flat, k, v, real, mask, block, interpret, mask.numbers(rows.columns))
    return out.reshape(q.shape)


def same_segment(
    q: Float[Array, "B T H hd"],
    k: Float[Array, "B T H hd"],
    v: Float[Array, "B T H hd"],
    segment: Int[Array, "B T"],
    *,
    interpret: bool = False,
) -> Float[Array, "B T H hd"]:
    """Attend within segments, as the rule in `attention` says."""
    size, block = _blocks(q.shape[1])
    return _attend(q, k, v, segment, kernels.FullMask((size, size)), block, interpret)


def _blocks(length: int) -> tuple[int, int]:
    """The padded length and the side of the blocks that make it up."""
    count = -(-length // BLOCK)
    block = -(-length // (count * LANES)) * LANES
    return count * block, block


def _attend(
    q: Float[Array, "P T H hd"],
    k: Float[Array, "P T K hd"],
    v: Float[Array, "P T K hd"],
    segment: Int[Array, "P T"],
    mask: kernels.Mask,
    block: int,
    interpret: bool,
    numbers: Int[Array, "P q"] | None = None,
) -> Float[Array, "P T H hd"]:
    """Pad to whole blocks (with a segment of its own), put heads first, and run the kernel wherever the rows lie.

    `numbers` are what a mask that is computed in the kernel reads of each query.
    """
    length, extra = q.shape[1], mask.shape[0] - q.shape[1]
    q, k, v = (
        jnp.pad(jnp.swapaxes(x, 1, 2), [(0, 0), (0, 0), (0, extra), (0, 0)]) for x in (q * q.shape[-1] ** -0.5, k, v)
    )
    segment = jnp.pad(segment, [(0, 0), (0, extra)], constant_values=-2)

    def run(q: Array, k: Array, v: Array, segment: Array, *numbers: Array) -> Array:
        sides = kernels.BlockSizes(*[block] * 8)
        heads = kernels.MultiHeadMask([mask] * q.shape[1])
        kernel = kernels.make_splash_mha_single_device(
            heads, block_sizes=sides, residual_checkpoint_name=ATTENTION, interpret=interpret
        )

        def one(q: Array, k: Array, v: Array, segment: Array, *numbers: Array) -> Array:
            mine = _with_numbers(kernel, *numbers) if numbers else kernel
            return mine(q, k, v, segment_ids=kernels.SegmentIds(segment, segment))

        return jax.vmap(one)(q, k, v, segment, *numbers)

    given = () if numbers is None else (numbers,)
    out = _over_mesh(run, k.shape[1], len(given))(q, k, v, segment, *given)
    return jnp.swapaxes(out[:, :, :length], 1, 2)


def _with_numbers(kernel: Any, numbers: Int[Array, "q"]) -> Any:
    """The kernel with these numbers of its queries in the place of the static mask's: it is a pytree of mask infos."""
    infos, settings = kernel.tree_flatten()
    infos = [info and info._replace(q_sequence=numbers) for info in infos]
    return type(kernel).tree_unflatten(settings, infos)


def _over_mesh(run: Callable[..., Array], heads: int, further: int) -> Callable[..., Array]:
    """Let every device of the mesh in force run its own prompts, and its own key/value heads where they divide."""
    rows, splitting = free_axes(*ROW_AXES), free_axes(HEADS_AXIS)
    if not rows + splitting:
        return run
    divides = all(heads % jax.sharding.get_abstract_mesh().shape[axis] == 0 for axis in splitting)
    tensors = PartitionSpec(rows or None, *splitting if divides else ())
    return jax.shard_map(
        run,
        in_specs=(tensors, tensors, tensors, *[PartitionSpec(rows or None)] * (1 + further)),
        out_specs=tensors,
        axis_names={*rows, *splitting},
        check_vma=False,  # the kernel does not say over which axes its results vary
    )
