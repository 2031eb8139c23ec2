"""Every loss in the update, with a table of log-probabilities by token in the place of the model."""

import contextlib
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh

from perc_jax.batch import TrainBatch
from perc_jax.config import LossConfig, OptimizerConfig, StageConfig
from perc_jax.mesh import sharding
from perc_jax.rollout.sampling import Draws
from perc_jax.update import grpo, update
from perc_jax.update.optimizer import make_optimizer
from perc_jax.update.update import TrainState, make_loss, make_update, of_step
from tests.update.test_update import (
    ALL,
    CONFIG,
    IDS,
    STAGE,
    add_up,
    assert_gradients_close,
    assert_moves_close,
    plan_of,
    train_batch,
    whole_gradient,
    without_signal,
)

LOSSES = {
    "token_mean": LossConfig(clip_high=0.28, dual_clip=3.0),
    "completion_mean": LossConfig(aggregation="completion_mean"),
    "constant": LossConfig(aggregation="constant"),
    "gspo": LossConfig(objective="gspo", aggregation="completion_mean", clip_low=3e-4, clip_high=4e-4),
    "cispo": LossConfig(objective="cispo"),
}
TABLE = {"table": {"kernel": np.linspace(-3, -1, 120).astype(np.float32).reshape(60, 2)}}


@pytest.fixture
def table_model(monkeypatch):
    """The log-probability of a token is the mean of its row; its entropy is made up."""

    def look_up(model, ids, prompts, tokens, mask, draws, *, width, remat, observed):
        assert observed is None
        rows = model["table"]["kernel"][tokens]
        return rows.mean(-1), jax.lax.stop_gradient(rows[..., 0])

    monkeypatch.setattr(update, "bind", lambda config, params: params)
    monkeypatch.setattr(update, "completion_logprobs", look_up)

    def look_up_rows(*given, of_prompts, **how):
        assert not of_prompts
        return look_up(*given, **how), None

    monkeypatch.setattr(update, "row_logprobs", look_up_rows)


@pytest.mark.usefixtures("table_model")
@pytest.mark.parametrize(("silent", "skipped"), [((), 0), ((1, 2, 3, 4, 6), 0.75)], ids=["all", "with signal"])
@pytest.mark.parametrize("terms", LOSSES.values(), ids=LOSSES)
def test_micro_batches_equal_the_whole_batch_for_every_loss(terms, silent, skipped, monkeypatch):
    loss = make_loss(CONFIG, IDS, kind="grpo", terms=terms, on_policy=False)
    batch = without_signal(train_batch(), *silent)
    batch = batch._replace(old=batch.logprobs)
    whole, sums, total = jax.jit(whole_gradient(loss, terms))(TABLE, batch)
    # Parts of a step's one update, not on policy because the step has others.
    stage = dataclasses.replace(STAGE, loss=terms, micro_batches=8 if silent else 4)
    monkeypatch.setattr(update, "make_loss", lambda *args, **kwargs: loss)
    plan = plan_of(batch, stage, has_signal=batch.advantages.any(axis=1) if silent else ALL)
    progress = add_up(make_update(CONFIG, stage, IDS, optax.identity(), Draws()), TABLE, batch, plan)
    assert_gradients_close(progress.gradient, whole, 1e-5)
    assert plan.skipped_share == skipped
    assert total == progress.total == grpo.normaliser(jnp.array(batch.mask), jnp.array(batch.advantages), terms)
    assert 0 < sums.clipped < sums.tokens and float(jnp.abs(whole["table"]["kernel"]).max()) > 0
    if not silent:
        np.testing.assert_allclose(progress.sums, sums, rtol=1e-5)


def table_update(stage: StageConfig, batch: TrainBatch, mesh: Mesh | None = None):
    """A step of the table: new state and metrics."""
    optimizer = make_optimizer(stage.optimizer, stage.steps, TABLE, stage.updates_per_rollout)
    state = TrainState(TABLE, optimizer.init(TABLE), np.int32(0), np.zeros(2, np.uint32))
    update, found = make_update(CONFIG, stage, IDS, optimizer, Draws()), []
    plan = plan_of(batch, stage, 1 if mesh is None else mesh.size)
    if mesh is not None:
        state, batch = sharding.same_to_mesh(state, mesh), sharding.rows_to_mesh(batch, mesh)
    with jax.set_mesh(mesh) if mesh is not None else contextlib.nullcontext():
        old = None
        for part in range(stage.updates_per_rollout):
            progress = add_up(update, state.params, batch, plan, part, old)
            old = progress.old
            state, metrics = jax.jit(update.finish)(state, progress, np.int32(part == stage.updates_per_rollout - 1))
            found.append({name: float(value) for name, value in metrics.items()})
    return state, of_step(found)


