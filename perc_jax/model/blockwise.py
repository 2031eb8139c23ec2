"""Attention one block of scores at a time: memory linear in the length of the row, forward and backward.

The softmax is built up over blocks of keys from a running maximum, sum and weighted value (Milakov and Gimelshein 2018,
arXiv 1805.02867); the backward pass computes each block of weights again from the log of that sum (Dao et al. 2022,
arXiv 2205.14135, algorithm 4). Differences: a query may see several parts of keys that lie apart, all under one
softmax, and pairs of blocks in which no prompt of a device sees anything are not visited: which they are is found from
the rows, so that the work follows the completions' real lengths. Matrix products take the inputs' dtype and accumulate
in float32; everything else is float32.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.sharding import PartitionSpec
from jaxtyping import Bool, Float, Int

from perc_jax.batch import Array
from perc_jax.model.dense import HIDDEN, Rows
from perc_jax.model.layers import ATTENTION
from perc_jax.model.layout import ROW_AXES, free_axes

# Scores per prompt that exist at a time: what stays in a CPU's cache; what keeps a GPU busy (64 MiB of float32).
BLOCK_SCORES = {"cpu": 2**17, "gpu": 2**24, "tpu": 2**24}
BLOCK_SIDES = (64, 1024)  # below, the products get too thin; beyond, nothing gets faster
QUERY_PADDING, KEY_PADDING = -3, -2  # segments of what fills the last block up; equal to no other segment
LEAST_TOP = HIDDEN / 2  # far below all scores, far above those that are hidden: these weigh nothing
LEAST_TOTAL = 1e-30  # of the weights of a query: where it sees something, its largest one alone is 1


class Part(NamedTuple):
    """Keys and values that queries may see: those of the query's segment within its reach.

    N key/value heads serve the A query heads, A / N neighbours each.
    """

    k: Float[Array, "P N U hd"]
    v: Float[Array, "P N U hd"]
    segment: Int[Array, "P U"]
    # How many keys before its own place a query sees, itself not counted; None: all of them, and all after it.
    reach: Int[Array, "P T"] | None = None


class _Softmax(NamedTuple):
    """A running softmax per query: maximum, sum of weights, weighted sum of values. Blocks of queries lead."""

    top: Float[Array, "n P A t"]
    total: Float[Array, "n P A t"]
    values: Float[Array, "n P A t hd"]


def group_row(
    q: Float[Array, "P T K R hd"],
    k: Float[Array, "P T K hd"],
    v: Float[Array, "P T K hd"],
    rows: Rows,
) -> Float[Array, "P T K R hd"]:
    """Attend within group rows, as the rule in `attention` says."""
    prompts, length = rows.prompt_mask.shape
    _, row, heads, repeats, width = q.shape
    queries = jnp.moveaxis(q, 1, 3)  # [P,K,R,T,hd]
    keys, values = jnp.swapaxes(k, 1, 2), jnp.swapaxes(v, 1, 2)
    prompt = Part(keys[:, :, :length], values[:, :, :length], jnp.where(rows.prompt_mask, 0, -1))
    segment = jnp.zeros((prompts, row), jnp.int32)
    at_prompt = queries[..., :length, :].reshape(prompts, -1, length, width)
    before = jnp.broadcast_to(jnp.arange(length), (prompts, length))
    out = _own_rows((length,), at_prompt, segment[:, :length], (prompt._replace(reach=before),))
    out = out.reshape(prompts, heads, repeats, length, width)
    if row > length:
        own = Part(keys[:, :, length:], values[:, :, length:], segment[:, length:], rows.columns)
        at_own = queries[..., length:, :].reshape(prompts, -1, row - length, width)
        answer = _own_rows((None, rows.longest), at_own, own.segment, (prompt, own))
        out = jnp.concatenate([out, answer.reshape(prompts, heads, repeats, row - length, width)], axis=3)
    return jnp.moveaxis(out, 3, 1)


def same_segment(
    q: Float[Array, "B T H hd"], k: Float[Array, "B T H hd"], v: Float[Array, "B T H hd"], segment: Int[Array, "B T"]
) -> Float[Array, "B T H hd"]:
    """Attend within segments, as the rule in `attention` says."""
    q, k, v = (jnp.swapaxes(x, 1, 2) for x in (q, k, v))
    return jnp.swapaxes(_own_rows((None,), q, segment, (Part(k, v, segment),)), 1, 2)


def extension(
    q: Float[Array, "P W E K R hd"],
    k: Float[Array, "P W E K hd"],
    v: Float[Array, "P W E K hd"],
    prompt: tuple[Float[Array, "P K S hd"], Float[Array, "P K S hd"]],
    prompt_mask: Bool[Array, "P S"],
    own: tuple[Float[Array, "P K W B hd"], Float[Array, "P K W B hd"]],
    seen: Bool[Array, "P W B"],
) -> Float[Array, "P W E K R hd"]:
    """Attend from E new tokens per row, as the rule in `attention` says; one layer's prompt is copied for each row."""
    prompts, rows, length, heads, repeats, width = q.shape
    count = prompts * rows
    queries = jnp.moveaxis(q, 2, 4).reshape(count, heads * repeats, length, width)
    segment, before = (jnp.broadcast_to(x, (count, length)) for x in (jnp.int32(0), jnp.arange(length)))
    seen_prompt = jnp.repeat(jnp.where(prompt_mask, 0, -1), rows, axis=0)
    seen_own = jnp.where(seen, 0, -1).reshape(count, -1)
    parts = (
        Part(*(jnp.repeat(x, rows, axis=0) for x in prompt), seen_prompt),
        Part(*(jnp.swapaxes(x, 1, 2).reshape(count, heads, -1, width) for x in own), seen_own),
        Part(*(jnp.moveaxis(x, 3, 2).reshape(count, heads, length, width) for x in (k, v)), segment, before),
    )
    out = _own_rows((None, None, length), queries, segment, parts)
    return jnp.moveaxis(out.reshape(prompts, rows, heads, repeats, length, width), 4, 2)


