"""Rollouts that read their weights as int8: the numbers that are meant, evaluation and trainer as they were."""

import dataclasses

import jax
import numpy as np
import pytest

from perc_jax.data import streams
from perc_jax.mesh import sharding
from perc_jax.model import int8
from perc_jax.plan.memory import device_bytes
from perc_jax.programs.blueprints import Blueprints
from perc_jax.programs.generation import Generation
from tests.model.cases import random_params
from tests.programs.test_programs import CONFIG, PROMPTS, TOKENS

ALWAYS = dataclasses.replace(CONFIG.stages[0], loss=dataclasses.replace(CONFIG.stages[0].loss, sampler_weight="always"))
INT8 = {"rollout": dataclasses.replace(CONFIG.rollout, weights="int8")}
KEPT = dataclasses.replace(CONFIG, stages=(ALWAYS,), **INT8)
STEP, KEY = np.int32(0), np.array([0, 3], np.uint32)


def compiled(blueprint):
    return blueprint.compile()


def meant(params):
    """The weights that the int8 ones stand for, in float32."""
    out = {}
    for name, below in params.items():
        if isinstance(below, dict):
            out[name] = meant(below)
        elif name != int8.SCALE:
            scale = params.get(int8.SCALE)
            out[name] = below if name != "kernel" or scale is None else np.float32(below) * np.float32(scale)[:, None]
    return out


@pytest.fixture(scope="module")
def case():
    """Both runs' programs and prompts."""
    plain, kept = Blueprints(CONFIG, TOKENS.ids), Blueprints(KEPT, TOKENS.ids)
    with streams.stream(CONFIG, CONFIG.stages[0]) as stream:
        batch = next(stream)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, plain.params)
    params = jax.device_put(random_params(CONFIG.model, 1), shardings)
    rows = sharding.rows_to_mesh((batch.prompts, np.arange(PROMPTS, dtype=np.uint32)), plain.mesh)
    return plain, kept, params, rows


def test_a_rollout_samples_from_the_weights_that_are_meant(case):
    plain, kept, params, rows = case
    published = compiled(kept.publish_for_sampling())(params)
    dtypes = [jax.tree.map(lambda leaf: leaf.dtype.name, tree) for tree in (published, kept.sampler_params)]
    assert dtypes[0] == dtypes[1]
    stage = CONFIG.stages[0]
    found = sharding.rows_to_host(Generation(kept.rollout(stage), compiled)(published, *rows, KEY, STEP))
    sample = Generation(plain.rollout(stage), compiled)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, plain.rollout_params)
    wanted, exact = (
        sharding.rows_to_host(sample(jax.device_put(weights, shardings), *rows, KEY, STEP))
        for weights in (meant(jax.tree.map(np.asarray, published)), params)
    )
    np.testing.assert_array_equal(found.tokens, wanted.tokens)
    np.testing.assert_allclose(found.logprobs, wanted.logprobs, atol=2e-5)
    first = np.abs(np.exp(found.logprobs[..., 0]) - np.exp(exact.logprobs[..., 0]))
    assert first.max() > 1e-6  # the trainer finds something else: what the weights of the loss are there for


def test_evaluation_reads_the_models_dtype_and_decoding_less(case):
    plain, kept, _, _ = case
    assert jax.tree.map(str, kept.rollout_params) == jax.tree.map(str, plain.rollout_params)
    assert kept.rollout(None).prefill.arguments["rollout_params"] is kept.rollout_params
    assert plain.publish_for_sampling() is None and plain.sampler_params is plain.rollout_params
    layers = [device_bytes(made.sampler_params["text"]["layers"]["mlp"]) for made in (kept, plain)]
    assert layers[0] < layers[1] / 3  # of float32, with the scales


def test_weights_of_the_loss_must_make_up_for_it():
    with pytest.raises(ValueError) as error:
        dataclasses.replace(CONFIG, **INT8)
    wanted = "stages.0.loss.sampler_weight must be 'always' where rollout.weights is 'int8', got 'several'"
    assert wanted in str(error.value)