@pytest.mark.usefixtures("table_model")
@pytest.mark.parametrize("name", ["token_mean", "gspo"])
def test_updates_of_one_step_are_updates_of_the_parts_one_after_the_other(name):
    """Ratios are those to the first parameters on every part: 1 on the first. What the sampler said is far from it."""
    terms = dataclasses.replace(LOSSES[name], sampler_weight="never")
    optimizer_config = OptimizerConfig(1.0, schedule="cosine", max_grad_norm=1e3)
    stage = dataclasses.replace(STAGE, loss=terms, updates_per_rollout=2, micro_batches=2, optimizer=optimizer_config)
    batch = train_batch()
    old = np.where(batch.mask, TABLE["table"]["kernel"].mean(-1)[batch.tokens], 0)
    state, metrics = table_update(stage, batch)
    loss = make_loss(CONFIG, IDS, kind="grpo", terms=terms, on_policy=False)
    optimizer = make_optimizer(optimizer_config, 2 * stage.steps, TABLE)
    params, opt_state, tokens = TABLE, optimizer.init(TABLE), 0
    for part in range(2):
        rows = jax.tree.map(lambda leaf, part=part: leaf[part::2], batch._replace(old=old))
        gradient, sums, _ = jax.jit(whole_gradient(loss, terms))(params, rows)
        assert (sums.clipped > 0) == (part == 1)
        assert (sums.moved > 1e-3) == (part == 1)
        assert sums.mismatch / sums.tokens > 0.1
        changes, opt_state = optimizer.update(gradient, opt_state, params)
        params = optax.apply_updates(params, changes)
        trained = int(rows.mask[rows.advantages.any(axis=1)].sum())
        tokens += trained
    assert_moves_close(state.params, params, TABLE, 1e-5)
    assert int(state.step) == 1 and metrics["train/tokens"] == tokens and metrics["train/is_finite"] == 1
    apart = np.abs(np.exp(old) - np.exp(batch.logprobs))[batch.mask]  # before the policy moved
    assert metrics["mismatch/prob_diff_max"] == pytest.approx(apart.max(), rel=1e-4)
    assert metrics["train/clipped_share"] == pytest.approx(float(sums.clipped) / trained / 2, rel=1e-5)
    assert metrics["train/ratio_diff_mean"] == pytest.approx(float(sums.moved) / trained / 2, rel=1e-5)


@pytest.mark.usefixtures("table_model")
def test_updates_of_one_step_are_the_same_on_four_devices():
    stage = dataclasses.replace(STAGE, updates_per_rollout=2, optimizer=OptimizerConfig(0.05, eps=1.0))
    mesh = Mesh(np.array(jax.devices()[:4]).reshape(1, 4, 1), sharding.AXES)
    (wanted, metrics), (found, other) = (table_update(stage, train_batch(), where) for where in (None, mesh))
    assert_moves_close(found.params, wanted.params, TABLE, 1e-4)
    for name, value in metrics.items():
        assert float(other[name]) == pytest.approx(float(value), rel=1e-5), name


@pytest.mark.usefixtures("table_model")
def test_one_bad_update_of_a_step_is_reported_and_leaves_the_others():
    batch = train_batch()
    batch.advantages[1, 0] = np.inf  # in the second part
    stage = dataclasses.replace(STAGE, updates_per_rollout=2)
    state, metrics = table_update(stage, batch)
    assert metrics["train/is_finite"] == 0
    changed = np.abs(np.asarray(state.params["table"]["kernel"]) - TABLE["table"]["kernel"]).max()
    assert 0 < changed < np.inf


@pytest.mark.usefixtures("table_model")
def test_only_ratios_that_can_leave_their_bounds_are_counted():
    def names(terms):
        stage = dataclasses.replace(STAGE, loss=terms)
        return set(table_update(stage, train_batch())[1])

    found = {kind: names(terms) for kind, terms in LOSSES.items()}
    assert not {"train/clipped_share", "train/ratio_diff_mean", "mismatch/weight_cut_share"} & found["token_mean"]
    assert found["cispo"] == found["gspo"] == found["constant"] == found["token_mean"]
    asked = names(dataclasses.replace(LOSSES["token_mean"], sampler_weight="always"))
    assert asked - found["token_mean"] == {"mismatch/weight_cut_share"}
