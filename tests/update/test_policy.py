"""Log-probabilities of completions: chunks change nothing, no array of tokens x vocabulary, the same on a mesh."""

import dataclasses
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from perc_jax.batch import TokenIds, TrainBatch
from perc_jax.config import MeshConfig
from perc_jax.mesh import sharding
from perc_jax.model import abstract_params, bind
from perc_jax.rollout import sampling
from perc_jax.rollout.sampling import Draws
from perc_jax.update import policy
from perc_jax.update.update import make_gradient, make_loss
from tests.model.cases import Case, build, compiled, random_params, relative, small_config

IDS = TokenIds(pad=0, ends=(1, 2), image=3, forbidden=(3, 4), vocab_size=60)
SHAPE, WIDTH, VOCABULARY = (4, 3, 5), 16, 64
JUDGE = functools.partial(policy._judge, IDS, Draws(0.7))


def arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hidden states, tokens and a head."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(*SHAPE, WIDTH)).astype(np.float32)
    kernel = rng.normal(size=(WIDTH, VOCABULARY)).astype(np.float32)
    return hidden, rng.integers(5, 60, SHAPE).astype(np.int32), kernel


def at_once(hidden, tokens, kernel):
    distribution = sampling.sampling_logprobs(jnp.einsum("pgcd,dv->pgcv", hidden, kernel), Draws(0.7), IDS)
    return sampling.take(distribution, tokens), sampling.entropy(distribution)


def with_gradients(score):
    """Log-probabilities and entropies, and the gradients of a weighted sum of the former."""

    def loss(hidden, tokens, kernel, weights):
        logprobs, entropies = score(hidden, tokens, kernel)
        return jnp.sum(logprobs * weights), (logprobs, entropies)

    run = compiled(jax.grad(loss, argnums=(0, 2), has_aux=True))
    weights = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    return jax.tree.leaves(run(*arrays(), weights))


def in_chunks(hidden, tokens, kernel):
    return policy._score(JUDGE, hidden, tokens, kernel, None)


@pytest.mark.parametrize("positions", [1, 7, 20, 60])  # of 60 in all
def test_chunks_change_neither_values_nor_gradients(positions, monkeypatch):
    monkeypatch.setattr(policy, "CHUNK_BYTES", positions * VOCABULARY * 4)
    for found, wanted in zip(with_gradients(in_chunks), with_gradients(at_once), strict=True):
        assert relative(found, wanted) <= 1e-5


def test_half_precision_accumulates_the_heads_gradient_in_float32(monkeypatch):
    """However many chunks: a sum of 60 half-precision terms would lose bits that the sum of one chunk does not."""
    hidden, tokens, kernel = arrays()

    def gradient(positions):
        monkeypatch.setattr(policy, "CHUNK_BYTES", positions * VOCABULARY * 4)
        half = jnp.asarray(hidden, jnp.bfloat16)
        out = compiled(jax.grad(lambda kernel: jnp.sum(in_chunks(half, tokens, kernel)[0])))(kernel)
        assert out.dtype == jnp.float32
        return out

    assert relative(gradient(1), gradient(60)) <= 1e-6