def _own_rows(within: tuple[int | None, ...], q: Array, segment: Array, parts: tuple[Part, ...]) -> Array:
    """`attend` on each device's own rows of the mesh in force: how many pairs it visits is no other device's affair."""
    axes, run = free_axes(*ROW_AXES), functools.partial(attend, within)
    if not axes:
        return run(q, segment, parts)
    rows = PartitionSpec(axes)
    return jax.shard_map(run, in_specs=rows, out_specs=rows, axis_names=set(axes), check_vma=False)(q, segment, parts)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def attend(
    within: tuple[int | None, ...], q: Float[Array, "P A T hd"], segment: Int[Array, "P T"], parts: tuple[Part, ...]
) -> Float[Array, "P A T hd"]:
    """Attend to all parts under one softmax. A part with a `reach` has T keys, one at each query's place; `within` says
    for each of them how many keys, its own one counted, a query sees at most. A query that sees none gets 0."""
    return _attend_forward(within, q, segment, parts)[0]


def _attend_forward(
    within: tuple[int | None, ...], q: Array, segment: Array, parts: tuple[Part, ...]
) -> tuple[Array, tuple[Any, ...]]:
    """The result, and what the backward pass reads: no scores, but each query's log of the sum of weights."""
    side = _side(q.shape[1])
    queries, segments = _cut_queries(q, segment, side)
    rows = queries.shape[:-1]
    state = _Softmax(
        jnp.full(rows, LEAST_TOP, jnp.float32), jnp.zeros(rows, jnp.float32), jnp.zeros(queries.shape, jnp.float32)
    )
    for part, keys_seen in zip(parts, within, strict=True):
        state = _absorb(state, queries, segments, part, keys_seen, side)
    total = jnp.maximum(state.total, LEAST_TOTAL)
    out = _join(state.values / total[..., None], 2, q.shape[2]).astype(q.dtype)
    out, log_total = (checkpoint_name(x, ATTENTION) for x in (out, state.top + jnp.log(total)))
    return out, (q, segment, parts, out, log_total)


def _attend_backward(
    within: tuple[int | None, ...], saved: tuple[Any, ...], to_out: Array
) -> tuple[Array, None, tuple[Part, ...]]:
    """Gradients of queries, keys and values from that of the result."""
    q, segment, parts, out, log_total = saved
    side = _side(q.shape[1])
    queries, segments = _cut_queries(q, segment, side)
    through_total = jnp.sum(to_out.astype(jnp.float32) * out.astype(jnp.float32), axis=-1)
    fixed = (queries, segments, log_total, _cut(to_out, 2, side), _cut(through_total, 2, side))
    to_queries, to_parts = jnp.zeros(queries.shape, jnp.float32), []
    for part, keys_seen in zip(parts, within, strict=True):
        to_queries, to_part = _pull_back(to_queries, fixed, part, keys_seen, side)
        to_parts.append(to_part)
    return (_join(to_queries, 2, q.shape[2]) * q.shape[-1] ** -0.5).astype(q.dtype), None, tuple(to_parts)


