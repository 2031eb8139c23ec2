"""Attention: every way equals the rule written out pair by pair, forward and backward; memory grows with the row."""

import dataclasses
import functools
import math
import os
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.model import attention, bind, blockwise, dense, splash
from tests import ROOT
from tests.model.cases import Case, build, compiled, random_params, relative, small_config

RNG = np.random.default_rng
WAYS = ("blockwise", "dense")


def sees(prompt: int, completion: int, row: int) -> np.ndarray:
    """The group-row rule, pair by pair: [query, key]."""

    def may(i: int, j: int) -> bool:
        own = i >= prompt and j >= prompt and (i - prompt) // completion == (j - prompt) // completion
        return j <= i and (j < prompt or own)

    return np.array([[may(i, j) for j in range(row)] for i in range(row)])


def written_out(q, k, v, seen):
    """Softmax attention in float64 with a mask [P, T, T]; q [P,T,K,R,hd]."""
    scores = np.einsum("ptkrd,pukd->pkrtu", q, k, dtype=np.float64) * q.shape[-1] ** -0.5
    scores = np.where(seen[:, None, None], scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.einsum("pkrtu,pukd->ptkrd", weights / weights.sum(axis=-1, keepdims=True), v)


def rows_of(mask, completion, group) -> dense.Rows:
    """Rows in which every completion has the same length."""
    columns = np.tile(np.arange(completion, dtype=np.int32), (len(mask), group))
    return dense.Rows(mask, columns, completion)


def group_rows(prompt, completion, group, kv_heads, repeats, width=8, prompts=2, seed=0):
    """Random q, k, v, the prompts' masks (left-padded), and which rows are real."""
    rng, row = RNG(seed), prompt + group * completion
    q = rng.normal(size=(prompts, row, kv_heads, repeats, width)).astype(np.float32)
    k, v = rng.normal(size=(2, prompts, row, kv_heads, width)).astype(np.float32)
    mask = np.arange(prompt) >= np.arange(prompts)[:, None] * prompt // 3
    return q, k, v, mask, np.concatenate([mask, np.ones((prompts, row - prompt), bool)], axis=1)


def with_gradients(way):
    """Compile `run(inputs, weights) -> (out, gradients of the inputs)` of sum(weights * out)."""

    def run(inputs, weights):
        out, pull_back = jax.vjp(way, *inputs)
        return out, pull_back(weights)

    return compiled(run)


def assert_same(way, other, inputs, real):
    """Equal results at real rows within 1e-5, equal gradients within 1e-4; returns the results."""
    shown = real.reshape(real.shape + (1,) * (inputs[0].ndim - 2))
    weights = np.where(shown, RNG(9).normal(size=inputs[0].shape), 0).astype(np.float32)
    out, gradients = with_gradients(way)(inputs, weights)
    wanted, wanted_gradients = with_gradients(other)(inputs, weights)
    assert relative(np.where(shown, out, 0), np.where(shown, wanted, 0)) <= 1e-5
    for name, found, gradient in zip("qkv", gradients, wanted_gradients, strict=True):
        assert relative(found, gradient) <= 1e-4, name
    return np.asarray(out), np.asarray(wanted)


CASES = {  # S, C, G, K, R, longest side of a block
    "ratio 1, blocks divide": (8, 4, 2, 2, 1, 4),
    "ratio 2, blocks do not divide": (13, 7, 3, 2, 2, 5),
    "ratio 7, one head, one token each": (9, 1, 3, 1, 7, 4),
    "ratio 8, completions longer than the prompt": (3, 10, 2, 1, 8, 4),
    "no completion": (11, 0, 1, 2, 2, 4),
    "one block": (6, 5, 2, 2, 2, 64),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_blocks_equal_the_rule_and_the_dense_way(case, monkeypatch):
    *shape, side = case
    monkeypatch.setattr(blockwise, "BLOCK_SIDES", (side, side))
    prompt, completion, group = shape[:3]
    q, k, v, mask, real = group_rows(*shape)
    rows = rows_of(mask, completion, group)
    ways = (functools.partial(attention.group_row, way, rows=rows) for way in WAYS)
    rule = sees(prompt, completion, q.shape[1])
    wanted = written_out(q, k, v, rule & (real[:, None] | ~real[:, :, None]))
    for found in assert_same(*ways, (q, k, v), real):
        assert relative(found[real], wanted[real]) <= 1e-5


def test_blocks_skip_what_cannot_be_seen(monkeypatch):
    """Keys that the rule hides may be anything, even not a number."""
    monkeypatch.setattr(blockwise, "BLOCK_SIDES", (4, 4))
    q, k, v, mask, _ = group_rows(8, 4, 2, 2, 2)
    run = compiled(functools.partial(attention.group_row, "blockwise", rows=rows_of(np.ones_like(mask), 4, 2)))
    out = np.asarray(run(q, k, v))
    k[:, 12:], v[:, 12:] = np.nan, np.nan
    again = np.asarray(run(q, k, v))
    assert np.array_equal(out[:, :12], again[:, :12])
    assert np.isnan(again[:, 12:]).all()


@pytest.mark.parametrize("way", WAYS)
def test_more_padding_changes_nothing(way, monkeypatch):
    monkeypatch.setattr(blockwise, "BLOCK_SIDES", (4, 4))
    q, k, v, mask, real = group_rows(9, 5, 2, 2, 2)

    def run(mask, *inputs):
        return compiled(functools.partial(attention.group_row, way, rows=rows_of(mask, 5, 2)))(*inputs)

    wide = [np.pad(x, [(0, 0), (6, 0)] + [(0, 0)] * (x.ndim - 2), constant_values=7) for x in (q, k, v)]
    out = run(np.pad(mask, [(0, 0), (6, 0)]), *wide)
    wanted = run(mask, q, k, v)
    assert relative(np.asarray(out)[:, 6:][real], np.asarray(wanted)[real]) <= 1e-5


@pytest.mark.parametrize("way", WAYS)
def test_no_scores_are_kept_for_the_backward_pass(way):
    """Nor masks per layer: what a scan over layers keeps of each is linear in the row."""
    layers, prompt, completion = 3, 64, 32
    q, k, v, mask, _ = group_rows(prompt, completion, 4, 2, 4)
    rows = rows_of(mask, completion, 4)

    def loss(q, k, v):
        def body(x, key):
            return jnp.sin(attention.group_row(way, x, key, v, rows)), None

        return jax.lax.scan(body, q, jnp.stack([k] * layers))[0]

    kept = jax.tree.leaves(jax.eval_shape(lambda *x: jax.vjp(loss, *x)[1], q, k, v))
    of_layers = [leaf for leaf in kept if leaf.shape[:1] == (layers,)]
    assert of_layers
    assert max(leaf.size for leaf in of_layers) <= layers * q.size
    others = [leaf.size for leaf in kept if leaf.shape[:1] != (layers,)]
    assert max(others) < 2 * prompt * q.shape[1]  # masks, without heads


LENGTHS = {  # of completions one after the other in rows of 23 places, and a bound for them
    "across blocks": ([[7, 1, 9, 6], [3, 3, 3, 3]], 9),
    "one that fills the row": ([[23], [1, 1, 20]], 23),
    "none": ([[], [5, 7]], 7),
}


def packed(lengths, longest, places=23):
    """Rows of completions of different lengths: q, k, v, which places are real, and the rule written out."""
    q, k, v, mask, _ = group_rows(9, places, 1, 2, 2)
    columns, real = np.zeros((2, places), np.int32), np.zeros((2, places), bool)
    seen = np.zeros((2, 9 + places, 9 + places), bool)
    for p, row in enumerate(lengths):
        seen[p, :9, :9] = np.tril(np.ones((9, 9), bool)) & mask[p]
        seen[p, 9:, :9] = mask[p]
        for first, length in zip(np.cumsum([0, *row]), row, strict=False):
            columns[p, first : first + length], real[p, first : first + length] = np.arange(length), True
            own = slice(9 + first, 9 + first + length)
            seen[p, own, own] = np.tril(np.ones((length, length), bool))
    return (q, k, v), np.concatenate([mask, real], axis=1), dense.Rows(mask, columns, longest), seen


@pytest.mark.parametrize("way", [*WAYS, "splash"])
@pytest.mark.parametrize("case", LENGTHS.values(), ids=LENGTHS)
def test_completions_of_different_lengths_follow_the_rule(case, way, monkeypatch):
    monkeypatch.setattr(blockwise, "BLOCK_SIDES", (4, 4))
    inputs, real, rows, seen = packed(*case)
    seen |= ~real[:, :, None]
    weights = np.where(real[..., None, None, None], RNG(9).normal(size=inputs[0].shape), 0).astype(np.float32)
    run = functools.partial(attention.group_row, way, rows=rows)
    if way == "splash":
        run = functools.partial(splash.group_row, rows=rows, interpret=True)
    found, gradients = with_gradients(run)(inputs, weights)
    assert relative(np.asarray(found)[real], written_out(*inputs, seen)[real]) <= 1e-5
    _, wanted = plain_gradients(inputs, weights, seen)
    for name, gradient, other in zip("qkv", gradients, wanted, strict=True):
        assert relative(gradient, other) <= 1e-4, name


def plainly(q, k, v, seen):
    """`written_out` that can be differentiated."""
    scores = jnp.einsum("ptkrd,pukd->pkrtu", q, k) * q.shape[-1] ** -0.5
    weights = jax.nn.softmax(jnp.where(seen[:, None, None], scores, -1e30))
    return jnp.einsum("pkrtu,pukd->ptkrd", weights, v)


@compiled
def plain_gradients(inputs, weights, seen):
    """What `with_gradients` gives for it; the rule is one of the program's inputs, which so serves all cases."""
    out, pull_back = jax.vjp(lambda q, k, v: plainly(q, k, v, seen), *inputs)
    return out, pull_back(weights)


def images(width=8, heads=3):
    """Three images of 5, 7 and 9 patches, padding between them, and an empty neighbour."""
    segment = np.stack([np.repeat([0, -1, 1, 2, -1], [5, 3, 7, 9, 2]), np.full(26, -1)]).astype(np.int32)
    q, k, v = RNG(1).normal(size=(3, 2, 26, heads, width)).astype(np.float32)
    return q, k, v, segment


def test_blocks_of_images_equal_the_rule_and_the_dense_way(monkeypatch):
    monkeypatch.setattr(blockwise, "BLOCK_SIDES", (8, 8))
    q, k, v, segment = images()
    wanted = written_out(q[:, :, :, None], k, v, segment[:, :, None] == segment[:, None])[..., 0, :]
    real = segment >= 0
    ways = (functools.partial(attention.same_segment, way, segment=segment) for way in WAYS)
    for found in assert_same(*ways, (q, k, v), real):
        assert relative(found[real], wanted[real]) <= 1e-5
        assert np.isfinite(found).all()


def test_the_kernels_mask_is_the_rule():
    for prompt, completion, group in ((5, 3, 4), (8, 0, 1), (4, 1, 3), (6, 7, 2)):
        row = prompt + group * completion
        mask = splash.GroupRows(row + 5, prompt, completion)
        columns = rows_of(np.ones((1, prompt), bool), completion, group).columns
        rule = np.asarray(mask.mask_function(mask.numbers(columns)[0][:, None], np.arange(row + 5)))
        everything = slice(0, row + 5)
        assert np.array_equal(rule[:row, :row], sees(prompt, completion, row))
        assert np.array_equal(mask[2:6, 1:7], mask[everything, everything][2:6, 1:7])
        assert not (rule & ~mask[everything, everything]).any()  # no block is skipped in which something is seen
        assert rule.any(axis=1).all()  # a row that sees nothing would divide by zero


def test_the_kernels_mask_is_the_rule_in_rows_of_a_hundred_thousand_tokens():
    """At random pairs and beside every border: eight completions of 12,288 tokens behind a prompt of 2,048."""
    prompt, completion, group = 2048, 12_288, 8
    row = prompt + group * completion
    mask = splash.GroupRows(row, prompt, completion)
    numbers = np.asarray(mask.numbers(jnp.tile(jnp.arange(completion), group)[None])[0])
    borders = prompt + completion * np.arange(group)
    places = np.concatenate([RNG(0).integers(row, size=1000), *(borders + near for near in (-1, 0, 1)), [row - 1]])
    query, key = places[:, None], np.unique(places)
    own = (query - prompt) // completion == (key - prompt) // completion
    wanted = (key <= query) & ((key < prompt) | (own & (query >= prompt)))
    assert np.array_equal(mask.mask_function(jnp.asarray(numbers[places])[:, None], jnp.asarray(key)), wanted)
    with pytest.raises(ValueError, match="completions of at most 16384 tokens for attention by splash, got 16385"):
        splash.GroupRows(row, prompt, 16_385)


@pytest.mark.parametrize("repeats", [1, 2])
def test_the_kernel_equals_the_dense_way(repeats, monkeypatch):
    """Interpreted: two blocks, a row that fills them not quite, left padding, forward and backward."""
    monkeypatch.setattr(splash, "BLOCK", 128)
    q, k, v, mask, real = group_rows(100, 70, 2, 2, repeats, width=16)
    kernel = functools.partial(splash.group_row, rows=rows_of(mask, 70, 2), interpret=True)
    plain = functools.partial(attention.group_row, "dense", rows=rows_of(mask, 70, 2))
    assert_same(kernel, plain, (q, k, v), real)


def test_the_kernel_on_images_equals_the_dense_way():
    q, k, v, segment = images(width=20)
    kernel = functools.partial(splash.same_segment, segment=segment, interpret=True)
    assert_same(kernel, functools.partial(attention.same_segment, "dense", segment=segment), (q, k, v), segment >= 0)


def test_the_kernel_on_a_mesh_equals_one_device():
    """Prompts over two axes, heads over the third."""
    mesh = jax.make_mesh((1, 2, 2), ("replica", "fsdp", "tensor"), axis_types=(jax.sharding.AxisType.Auto,) * 3)
    q, k, v, mask, real = group_rows(40, 30, 2, 2, 2, width=16)
    kernel = functools.partial(splash.group_row, rows=rows_of(mask, 30, 2), interpret=True)
    weights = np.where(real[..., None, None, None], 1, 0) * np.ones_like(q)
    wanted = with_gradients(kernel)((q, k, v), weights)
    with jax.set_mesh(mesh):
        run = with_gradients(kernel).lower((q, k, v), weights).compile()
        found = run((q, k, v), weights)
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert relative(x, y) <= 1e-6


def test_a_model_computes_the_same_in_blocks(monkeypatch):
    """Pictures, left padding, completions; hidden states at real tokens, a prompt's caches, and all gradients."""
    monkeypatch.setattr(blockwise, "BLOCK_SIDES", (8, 8))
    config = small_config(depth=2, full=(0, 1))
    batch = build(Case(config, [[3, (8, 6), 4], [2, (6, 4), 1, (4, 4), 3]], 22, 64), seed=3).batch  # 48 and 40 patches
    params = random_params(config, seed=1)
    tokens = RNG(2).integers(5, 64, (2, 3, 11)).astype(np.int32)

    def outputs(config):
        def loss(params, batch, tokens):
            model = bind(config, params)
            prompt, answer = model.forward(batch, tokens, remat="block")
            prompt = jnp.where(batch.mask[..., None], prompt, 0)
            return jnp.sum(jnp.sin(prompt)) + jnp.sum(jnp.sin(2 * answer)), (prompt, answer)

        (_, hidden), gradient = compiled(jax.value_and_grad(loss, has_aux=True))(params, batch, tokens)
        return hidden, gradient, compiled(lambda p, b: bind(config, p).prefill(b)[0])(params, batch)

    wanted = outputs(config)
    found = outputs(dataclasses.replace(config, attention="blockwise"))
    for limit, x, y in zip((1e-5, 1e-4, 1e-5), found, wanted, strict=True):
        for (path, leaf), other in zip(jax.tree_util.tree_leaves_with_path(x), jax.tree.leaves(y), strict=True):
            assert relative(leaf, other) <= limit, jax.tree_util.keystr(path)


def test_memory_grows_with_the_length_of_the_row_and_not_its_square():
    """No array of the compiled program does, and neither does the whole, over two doublings: how tightly XLA packs what
    is alive at the same time differs by a tenth between lengths and versions (4.26 times with jax 0.10.2, 4.43 with
    0.12.0.1)."""
    config = small_config(layers=2, depth=1)
    params = random_params(config, seed=1)
    prompt = build(Case(config, [[4]], 64, 0), seed=0).batch

    def memory(way: str, row: int) -> tuple[int, int]:
        """For the gradient of 64 prompt tokens and two completions: elements of its largest array, bytes of all
        beyond its arguments."""
        chosen = dataclasses.replace(config, attention=way)
        tokens = np.zeros((1, 2, (row - 64) // 2), np.int32)

        def loss(params):
            return jnp.sum(bind(chosen, params).forward(prompt, tokens, remat="block")[1])

        program = compiled(jax.grad(loss)).lower(params).compile()
        shapes = re.findall(r"\b[a-z]+\d+\[([\d,]+)\]", program.as_text())
        largest = max(math.prod(map(int, shape.split(","))) for shape in shapes)
        return largest, program.memory_analysis().temp_size_in_bytes

    short, long = (memory("blockwise", row) for row in (1024, 4096))
    assert long[0] == 4 * short[0]
    assert long[1] <= 1.2 * 4 * short[1]
    short, middle = (memory("dense", row) for row in (1024, 2048))
    assert middle[0] > 3 * short[0] and middle[1] > 1.2 * 2 * short[1]


ON_A_TPU = """
import functools, jax, jax.numpy as jnp, numpy as np
from jax.experimental import topologies
from jax.sharding import NamedSharding, PartitionSpec
from perc_jax.config import MeshConfig
from perc_jax.model import attention
from perc_jax.mesh.sharding import ROWS, make_mesh

mesh = make_mesh(MeshConfig(tensor=2), topologies.get_topology_desc("v6e:2x4", platform="tpu").devices)
place = lambda shape, dtype, *axes: jax.ShapeDtypeStruct(
    shape, dtype, sharding=NamedSharding(mesh, PartitionSpec(*ROWS, *axes)))
q = place((4, 9216, 4, 7, 128), jnp.bfloat16, None, "tensor")
k = place((4, 9216, 4, 128), jnp.bfloat16, None, "tensor")
mask = place((4, 1024), jnp.bool_)
patches, segment = place((4, 4096, 16, 80), jnp.bfloat16), place((4, 4096), jnp.int32)
def rows(q, k, v, mask, columns):
    return jnp.sum(attention.group_row("splash", q, k, v, attention.Rows(mask, columns, 1024)).astype(jnp.float32))

columns = place((4, 8192), jnp.int32)
images = lambda q, k, v, segment: jnp.sum(attention.same_segment("splash", q, k, v, segment).astype(jnp.float32))
with jax.set_mesh(mesh):
    for loss, inputs in ((rows, (q, k, k, mask, columns)), (images, (patches, patches, patches, segment))):
        program = jax.jit(jax.grad(loss, argnums=(0, 1, 2))).lower(*inputs).compile()
        assert "all-gather" not in program.as_text() and "all-reduce" not in program.as_text()
        print(program.memory_analysis().temp_size_in_bytes)
"""


@pytest.mark.slow
def test_the_kernel_compiles_for_a_tpu():
    """Both ways at the 7B model's sizes (S 1024, C 1024, G 8), heads and prompts split, nothing exchanged."""
    pytest.importorskip("libtpu", reason="the TPU's compiler is not installed")
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "TPU_SKIP_MDS_QUERY": "1",
        "TPU_ACCELERATOR_TYPE": "v6e-8",
        "TPU_WORKER_HOSTNAMES": "localhost",
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    }
    done = subprocess.run([sys.executable, "-c", ON_A_TPU], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    for_rows, for_images = map(int, done.stdout.split())
    assert max(for_rows, for_images) < 0.5e9  # the scores of one row alone would be 4.8 GB
