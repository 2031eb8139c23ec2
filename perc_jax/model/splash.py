"""Attention by JAX's splash TPU kernel: scores stay in the chip's fast memory, blocks that see nothing are skipped.

The group-row rule is a static mask over blocks; segments say which prompt tokens are real. Under a mesh a kernel has to
be told what each device computes, so whoever traces a program for several devices does it within `jax.set_mesh(mesh)`.
The mesh's axes `replica` and `fsdp` together must divide the prompts; its axis `tensor` splits the key/value heads
where it divides them. Without a mesh in force, the kernel takes its arrays whole.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.pallas.ops.tpu import splash_attention as kernels
from jax.sharding import PartitionSpec
from jaxtyping import Bool, Float, Int

from perc_jax.batch import Array
from perc_jax.model.layout import ROW_AXES, free_axes

HEADS_AXIS = "tensor"  # the mesh axis over which heads are split
LANES = 128  # a kernel's blocks are multiples of the vector unit's width
BLOCK = 512  # longest side of a block of scores


@dataclass(frozen=True)
class GroupRows(kernels.Mask):
    """The group-row rule over `size` positions; those beyond the row, if any, go on as further completions."""

    size: int
    prompt: int  # S
    completion: int  # C; 0 without completions

    @property
    def shape(self) -> tuple[int, int]:
        """Queries by keys."""
        return self.size, self.size

    def __getitem__(self, index: tuple[slice, slice]) -> Bool[np.ndarray, "q k"]:
        rows, columns = (np.arange(self.size)[cut] for cut in index)
        own = self.prompt + (rows - self.prompt) // max(self.completion, 1) * self.completion
        first = np.where(rows < self.prompt, 0, own)  # where the query's own completion begins
        in_sight = (columns < self.prompt) | (columns >= first[:, None])
        return in_sight & (columns <= rows[:, None])


def group_row(
    q: Float[Array, "P T K R hd"],
    k: Float[Array, "P T K hd"],
    v: Float[Array, "P T K hd"],
    prompt_mask: Bool[Array, "P S"],
    group: int,
    *,
    interpret: bool = False,
) -> Float[Array, "P T K R hd"]:
    """Attend within group rows, as the rule in `attention` says; `interpret` runs the kernel on a CPU, slowly."""
    prompts, row, width = q.shape[0], q.shape[1], q.shape[-1]
    length = prompt_mask.shape[1]
    size, block = _blocks(row)
    mask = GroupRows(size, length, (row - length) // max(group, 1))
    real = jnp.concatenate([prompt_mask, jnp.ones((prompts, row - length), bool)], axis=1).astype(jnp.int32)
    out = _attend(q.reshape(prompts, row, -1, width), k, v, real, mask, block, interpret)
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
) -> Float[Array, "P T H hd"]:
    """Pad to whole blocks (with a segment of its own), put heads first, and run the kernel wherever the rows lie."""
    length, extra = q.shape[1], mask.shape[0] - q.shape[1]
    q, k, v = (
        jnp.pad(jnp.swapaxes(x, 1, 2), [(0, 0), (0, 0), (0, extra), (0, 0)]) for x in (q * q.shape[-1] ** -0.5, k, v)
    )
    segment = jnp.pad(segment, [(0, 0), (0, extra)], constant_values=-2)

    def run(q: Array, k: Array, v: Array, segment: Array) -> Array:
        sides = kernels.BlockSizes(*[block] * 8)
        heads = kernels.MultiHeadMask([mask] * q.shape[1])
        kernel = kernels.make_splash_mha_single_device(heads, block_sizes=sides, interpret=interpret)
        return jax.vmap(lambda q, k, v, s: kernel(q, k, v, segment_ids=kernels.SegmentIds(s, s)))(q, k, v, segment)

    out = _over_mesh(run, k.shape[1])(q, k, v, segment)
    return jnp.swapaxes(out[:, :, :length], 1, 2)


def _over_mesh(run: Callable[..., Array], heads: int) -> Callable[..., Array]:
    """Let every device of the mesh in force run its own prompts, and its own key/value heads where they divide."""
    rows, splitting = free_axes(*ROW_AXES), free_axes(HEADS_AXIS)
    if not rows + splitting:
        return run
    divides = all(heads % jax.sharding.get_abstract_mesh().shape[axis] == 0 for axis in splitting)
    tensors = PartitionSpec(rows or None, *splitting if divides else ())
    return jax.shard_map(
        run,
        in_specs=(tensors, tensors, tensors, PartitionSpec(rows or None)),
        out_specs=tensors,
        axis_names={*rows, *splitting},
        check_vma=False,  # the kernel does not say over which axes its results vary
    )
