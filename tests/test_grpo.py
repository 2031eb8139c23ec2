"""Properties of the advantages and the loss, against numbers worked by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax import grpo


def test_advantages_equal_the_hand_worked_group():
    # rewards 1 0 0 1: mean 0.5, deviation 0.5. rewards 1 0 0 0: mean 0.25, deviation sqrt(3)/4.
    rewards = np.array([[1, 0, 0, 1], [1, 0, 0, 0]], np.float32)
    result = grpo.group_advantages(rewards)
    root3 = np.sqrt(3)
    expected = [[1, -1, -1, 1], [root3, -1 / root3, -1 / root3, -1 / root3]]
    np.testing.assert_allclose(result.advantages, expected, rtol=1e-6)
    assert result.has_signal.tolist() == [True, True]


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e-7, 1e7])
def test_equal_rewards_give_exactly_zero_advantage_and_no_signal(value):
    rewards = np.array([[value] * 7, [0, 1, 0, 0, 0, 0, 0]], np.float32)
    result = grpo.group_advantages(rewards)
    assert np.all(result.advantages[0] == 0)
    assert result.has_signal.tolist() == [False, True]


def test_numpy_and_jax_give_the_same_advantages():
    rewards = np.random.default_rng(0).random((5, 8)).astype(np.float32)
    host, device = grpo.group_advantages(rewards), grpo.group_advantages(jnp.array(rewards))
    np.testing.assert_allclose(host.advantages, device.advantages, rtol=1e-5)
    assert host.advantages.dtype == np.float32


def test_loss_and_gradient_equal_the_hand_worked_numbers():
    # One prompt, two completions of 2 and 1 tokens, advantages +1 and -1. The value is -(1 + 1 - 1) = -1;
    # the gradient with respect to each log-probability is minus its advantage, 0 at padding.
    logprobs = jnp.log(jnp.array([[[0.5, 0.25], [0.125, 0.9]]]))
    advantages = jnp.array([[1.0, -1.0]])
    mask = jnp.array([[[True, True], [True, False]]])
    loss, gradient = jax.value_and_grad(grpo.policy_loss_sum)(logprobs, advantages, mask)
    assert float(loss) == pytest.approx(-1.0)
    np.testing.assert_allclose(gradient, [[[-1.0, -1.0], [1.0, 0.0]]])


def test_mismatch_is_the_probability_difference_over_the_mask():
    ours, theirs = jnp.log(jnp.array([[[0.5, 0.2]]])), jnp.log(jnp.array([[[0.4, 0.9]]]))
    total, largest = grpo.mismatch(ours, theirs, jnp.array([[[True, False]]]))
    assert float(total) == pytest.approx(0.1, rel=1e-5)
    assert float(largest) == pytest.approx(0.1, rel=1e-5)
