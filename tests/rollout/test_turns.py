"""Turns through `extend` are the whole conversation as one fresh prompt, by our own forward pass."""

import numpy as np
import pytest

from perc_jax.model import bind
from perc_jax.rollout import sampling
from perc_jax.rollout.sampling import Draws
from tests.model.cases import Case, build, compiled, random_params, small_config
from tests.rollout.conversing import IDS, Play, as_prompts

CONFIG = small_config()
CASE = Case(CONFIG, [[3, (8, 6), 4], [2, (6, 4), 1, (4, 4), 3], [5]], 22, 64)
GROUP, MOST = 4, 64
NAMES, KEY = np.array([5, 8, 3], np.uint32), np.array([0, 7], np.uint32)
HOW = {"group": GROUP, "most": MOST, "turn_tokens": 7, "segment": 5, "ring": 72, "shapes": ((5, 0), (24, 112))}


@pytest.fixture(scope="module")
def params() -> dict:
    return random_params(CONFIG, seed=1)


@pytest.fixture(scope="module")
def batch():
    return build(CASE, seed=3).batch


@pytest.fixture(scope="module")
def play() -> Play:
    return Play(CONFIG, **HOW)


@pytest.fixture(scope="module")
def played(play, params, batch):
    return play(params, batch, NAMES, KEY)


@compiled
def distribution(params, prompts):
    """What the forward pass says of every token of plain prompts, by the token before it."""
    model = bind(CONFIG, params)
    hidden, _ = model.forward(prompts, np.zeros((len(prompts.tokens), 1, 0), np.int32))
    return sampling.sampling_logprobs(model.logits(hidden[:, :-1]), Draws(), IDS)


def fresh_logprobs(params, batch, completions) -> np.ndarray:
    """Of each completion's tokens in a fresh prompt [P, G, C]; 0 where none was sampled."""
    prompts = as_prompts(batch, completions)
    found = np.asarray(distribution(params, prompts))
    found = np.take_along_axis(found, prompts.tokens[:, 1:, None], axis=2)[..., 0]
    most = completions.tokens.shape[2]
    rows = []
    for row, present in enumerate(completions.observed.present.reshape(-1, most)):
        length = present.sum()
        rows.append(np.pad(found[row, found.shape[1] - length :], (0, most - length)))
    return np.where(completions.mask, np.reshape(rows, completions.tokens.shape), 0)


def test_the_conversations_are_worth_comparing(played):
    completions, told = played
    counts = {len(one) for group in told.given for one in group}
    pictures = {int(x.reply.patch_image.max(initial=-1)) + 1 for group in told.given for one in group for x in one}
    assert counts == {0, 1, 2} or counts == {0, 2}
    assert pictures == {0, 1, 2, 3}
    waits = completions.mask.sum(axis=2)
    assert len(np.unique(waits)) > 5
    assert (~completions.mask & completions.observed.present).any(axis=2).sum() >= 6


def test_turns_are_the_whole_conversation_as_one_prompt(params, batch, played):
    completions, _ = played
    wanted = fresh_logprobs(params, batch, completions)
    np.testing.assert_allclose(completions.logprobs, wanted, atol=1e-5)


WAYS = {
    "blockwise, one segment": (small_config(attention="blockwise"), {"segment": 8, "ring": 80}),
    "two rows of four": (CONFIG, {"rows": 2, "shapes": ((MOST, 224),), "segment": 3}),
    "one row of four": (CONFIG, {"rows": 1, "shapes": ((MOST, 224),)}),
}
# With two rows of four, too, others wait for a row and are run again in it.
ONE_ROW = pytest.param("one row of four", marks=pytest.mark.slow)