attend.defvjp(_attend_forward, _attend_backward)


def _absorb(state: _Softmax, queries: Array, segments: Array, part: Part, within: int | None, side: int) -> _Softmax:
    """Let every query see one part: each visited pair of blocks updates the running softmax of its queries."""
    heads = part.k.shape[1]
    keys, values, key_segments = _cut_part(part, side)
    reach = None if part.reach is None else _cut(part.reach, 1, side)

    def visit(state: _Softmax, pair: Int[Array, "2"]) -> _Softmax:
        i, j = pair
        old = _Softmax(*(_split(_take(x, i), heads) for x in state))
        raw = _product("pnrtd,pnud->pnrtu", _split(_take(queries, i), heads), _take(keys, j))
        seen = _seen(_take(segments, i), _take(key_segments, j), pair, None if reach is None else _take(reach, i))
        scores = jnp.where(seen, raw, HIDDEN)
        top = jnp.maximum(old.top, scores.max(axis=-1))
        weights, keep = jnp.exp(scores - top[..., None]), jnp.exp(old.top - top)
        added = _product("pnrtu,pnud->pnrtd", weights.astype(values.dtype), _take(values, j))
        new = _Softmax(top, old.total * keep + weights.sum(axis=-1), old.values * keep[..., None] + added)
        return _Softmax(*(_put(x, i, y) for x, y in zip(state, new, strict=True)))

    return _visit(visit, state, *visited(segments, key_segments, reach, within))


def _pull_back(
    to_queries: Array, fixed: tuple[Array, ...], part: Part, within: int | None, side: int
) -> tuple[Array, Part]:
    """Carry the results' gradient back through one part: to queries (added), to its keys and values."""
    queries, segments, log_total, to_out, through_total = fixed
    heads = part.k.shape[1]
    keys, values, key_segments = _cut_part(part, side)
    reach = None if part.reach is None else _cut(part.reach, 1, side)

    def visit(grads: tuple[Array, Array, Array], pair: Int[Array, "2"]) -> tuple[Array, Array, Array]:
        i, j = pair
        queries_i, to_out_i, keys_j = _split(_take(queries, i), heads), _split(_take(to_out, i), heads), _take(keys, j)
        raw = _product("pnrtd,pnud->pnrtu", queries_i, keys_j)
        seen = _seen(_take(segments, i), _take(key_segments, j), pair, None if reach is None else _take(reach, i))
        weights = jnp.where(seen, jnp.exp(raw - _split(_take(log_total, i), heads)[..., None]), 0.0)
        to_weights = _product("pnrtd,pnud->pnrtu", to_out_i, _take(values, j))
        to_scores = weights * (to_weights - _split(_take(through_total, i), heads)[..., None])
        to_scores, weights = to_scores.astype(keys.dtype), weights.astype(to_out.dtype)
        added = (
            _product("pnrtu,pnud->pnrtd", to_scores, keys_j),
            _product("pnrtd,pnrtu->pndu", queries_i, to_scores),
            _product("pnrtd,pnrtu->pndu", to_out_i, weights),
        )
        old = _take(grads[0], i), _take(grads[1], j), _take(grads[2], j)
        new = (x + y.reshape(x.shape) for x, y in zip(old, added, strict=True))
        return tuple(_put(x, at, y) for x, at, y in zip(grads, (i, j, j), new, strict=True))

    # Kept turned, [m P N hd u]: for a product of this form only queries are turned, which are few beside the scores.
    start = (to_queries, *(jnp.zeros(jnp.swapaxes(x, 3, 4).shape, jnp.float32) for x in (keys, values)))
    to_queries, *to_part = _visit(visit, start, *visited(segments, key_segments, reach, within))
    turned = (_join(jnp.swapaxes(x, 3, 4), 2, part.k.shape[2]) for x in to_part)
    to_keys, to_values = (x.astype(part.k.dtype) for x in turned)
    return to_queries, Part(to_keys, to_values, None, None)


def _side(heads: int) -> int:
    """Longest side of a block: a power of two, such that the block's scores of all query heads stay few enough."""
    fewest, most = BLOCK_SIDES
    scores = BLOCK_SCORES[jax.default_backend()]
    return min(max(2 ** math.floor(math.log2(scores / heads) / 2), fewest), most)