@pytest.mark.parametrize("shape", [(2, 2, 2), (1, 8, 1), (1, 1, 8)])
def test_a_mesh_changes_nothing_and_the_vocabulary_stays_split(shape, monkeypatch):
    monkeypatch.setattr(policy, "CHUNK_BYTES", 8 * VOCABULARY * 4)
    mesh = sharding.make_mesh(MeshConfig(*shape))
    rng, count = np.random.default_rng(2), 8
    hidden = rng.normal(size=(count, 2, 9, WIDTH)).astype(np.float32)
    tokens = rng.integers(5, 60, (count, 2, 9)).astype(np.int32)
    kernel = rng.normal(size=(WIDTH, VOCABULARY)).astype(np.float32)

    def loss(hidden, tokens, kernel):
        logprobs, entropies = in_chunks(hidden, tokens, kernel)
        return jnp.sum(jnp.sin(logprobs)), (logprobs, entropies)

    run = compiled(jax.grad(loss, argnums=(0, 2), has_aux=True))
    wanted = run(hidden, tokens, kernel)
    rows, split = NamedSharding(mesh, sharding.ROWS), NamedSharding(mesh, PartitionSpec("fsdp", "tensor"))
    laid_out = (jax.device_put(hidden, rows), jax.device_put(tokens, rows), jax.device_put(kernel, split))
    with jax.set_mesh(mesh):
        program = run.lower(*laid_out).compile()
    for found, value in zip(jax.tree.leaves(program(*laid_out)), jax.tree.leaves(wanted), strict=True):
        assert relative(found, value) <= 1e-5
    local = 8 * 2 * 9 // (shape[0] * shape[1])  # positions of one device, in chunks of at most 8
    assert largest_array(program.as_text(), last=VOCABULARY // shape[2]) <= -(-local // 8) * 8 * VOCABULARY // shape[2]
    if shape[2] > 1:
        assert not re.search(rf"f32\[\d+,{VOCABULARY}\]", program.as_text().replace(f"[{WIDTH},", "["))


def largest_array(program: str, last: int | None = None) -> int:
    """Elements of the largest array in a compiled program's text, or of the largest whose last dimension is `last`."""
    shapes = {tuple(map(int, dims.split(","))) for dims in re.findall(r"[a-z]\w*\[(\d+(?:,\d+)*)\]", program)}
    return max(int(np.prod(shape)) for shape in shapes if last is None or shape[-1] == last)


def test_an_update_holds_no_array_of_tokens_times_vocabulary():
    """Nor of tokens times tokens, in blocks: compiled only, at 2 x 8 x 768 completion tokens and 32,768 words."""
    small = small_config(layers=1, depth=1)
    text = dataclasses.replace(small.text, vocab_size=2**15)
    config = dataclasses.replace(small, text=text, attention="blockwise")
    prompts = build(Case(config, [[9, (4, 4)], [3]], 32, 32), seed=0).batch
    shape = (2, 8, 768)
    ids = IDS._replace(vocab_size=2**15)
    batch = TrainBatch(
        prompts, np.zeros(shape, np.int32), np.ones(shape, bool), np.zeros(shape, np.float32),
        np.ones(shape[:2], np.float32),
    )  # fmt: skip
    gradient = make_gradient(make_loss(config, ids, kind="grpo", remat="block"))
    run = compiled(functools.partial(gradient, width=8 * 768))
    program = run.lower(abstract_params(config), batch, np.float32(1)).compile().as_text()
    positions, row = 2 * 8 * 768, 32 + 8 * 768
    assert largest_array(program) <= policy.CHUNK_BYTES // 4 < positions * 2**15
    attention_scores = 2 * config.text.num_attention_heads * row * row
    assert largest_array(program) < attention_scores


@pytest.mark.slow
def test_peak_memory_grows_with_the_prompt_and_all_completions_and_not_with_their_product():
    """Compiled only, at S = 512 and C = 32: what a gradient needs for G = 4, 8, 16 grows as S + G x C, not as G."""
    config = small_config()
    prompts = build(Case(config, [[9, (4, 4)]], 512, 16), seed=0).batch
    gradient = make_gradient(make_loss(config, IDS, kind="grpo", remat="block"))

    def peak(group: int) -> int:
        shape = (1, group, 32)
        batch = TrainBatch(
            prompts, np.zeros(shape, np.int32), np.ones(shape, bool), np.zeros(shape, np.float32),
            np.ones(shape[:2], np.float32),
        )  # fmt: skip
        run = compiled(functools.partial(gradient, width=group * 32))
        lowered = run.lower(abstract_params(config), batch, np.float32(1))
        return lowered.compile().memory_analysis().temp_size_in_bytes

    peaks = {group: peak(group) for group in (4, 8, 16)}
    print(peaks)
    for group in (8, 16):
        tokens = (512 + group * 32) / (512 + 4 * 32)
        assert peaks[group] <= 1.15 * tokens * peaks[4] < group / 4 * peaks[4]


def test_logprobs_of_a_model_are_those_of_its_logits():
    """Token c is judged by the hidden state before it: the prompt's last one, then the completion's."""
    config = small_config(layers=1, depth=1)
    batch = build(Case(config, [[3, (4, 4)], [5]], 10, 16), seed=3).batch
    params, tokens = random_params(config, seed=1), jnp.array(np.random.default_rng(2).integers(5, 60, (2, 2, 3)))

    def both(params):
        model = bind(config, params)
        given = jnp.ones(tokens.shape, bool)
        logprobs, _ = policy.completion_logprobs(model, IDS, batch, tokens, given, Draws(), width=6, remat="none")
        prompt, answer = model.forward(batch, tokens)
        logits = model.logits(jnp.concatenate([prompt[:, None, -1:].repeat(2, axis=1), answer], axis=2))
        return logprobs, sampling.take(sampling.sampling_logprobs(logits[:, :, :-1], Draws(), IDS), tokens)

    logprobs, wanted = compiled(both)(params)
    assert relative(logprobs, wanted) <= 1e-5
