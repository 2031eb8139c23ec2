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
def played(params, batch):
    return Play(CONFIG, **HOW)(params, batch, NAMES, KEY)


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
