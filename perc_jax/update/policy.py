"""The policy's log-probabilities of given completions: prompts and tokens in, [P, G, C] out.

Logits over a vocabulary of 152k tokens are by far the largest array that training could make. They exist for a chunk of
completion positions at a time, forward and backward: the backward pass computes each chunk's again. On a mesh every
device works through its own rows with the head's weights gathered once, and the weights' gradient is summed over
devices once, after the last chunk. It knows no loss.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Bool, Float, Int

from perc_jax.batch import Array, Observed, PromptBatch, TokenIds
from perc_jax.model import Placed, Qwen2_5_VL, layout
from perc_jax.model.layers import Remat
from perc_jax.model.layout import ROW_AXES, free_axes
from perc_jax.rollout import maps, sampling
from perc_jax.rollout.sampling import Draws

CHUNK_BYTES = 2**29  # of one chunk's float32 logits on one device


class Packing(NamedTuple):
    """Where the tokens of G completions stand when they are written one after the other, without their padding.

    Worked example, G = 2, C = 4, lengths 3 and 2, width 6: sources 0 1 2 4 5 4, columns 0 1 2 0 1 0.
    """

    sources: Int[Array, "P W"]  # of each place: g * C + c
    columns: Int[Array, "P W"]  # c; 0 at the places that are left over
    places: Int[Array, "P G C"]  # of each token; anything beyond its completion's length
    is_inside: Bool[Array, "P G C"]  # up to each completion's length


def pack(mask: Bool[Array, "P G C"], width: int) -> Packing:
    """Cut each completion after its last token that the mask names; together they must fit into `width` places."""
    group, length = mask.shape[1:]
    column = jnp.arange(length)
    lengths = jnp.max(jnp.where(mask, column + 1, 0), axis=2)
    ends = jnp.cumsum(lengths, axis=1)
    place = jnp.arange(width)
    owner = jnp.sum(place[:, None] >= ends[:, None], axis=2)
    last = jnp.minimum(owner, group - 1)
    first = jnp.take_along_axis(ends - lengths, last, axis=1)
    columns = jnp.where(owner < group, place - first, 0)
    places = jnp.minimum((ends - lengths)[..., None] + column, width - 1)
    return Packing(last * length + columns, columns, places, column < lengths[..., None])


class Scored(NamedTuple):
    """What the policy says of given tokens; float32."""

    logprobs: Float[Array, "..."]
    entropy: Float[Array, "..."]  # of the distribution each token was drawn from, in nats; without gradient


def completion_logprobs(
    model: Qwen2_5_VL,
    ids: TokenIds,
    prompts: PromptBatch,
    tokens: Int[Array, "P G C"],
    mask: Bool[Array, "P G C"],
    draws: Draws,
    *,
    width: int,
    remat: Remat,
    observed: Observed | None = None,
) -> tuple[Float[Array, "P G C"], Float[Array, "P G C"]]:
    """Log-probability of every completion token and, without gradient, entropy of the distribution it was drawn from.

    Both are float32, and 0 beyond a completion's last token of the mask; the entropy is in nats. `width`: places of a
    row for all its completions, G x C at most. `observed`: what completions hold beside what was sampled; what is said
    of its tokens means nothing.
    """
    return row_logprobs(model, ids, prompts, tokens, mask, draws, width=width, remat=remat, observed=observed)[0]


def row_logprobs(
    model: Qwen2_5_VL,
    ids: TokenIds,
    prompts: PromptBatch,
    tokens: Int[Array, "P G C"],
    mask: Bool[Array, "P G C"],
    draws: Draws,
    *,
    width: int,
    remat: Remat,
    of_prompts: bool = False,
    observed: Observed | None = None,
) -> tuple[Scored, Scored | None]:
    """`completion_logprobs`, and with `of_prompts` the same [P, S] of the prompts' tokens; those of what has no text
    before it, and of pictures, mean nothing. Prompts were not drawn: `ids.map` must then be None."""
    packing, place = pack(mask, width), None
    packed = jnp.take_along_axis(tokens.reshape(len(tokens), -1), packing.sources, axis=1)
    if ids.map is not None:
        # What is observed, and nothing else within a completion, is not of the mask.
        place = maps.places(tokens, ids.map, None if observed is None else mask)
        place = jnp.take_along_axis(place.reshape(len(tokens), -1), packing.sources, axis=1)
    how = {"longest": tokens.shape[2], "remat": remat}
    if observed is not None:
        how["placed"] = _placed(model, observed, packing.sources, remat)
    prompt_hidden, hidden = model.rows(prompts, packed, packing.columns, **how)
    # Token c is predicted by what stands before it: the prompt's last token, then the completion's tokens 0..C-2.
    first = prompt_hidden[:, -1:]
    before = jnp.concatenate([first, hidden[:, :-1]], axis=1)
    before = jnp.where((packing.columns == 0)[..., None], first, before)
    if of_prompts:
        before = jnp.concatenate([before, prompt_hidden[:, :1], prompt_hidden[:, :-1]], axis=1)
        packed = jnp.concatenate([packed, prompts.tokens], axis=1)
    found = _score(functools.partial(_judge, ids, draws), before, packed, model.text.head_kernel(), place)
    places = packing.places.reshape(len(tokens), -1)

    def unpacked(values: Float[Array, "P W"]) -> Float[Array, "P G C"]:
        whole = jnp.take_along_axis(values, places, axis=1).reshape(tokens.shape)
        return jnp.where(packing.is_inside, whole, 0.0)

    completions = Scored(*(unpacked(values[:, :width]) for values in found))
    return completions, Scored(*(values[:, width:] for values in found)) if of_prompts else None


def _placed(model: Qwen2_5_VL, observed: Observed, sources: Int[Array, "P W"], remat: Remat) -> Placed:
    """Positions and pictures of tokens that stand one after the other; each completion has its own pictures."""
    count, group, length = observed.image_slots.shape
    features = observed.features
    if features is None:
        pictures = observed.pixels, observed.patch_rowcol, observed.patch_image
        features = model.encode_images(*(x.reshape(count * group, *x.shape[2:]) for x in pictures), remat=remat)
    features = features.reshape(count, -1, features.shape[-1])
    own = jnp.arange(group)[:, None] * (features.shape[1] // group)
    slots = jnp.where(observed.image_slots < 0, -1, observed.image_slots + own).reshape(count, -1)
    positions = jnp.moveaxis(observed.positions, 2, 1).reshape(count, 3, group * length)
    return Placed(
        jnp.take_along_axis(positions, sources[:, None], axis=2), jnp.take_along_axis(slots, sources, axis=1), features
    )


def _judge(
    ids: TokenIds,
    draws: Draws,
    logits: Float[Array, "n V"],
    tokens: Int[Array, "n"],
    place: Int[Array, "n"] | None,
) -> tuple[Float[Array, "n"], Float[Array, "n"]]:
    distribution = sampling.sampling_logprobs(logits, draws, ids, tokens, place)
    return sampling.take(distribution, tokens), jax.lax.stop_gradient(sampling.entropy(distribution))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _score(
    judge: Callable[..., Any],
    hidden: Float[Array, "*n D"],
    tokens: Int[Array, "*n"],
    kernel: Float[Array, "D V"],
    place: Int[Array, "*n"] | None,
) -> tuple[Float[Array, "*n"], Float[Array, "*n"]]:
    """`judge(logits, tokens, place)` of every position, logits = hidden x kernel, chunk by chunk."""
    return _score_forward(judge, hidden, tokens, kernel, place)[0]


def _score_forward(
    judge: Callable[..., Any], hidden: Array, tokens: Array, kernel: Array, place: Array | None
) -> tuple[Any, Any]:
    def run(kernel: Array, hidden: Array, read: tuple[Array, Array | None]) -> Any:
        shape = read[0].shape
        chunks = _chunks((hidden, read), shape, kernel.shape[1])
        out = jax.lax.map(lambda chunk: judge(_logits(chunk[0], kernel), *chunk[1]), chunks)
        return jax.tree.map(lambda x: _whole(x, shape), out)

    rows = PartitionSpec(free_axes(*ROW_AXES) or None)
    run = on_each_device(run, (PartitionSpec(), rows, rows), (rows, rows))
    read = (tokens, place)
    return run(kernel.astype(hidden.dtype), hidden, read), (hidden, read, kernel)


def _score_backward(judge: Callable[..., Any], saved: Any, given: Any) -> tuple[Array, None, Array, None]:
    hidden, read, kernel = saved
    axes = free_axes(*ROW_AXES)

    def run(kernel: Array, hidden: Array, read: tuple[Array, Array | None], given: Any) -> tuple[Array, Array]:
        def step(to_kernel: Array, chunk: Any) -> tuple[Array, Array]:
            hidden, read, given = chunk
            _, pull_back = jax.vjp(lambda logits: judge(logits, *read), _logits(hidden, kernel))
            to_logits = pull_back(given)[0].astype(hidden.dtype)
            added = jnp.einsum("nd,nv->dv", hidden, to_logits, preferred_element_type=jnp.float32)
            return to_kernel + added, jnp.einsum("nv,dv->nd", to_logits, kernel)

        chunks = _chunks((hidden, read, given), read[0].shape, kernel.shape[1])
        to_kernel, to_hidden = jax.lax.scan(step, jnp.zeros(kernel.shape, jnp.float32), chunks)
        return _whole(to_hidden, hidden.shape), _sum_over_devices(to_kernel, axes, kept)

    rows, whole = PartitionSpec(axes or None), PartitionSpec()
    kept = layout.stored_axes(kernel.shape[0])
    run = on_each_device(run, (whole, rows, rows, (rows, rows)), (rows, PartitionSpec(kept or None)))
    to_hidden, to_kernel = run(kernel.astype(hidden.dtype), hidden, read, given)
    return to_hidden, None, to_kernel.astype(kernel.dtype), None


_score.defvjp(_score_forward, _score_backward)


def _sum_over_devices(to_kernel: Array, axes: tuple[str, ...], kept: tuple[str, ...]) -> Array:
    """Add up a gradient over devices; over the axes `kept` each device keeps only its own part of the first dimension.

    The weights are stored in such parts, so the whole sum, a gigabyte, would be made for nothing. (Where `tensor`
    splits the vocabulary too, the compiler would first gather it to do this.)
    """
    for axis in kept:
        to_kernel = jax.lax.psum_scatter(to_kernel, axis, scatter_dimension=0, tiled=True)
    # An axis of one device has nothing to add up. Left in, a sum over such axes alone, beside a `tensor` of several
    # devices, is one that XLA's partitioner refuses: it no longer sees that they were taken over.
    several = jax.sharding.get_abstract_mesh().shape
    others = tuple(axis for axis in axes if axis not in kept and several[axis] > 1)
    return jax.lax.psum(to_kernel, others) if others else to_kernel


def _logits(hidden: Float[Array, "n D"], kernel: Float[Array, "D V"]) -> Float[Array, "n V"]:
    return jnp.einsum("nd,dv->nv", hidden, kernel, preferred_element_type=jnp.float32)


def _chunks(tree: Any, shape: tuple[int, ...], vocabulary: int) -> Any:
    """Join the leading dimensions `shape` of every leaf and cut them into equal chunks, zeros at the end."""
    count = math.prod(shape)
    chunks = -(-count * vocabulary * 4 // CHUNK_BYTES)
    size = -(-count // chunks)

    def cut(leaf: Array) -> Array:
        flat = leaf.reshape(count, *leaf.shape[len(shape) :])
        flat = jnp.pad(flat, [(0, chunks * size - count)] + [(0, 0)] * (flat.ndim - 1))
        return flat.reshape(chunks, size, *flat.shape[1:])

    return jax.tree.map(cut, tree)


def _whole(chunks: Array, shape: tuple[int, ...]) -> Array:
    """Undo `_chunks` for one leaf."""
    flat = chunks.reshape(-1, *chunks.shape[2:])
    return flat[: math.prod(shape[: len(shape) - flat.ndim + 1])].reshape(shape)


def on_each_device(run: Callable[..., Any], inputs: Any, outputs: Any) -> Callable[..., Any]:
    """Run on each device's own rows of the mesh in force; other axes than those of the rows stay the compiler's."""
    axes = free_axes(*ROW_AXES)
    if not axes:
        return run
    return jax.shard_map(run, in_specs=inputs, out_specs=outputs, axis_names=set(axes), check_vma=False)
