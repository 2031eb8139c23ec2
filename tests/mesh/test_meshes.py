"""The model on several devices is the model on one: logits and gradients as laid out to train, answers to decode.

float32 on eight fake CPU devices. Between layouts only the order of sums differs: logits and log-probabilities agree
within 1e-5, every gradient within 1e-4 of its largest value, and greedy answers are the same.
"""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

from perc_jax.batch import PromptBatch, TokenIds
from perc_jax.config import MeshConfig
from perc_jax.mesh import sharding
from perc_jax.model import bind
from perc_jax.rollout import sampling
from perc_jax.rollout.decode import make_rollout
from tests.model.cases import Draws, build, compiled, fitted, random_params, relative, small_config

CONFIG = small_config(tied=False)
CASE = fitted(CONFIG, [[3, (8, 6), 4], [2, (6, 4), 1, (4, 4), 3], [5], [7], [1, (4, 4)], [4, (4, 6)], [9], [2]])
IDS = TokenIds(pad=0, ends=(1, 2), image=3, forbidden=(3, 4), vocab_size=60)
GROUP, LENGTH = 2, 12
MESHES = {"2 x 2 x 2": (2, 2, 2)}  # over every axis
# Updates and rollouts on one device and on eight of one axis are compared in their own tests.
MORE_MESHES = {"1": (1, 1, 1), "8 x fsdp": (1, 8, 1), "4 x 2": (1, 4, 2)}

params = random_params(CONFIG, seed=1)
WEIGHTS = Draws(2).real(len(CASE.prompts), GROUP, LENGTH)


def prompts() -> PromptBatch:
    return build(CASE, 3).batch


def learn(params, prompts, tokens, mask):
    """Gradient of the weighted log-likelihood of completions; their logits, the prompts', and the log-probabilities."""

    def loss(params):
        model = bind(CONFIG, params)
        prompt, answer = (model.logits(hidden) for hidden in model.forward(prompts, tokens))
        first = jnp.broadcast_to(prompt[:, None, -1:], (*tokens.shape[:2], 1, prompt.shape[-1]))
        before = jnp.concatenate([first, answer[:, :, :-1]], axis=2)
        logprobs = sampling.take(sampling.sampling_logprobs(before, sampling.Draws(), IDS), tokens)
        return jnp.sum(logprobs * mask * WEIGHTS), (prompt, answer, logprobs)

    return jax.grad(loss, has_aux=True)(params)


def decode_greedily(params, prompts, rows, key):
    """Greedy completions in two segments."""
    options = dict(group_size=GROUP, max_tokens=LENGTH, draws=sampling.Draws(0.0), segment_tokens=LENGTH // 2)
    prefill, decode = make_rollout(CONFIG, IDS, **options)
    context, state = prefill(params, prompts, rows, key)
    return decode(params, context, decode(params, context, state)).completions()


def publish(params, mesh):
    """From the training layout to the rollout layout."""
    return jax.jit(lambda tree: tree, out_shardings=sharding.rollout_shardings(params, mesh))(params)


def run(mesh: Mesh | None):
    """Decode, and learn from what was decoded: gradient, logits, log-probabilities and completions, on the host."""
    batch, rows, key = prompts(), np.arange(len(CASE.prompts), dtype=np.uint32), np.array([0, 7], np.uint32)
    trained = published = params
    if mesh is not None:
        batch, rows = sharding.rows_to_mesh((batch, rows), mesh)
        key = sharding.same_to_mesh(key, mesh)
        trained = jax.device_put(params, sharding.state_shardings(params, mesh))
        published = publish(trained, mesh)
    with jax.set_mesh(mesh) if mesh is not None else contextlib.nullcontext():
        answers = compiled(decode_greedily)(published, batch, rows, key)
        gradient, outputs = compiled(learn)(trained, batch, answers.tokens, answers.mask)
    return jax.tree.map(np.asarray, (gradient, *outputs, answers)), (trained, published)


@pytest.fixture(scope="module")
def wanted():
    return run(None)[0]


def check(wanted, shape):
    devices = np.array(jax.devices()[: np.prod(shape)]).reshape(shape)
    mesh = Mesh(devices, sharding.AXES) if devices.size == 1 else sharding.make_mesh(MeshConfig(*shape))
    (gradient, prompt, answer, scored, decoded), (trained, published) = run(mesh)
    wanted_gradient, wanted_prompt, wanted_answer, _, wanted_decoded = wanted
    real = prompts().mask
    assert relative(prompt[real], wanted_prompt[real]) <= 1e-5
    assert relative(answer, wanted_answer) <= 1e-5
    others = jax.tree.leaves(gradient)
    for (path, leaf), other in zip(jax.tree_util.tree_leaves_with_path(wanted_gradient), others, strict=True):
        assert np.abs(leaf).max() > 0
        assert relative(other, leaf) <= 1e-4, jax.tree_util.keystr(path)
    assert np.array_equal(decoded.tokens, wanted_decoded.tokens)
    assert np.array_equal(decoded.mask, wanted_decoded.mask)
    np.testing.assert_allclose(decoded.logprobs, wanted_decoded.logprobs, atol=1e-5)
    np.testing.assert_allclose(decoded.logprobs[decoded.mask], scored[decoded.mask], atol=1e-5)
    if shape[1] > 1:  # the two layouts do differ
        layouts = [tree["text"]["layers"]["mlp"]["up"]["kernel"].sharding for tree in (trained, published)]
        assert layouts[0] != layouts[1]


@pytest.mark.parametrize("shape", MESHES.values(), ids=MESHES)
def test_a_mesh_changes_neither_logits_nor_gradients_nor_answers(wanted, shape):
    check(wanted, shape)


@pytest.mark.slow
@pytest.mark.parametrize("shape", MORE_MESHES.values(), ids=MORE_MESHES)
def test_more_meshes_change_neither_logits_nor_gradients_nor_answers(wanted, shape):
    check(wanted, shape)


def test_the_greedy_answers_are_worth_comparing(wanted):
    """Answers differ between prompts, some end early and some run to the end."""
    answers = wanted[-1]
    assert len({row.tobytes() for row in answers.tokens[:, 0]}) == len(CASE.prompts)
    assert 0 < answers.ended.mean() < 1
