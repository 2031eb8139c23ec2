"""The update: group row = separate sequences, micro-batches = whole batch, 8 devices = 1, no signal = no gradient."""

import dataclasses
import functools

import jax
import numpy as np
import optax
import pytest
from jax.sharding import Mesh

from perc_jax.batch import TokenIds, TrainBatch
from perc_jax.config import MeshConfig, OptimizerConfig, StageConfig
from perc_jax.mesh import sharding
from perc_jax.rollout.sampling import Draws
from perc_jax.update import grpo, packing
from perc_jax.update.optimizer import make_optimizer
from perc_jax.update.update import (
    FIRST,
    GRPO,
    LATER,
    NOTE,
    TrainState,
    Update,
    make_encode,
    make_gradient,
    make_loss,
    make_update,
)
from tests.model.cases import Case, build, compiled, random_params, relative, small_config

CONFIG = small_config(depth=1, full=(0,))
CASE = Case(CONFIG, [[3, (8, 6), 4], [2, (6, 4), 1, (4, 4), 3], [5], [7], [1, (4, 4)], [4, (4, 6)], [9], [2]], 22, 64)
IDS = TokenIds(pad=0, ends=(1, 2), image=3, forbidden=(3, 4), vocab_size=60)
PROMPTS, GROUP, LENGTH = len(CASE.prompts), 4, 5
WIDTH, ALL = GROUP * LENGTH, np.ones(PROMPTS, bool)
LOSS = make_loss(CONFIG, IDS, kind="grpo")


def whole_gradient(loss, terms=GRPO):
    """`gradient(params, batch) -> gradient, sums, total` of a whole batch at once, every completion in C places."""

    def gradient(params, batch):
        total = grpo.normaliser(batch.mask, batch.advantages, terms)
        return *make_gradient(loss)(params, batch, total, batch.mask[0].size), total

    return gradient


GRADIENT = compiled(whole_gradient(LOSS))


@functools.cache
def program(function, **static):
    """A function compiled for all tests that call it."""
    return compiled(functools.partial(function, **static))


@functools.cache
def optimizer_of(stage: StageConfig) -> optax.GradientTransformation:
    return make_optimizer(stage.optimizer, stage.steps, random_params(CONFIG, seed=1))


@functools.cache
def update_of(stage: StageConfig) -> Update:
    return make_update(CONFIG, stage, IDS, optimizer_of(stage), Draws())


def uncut(stage: StageConfig) -> StageConfig:
    """A stage without what only its plan reads."""
    return dataclasses.replace(stage, micro_batches=1, row_widths=())


def train_batch(seed: int = 0) -> TrainBatch:
    """Random completions of 1 to C tokens with random advantages; group 5 has no signal."""
    rng = np.random.default_rng(seed)
    shape = (PROMPTS, GROUP, LENGTH)
    mask = np.arange(LENGTH) < rng.integers(1, LENGTH + 1, shape[:2])[..., None]
    advantages = rng.normal(size=shape[:2]).astype(np.float32)
    advantages[5] = 0
    logprobs = np.where(mask, -rng.random(shape), 0).astype(np.float32)
    return TrainBatch(build(CASE, 3).batch, rng.integers(5, 60, shape).astype(np.int32), mask, logprobs, advantages)


@pytest.fixture(scope="module")
def params() -> dict:
    return random_params(CONFIG, seed=1)


def assert_gradients_close(found, wanted, limit):
    others = jax.tree.leaves(found)
    for (path, leaf), other in zip(jax.tree_util.tree_leaves_with_path(wanted), others, strict=True):
        assert relative(other, leaf) <= limit, jax.tree_util.keystr(path)


def assert_moves_close(found, wanted, before, limit):
    """What a step changed of every parameter, whose size says nothing of it; each of `wanted` moved."""

    def moves(after):
        return jax.tree.map(lambda new, old: np.asarray(new, np.float64) - np.asarray(old), after, before)

    assert all(np.any(leaf) for leaf in jax.tree.leaves(moves(wanted)))
    assert_gradients_close(moves(found), moves(wanted), limit)


