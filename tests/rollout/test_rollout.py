"""Rollout against the full forward pass: greedy, sampled, ended early, in any company."""

import jax
import numpy as np
import pytest

from perc_jax.batch import Completions, TokenIds
from perc_jax.model import bind
from perc_jax.rollout import sampling
from perc_jax.rollout.decode import make_rollout
from perc_jax.rollout.sampling import Draws
from tests.model.cases import Case, build, compiled, random_params, small_config

CONFIG = small_config()
CASE = Case(CONFIG, [[3, (8, 6), 4], [2, (6, 4), 1, (4, 4), 3], [5], [7]], 22, 64)
IDS = TokenIds(pad=0, ends=(1, 2), image=3, forbidden=(3, 4), vocab_size=60)
GROUP, LENGTH = 3, 10
KEY = np.array([0, 7], np.uint32)
ROWS = np.arange(4, dtype=np.uint32)


COLLECT = compiled(lambda state: state.completions())


def generator(temperature: float, ids: TokenIds = IDS, segment_tokens: int = 4):
    """Prefill and as many segments as it takes."""
    how = {"group_size": GROUP, "max_tokens": LENGTH, "draws": Draws(temperature), "segment_tokens": segment_tokens}
    prefill, decode = map(compiled, make_rollout(CONFIG, ids, **how))

    def generate(params, prompts, rows, key):
        context, state = prefill(params, prompts, rows, key)
        for _ in range(-(-(LENGTH - 1) // segment_tokens)):
            state = decode(params, context, state)
        return COLLECT(state)

    return generate


SAMPLE = generator(1.0)


@compiled
def distribution(params, batch, tokens):
    """Log-probabilities [P, G, C, V] of the full forward pass at every completion position."""
    model = bind(CONFIG, params)
    prompt, answer = model.forward(batch, tokens)
    first = jax.numpy.broadcast_to(prompt[:, -1][:, None, None], (*tokens.shape[:2], 1, prompt.shape[-1]))
    hidden = jax.numpy.concatenate([first, answer[:, :, :-1]], axis=2)
    return sampling.sampling_logprobs(model.logits(hidden), Draws(), IDS)


@pytest.fixture(scope="module")
def params() -> dict:
    return jax.device_put(random_params(CONFIG, seed=1))


@pytest.fixture(scope="module")
def batch():
    return build(CASE, seed=3).batch


@pytest.fixture(scope="module")
def sampled(params, batch) -> Completions:
    return jax.tree.map(np.asarray, SAMPLE(params, batch, ROWS, KEY))


def test_sampled_logprobs_equal_those_of_the_full_forward_pass(params, batch, sampled):
    full = np.asarray(distribution(params, batch, sampled.tokens))
    wanted = np.take_along_axis(full, sampled.tokens[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(sampled.logprobs[sampled.mask], wanted[sampled.mask], atol=2e-5)
    assert np.all(sampled.logprobs[~sampled.mask] == 0)


def test_greedy_takes_the_argmax_of_the_full_forward_pass(params, batch):
    greedy = jax.tree.map(np.asarray, generator(0.0)(params, batch, ROWS, KEY))
    full = np.asarray(distribution(params, batch, greedy.tokens))
    assert np.array_equal(greedy.tokens[greedy.mask], full.argmax(-1)[greedy.mask])


def test_forbidden_and_unknown_tokens_are_never_sampled(params, batch):
    tokens = np.concatenate([SAMPLE(params, batch, ROWS + 10 * i, KEY).tokens.ravel() for i in range(8)])
    assert not np.isin(tokens, IDS.forbidden).any()
    assert tokens.max() < IDS.vocab_size
    assert len(np.unique(tokens)) > 10


def test_a_row_ends_with_its_first_end_token_and_pads_after(sampled):
    for tokens, mask, ended in zip(
        sampled.tokens.reshape(-1, LENGTH), sampled.mask.reshape(-1, LENGTH), sampled.ended.ravel(), strict=True
    ):
        length = int(mask.sum())
        assert mask[:length].all()
        assert np.isin(tokens[: length - 1], IDS.ends).sum() == 0
        assert ended == np.isin(tokens[length - 1], IDS.ends)
        assert ended or length == LENGTH
        assert np.all(tokens[length:] == IDS.pad)


def test_an_end_token_at_the_first_position_is_a_completion_of_one_token(params, batch):
    every_token_ends = IDS._replace(ends=tuple(range(60)))
    found = generator(1.0, every_token_ends)(params, batch, ROWS, KEY)
    assert np.asarray(found.mask).sum(axis=-1).tolist() == [[1] * GROUP] * 4
    assert np.asarray(found.ended).all()


def test_neighbours_and_place_in_the_batch_change_nothing(params, batch, sampled):
    order = np.array([2, 0, 3, 1])
    moved = jax.tree.map(lambda leaf: leaf[order], batch)
    found = SAMPLE(params, moved, ROWS[order], KEY)
    assert np.array_equal(found.tokens, sampled.tokens[order])
    np.testing.assert_allclose(found.logprobs, sampled.logprobs[order], atol=1e-5)


def test_completions_differ_between_rows_groups_and_keys(params, batch, sampled):
    other = SAMPLE(params, batch, ROWS, KEY + 1)
    assert not np.array_equal(other.tokens, sampled.tokens)
    assert len({row.tobytes() for row in sampled.tokens.reshape(-1, LENGTH)}) > GROUP


def test_sampling_follows_the_distribution(params, batch):
    """Frequencies of the first token over many keys lie within five standard deviations of its probabilities."""
    tokens = np.stack([np.asarray(SAMPLE(params, batch, ROWS + 100 * i, KEY).tokens)[:, :, 0] for i in range(200)])
    probabilities = np.exp(np.asarray(distribution(params, batch, np.zeros((4, GROUP, LENGTH), np.int32))))[:, 0, 0]
    for prompt in range(4):
        count = tokens[:, prompt].size
        frequency = np.bincount(tokens[:, prompt].ravel(), minlength=64) / count
        deviation = np.sqrt(probabilities[prompt] * (1 - probabilities[prompt]) / count)
        assert np.all(np.abs(frequency - probabilities[prompt]) <= 5 * deviation + 1e-3)
