"""Schedules, weight decay, clipping and frozen parameters."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from perc_jax.config import OptimizerConfig
from perc_jax.update.optimizer import gradient_norm, join, make_optimizer, schedule, split_frozen

PARAMS = {"a": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}, "b": {"scale": jnp.ones(3)}}


@functools.cache
def optimizer_of(config: OptimizerConfig) -> optax.GradientTransformation:
    """Of `PARAMS`, with an update that is compiled for all tests that call it."""
    made = make_optimizer(config, 40, PARAMS)
    return optax.GradientTransformation(made.init, jax.jit(made.update))


def step(config: OptimizerConfig, gradient: float):
    optimizer = optimizer_of(config)
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
    # A gradient so far below eps that nothing but decay is left.
    updates = step(OptimizerConfig(1.0, method=method, weight_decay=0.1, eps=1e9), 1e-3)
    np.testing.assert_allclose(updates["a"]["kernel"], -0.1, rtol=1e-6)
    assert not np.any(updates["a"]["bias"])
    assert not np.any(updates["b"]["scale"])


def test_clipping_bounds_the_gradient_that_adam_sees():
    # With eps far above the clipped gradient the step is gradient / eps: entries of 0.5 after clipping to norm 1.
    updates = step(OptimizerConfig(1.0, eps=1e6, max_grad_norm=1.0), 100.0)
    np.testing.assert_allclose(updates["a"]["kernel"], -0.5e-6, rtol=1e-4)


def warm(optimizer: optax.GradientTransformation):
    """The state after a few real steps, whose momentum is far from 0."""
    state = optimizer.init(PARAMS)
    for number in range(3):
        _, state = optimizer.update(jax.tree.map(lambda leaf, n=number: leaf * (n + 1.0), PARAMS), state, PARAMS)
    return state


def assert_left_out(optimizer: optax.GradientTransformation, state, gradient):
    """An update that changes no parameter, no moment and no counter of the schedule; returns the state after it."""
    updates, after = optimizer.update(gradient, state, PARAMS)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(updates))
    for before, now in zip(*map(jax.tree.leaves, (state.inner_state, after.inner_state)), strict=True):
        np.testing.assert_array_equal(before, now)
    return after


METHODS = pytest.mark.parametrize("method", ["adamw", "muon"])


@METHODS
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e19, 1e25])
def test_a_gradient_without_a_finite_norm_changes_nothing_however_often(method, value):
    """Each entry of 1e19 and 1e25 is finite; the sum of their squares is not."""
    optimizer = optimizer_of(OptimizerConfig(1.0, method=method, weight_decay=0.1))
    state, bad = warm(optimizer), jax.tree.map(lambda leaf: leaf * value, PARAMS)
    assert not gradient_norm(bad)[1]
    for number in range(1, 9):
        state = assert_left_out(optimizer, state, bad)
        assert not state.last_finite and state.notfinite_count == state.total_notfinite == number
    updates, state = optimizer.update(PARAMS, state, PARAMS)
    assert all(np.any(leaf) for leaf in jax.tree.leaves(updates))
    assert state.last_finite and state.notfinite_count == 0 and state.total_notfinite == 8


@METHODS
def test_the_largest_gradient_that_has_a_norm_is_clipped_and_used(method):
    optimizer = optimizer_of(OptimizerConfig(1.0, method=method))
    large = jax.tree.map(lambda leaf: leaf * 5e18, PARAMS)
    assert gradient_norm(large)[1]
    updates, _ = optimizer.update(large, optimizer.init(PARAMS), PARAMS)
    assert all(np.any(leaf) and np.isfinite(leaf).all() for leaf in jax.tree.leaves(updates))


@METHODS
def test_without_signal_nothing_moves_neither_by_momentum_nor_by_decay(method):
    """A gradient that is exactly 0 is one of a step without signal; one that is tiny is not."""
    optimizer = optimizer_of(OptimizerConfig(1.0, method=method, weight_decay=0.1))
    state = warm(optimizer)
    for _ in range(20):
        state = assert_left_out(optimizer, state, jax.tree.map(jnp.zeros_like, PARAMS))
    assert state.last_finite and state.total_notfinite == 0
    tiny = jax.tree.map(lambda leaf: leaf * 1e-30, PARAMS)  # whose squares are 0
    updates, _ = optimizer.update(tiny, state, PARAMS)
    assert all(np.any(leaf) for leaf in jax.tree.leaves(updates))


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
    state, update = optimizer.init(params), jax.jit(optimizer.update)
    updates, after = update(grads, state, params)
    values = np.linalg.svd(np.asarray(updates["a"]["kernel"]), compute_uv=False)
    scale = 0.2 * np.sqrt(8)  # sqrt(max(inputs, outputs)) x AdamW's root mean square
    assert np.all((values > 0.6 * scale) & (values < 1.3 * scale))
    np.testing.assert_allclose(updates["a"]["bias"], -1.0, rtol=1e-5)  # AdamW's first step is the rate
    for _ in range(3):
        grads["a"]["bias"] = -grads["a"]["bias"] * 1.7
        updates, after = update(grads, after, params)
    alone = make_optimizer(OptimizerConfig(1.0, max_grad_norm=1e6), 10, {"bias": params["a"]["bias"]})
    other, found, update = alone.init({"bias": params["a"]["bias"]}), None, jax.jit(alone.update)
    for number in range(4):
        gradient = {"bias": jnp.full(6, (-1.7) ** number)}
        found, other = update(gradient, other, {"bias": params["a"]["bias"]})
    np.testing.assert_allclose(updates["a"]["bias"], found["bias"], rtol=1e-5)


def test_moments_of_muon_lie_where_optax_keeps_them():
    """So that checkpoints stay readable, in both directions."""
    params = {"a": {"kernel": jnp.ones((3, 8, 6)), "bias": jnp.ones(6)}, "b": {"scale": jnp.ones(3)}}
    config = OptimizerConfig(1.0, method="muon", weight_decay=0.1, schedule="cosine")
    rate = schedule(config, 10)
    axes = {"a": {"kernel": optax.contrib.MuonDimensionNumbers(1, 2), "bias": None}, "b": {"scale": None}}
    mask = {"a": {"kernel": True, "bias": False}, "b": {"scale": False}}
    theirs = optax.contrib.muon(rate, weight_decay_mask=mask, muon_weight_dimension_numbers=axes, consistent_rms=0.2)
    whole = optax.apply_if_finite(optax.chain(optax.clip_by_global_norm(1.0), theirs), 5)
    ours = make_optimizer(config, 10, params).init(params)

    def described(state):
        leaves = jax.tree_util.tree_leaves_with_path(state)
        return {jax.tree_util.keystr(path): (leaf.shape, leaf.dtype) for path, leaf in leaves}

    assert described(ours) == described(whole.init(params))