@pytest.mark.parametrize("way", ["blockwise, one segment", "two rows of four", ONE_ROW])
def test_nothing_changes_what_is_sampled(params, batch, played, way):
    """Which rows there are, how a rollout is cut up, how long the ring is: the same completions and replies."""
    wanted, told = played
    config, changes = WAYS[way]
    found, _ = Play(config, **(HOW | changes))(params, batch, NAMES, KEY)
    for name in ("tokens", "mask", "ended"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    np.testing.assert_allclose(found.logprobs, wanted.logprobs, atol=1e-5)
    for name in ("present", "positions", "image_slots"):
        np.testing.assert_array_equal(getattr(found.observed, name), getattr(wanted.observed, name))
    count = [[sum(len(one.reply.patch_image) for one in own) // 4 for own in group] for group in told.given]
    for p, g in np.ndindex(*wanted.ended.shape):
        mine = wanted.observed.features[p, g, : count[p][g]]
        np.testing.assert_allclose(found.observed.features[p, g, : count[p][g]], mine, atol=1e-5)


@pytest.mark.parametrize("way", [{}, {"rows": 2, "shapes": ((MOST, 224),)}])
def test_int8_keys_cost_a_mismatch_that_is_small_and_not_zero(params, batch, way):
    """Replies go through int8 keys, and completions that are run again, whole, leave such: as far off as elsewhere."""
    completions, told = Play(CONFIG, **(HOW | way), kv_dtype="int8")(params, batch, NAMES, KEY)
    replied = np.array([[len(one) for one in group] for group in told.given])
    assert replied.sum() > 6
    off = np.abs(np.exp(fresh_logprobs(params, batch, completions)) - np.exp(completions.logprobs))
    assert 1e-5 < off[completions.mask].mean() < 0.01
    after = completions.mask & (np.cumsum(completions.observed.present & ~completions.mask, axis=2) > 0)
    assert 1e-5 < off[after].mean() < 0.01, "of tokens behind a reply"


@compiled
def looked(params, pixels, patch_rowcol, patch_image):
    """What the vision tower makes of each completion's pictures."""
    return bind(CONFIG, params).encode_images(pixels, patch_rowcol, patch_image)


def test_features_are_those_of_each_completions_own_pictures(params, played):
    """Also of one that is over while others are shown more."""
    completions, told = played
    observed, features = completions.observed, completions.observed.features
    pictures = (observed.pixels, observed.patch_rowcol, observed.patch_image)
    wanted = np.asarray(looked(params, *(x.reshape(-1, *x.shape[2:]) for x in pictures)))
    wanted = wanted.reshape(*features.shape[:2], *wanted.shape[1:])
    count = np.array([[sum(len(x.reply.patch_image) for x in one) // 4 for one in group] for group in told.given])
    for p, g in np.ndindex(count.shape):
        np.testing.assert_allclose(features[p, g, : count[p, g]], wanted[p, g, : count[p, g]], atol=1e-5)
    assert (count > 0).sum() >= 4


def test_neighbours_and_place_in_the_batch_change_nothing(params, batch, play, played):
    wanted, _ = played
    order = np.array([2, 0, 1])
    moved = type(batch)(*(None if x is None else x[order] for x in batch))
    found, _ = play(params, moved, NAMES[order], KEY)
    np.testing.assert_array_equal(found.tokens, wanted.tokens[order])
    np.testing.assert_allclose(found.logprobs, wanted.logprobs[order], atol=1e-5)


def test_a_turn_ends_with_an_end_token_or_at_its_limit(played):
    completions, told = played
    for p, g in np.ndindex(*completions.ended.shape):
        mask, tokens = completions.mask[p, g], completions.tokens[p, g]
        begins = [0, *(one.place + len(one.reply.tokens) for one in told.given[p][g])]
        ends = [*(one.place for one in told.given[p][g]), int(completions.observed.present[p, g].sum())]
        for begin, end in zip(begins, ends, strict=True):
            assert mask[begin:end].all() and 1 <= end - begin <= 7
            is_end = np.isin(tokens[begin:end], IDS.ends)
            assert not is_end[:-1].any()
            assert is_end[-1] or end - begin == 7 or end == MOST
