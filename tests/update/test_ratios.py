"""Ratios where a rollout serves several updates: to the trainer's own first probabilities, not to the sampler's."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.batch import TokenIds, TrainBatch
from perc_jax.config import LossConfig, OptimizerConfig, StageConfig
from perc_jax.rollout import sampling
from perc_jax.update import grpo
from perc_jax.update.optimizer import make_optimizer
from perc_jax.update.update import FIRST, LATER, NOTE, TrainState, Update, make_update, of_step
from tests.model.cases import Draws, build, compiled, fitted, random_params, small_config

MODEL = small_config(layers=2, depth=1, full=(0,))
CASE = fitted(MODEL, [[3, (4, 4), 4], [2, (4, 4), 3], [5], [7]])
IDS = TokenIds(pad=0, ends=(1, 2), image=3, forbidden=(3, 4), vocab_size=60)
SHAPE = (len(CASE.prompts), 4, 24)
WIDTH, UPDATES = 96, 4
OBJECTIVES = {
    "grpo": LossConfig(),
    "dual": LossConfig(dual_clip=1.001, clip_low=1e-6, clip_high=1e-6),
    "gspo": LossConfig(objective="gspo", aggregation="completion_mean", clip_low=3e-4, clip_high=4e-4),
    "cispo": LossConfig(objective="cispo", clip_low=1e-6, clip_high=1e-6),
}
FROZEN = ("^vision/",)  # what a ratio is has nothing to do with it
STILL = OptimizerConfig(1e-30, frozen=FROZEN)  # moves no parameter
MOVING = OptimizerConfig(3e-3, frozen=FROZEN)
PARAMS = random_params(MODEL, 1)


def train_batch() -> TrainBatch:
    """Completions whose tokens the sampler found up to half as likely again, or less likely by as much."""
    draws = Draws(3)
    mask = np.arange(SHAPE[2]) < draws.whole(12, SHAPE[2] + 1, *SHAPE[:2])[..., None]
    tokens, logprobs = draws.whole(5, 60, *SHAPE), np.where(mask, -4 + 0.4 * draws.real(*SHAPE), 0)
    return TrainBatch(build(CASE, 3).batch, tokens, mask, logprobs.astype(np.float32), draws.real(*SHAPE[:2]))


def update_of(dtype: str, terms: LossConfig, optimizer: OptimizerConfig, updates: int) -> Update:
    model = dataclasses.replace(MODEL, dtype=dtype)
    stage = StageConfig("rl", "grpo", 9, SHAPE[0], optimizer, group_size=4, loss=terms, remat="block")
    stage = dataclasses.replace(stage, updates_per_rollout=updates)
    return make_update(model, stage, IDS, make_optimizer(optimizer, 9, PARAMS, updates), sampling.Draws())


@functools.cache
def gradient_of(dtype: str, terms: LossConfig, updates: int):
    """The first two programs of an update: whatever the optimizer does with what they give."""
    update = update_of(dtype, terms, STILL, updates)
    return compiled(update.begin), compiled(functools.partial(update.gradient, width=WIDTH))


@functools.cache
def finish_of(dtype: str, terms: LossConfig, optimizer: OptimizerConfig, updates: int):
    """The last program of an update, and the optimizer's first state."""
    begun = compiled(make_optimizer(optimizer, 9, PARAMS, updates).init)(PARAMS)
    return compiled(update_of(dtype, terms, optimizer, updates).finish), begun


class Step:
    """The updates of one rollout, by programs that are compiled once for all tests."""

    def __init__(self, dtype: str, terms: LossConfig, optimizer: OptimizerConfig = STILL, updates: int = UPDATES):
        self.updates = updates
        self.begin, self.gradient = gradient_of(dtype, terms, updates)
        self.finish, self.opt_state = finish_of(dtype, terms, optimizer, updates)

    def run(self, batch: TrainBatch):
        """New state, and the metrics of each update."""
        count, metrics, old = self.updates, [], None
        state = TrainState(PARAMS, self.opt_state, np.int32(0), np.zeros(2, np.uint32))
        rows = [np.arange(part, SHAPE[0], count, dtype=np.int32)[None] for part in range(count)]
        for part in range(count):
            progress = self.begin(state.params, batch.mask, batch.advantages, np.int32(part))
            progress = progress._replace(old=old) if part else progress
            calls = [(rows[later], NOTE) for later in range(1, count)] * (not part)
            for mine, phase in [*calls, (rows[part], LATER if part else FIRST)]:
                phases = (np.int32(phase),) if count > 1 else ()
                progress = self.gradient(state.params, (), progress, batch, mine, *phases)
            old = progress.old
            state, found = self.finish(state, progress, np.int32(part == count - 1))
            metrics.append({name: float(value) for name, value in found.items()})
        return state, metrics, old


