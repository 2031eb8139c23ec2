"""An update under way: what its micro-batches have added up to, on each replica by itself until the update ends.

The mesh axis `replica` goes between TPU slices, over a network much slower than the links within one. Left alone, the
compiler would add each micro-batch's gradient up over all devices. So a micro-batch is computed replica by replica
(`jax.shard_map` takes that axis over, the others stay the compiler's), and sums have a leading axis [R], of which each
replica holds its own entry: no more memory per device than without. `joined` adds the entries up, once an update.
Where there is one replica, or no mesh, that axis is absent. It is absent beside a `tensor` of several devices too, so
that all devices add up in every micro-batch: XLA's partitioner (of jax 0.10.2) ends the process at the gradient of an
embedding that is split over `tensor` while `replica` is taken over.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float

from perc_jax.model.layout import free_axes

AXIS = "replica"
WHOLE, OWN = PartitionSpec(), PartitionSpec(AXIS)  # what every replica has alike; of what each has a part of the rows


class Sums(NamedTuple):
    """Sums over a (micro-)batch's tokens, and one maximum; each [R] where there are several replicas."""

    loss: Float[Array, "..."]
    clipped: Float[Array, "..."]
    moved: Float[Array, "..."]
    weight_cut: Float[Array, "..."]
    kl: Float[Array, "..."]
    tokens: Float[Array, "..."]
    entropy: Float[Array, "..."]
    mismatch: Float[Array, "..."]
    mismatch_max: Float[Array, "..."]


class Progress(NamedTuple):
    """What the micro-batches so far have added up to."""

    gradient: Any  # like the trained parameters; [R, ...] where there are several replicas
    sums: Sums
    total: Float[Array, ""]  # what the loss is divided by
    trained: Float[Array, ""]  # tokens of groups with signal
    old: Float[Array, "P G C"] | None = None  # log-probabilities before the first of several updates, where noted


def begun(trained: Any, total: Array, tokens: Array, old: Array | None) -> Progress:
    """Nothing added up yet, for parameters `trained`."""
    lead = (_replicas(),) if _replicas() > 1 else ()
    zeros = jax.tree.map(lambda leaf: jnp.zeros((*lead, *leaf.shape), leaf.dtype), trained)
    return Progress(zeros, Sums(*[jnp.zeros(lead)] * len(Sums._fields)), total, tokens, old)


def added(progress: Progress, gradient: Any, sums: Sums) -> Progress:
    """With a micro-batch more; within `by_replica`."""
    both = Sums(*[old + new for old, new in zip(progress.sums, sums, strict=True)])
    both = both._replace(mismatch_max=jnp.maximum(progress.sums.mismatch_max, sums.mismatch_max))
    return progress._replace(gradient=jax.tree.map(jnp.add, progress.gradient, gradient), sums=both)


def joined(progress: Progress) -> Progress:
    """The replicas' sums and gradients added up: what travels between them in an update."""
    if _replicas() == 1:
        return progress
    gradient, sums = jax.tree.map(lambda leaf: jnp.sum(leaf, axis=0), (progress.gradient, progress.sums))
    return progress._replace(
        gradient=gradient, sums=sums._replace(mismatch_max=jnp.max(progress.sums.mismatch_max, axis=0))
    )


def by_replica(gradient: Callable[..., Progress]) -> Callable[..., Progress]:
    """`gradient(params, reference, progress, batch, rows, …, width=…, bucket=…) -> progress`, for each replica with its
    own rows and its own entry of what has been added up."""

    def run(params: Any, reference: Any, progress: Progress, batch: Any, rows: Any, *phase: Any, **shape: Any) -> Any:
        if _replicas() == 1:
            return gradient(params, reference, progress, batch, rows, *phase, **shape)

        def own(params: Any, reference: Any, progress: Progress, batch: Any, rows: Any, *phase: Any) -> Progress:
            mine = _of_sums(lambda leaf: leaf[0], progress)
            return _of_sums(lambda leaf: leaf[None], gradient(params, reference, mine, batch, rows, *phase, **shape))

        kept = Progress(OWN, OWN, WHOLE, WHOLE, OWN if progress.old is not None else None)
        inputs = (WHOLE, WHOLE, kept, OWN, OWN, *[WHOLE] * len(phase))
        split = jax.shard_map(own, in_specs=inputs, out_specs=kept, axis_names={AXIS}, check_vma=False)
        return split(params, reference, progress, batch, rows, *phase)

    return run


def _of_sums(change: Callable[[Array], Array], progress: Progress) -> Progress:
    gradient, sums = jax.tree.map(change, (progress.gradient, progress.sums))
    return progress._replace(gradient=gradient, sums=sums)


def _replicas() -> int:
    """Replicas R of the mesh in force whose sums are kept apart; 1 without a mesh."""
    return replicas_apart(jax.sharding.get_abstract_mesh().shape) if free_axes(AXIS) else 1


def replicas_apart(mesh: Mapping[str, int]) -> int:
    """Replicas R whose sums are kept apart on a mesh of these devices along its axes; 1: there is no such axis."""
    return mesh[AXIS] if mesh["tensor"] == 1 else 1
