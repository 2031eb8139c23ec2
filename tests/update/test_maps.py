"""Learning where maps are sampled whole: in turns the trainer has the sampler's mask, and gold text has none."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.batch import TrainBatch
from perc_jax.model import bind
from perc_jax.rollout import maps
from perc_jax.rollout.sampling import Draws
from perc_jax.update import packing, policy, sft
from perc_jax.update.policy import completion_logprobs
from perc_jax.update.update import make_gradient, make_loss
from tests.model.cases import Case, build, compiled, random_params, small_config
from tests.rollout.conversing import IDS as TALKING
from tests.rollout.conversing import Play
from tests.rollout.mapped import MAP, count_maps, walked
from tests.rollout.test_maps import texts

CONFIG = small_config(depth=1, full=(0,))
IDS = TALKING._replace(map=MAP)
CASE = Case(CONFIG, [[3, (8, 6), 4], [2, (6, 4), 1, (4, 4), 3], [5]], 20, 64)
GROUP, MOST, WIDTH = 4, 64, 190
NAMES, KEY = np.array([5, 8, 7], np.uint32), np.array([0, 7], np.uint32)
HOW = {"group": GROUP, "most": MOST, "turn_tokens": 7, "segment": 5, "ring": 72, "shapes": ((24, 112),), "ids": IDS}


class Misleading(Play):
    """Every reply ends as if a map had been begun in it."""

    def script(self, name, completion, turn, config):
        built = super().script(name, completion, turn, config)
        if built is not None:
            built.batch.tokens[0, -2:] = MAP.start, MAP.first
        return built


@pytest.fixture(scope="module")
def params() -> dict:
    """With a loud start mark, so that there are maps."""
    params = random_params(CONFIG, seed=1)
    embedding = np.array(params["text"]["embed"]["embedding"])
    embedding[MAP.start] *= 3
    params["text"]["embed"]["embedding"] = embedding
    return params


@pytest.fixture(scope="module")
def prompts():
    return build(CASE, seed=3).batch


@pytest.fixture(scope="module")
def played(params, prompts):
    return Misleading(CONFIG, **HOW)(params, prompts, NAMES, KEY)


def trained(params, prompts, found, ids=IDS) -> np.ndarray:
    """What the trainer says of completions in turns."""

    def score(params, prompts, found):
        given = bind(CONFIG, params), ids, prompts, found.tokens, found.mask, Draws()
        return completion_logprobs(*given, width=WIDTH, remat="none", observed=found.observed)[0]

    return np.asarray(compiled(score)(params, prompts, found))


def off(found, logprobs) -> float:
    return np.abs(np.exp(logprobs) - np.exp(found.logprobs))[found.mask].max()


def test_turns_hold_whole_maps_and_such_as_a_turn_was_cut_in(played):
    found, told = played
    whole, cut = count_maps(found.tokens, found.mask)
    between = [
        (p, g, one.place)
        for p, g in np.ndindex(*found.ended.shape)
        for one in told.given[p][g]
        if walked(found.tokens[p, g], found.mask[p, g])[one.place - 1] >= 0
        and found.tokens[p, g, one.place - 1] != MAP.end
    ]
    print(f"{whole} whole maps, {cut} cut ones, {len(between)} of them replied to")
    assert whole >= 3 and cut >= 3 and between
    assert sum(len(one) for group in told.given for one in group) >= 8
    assert packing.lengths(found.mask).sum(axis=1).max() <= WIDTH


def test_fewer_rows_sample_the_same(params, prompts, played):
    """Completions whose rows were given away while they waited are run again; their maps go on where they were."""
    wanted, _ = played
    changes = {"rows": 2, "shapes": ((MOST, 224),), "segment": 3}
    found, _ = Misleading(CONFIG, **(HOW | changes))(params, prompts, NAMES, KEY)
    np.testing.assert_array_equal(found.tokens, wanted.tokens)
    np.testing.assert_array_equal(found.mask, wanted.mask)
    np.testing.assert_allclose(found.logprobs, wanted.logprobs, atol=1e-5)


def one_token_late(tokens, ids, sampled):
    return jnp.roll(maps.places(tokens, ids, sampled), 1, axis=-1)


def as_if_all_were_sampled(tokens, ids, sampled):
    return maps.places(tokens, ids)


def nowhere(tokens, ids, sampled):
    return jnp.full(tokens.shape, maps.OUTSIDE)


@pytest.mark.parametrize("wrong", [None, one_token_late, as_if_all_were_sampled, nowhere])
def test_the_trainer_says_what_the_sampler_said_in_turns_and_other_places_are_noticed(
    params, prompts, played, wrong, monkeypatch
):
    """2e-6 in probability, float32."""
    if wrong is not None:
        monkeypatch.setattr(policy, "maps", SimpleNamespace(places=wrong))
    measured = off(played[0], trained(params, prompts, played[0]))
    assert measured <= 2e-6 if wrong is None else measured > 0.01


def test_a_trainer_without_the_mask_is_noticed(params, prompts, played):
    assert off(played[0], trained(params, prompts, played[0], IDS._replace(map=None))) > 0.1


def test_gradients_of_sampled_maps_are_finite(params, prompts, played):
    found = played[0]
    advantages = np.random.default_rng(0).normal(size=found.ended.shape).astype(np.float32)
    batch = TrainBatch(prompts, found.tokens, found.mask, found.logprobs, advantages, observed=found.observed)
    loss = make_loss(CONFIG, IDS, kind="grpo")
    gradient, sums = compiled(functools.partial(make_gradient(loss), width=WIDTH))(params, batch, np.float32(100))
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(gradient)]
    assert all(np.isfinite(leaf).all() for leaf in leaves) and max(np.abs(leaf).max() for leaf in leaves) > 1e-4
    assert 0 < sums.entropy / sums.tokens < np.log(60) and sums.mismatch_max <= 2e-6


def test_gold_text_of_any_form_has_the_loss_of_text_without_maps(params, prompts):
    """Maps too short, too long, of other words: loss and gradient are those of a run that samples no maps whole, where
    the sampler's mask would give 1e30."""
    tokens = texts(MAP, len(prompts.tokens), 24, seed=5)
    tokens = np.where(np.isin(tokens, IDS.forbidden), 5, tokens)
    batch = sft.lesson(tokens, np.ones(tokens.shape, bool), None)._replace(prompts=prompts)
    found, wanted = (
        compiled(functools.partial(make_gradient(make_loss(CONFIG, ids, kind="sft")), width=24))(
            params, batch, np.float32(tokens.size)
        )
        for ids in (IDS, IDS._replace(map=None))
    )
    jax.tree.map(np.testing.assert_array_equal, found, wanted)
    assert 1 < found[1].loss / tokens.size < 20

    def masked(params, batch):
        given = bind(CONFIG, params), IDS, batch.prompts, batch.tokens, batch.mask, Draws()
        return completion_logprobs(*given, width=24, remat="none")[0]

    assert np.asarray(compiled(masked)(params, batch)).min() < -1e29
