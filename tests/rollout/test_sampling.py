"""The sampling distribution: temperature, forbidden tokens, entropy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.batch import TokenIds
from perc_jax.rollout import sampling

IDS = TokenIds(pad=0, ends=(1,), image=3, forbidden=(3, 4), vocab_size=10)
LOGITS = jnp.array(np.random.default_rng(0).normal(size=(5, 12)), jnp.float32)


@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.7])
def test_it_is_the_softmax_of_scaled_logits_over_the_allowed_tokens(temperature):
    found = np.exp(sampling.sampling_logprobs(LOGITS, temperature, IDS))
    allowed = [0, 1, 2, 5, 6, 7, 8, 9]
    wanted = np.exp(np.asarray(LOGITS)[:, allowed] / temperature)
    np.testing.assert_allclose(found[:, allowed], wanted / wanted.sum(1, keepdims=True), rtol=1e-5)
    assert np.all(found[:, [3, 4, 10, 11]] == 0)


def test_gradients_are_finite_where_tokens_are_forbidden():
    def loss(logits):
        logprobs = sampling.sampling_logprobs(logits, 1.0, IDS)
        return jnp.sum(sampling.entropy(logprobs)) + jnp.sum(sampling.take(logprobs, jnp.arange(5) % 3))

    assert np.isfinite(jax.grad(loss)(LOGITS)).all()


def test_entropy_of_a_uniform_distribution_is_the_log_of_its_size():
    uniform = sampling.sampling_logprobs(jnp.zeros((2, 12)), 1.0, IDS)
    np.testing.assert_allclose(sampling.entropy(uniform), np.log(8), rtol=1e-6)


def test_half_precision_logits_are_computed_in_float32():
    assert sampling.sampling_logprobs(LOGITS.astype(jnp.bfloat16), 1.0, IDS).dtype == jnp.float32