def test_a_group_row_equals_separate_sequences(params):
    """The shared prompt's gradient is the sum over its completions': loss and every gradient within 1e-5."""
    batch = train_batch()
    shared, sums, total = GRADIENT(params, batch)

    def apart(leaf):
        return np.repeat(leaf, GROUP, axis=0)

    def alone(leaf):
        return leaf.reshape(PROMPTS * GROUP, 1, *leaf.shape[2:])

    separate = TrainBatch(jax.tree.map(apart, batch.prompts), *(alone(leaf) for leaf in batch[1:5]))
    gradient, other_sums, other_total = GRADIENT(params, separate)
    # Alone, a completion of a signal-free group is left out of the normaliser for its zero advantage, as in the group.
    assert float(other_total) == float(total)
    assert float(other_sums.loss) == pytest.approx(float(sums.loss), rel=1e-5)
    assert float(other_sums.entropy) == pytest.approx(float(sums.entropy), rel=1e-5)
    assert_gradients_close(gradient, shared, 1e-5)


def add_up(update, params, batch, plan, part=0, old=None):
    """The progress of an update after all its micro-batches, compiled for each width; `old`: what the first one of
    several noted of the parts after it."""
    progress = program(update.begin)(params, batch.mask, batch.advantages, np.int32(part))
    several, micro_batches = len(plan.updates) > 1, [((), micro) for micro in plan.updates[part]]
    if several:
        noted = [((np.int32(NOTE),), micro) for later in plan.updates[1:] for micro in later]
        phase = np.int32(LATER if part else FIRST)
        micro_batches = noted * (not part) + [((phase,), micro) for micro in plan.updates[part]]
        progress = progress._replace(old=old) if part else progress
    for phases, (width, rows, _) in micro_batches:
        progress = program(update.gradient, width=width)(params, (), progress, batch, rows.astype(np.int32), *phases)
    return progress


def plan_of(batch, stage, devices=1, has_signal=ALL):
    """The plan of a stage's updates; by default every group is computed."""
    return packing.plan(
        np.asarray(batch.prompts.mask).sum(axis=1),
        packing.lengths(np.asarray(batch.mask)).sum(axis=1),
        has_signal,
        devices=devices,
        prompt_width=batch.prompts.mask.shape[1],
        widths=(*stage.row_widths, WIDTH),
        micro_batches=stage.micro_batches,
        updates=stage.updates_per_rollout,
    )


def test_micro_batches_in_narrow_rows_equal_the_whole_batch(params):
    batch = train_batch()
    stage = dataclasses.replace(STAGE, micro_batches=4, row_widths=(13,))
    plan = plan_of(batch, stage)
    assert {micro.width for micro in plan.updates[0]} == {13, WIDTH}
    whole, sums, total = GRADIENT(params, batch)
    progress = add_up(update_of(uncut(stage)), params, batch, plan)
    assert float(progress.total) == float(total) == float(progress.trained)
    assert_gradients_close(progress.gradient, whole, 1e-5)
    np.testing.assert_allclose(progress.sums, sums, rtol=1e-5)


def test_the_gradient_of_a_group_without_signal_is_exactly_zero(params):
    batch = train_batch()
    gradient, sums, total = GRADIENT(params, batch._replace(advantages=np.zeros_like(batch.advantages)))
    assert all(np.all(np.asarray(leaf) == 0) for leaf in jax.tree.leaves(gradient))
    assert float(sums.loss) == 0
    assert float(total) == 1


def test_a_group_without_signal_changes_neither_gradient_nor_normaliser(params):
    batch = train_batch()
    longer = batch._replace(mask=np.where(np.arange(PROMPTS)[:, None, None] == 5, True, batch.mask))
    assert int(longer.mask.sum()) > int(batch.mask.sum())
    before, _, total = GRADIENT(params, batch)
    after, _, longer_total = GRADIENT(params, longer)
    assert float(total) == float(longer_total) == batch.mask[batch.advantages.any(axis=1)].sum()
    assert_gradients_close(after, before, 1e-6)


def without_signal(batch: TrainBatch, *groups: int) -> TrainBatch:
    silent = np.isin(np.arange(PROMPTS), groups)
    return batch._replace(advantages=np.where(silent[:, None], 0, batch.advantages).astype(np.float32))


def test_groups_without_signal_need_not_be_computed(params):
    batch = without_signal(train_batch(), 0, 2, 3, 7)
    stage = dataclasses.replace(STAGE, micro_batches=4)
    plan = plan_of(batch, stage, has_signal=batch.advantages.any(axis=1))
    assert len(plan.updates[0]) == 2 and plan.skipped_share == 0.5  # 1, 4, 6 and one of those without
    whole, _, total = GRADIENT(params, batch)
    progress = add_up(update_of(uncut(stage)), params, batch, plan)
    assert float(progress.total) == float(total) == float(progress.trained)
    assert_gradients_close(progress.gradient, whole, 1e-5)


