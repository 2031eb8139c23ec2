"""Schedules, weight decay, clipping and frozen parameters."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.config import OptimizerConfig
from perc_jax.update.optimizer import MAX_BAD_STEPS, join, make_optimizer, schedule, split_frozen

PARAMS = {"a": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}, "b": {"scale": jnp.ones(3)}}


def step(config: OptimizerConfig, gradient: float):
    optimizer = make_optimizer(config, 10, PARAMS)
    grads = {"a": {"kernel": jnp.full((2, 2), gradient), "bias": jnp.zeros(2)}, "b": {"scale": jnp.zeros(3)}}
    updates, _ = optimizer.update(grads, optimizer.init(PARAMS), PARAMS)
    return updates


def test_warmup_rises_to_the_rate_and_cosine_falls_to_zero():
    rate = schedule(OptimizerConfig(1.0, warmup_steps=4, schedule="cosine"), 20)
    values = [float(rate(i)) for i in range(21)]
    assert values[:5] == pytest.approx([0.25, 0.4375, 0.625, 0.8125, 1.0])
    assert all(a >= b for a, b in itertools.pairwise(values[4:]))
    assert values[20] == pytest.approx(0.0, abs=1e-6)


def test_a_constant_schedule_stays():
    rate = schedule(OptimizerConfig(0.5), 20)
    assert {float(rate(i)) for i in (0, 7, 20)} == {0.5}


@pytest.mark.parametrize("method", ["adamw", "muon"])
def test_weight_decay_moves_matrices_only(method):
    updates = step(OptimizerConfig(1.0, method=method, weight_decay=0.1), 0.0)
    np.testing.assert_allclose(updates["a"]["kernel"], -0.1, rtol=1e-6)
    assert not np.any(updates["a"]["bias"])
    assert not np.any(updates["b"]["scale"])


def test_clipping_bounds_the_gradient_that_adam_sees():
    # With eps far above the clipped gradient the step is gradient / eps: entries of 0.5 after clipping to norm 1.
    updates = step(OptimizerConfig(1.0, eps=1e6, max_grad_norm=1.0), 100.0)
    np.testing.assert_allclose(updates["a"]["kernel"], -0.5e-6, rtol=1e-4)


@pytest.mark.parametrize("updates_per_step", [1, 3])
def test_bad_gradients_are_skipped_for_as_many_steps_whatever_the_updates_of_each(updates_per_step):
    optimizer = make_optimizer(OptimizerConfig(1.0), 10, PARAMS, updates_per_step)
    state, bad = optimizer.init(PARAMS), jax.tree.map(lambda leaf: leaf * np.nan, PARAMS)
    for _ in range(MAX_BAD_STEPS * updates_per_step):
        updates, state = optimizer.update(bad, state, PARAMS)
        assert not any(np.any(leaf) for leaf in jax.tree.leaves(updates))
    updates, _ = optimizer.update(bad, state, PARAMS)
    assert all(np.isnan(leaf).any() for leaf in jax.tree.leaves(updates))


def test_a_frozen_pattern_that_matches_nothing_is_an_error():
    with pytest.raises(ValueError, match=r"optimizer.frozen must match a parameter, got 'visoin'"):
        make_optimizer(OptimizerConfig(1.0, frozen=("visoin",)), 10, PARAMS)


def test_frozen_parameters_have_no_moments():
    optimizer = make_optimizer(OptimizerConfig(1.0, frozen=("^a/kernel",)), 10, PARAMS)
    state = optimizer.init(PARAMS)
    assert sum(leaf.size for leaf in jax.tree.leaves(state) if leaf.ndim) == 2 * (2 + 3)  # of a/bias and b/scale
    trained, frozen = split_frozen(PARAMS, ("^a/kernel",))
    assert trained["a"]["kernel"] is None and jax.tree.leaves(frozen) == [PARAMS["a"]["kernel"]]
    assert jax.tree.structure(join(trained, frozen)) == jax.tree.structure(PARAMS)
    updates, _ = optimizer.update(trained, state, trained)
    assert updates["a"]["kernel"] is None and np.any(updates["b"]["scale"])


def test_muon_moves_matrices_by_orthogonal_steps_and_the_rest_by_adam():
    """Every singular value of a matrix' step is about equal, whatever the gradient's, layer by layer of a stack."""
    params = {"a": {"kernel": jnp.ones((3, 8, 6)), "bias": jnp.ones(6)}}
    rng = np.random.default_rng(0)
    grads = {"a": {"kernel": jnp.array(rng.normal(size=(3, 8, 6)) * [[[1]], [[10]], [[1e-2]]]), "bias": jnp.ones(6)}}
    optimizer = make_optimizer(OptimizerConfig(1.0, method="muon", max_grad_norm=1e6), 10, params)
    updates, _ = optimizer.update(grads, optimizer.init(params), params)
    values = np.linalg.svd(np.asarray(updates["a"]["kernel"]), compute_uv=False)
    scale = 0.2 * np.sqrt(8)  # sqrt(max(inputs, outputs)) x AdamW's root mean square
    assert np.all((values > 0.6 * scale) & (values < 1.3 * scale))
    assert np.all(
        (updates["a"]["bias"] < -0.9) & (updates["a"]["bias"] > -1.6)
    )  # one Adam step, with momentum's foresight
