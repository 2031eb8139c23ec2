"""Some rows of a batch on the devices: in a smaller bucket, of each device's part its own, put back in their place."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array, Bool, Float, Int

from perc_jax.batch import TrainBatch
from perc_jax.model.layout import ROW_AXES, free_axes
from perc_jax.update.policy import on_each_device

Bucket = tuple[int, int] | None  # prompt tokens and patch slots; None: what the batch has


def within(batch: TrainBatch, bucket: Bucket) -> TrainBatch:
    """A batch whose prompts are in a smaller bucket; those that it does not hold are cut, and must not be computed."""
    if bucket is None:
        return batch
    said = batch.said if batch.said is None else batch.said[:, -bucket[0] :]
    return batch._replace(prompts=batch.prompts.within(bucket), said=said)


def in_buckets(
    mask: Bool[Array, "P S"], patch_image: Int[Array, "P N"], *, shapes: Sequence[tuple[int, int]]
) -> Int[Array, "P"]:
    """The place of the smallest of the ascending shapes (tokens, patch slots) that holds each prompt."""
    tokens = jnp.sum(mask, axis=1)
    patches = jnp.max(jnp.where(patch_image >= 0, jnp.arange(1, patch_image.shape[1] + 1), 0), axis=1)
    fits = jnp.stack([(tokens <= most) & (patches <= slots) for most, slots in shapes])
    return jnp.argmax(fits, axis=0).astype(jnp.int32)


def own_rows(batch: Any, rows: Int[Array, "D n"]) -> Any:
    """These rows of each device's part of a batch's arrays; they stay where they are."""

    def run(batch: Any, rows: Array) -> Any:
        return jax.tree.map(lambda leaf: leaf[rows[0]], batch)

    split = PartitionSpec(free_axes(*ROW_AXES) or None)
    return on_each_device(run, (split, split), split)(batch, rows)


def put_rows(whole: Float[Array, "P ..."], rows: Int[Array, "D n"], own: Float[Array, "N ..."]) -> Array:
    """`whole` with these rows of each device's part replaced, N = D n of them: undoes `own_rows`."""

    def run(whole: Array, rows: Array, own: Array) -> Array:
        return whole.at[rows[0]].set(own)

    split = PartitionSpec(free_axes(*ROW_AXES) or None)
    return on_each_device(run, (split, split, split), split)(whole, rows, own)