SLOW = [pytest.param(name, "bfloat16", marks=pytest.mark.slow) for name in ("cispo", "dual")]  # their ratio is GRPO's
SLOW += [pytest.param(name, "float32", marks=pytest.mark.slow) for name in OBJECTIVES]


@pytest.mark.parametrize(("name", "dtype"), [("grpo", "bfloat16"), ("gspo", "bfloat16"), *SLOW])
def test_nothing_is_clipped_before_the_policy_has_moved(name, dtype):
    """In no update: the rows of the later ones are rounded like those noted before the first."""
    batch = train_batch()
    state, metrics, old = Step(dtype, OBJECTIVES[name]).run(batch)
    for one, other in zip(*map(jax.tree.leaves, (state.params, PARAMS)), strict=True):
        assert np.array_equal(one, other)
    for found in metrics:
        assert found["train/clipped_share"] == found["train/ratio_diff_mean"] == 0
        assert found["train/grad_norm"] > 0
        assert found["mismatch/prob_diff_mean"] > 1e-3 and found["mismatch/weight_cut_share"] > 0
    assert (np.asarray(old)[1:][batch.mask[1:]] < 0).all() and (np.asarray(old)[0] == 0).all()  # no need for the first


def test_once_it_has_moved_ratios_say_so_and_the_mismatch_does_not():
    batch = train_batch()
    terms = dataclasses.replace(OBJECTIVES["gspo"], sampler_weight="never")
    still, moved = (Step("float32", terms, optimizer).run(batch)[1] for optimizer in (STILL, MOVING))
    assert moved[0]["train/ratio_diff_mean"] == 0 < min(found["train/ratio_diff_mean"] for found in moved[1:])
    assert max(found["train/clipped_share"] for found in moved[1:]) > 0 == moved[0]["train/clipped_share"]
    for one, other in zip(still, moved, strict=True):
        assert one["mismatch/prob_diff_mean"] == other["mismatch/prob_diff_mean"]
        assert one["mismatch/prob_diff_max"] == other["mismatch/prob_diff_max"]
        assert "mismatch/weight_cut_share" not in one
    assert of_step(moved)["mismatch/prob_diff_max"] == max(found["mismatch/prob_diff_max"] for found in moved)


def test_the_first_of_several_updates_has_the_gradient_of_one():
    """Of a rollout with one update, on the same rows; so has each of them as long as nothing moves."""
    batch, terms = train_batch(), LossConfig(sampler_weight="never")
    _, several, _ = Step("float32", terms).run(batch)
    alone = Step("float32", terms, updates=1)
    for part, found in enumerate(several):
        silent = batch._replace(advantages=np.where(np.arange(SHAPE[0])[:, None] == part, batch.advantages, 0))
        _, [wanted], _ = alone.run(silent)
        assert found["train/grad_norm"] == pytest.approx(wanted["train/grad_norm"], rel=1e-5)
        assert found["train/tokens"] == wanted["train/tokens"]


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("on_policy", [True, False])
def test_a_weight_multiplies_each_tokens_term(name, on_policy):
    draws, mask = Draws(7), np.ones((2, 3, 4), bool)
    now, old, sampler = (jnp.asarray(-1 + 0.3 * draws.real(2, 3, 4)) for _ in range(3))
    advantages = jnp.asarray(draws.real(2, 3))
    weights, cut = grpo.sampler_weights(old, sampler, jnp.asarray(mask), 1.25)
    wanted = np.minimum(np.exp(np.asarray(old) - np.asarray(sampler)), 1.25)
    np.testing.assert_allclose(weights, wanted, rtol=1e-5)
    assert cut == (wanted == 1.25).sum() > 0

    def gradient(weights):
        def total(now):
            given = (now, old, advantages, jnp.asarray(mask), OBJECTIVES[name])
            return grpo.policy_loss_sum(*given, on_policy=on_policy, weights=weights).total

        return jax.grad(total)(now)

    if name != "gspo":  # whose ratio spreads a weight over the completion's tokens
        np.testing.assert_allclose(gradient(weights), gradient(None) * weights, rtol=1e-5)
    assert not np.any(jax.grad(lambda old: grpo.sampler_weights(old, sampler, jnp.asarray(mask), 2.0)[0].sum())(old))
    np.testing.assert_allclose(gradient(jnp.ones_like(now)), gradient(None), rtol=1e-6)


def test_with_one_update_the_sampler_enters_only_if_asked():
    batch, grads = train_batch(), {}
    for asked in ("several", "never", "always"):
        step = Step("float32", LossConfig(sampler_weight=asked), updates=1)
        _, [found], old = step.run(batch)
        grads[asked] = found["train/grad_norm"]
        assert old is None and ("mismatch/weight_cut_share" in found) == (asked == "always")
    assert grads["several"] == grads["never"] != grads["always"]