def visited(
    segments: Int[Array, "n P t"],
    key_segments: Int[Array, "m P u"],
    reach: Int[Array, "n P t"] | None,
    within: int | None,
) -> tuple[Int[Array, "c 2"], Int[Array, ""]]:
    """The pairs of a block of queries and one of keys that may have to be visited, and how many of them have to be:
    these come first, in their order.

    In a pair that is left out no query of any prompt sees a key. `within` as of `attend`.
    """
    pairs = [(i, j) for i in range(len(segments)) for j in range(len(key_segments))]
    if within is not None:  # of a block before their own, queries see the last keys at most
        size = segments.shape[2]
        pairs = [(i, j) for i, j in pairs if i == j or (j < i and (i - j - 1) * size + 1 < within)]
    table = jnp.array(pairs, jnp.int32)
    i, j = table.T
    lowest, highest = segments.min(axis=2), segments.max(axis=2)
    may = (lowest[i] <= key_segments.max(axis=2)[j]) & (highest[i] >= key_segments.min(axis=2)[j])
    if reach is not None:
        place = jnp.arange(reach.size // reach.shape[1]).reshape(len(reach), 1, -1)
        first = jnp.where(segments == QUERY_PADDING, place, place - reach).min(axis=2)
        may &= first[i] <= place[:, :, -1][j]
    needed = may.any(axis=1)
    return table[jnp.argsort(~needed, stable=True)], needed.sum(dtype=jnp.int32)


def _visit(visit: Callable[..., Any], state: Any, pairs: Int[Array, "c 2"], count: Int[Array, ""]) -> Any:
    """Fold `visit(state, pair)` over the first pairs."""

    def step(carry: tuple[Array, Any]) -> tuple[Array, Any]:
        return carry[0] + 1, visit(carry[1], _take(pairs, carry[0]))

    # Not a scan: taking gradients through the scan over layers, JAX would take the masks of all pairs out of it, since
    # they are the same in every layer, and store them: [T, T] again.
    return jax.lax.while_loop(lambda carry: carry[0] < count, step, (jnp.int32(0), state))[1]


def _seen(
    segment: Int[Array, "P t"],
    key_segment: Int[Array, "P u"],
    pair: Int[Array, "2"],
    reach: Int[Array, "P t"] | None,
) -> Bool[Array, "P 1 1 t u"]:
    """Which queries of a block see which keys; `pair` numbers the two blocks, of equal size where there is a reach."""
    seen = segment[:, :, None] == key_segment[:, None, :]
    if reach is not None:
        place = jnp.arange(segment.shape[1])
        start, key_start = segment.shape[1] * pair
        distance = (start + place)[:, None] - (key_start + place)
        seen &= (distance >= 0) & (distance <= reach[:, :, None])
    return seen[:, None, None]


def _cut(x: Array, axis: int, side: int, fill: int = 0) -> Array:
    """Cut an axis into equal blocks of at most `side`, filled up at the end; the blocks become the first axis."""
    length = x.shape[axis]
    count = -(-length // side)
    size = -(-length // count)
    padding = [(0, 0)] * x.ndim
    padding[axis] = (0, count * size - length)
    x = jnp.pad(x, padding, constant_values=fill)
    return jnp.moveaxis(x.reshape(*x.shape[:axis], count, size, *x.shape[axis + 1 :]), axis, 0)


def _join(blocks: Array, axis: int, length: int) -> Array:
    """Undo `_cut`."""
    x = jnp.moveaxis(blocks, 0, axis)
    return jax.lax.slice_in_dim(x.reshape(*x.shape[:axis], -1, *x.shape[axis + 2 :]), 0, length, axis=axis)


def _cut_queries(q: Array, segment: Array, side: int) -> tuple[Array, Array]:
    return _cut(q * q.shape[-1] ** -0.5, 2, side), _cut(segment, 1, side, QUERY_PADDING)


def _cut_part(part: Part, side: int) -> tuple[Array, Array, Array]:
    return _cut(part.k, 2, side), _cut(part.v, 2, side), _cut(part.segment, 1, side, KEY_PADDING)


def _split(x: Array, heads: int) -> Array:
    """Group the query heads [P A …] by the key/value head that they read [P N A/N …]."""
    return x.reshape(x.shape[0], heads, -1, *x.shape[2:])


def _product(rule: str, a: Array, b: Array) -> Array:
    return jnp.einsum(rule, a, b, preferred_element_type=jnp.float32)


def _take(blocks: Array, i: Array) -> Array:
    return jax.lax.dynamic_index_in_dim(blocks, i, keepdims=False)


def _put(blocks: Array, i: Array, block: Array) -> Array:
    return jax.lax.dynamic_update_index_in_dim(blocks, block.reshape(blocks.shape[1:]), i, 0)