def test_what_stands_behind_the_mask_changes_nothing(params):
    batch = train_batch()
    other = batch._replace(
        tokens=np.where(batch.mask, batch.tokens, 1), logprobs=np.where(batch.mask, batch.logprobs, -9)
    )
    before, sums, _ = GRADIENT(params, batch)
    after, other_sums, _ = GRADIENT(params, other)
    np.testing.assert_allclose(other_sums, sums, rtol=1e-6)
    assert_gradients_close(after, before, 1e-6)


def test_gradient_equals_finite_differences(params):
    """Along a random direction, in the loss whose ratio is frozen at its value: sum of advantage x log-probability."""
    batch = train_batch()
    gradient, _, total = GRADIENT(params, batch)
    rng = np.random.default_rng(5)
    direction = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32) * np.abs(leaf).mean(), params)

    def objective(scale: float) -> float:
        moved = jax.tree.map(lambda leaf, way: leaf + np.float32(scale) * way, params, direction)
        value = 0.0
        for advantage in np.unique(batch.advantages):
            chosen = batch.mask & (batch.advantages == advantage)[..., None]
            _, sums = plain_loss(moved, batch._replace(mask=chosen), np.float32(1))
            value += float(advantage) * float(sums.loss)
        return value / float(total)

    step = 2e-3
    slope = (objective(step) - objective(-step)) / (2 * step)
    wanted = sum(float(np.vdot(g, d)) for g, d in zip(*map(jax.tree.leaves, (gradient, direction)), strict=True))
    assert slope == pytest.approx(wanted, rel=2e-2)


def progress_on(mesh: Mesh, params: dict, batch: TrainBatch, stage: StageConfig):
    """The progress of one update with everything laid out on a mesh, and its parameters there."""
    params = jax.device_put(params, sharding.state_shardings(params, mesh))
    plan = plan_of(batch, stage, mesh.shape["replica"] * mesh.shape["fsdp"])
    with jax.set_mesh(mesh):
        return add_up(update_of(uncut(stage)), params, sharding.rows_to_mesh(batch, mesh), plan), params


def run_update(mesh: Mesh, params: dict, batch: TrainBatch, stage: StageConfig):
    """One update with everything laid out on a mesh: new parameters and metrics on the host."""
    progress, params = progress_on(mesh, params, batch, stage)
    opt_state = jax.jit(optimizer_of(uncut(stage)).init)(params)
    state = TrainState(params, opt_state, *sharding.same_to_mesh((np.int32(0), np.zeros(2, np.uint32)), mesh))
    with jax.set_mesh(mesh):
        state, metrics = program(update_of(uncut(stage)).finish)(state, progress, np.int32(1))
    return jax.tree.map(np.asarray, state.params), {name: float(value) for name, value in metrics.items()}


plain_loss = compiled(functools.partial(make_loss(CONFIG, IDS, kind="sft"), width=WIDTH))
STAGE = StageConfig("grpo", "grpo", 10, PROMPTS, OptimizerConfig(1e-3), group_size=GROUP)
ONE = MeshConfig(fsdp=1)


def one_device() -> Mesh:
    return Mesh(np.array(jax.devices()[:1]).reshape(1, 1, 1), sharding.AXES)


# SGD-like: Adam's first step is the gradient's sign, which would turn rounding into whole steps. At a rate that moves
# every parameter by more than its size, what a step changed is known to float32's precision.
CALM = dataclasses.replace(STAGE, optimizer=OptimizerConfig(1e3, eps=1.0), row_widths=(16,))
FROZEN = dataclasses.replace(STAGE, optimizer=OptimizerConfig(1e-3, frozen=("^vision/",)))


@pytest.fixture(scope="module")
def on_one_device(params):
    return run_update(one_device(), params, train_batch(), CALM)


# Gradients on the last one are compared in tests/model/test_lora.py and tests/mesh/test_meshes.py too.
MESHES = [(2, 4, 1), *(pytest.param(mesh, marks=pytest.mark.slow) for mesh in ((1, 8, 1), (1, 4, 2), (2, 2, 2)))]


