"""Updates on completions that hold replies: a group row is its conversations as plain sequences, the trainer says what
the sampler said, and what is observed carries no loss."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.batch import TrainBatch
from perc_jax.model import bind
from perc_jax.rollout import sampling
from perc_jax.rollout.sampling import Draws
from perc_jax.update import grpo, packing
from perc_jax.update.policy import completion_logprobs
from perc_jax.update.update import GRPO, make_gradient, make_loss
from tests.model.cases import Case, build, compiled, random_params, relative, small_config
from tests.rollout.conversing import IDS, Play, as_prompts

CONFIG = small_config(depth=1, full=(0,))
CASE = Case(CONFIG, [[3, (8, 6), 4], [2, (6, 4), 1, (4, 4), 3]], 20, 64)
GROUP, MOST = 4, 64
WIDTH = 150  # of all completions of a group: less than G x C
NAMES, KEY = np.array([5, 8], np.uint32), np.array([0, 7], np.uint32)
LOSS = make_loss(CONFIG, IDS, kind="grpo")


@pytest.fixture(scope="module")
def params() -> dict:
    return random_params(CONFIG, seed=1)


@pytest.fixture(scope="module")
def batch(params) -> TrainBatch:
    """Conversations with replies, as the sampler leaves them, with what it made of the pictures."""
    prompts, how = build(CASE, seed=3).batch, {"turn_tokens": 7, "segment": 5, "ring": 72}
    play = Play(CONFIG, group=GROUP, most=MOST, shapes=((24, 112),), **how)
    found, _ = play(params, prompts, NAMES, KEY)
    advantages = np.random.default_rng(0).normal(size=found.ended.shape).astype(np.float32)
    return TrainBatch(prompts, found.tokens, found.mask, found.logprobs, advantages, observed=found.observed)


def seeing(batch: TrainBatch) -> TrainBatch:
    """The batch whose pictures the update looks at itself."""
    return batch._replace(observed=batch.observed._replace(features=None))


GRADIENT = compiled(functools.partial(make_gradient(LOSS), width=WIDTH))
TRAINER = compiled(
    lambda params, batch: completion_logprobs(
        bind(CONFIG, params), IDS, batch.prompts, batch.tokens, batch.mask, Draws(),
        width=WIDTH, remat="none", observed=batch.observed,
    )
)  # fmt: skip


def assert_gradients_close(found, wanted, limit=1e-5):
    others = dict(jax.tree_util.tree_leaves_with_path(found))
    for path, leaf in jax.tree_util.tree_leaves_with_path(wanted):
        assert relative(others[path], leaf) <= limit, jax.tree_util.keystr(path)


@compiled
def as_sequences(params, prompts, weights):
    """The gradient of the weighted sum of -log p over the tokens of plain sequences."""

    def loss(params):
        model = bind(CONFIG, params)
        hidden, _ = model.forward(prompts, jnp.zeros((len(prompts.tokens), 1, 0), jnp.int32))
        logprobs = sampling.sampling_logprobs(model.logits(hidden[:, :-1]), Draws(), IDS)
        return -jnp.sum(jnp.where(weights != 0, sampling.take(logprobs, prompts.tokens[:, 1:]) * weights, 0))

    return jax.grad(loss)(params)


def test_a_group_row_with_replies_is_its_conversations_as_plain_sequences(params, batch):
    """Every gradient within 1e-5, the tower's through pictures of prompts and of replies among them."""
    assert packing.lengths(batch.mask).sum(axis=1).max() <= WIDTH
    assert (batch.observed.patch_image >= 0).any(axis=2).sum() >= 4
    total = grpo.normaliser(jnp.asarray(batch.mask), jnp.asarray(batch.advantages), GRPO)
    assert float(total) == batch.mask.sum()
    found, _ = GRADIENT(params, seeing(batch), total)
    prompts = as_prompts(batch.prompts, batch)
    weights = np.zeros(prompts.tokens.shape, np.float32)
    each = np.where(batch.mask, batch.advantages[..., None], 0).reshape(-1, MOST)
    for row, present in enumerate(batch.observed.present.reshape(-1, MOST)):
        weights[row, weights.shape[1] - present.sum() :] = each[row, present]
    wanted = as_sequences(params, prompts, weights[:, 1:] / float(total))
    assert_gradients_close(found, wanted)


def test_the_trainer_says_what_the_sampler_said(params, batch):
    """Whether it looks at the pictures itself or takes what the sampler's tower made of them."""
    for given in (seeing(batch), batch):
        logprobs, entropy = TRAINER(params, given)
        difference = np.abs(np.exp(logprobs) - np.exp(batch.logprobs))[batch.mask]
        assert difference.max() <= 2e-6
        assert np.isfinite(entropy).all()


def test_a_frozen_tower_is_not_asked_again(params, batch):
    blind = batch.observed._replace(pixels=255 - batch.observed.pixels)
    text = {"vision": 0, "text": 1}
    found, _ = GRADIENT(params, batch._replace(observed=blind), np.float32(9))
    wanted, _ = GRADIENT(params, seeing(batch), np.float32(9))
    assert set(found) == set(text)
    assert_gradients_close(found["text"], wanted["text"])


def test_what_is_observed_is_read_and_carries_no_loss(params, batch):
    """Other log-probabilities of the sampler there change nothing; another token there changes what comes after."""
    told = batch.observed.present & ~batch.mask
    other = batch._replace(logprobs=np.where(told, -9, batch.logprobs).astype(np.float32))
    (before, sums), (after, others) = (GRADIENT(params, each, np.float32(9)) for each in (batch, other))
    jax.tree.map(np.testing.assert_array_equal, (before, sums), (after, others))
    assert float(sums.tokens) == batch.mask.sum()
    text = told & (batch.observed.image_slots < 0)
    p, g, c = np.argwhere(text & (np.cumsum(batch.mask[..., ::-1], axis=2)[..., ::-1] > 0))[0]
    tokens = batch.tokens.copy()
    tokens[p, g, c] = 5 + (tokens[p, g, c] - 4) % 50
    moved = np.abs(np.asarray(TRAINER(params, batch._replace(tokens=tokens))[0] - TRAINER(params, batch)[0]))
    moved = np.where(batch.mask, moved, 0)
    assert moved[p, g, c:].max() > 1e-4 and moved[p, g, :c].max(initial=0) == 0
    assert np.delete(moved.reshape(-1, MOST), p * GROUP + g, axis=0).max() == 0
