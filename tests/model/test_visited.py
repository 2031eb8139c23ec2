"""Which pairs of blocks are visited: those in which something is seen and no others, on each device its own."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.model import attention, blockwise
from tests.model.cases import compiled, relative
from tests.model.test_attention import LENGTHS, RNG, packed, with_gradients, written_out


def drawn_rows(rng, prompts=2, places=96, prompt=37):
    """Random group rows in blocks of 8: segments of queries and of keys, reach of the own part; all [blocks, P, 8]."""
    columns = np.zeros((prompts, places), np.int32)
    for row in columns:
        lengths = rng.integers(1, 30, 20)
        ends = np.cumsum(lengths)
        for first, length in zip(ends - lengths, lengths, strict=True):
            row[first : first + length] = np.arange(length)[: max(0, places - first)]
    real = np.arange(prompt) >= rng.integers(8, prompt, (prompts, 1))
    cut = functools.partial(blockwise._cut, axis=1, side=8)
    own = cut(jnp.zeros((prompts, places), jnp.int32), fill=blockwise.QUERY_PADDING)
    keys = cut(jnp.where(real, 0, -1), fill=blockwise.KEY_PADDING)
    return own, keys, cut(jnp.asarray(columns))


def seen_pairs(queries, keys, reach):
    """The pairs of blocks in which a query of any prompt sees a key, by the rule itself."""
    return {
        (i, j)
        for i in range(len(queries))
        for j in range(len(keys))
        if blockwise._seen(queries[i], keys[j], jnp.array([i, j]), None if reach is None else reach[i]).any()
    }


@pytest.mark.parametrize("seed", range(4))
def test_the_pairs_that_are_visited_are_those_in_which_something_is_seen(seed):
    own, keys, reach = drawn_rows(RNG(seed))
    for to, how, within in ((keys, None, None), (own, reach, 30)):
        pairs, count = blockwise.visited(own, to, how, within)
        found, needed = {tuple(pair) for pair in np.asarray(pairs)[: int(count)].tolist()}, seen_pairs(own, to, how)
        assert needed <= found and len(found) == int(count) <= 1.15 * len(needed)
        assert len(needed) < len(own) * len(to)


def test_a_pair_that_is_left_out_is_missed(monkeypatch):
    """The comparisons above would notice it."""
    monkeypatch.setattr(blockwise, "BLOCK_SIDES", (4, 4))
    whole = blockwise.visited
    monkeypatch.setattr(blockwise, "visited", lambda *asked: (whole(*asked)[0], whole(*asked)[1] - 1))
    inputs, real, rows, seen = packed(*LENGTHS["across blocks"])
    found = compiled(functools.partial(attention.group_row, "blockwise", rows=rows))(*inputs)
    assert relative(np.asarray(found)[real], written_out(*inputs, seen | ~real[:, :, None])[real]) > 1e-3


def test_blocks_on_a_mesh_equal_one_device_and_exchange_nothing(monkeypatch):
    """Each device visits the pairs of its own prompts, which are other ones on each."""
    monkeypatch.setattr(blockwise, "BLOCK_SIDES", (4, 4))
    mesh = jax.make_mesh((1, 2, 2), ("replica", "fsdp", "tensor"), axis_types=(jax.sharding.AxisType.Auto,) * 3)
    inputs, real, rows, _ = packed([[20, 3], [1] * 23], 20)
    weights = np.where(real[..., None, None, None], 1, 0) * np.ones_like(inputs[0])
    run = with_gradients(functools.partial(attention.group_row, "blockwise", rows=rows))
    wanted = run(inputs, weights)
    lay = functools.partial(jax.NamedSharding, mesh)
    split = [lay(jax.P("fsdp", None, "tensor")) for _ in inputs]
    with jax.set_mesh(mesh):
        placed = tuple(map(jax.device_put, inputs, split)), jax.device_put(weights, split[0])
        program = run.lower(*placed).compile()
    for x, y in zip(jax.tree.leaves(program(*placed)), jax.tree.leaves(wanted), strict=True):
        assert relative(x, y) <= 1e-6
    assert not re.search(r"all-(gather|reduce|to-all)|collective-permute", program.as_text())
