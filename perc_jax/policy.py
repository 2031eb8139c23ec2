"""The policy's log-probabilities of given completions: prompts and tokens in, [P, G, C] out.

Logits over a vocabulary of 152k tokens are by far the largest array that training could make. They exist for a chunk of
completion positions at a time, forward and backward: the backward pass computes each chunk's again. On a mesh every
device works through its own rows with the head's weights gathered once, and the weights' gradient is summed over
devices once, after the last chunk. It knows no loss.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Float, Int

from perc_jax import sampling
from perc_jax.batch import Array, PromptBatch, TokenIds
from perc_jax.model import Qwen2_5_VL, layout
from perc_jax.model.layout import ROW_AXES, free_axes

CHUNK_BYTES = 2**29  # of one chunk's float32 logits on one device


def completion_logprobs(
    model: Qwen2_5_VL,
    ids: TokenIds,
    prompts: PromptBatch,
    tokens: Int[Array, "P G C"],
    temperature: float,
    *,
    remat: bool,
) -> tuple[Float[Array, "P G C"], Float[Array, "P G C"]]:
    """Log-probability of every completion token and, without gradient, entropy of the distribution it was drawn from.

    Both are float32; the entropy is in nats.
    """
    prompt_hidden, hidden = model.forward(prompts, tokens, remat=remat)
    # Token c is predicted by what stands before it: the prompt's last token, then the completion's tokens 0..C-2.
    first = jnp.broadcast_to(prompt_hidden[:, -1:, None].swapaxes(1, 2), (*hidden.shape[:2], 1, hidden.shape[-1]))
    before = jnp.concatenate([first, hidden[:, :, :-1]], axis=2)
    return _score(functools.partial(_judge, ids, temperature), before, tokens, model.text.head_kernel())


def _judge(
    ids: TokenIds, temperature: float, logits: Float[Array, "n V"], tokens: Int[Array, "n"]
) -> tuple[Float[Array, "n"], Float[Array, "n"]]:
    distribution = sampling.sampling_logprobs(logits, temperature, ids)
    return sampling.take(distribution, tokens), jax.lax.stop_gradient(sampling.entropy(distribution))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _score(
    judge: Callable[..., Any], hidden: Float[Array, "P G C D"], tokens: Int[Array, "P G C"], kernel: Float[Array, "D V"]
) -> tuple[Float[Array, "P G C"], Float[Array, "P G C"]]:
    """`judge(logits, tokens)` of every position, logits = hidden x kernel, chunk by chunk."""
    return _score_forward(judge, hidden, tokens, kernel)[0]


def _score_forward(judge: Callable[..., Any], hidden: Array, tokens: Array, kernel: Array) -> tuple[Any, Any]:
    def run(kernel: Array, hidden: Array, tokens: Array) -> Any:
        chunks = _chunks((hidden, tokens), tokens.shape, kernel.shape[1])
        out = jax.lax.map(lambda chunk: judge(_logits(chunk[0], kernel), chunk[1]), chunks)
        return jax.tree.map(lambda x: _whole(x, tokens.shape), out)

    rows = PartitionSpec(free_axes(*ROW_AXES) or None)
    run = _on_each_device(run, (PartitionSpec(), rows, rows), (rows, rows))
    return run(kernel.astype(hidden.dtype), hidden, tokens), (hidden, tokens, kernel)


def _score_backward(judge: Callable[..., Any], saved: Any, given: Any) -> tuple[Array, None, Array]:
    hidden, tokens, kernel = saved
    axes = free_axes(*ROW_AXES)

    def run(kernel: Array, hidden: Array, tokens: Array, given: Any) -> tuple[Array, Array]:
        def step(to_kernel: Array, chunk: Any) -> tuple[Array, Array]:
            hidden, tokens, given = chunk
            _, pull_back = jax.vjp(lambda logits: judge(logits, tokens), _logits(hidden, kernel))
            to_logits = pull_back(given)[0].astype(hidden.dtype)
            added = jnp.einsum("nd,nv->dv", hidden, to_logits, preferred_element_type=jnp.float32)
            return to_kernel + added, jnp.einsum("nv,dv->nd", to_logits, kernel)

        chunks = _chunks((hidden, tokens, given), tokens.shape, kernel.shape[1])
        to_kernel, to_hidden = jax.lax.scan(step, jnp.zeros(kernel.shape, jnp.float32), chunks)
        return _whole(to_hidden, hidden.shape), _sum_over_devices(to_kernel, axes, kept)

    rows, whole = PartitionSpec(axes or None), PartitionSpec()
    kept = layout.stored_axes(kernel.shape[0])
    run = _on_each_device(run, (whole, rows, rows, (rows, rows)), (rows, PartitionSpec(kept or None)))
    to_hidden, to_kernel = run(kernel.astype(hidden.dtype), hidden, tokens, given)
    return to_hidden, None, to_kernel.astype(kernel.dtype)


_score.defvjp(_score_forward, _score_backward)


def _sum_over_devices(to_kernel: Array, axes: tuple[str, ...], kept: tuple[str, ...]) -> Array:
    """Add up a gradient over devices; over the axes `kept` each device keeps only its own part of the first dimension.

    The weights are stored in such parts, so the whole sum, a gigabyte, would be made for nothing. (Where `tensor`
    splits the vocabulary too, the compiler would first gather it to do this.)
    """
    for axis in kept:
        to_kernel = jax.lax.psum_scatter(to_kernel, axis, scatter_dimension=0, tiled=True)
    others = tuple(axis for axis in axes if axis not in kept)
    return jax.lax.psum(to_kernel, others) if others else to_kernel


def _logits(hidden: Float[Array, "n D"], kernel: Float[Array, "D V"]) -> Float[Array, "n V"]:
    return jnp.einsum("nd,dv->nv", hidden, kernel, preferred_element_type=jnp.float32)


def _chunks(tree: Any, shape: tuple[int, ...], vocabulary: int) -> Any:
    """Join the leading [P, G, C] = `shape` of every leaf and cut it into equal chunks, zeros at the end."""
    count = shape[0] * shape[1] * shape[2]
    chunks = -(-count * vocabulary * 4 // CHUNK_BYTES)
    size = -(-count // chunks)

    def cut(leaf: Array) -> Array:
        flat = leaf.reshape(count, *leaf.shape[3:])
        flat = jnp.pad(flat, [(0, chunks * size - count)] + [(0, 0)] * (flat.ndim - 1))
        return flat.reshape(chunks, size, *flat.shape[1:])

    return jax.tree.map(cut, tree)


def _whole(chunks: Array, shape: tuple[int, ...]) -> Array:
    """Undo `_chunks` for one leaf."""
    flat = chunks.reshape(-1, *chunks.shape[2:])
    return flat[: shape[0] * shape[1] * shape[2]].reshape(shape)


def _on_each_device(run: Callable[..., Any], inputs: Any, outputs: Any) -> Callable[..., Any]:
    """Run on each device's own rows of the mesh in force; other axes than those of the rows stay the compiler's."""
    axes = free_axes(*ROW_AXES)
    if not axes:
        return run
    return jax.shard_map(run, in_specs=inputs, out_specs=outputs, axis_names=set(axes), check_vma=False)
