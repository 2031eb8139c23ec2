"""The KL term against numbers worked by hand, and against the divergence of whole distributions."""

import functools
import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.config import LossConfig, check
from perc_jax.update import grpo

LOG2 = math.log(2)
NOW = jnp.log(jnp.array([[[0.5, 0.25], [0.5, 0.5]], [[0.25, 0.25], [0.5, 0.5]]]))
THEN = jnp.log(jnp.array([[[0.25, 0.5], [0.25, 0.125]], [[0.5, 0.5], [0.25, 0.25]]]))
MASK = jnp.array([[[True, True], [True, False]], [[True, True], [True, True]]])
ADVANTAGES = jnp.array([[1.0, -2.0], [0.0, 0.0]])  # the second group has no signal
# The first group's tokens have d = -log 2, log 2, -log 2 (and one masked); the second's log 2 twice, -log 2 twice.
CASES = {  # estimator: (values, gradients) at d = -log 2 and at d = log 2
    "k1": ((LOG2, -LOG2), (1.0, 1.0)),
    "k2": ((LOG2**2 / 2, LOG2**2 / 2), (LOG2, -LOG2)),
    "k3": ((LOG2 - 0.5, 1 - LOG2), (0.5, -1.0)),
}
KL = pytest.mark.parametrize("kl", CASES)


def settings(kl: str, **fields) -> LossConfig:
    return LossConfig(kl=kl, kl_coef=0.1, **fields)


@functools.cache
def program(config):
    """Of `now, then`: the loss sum and the estimate, with the gradient; compiled once."""

    def loss(now, then):
        found = grpo.kl_loss_sum(now, then, ADVANTAGES, MASK, config)
        return found.total, found.estimate

    return jax.jit(jax.value_and_grad(loss, has_aux=True))


@KL
def test_values_and_gradients_equal_the_hand_worked_numbers(kl):
    (down, up), (steep, flat) = CASES[kl]
    (total, estimate), gradient = program(settings(kl))(NOW, THEN)
    assert float(total) == pytest.approx(0.1 * (2 * down + up), rel=1e-5)
    assert float(estimate) == pytest.approx((2 * down + up) + 2 * (down + up), rel=1e-5, abs=1e-6)
    wanted = [[[0.1 * steep, 0.1 * flat], [0.1 * steep, 0]], [[0, 0], [0, 0]]]
    np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-7)


@KL
def test_tokens_weigh_as_in_the_policy_loss(kl):
    (down, up), _ = CASES[kl]
    weights = {"token_mean": 2 * down + up, "completion_mean": (down + up) / 2 + down, "constant": (2 * down + up) / 2}
    for aggregation, wanted in weights.items():
        (total, _), _ = program(settings(kl, aggregation=aggregation))(NOW, THEN)
        assert float(total) == pytest.approx(0.1 * wanted, rel=1e-5, abs=1e-7), aggregation


@KL
def test_the_reference_itself_costs_nothing(kl):
    (total, estimate), gradient = program(settings(kl))(NOW, NOW)
    assert total == 0 and estimate == 0
    if kl != "k1":
        assert not np.any(gradient)


@KL
@pytest.mark.parametrize("junk", [-np.inf, np.nan])
def test_what_stands_behind_the_mask_changes_nothing(kl, junk):
    wanted = program(settings(kl))(NOW, THEN)
    for now, then in ((jnp.where(MASK, NOW, junk), THEN), (NOW, jnp.where(MASK, THEN, junk))):
        found = program(settings(kl))(now, then)
        assert wanted[0] == found[0] and (wanted[1] == found[1]).all()


def test_a_token_that_the_policy_thinks_impossible_leaves_everything_finite():
    (total, _), gradient = program(settings("k3"))(NOW.at[0, 0, 0].set(-300.0), THEN)
    assert jnp.isfinite(total) and jnp.isfinite(gradient).all()


@pytest.mark.parametrize(("kl", "is_unbiased"), [("k1", True), ("k2", False), ("k3", True)])
def test_estimators_average_to_the_divergence_of_whole_distributions(kl, is_unbiased):
    """Every token once, weighed by its probability: the expectation without sampling."""
    policy, reference = (jax.nn.log_softmax(jnp.array(row)) for row in ([0.1, 1.2, -0.7, 0.4], [0.5, 0.6, -0.2, 0.0]))
    divergence = float(jnp.sum(jnp.exp(policy) * (policy - reference)))
    mask, advantages = jnp.ones((1, 1, 1), bool), jnp.ones((1, 1))
    each = [
        grpo.kl_loss_sum(now[None, None, None], then[None, None, None], advantages, mask, settings(kl)).estimate
        for now, then in zip(policy, reference, strict=True)
    ]
    average = float(jnp.sum(jnp.exp(policy) * jnp.array(each)))
    assert average == pytest.approx(divergence, rel=1e-5 if is_unbiased else 0.2)
    assert (average == pytest.approx(divergence, rel=1e-3)) == is_unbiased


@pytest.mark.parametrize("kl", ["k1", "k2"])
def test_on_policy_gradients_are_on_average_what_the_docstring_says(kl):
    """k1's is 0, k2's that of the divergence: expectations over every token, by the policy held fixed."""
    logits, reference = jnp.array([0.1, 1.2, -0.7, 0.4]), jax.nn.log_softmax(jnp.array([0.5, 0.6, -0.2, 0.0]))
    held = jax.nn.softmax(logits)
    mask, advantages = jnp.ones((4, 1, 1), bool), jnp.ones((4, 1))

    def expected(logits):
        policy = jax.nn.log_softmax(logits)
        config = replace(settings(kl), kl_coef=1.0)
        return sum(
            held[i] * grpo.kl_loss_sum(policy[i].reshape(1, 1, 1), reference[i].reshape(1, 1, 1), advantages[:1],
                                       mask[:1], config).total
            for i in range(4)
        )  # fmt: skip

    def divergence(logits):
        policy = jax.nn.log_softmax(logits)
        return jnp.sum(jnp.exp(policy) * (policy - reference))

    wanted = jax.jit(jax.grad(divergence))(logits) if kl == "k2" else jnp.zeros(4)
    np.testing.assert_allclose(jax.jit(jax.grad(expected))(logits), wanted, atol=1e-6)


def test_coefficients_below_zero_are_refused():
    with pytest.raises(ValueError, match=r"loss.kl_coef must be within 0\.\.10, got -0.1"):
        check(LossConfig(kl_coef=-0.1), "loss")