@pytest.mark.parametrize("shape", MESHES)
def test_eight_devices_equal_one(params, on_one_device, shape):
    """A row per device at a time: other micro-batches than on one device, and with eight rows other groups in narrow
    ones; else, as half as many programs, none is narrow."""
    wanted, metrics = on_one_device
    rows = shape[0] * shape[1]
    stage = dataclasses.replace(CALM, micro_batches=PROMPTS // rows, row_widths=CALM.row_widths if rows == 8 else ())
    found, other = run_update(sharding.make_mesh(MeshConfig(*shape)), params, train_batch(), stage)
    for name, value in metrics.items():
        assert other[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    assert_moves_close(found, wanted, params, 2e-5)


@pytest.mark.slow
def test_replicas_equal_one_device_where_a_rollout_serves_several_updates(params):
    """What is noted for the updates after the first stays with the replica whose rows it is of."""
    calm = OptimizerConfig(1.0, eps=1.0)  # the second update begins where the first one led
    stage = dataclasses.replace(uncut(CALM), updates_per_rollout=2, optimizer=calm)
    four = Mesh(np.array(jax.devices()[:4]).reshape(2, 2, 1), sharding.AXES)
    (wanted, metrics), (found, other) = (
        run_update(mesh, params, train_batch(), stage) for mesh in (one_device(), four)
    )
    for name, value in metrics.items():
        assert other[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    assert_moves_close(found, wanted, params, 1e-3)


def test_frozen_parameters_stay_and_the_others_move(params):
    after, _ = run_update(one_device(), params, train_batch(), FROZEN)
    for before, now in zip(*map(jax.tree.leaves, (params["vision"], after["vision"])), strict=True):
        assert np.array_equal(before, now)
    assert not np.array_equal(params["text"]["embed"]["embedding"], after["text"]["embed"]["embedding"])


def test_a_gradient_that_is_not_finite_changes_nothing_and_is_reported(params):
    batch = train_batch()
    batch.advantages[0, 0] = np.inf
    after, metrics = run_update(one_device(), params, batch, CALM)
    assert metrics["train/is_finite"] == 0
    for before, now in zip(*map(jax.tree.leaves, (params, after)), strict=True):
        assert np.array_equal(before, now)


def test_sft_is_the_mean_negative_log_likelihood_of_the_gold_tokens(params):
    batch = train_batch()
    batch = batch._replace(advantages=np.ones_like(batch.advantages))
    calm = OptimizerConfig(1e-3, frozen=("^vision/", "^text/layers/"))  # what is told knows nothing of gradients
    stage = dataclasses.replace(STAGE, kind="sft", group_size=1, optimizer=calm)
    _, metrics = run_update(one_device(), params, batch, stage)
    _, sums = plain_loss(params, batch, np.float32(1))
    assert metrics["train/loss"] == pytest.approx(float(sums.loss) / batch.mask.sum(), rel=1e-5)
    assert metrics["train/tokens"] == batch.mask.sum()
    assert "mismatch/prob_diff_mean" not in metrics


def test_updates_raise_the_probability_of_what_was_rewarded(params):
    batch = train_batch()
    batch = batch._replace(
        advantages=np.where(np.arange(GROUP) == 0, 1.0, -0.1).astype(np.float32) * np.ones((PROMPTS, 1), np.float32)
    )
    _, before = plain_loss(params, batch._replace(mask=batch.mask & (np.arange(GROUP) == 0)[:, None]), np.float32(1))
    gradient, _, _ = GRADIENT(params, batch)
    moved = jax.tree.map(lambda leaf, slope: leaf - np.float32(0.05) * np.asarray(slope), params, gradient)
    _, after = plain_loss(moved, batch._replace(mask=batch.mask & (np.arange(GROUP) == 0)[:, None]), np.float32(1))
    assert float(after.loss) < float(before.loss)


def test_a_frozen_tower_is_not_asked_again(params):
    """What it made of the pictures for the rollout takes the place of the update's own: the pixels are not read."""
    batch = train_batch()
    wanted, _ = progress_on(one_device(), params, batch, FROZEN)
    seen = batch.prompts._replace(features=compiled(make_encode(CONFIG))(params, batch.prompts))
    seen = seen._replace(pixels=255 - seen.pixels)
    found, _ = progress_on(one_device(), params, batch._replace(prompts=seen), FROZEN)
    assert_gradients_close(found.gradient, wanted.gradient, 1e-6)
    np.testing.assert_allclose(found.sums, wanted.sums, rtol=1e-6)
