"""The sampling distribution: temperature, forbidden tokens, entropy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.batch import TokenIds
from perc_jax.plan import hlo
from perc_jax.rollout import sampling
from perc_jax.rollout.sampling import Draws
from tests.rollout import top_p
from tests.rollout.top_p import LOGPROBS

IDS = TokenIds(pad=0, ends=(1,), image=3, forbidden=(3, 4), vocab_size=10)
LOGITS = jnp.array(np.random.default_rng(0).normal(size=(5, 12)), jnp.float32)
DRAW = jax.jit(sampling.draw)


@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.7])
def test_it_is_the_softmax_of_scaled_logits_over_the_allowed_tokens(temperature):
    found = np.exp(sampling.sampling_logprobs(LOGITS, Draws(temperature), IDS))
    allowed = [0, 1, 2, 5, 6, 7, 8, 9]
    wanted = np.exp(np.asarray(LOGITS)[:, allowed] / temperature)
    np.testing.assert_allclose(found[:, allowed], wanted / wanted.sum(1, keepdims=True), rtol=1e-5)
    assert np.all(found[:, [3, 4, 10, 11]] == 0)


def test_gradients_are_finite_where_tokens_are_forbidden():
    def loss(logits):
        logprobs = sampling.sampling_logprobs(logits, Draws(), IDS)
        return jnp.sum(sampling.entropy(logprobs)) + jnp.sum(sampling.take(logprobs, jnp.arange(5) % 3))

    assert np.isfinite(jax.grad(loss)(LOGITS)).all()


def test_entropy_of_a_uniform_distribution_is_the_log_of_its_size():
    uniform = sampling.sampling_logprobs(jnp.zeros((2, 12)), Draws(), IDS)
    np.testing.assert_allclose(sampling.entropy(uniform), np.log(8), rtol=1e-6)


def test_half_precision_logits_are_computed_in_float32():
    assert sampling.sampling_logprobs(LOGITS.astype(jnp.bfloat16), Draws(), IDS).dtype == jnp.float32


def nucleus(probabilities, top_p):
    """The published rule, by sorting: the fewest of the likeliest tokens that have the share, and their equals."""
    descending = np.sort(probabilities)[::-1]
    least = descending[np.searchsorted(np.cumsum(descending), top_p)]
    return probabilities >= least


@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("scale", [0.1, 1.0, 6.0])
def test_the_nucleus_is_that_of_a_sorted_vocabulary(top_p, scale):
    size = 5000
    ids = IDS._replace(vocab_size=size)
    logits = jnp.array(np.random.default_rng(7).normal(size=(8, size)) * scale, jnp.float32)
    every, found = (
        np.asarray(jnp.exp(LOGPROBS(logits, draws=draws, ids=ids)), np.float64)
        for draws in (Draws(1.3), Draws(1.3, top_p))
    )
    for before, after in zip(every, found, strict=True):
        kept = nucleus(before, top_p)
        # Where float32's sum is that close to the share, either side is right.
        assert abs((after > 0).sum() - kept.sum()) <= 1 + 2e-6 * kept.sum() / before[kept].min()
        inside = kept & (after > 0)
        np.testing.assert_allclose(after[inside], before[inside] / before[after > 0].sum(), rtol=2e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


def test_no_draw_is_beyond_the_nucleus_and_greedy_answers_have_none():
    draws, keys = Draws(1.0, 0.7), jax.random.split(jax.random.key(0), 4096).reshape(1, 4096)
    logprobs = LOGPROBS(LOGITS[:1, None], draws=draws, ids=IDS)
    rows = jnp.broadcast_to(logprobs, (1, 4096, 12))
    keys = jax.random.key_data(keys)
    found = np.asarray(DRAW(rows, keys, np.zeros((1, 4096), np.int32)))[0]
    wanted = np.exp(np.asarray(logprobs))[0, 0]
    shares = np.bincount(found, minlength=12) / 4096
    assert 1 < (wanted > 0).sum() < 8 and np.all(shares[wanted == 0] == 0)
    np.testing.assert_allclose(shares, wanted, atol=4 * np.sqrt(0.25 / 4096))
    greedy, plain = (LOGPROBS(LOGITS, draws=draws, ids=IDS) for draws in (Draws(0.0, 0.7), Draws()))
    np.testing.assert_array_equal(greedy, plain)


@jax.jit
@jax.vmap
def folded_bits(key, column):
    """The random number of a row's column."""
    return jax.random.bits(jax.random.fold_in(key, column))


def laid_end_to_end(logprobs, bits):
    """`draw` with numpy's 64 bits: the token among whose share of the sum the random number falls."""
    weights = np.round(np.asarray(jnp.exp(logprobs)) * np.float32(2**30)).astype(np.int64)
    ends = np.cumsum(weights)
    high, low = int(bits) >> 16, int(bits) & 0xFFFF
    top, rest = int(ends[-1]) >> 16, int(ends[-1]) & 0xFFFF
    aim = high * top + (high * rest >> 16) + (low * top >> 16)
    assert 0 <= int(bits) * int(ends[-1]) // 2**32 - aim <= 2
    return int(np.searchsorted(ends, aim, side="right"))


@pytest.mark.parametrize("size", [1, 2, 12, 1187, 5000])
@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0])
def test_a_random_number_falls_among_probabilities_laid_end_to_end(size, scale):
    rng = np.random.default_rng(size)
    logits = jnp.array(rng.normal(size=(2, 32, size)) * scale, jnp.float32)
    logprobs = jax.nn.log_softmax(logits.at[..., 1::3].set(sampling.FORBIDDEN))
    keys = jax.random.key_data(jax.random.split(jax.random.key(5), 64)).reshape(2, 32, 2)
    columns = jnp.array(rng.integers(0, 99, (2, 32)), jnp.int32)
    found = np.asarray(DRAW(logprobs, keys, columns)).ravel()
    bits = np.asarray(folded_bits(keys.reshape(64, 2), columns.ravel()))
    assert found.tolist() == [
        laid_end_to_end(*row) for row in zip(np.asarray(logprobs).reshape(64, -1), bits, strict=True)
    ]
    assert not (found % 3 == 1).any()  # what is forbidden


@pytest.mark.parametrize("bits", [0, 1, 2**16 - 1, 2**16, 2**31, 2**32 - 1])
def test_the_first_and_the_last_number_are_tokens_with_probability(bits, monkeypatch):
    monkeypatch.setattr(jax.random, "bits", lambda key: jnp.uint32(bits))
    logprobs = jnp.log(jnp.array([[[0, 0, 0.3, 0, 0.2, 0.5, 0, 0, 0]]], jnp.float32))
    found = int(sampling.draw(logprobs, jnp.zeros((1, 1, 2), jnp.uint32), jnp.zeros((1, 1), jnp.int32))[0, 0])
    assert found == (2 if bits < 2**30 else 5)


def test_what_is_no_number_still_gives_an_id_of_the_vocabulary():
    logprobs = jnp.full((1, 8, 9), jnp.nan)
    keys = jax.random.key_data(jax.random.split(jax.random.key(1), 8)).reshape(1, 8, 2)
    found = np.asarray(DRAW(logprobs, keys, np.zeros((1, 8), np.int32)))
    assert ((found >= 0) & (found < 9)).all()


def test_a_vocabulary_split_over_devices_gives_the_same_tokens():
    logprobs = jax.nn.log_softmax(jnp.array(np.random.default_rng(3).normal(size=(4, 64, 96)), jnp.float32))
    keys = jax.random.key_data(jax.random.split(jax.random.key(6), 256)).reshape(4, 64, 2)
    columns = jnp.zeros((4, 64), jnp.int32)
    alone = DRAW(logprobs, keys, columns)
    mesh = jax.make_mesh((2, 4), ("fsdp", "tensor"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    split = jax.NamedSharding(mesh, jax.P("fsdp", None, "tensor"))
    with jax.set_mesh(mesh):
        four = functools.partial(sampling.draw, devices=4)
        program = jax.jit(four, in_shardings=(split, None, None)).lower(logprobs, keys, columns).compile()
    np.testing.assert_array_equal(program(jax.device_put(logprobs, split), keys, columns), alone)
    exchanged = sum(found.total_bytes for found in hlo.collectives(program.as_text()))
    assert exchanged < logprobs.nbytes / 4  # sums of blocks and one block of each row, not the probabilities


def test_the_most_likely_token_alone_can_be_the_nucleus():
    found = np.exp(sampling.sampling_logprobs(LOGITS * 50, Draws(1.0, 0.5), IDS))
    np.testing.assert_array_equal(np.sort(found, axis=1)[:, -1], 1)


def expected_score(logprobs_of, sampled_from, logits):
    """The mean of the gradient of a token's log-probability, over tokens as they are drawn."""
    jacobian = jax.jit(jax.jacobian(logprobs_of))(logits)
    return np.asarray(jnp.exp(sampled_from(logits)) @ jnp.where(jnp.isfinite(jacobian), jacobian, 0))


@pytest.mark.parametrize("top_p", [0.5, 0.9, 0.99])
def test_a_reward_that_is_the_same_for_all_tokens_moves_nothing(top_p):
    """The gradient is that of the policy that was drawn from: its scores are 0 on average. With the log-probabilities
    of the whole distribution, as where a sampler's top-p is not the trainer's, they are not."""
    draws, logits = Draws(1.2, top_p), LOGITS[2]

    def own(logits):
        each = jnp.broadcast_to(logits, (12, 12))
        return sampling.take(sampling.sampling_logprobs(each, draws, IDS, jnp.arange(12)), jnp.arange(12))

    def sampler(logits):
        return sampling.sampling_logprobs(logits, draws, IDS)

    def whole(logits):
        return sampling.sampling_logprobs(logits, Draws(1.2), IDS)

    assert np.abs(expected_score(own, sampler, logits)).max() < 1e-6
    assert np.abs(expected_score(whole, sampler, logits)).max() > 0.1 * (
        1 - np.exp(whole(logits))[np.exp(sampler(logits)) > 0].sum()
    )


def test_a_token_that_left_the_nucleus_keeps_a_finite_ratio():
    """It counts as if it were in it: its own share beside that of the nucleus."""
    draws, every = Draws(1.0, 0.6), np.exp(sampling.sampling_logprobs(LOGITS[:1], Draws(), IDS))[0]
    kept = nucleus(every.astype(np.float64), 0.6)
    lost = int(np.flatnonzero(~kept & (every > 0))[0])
    found = sampling.sampling_logprobs(LOGITS[:1], draws, IDS, jnp.array([lost]))
    wanted = np.where(kept | (np.arange(12) == lost), every, 0)
    np.testing.assert_allclose(np.exp(found)[0], wanted / wanted.sum(), rtol=1e-5)
    gradient = jax.grad(lambda x: sampling.sampling_logprobs(x, draws, IDS, jnp.array([lost]))[0, lost])(LOGITS[:1])
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("kind", top_p.KINDS)
def test_the_whole_distribution_is_off_by_the_nucleus_share_and_no_more(kind):
    """A token of the nucleus is likelier in it by 1 / its share, all alike; the share is top-p at least."""
    scores = top_p.logits(kind, rows=2, seed=3)
    whole, drawn = (
        np.asarray(LOGPROBS(scores, draws=draws, ids=top_p.IDS), np.float64) for draws in (Draws(1.2), top_p.DRAWS)
    )
    found = top_p.off(scores)
    for before, after in zip(whole, drawn, strict=True):
        kept = after > -1e9
        share = np.exp(before[kept]).sum()
        assert share >= 0.99 - 2e-5
        np.testing.assert_allclose(after[kept] - before[kept], -np.log(share), atol=3e-5)
    assert 0 <= found.mean <= found.largest + 1e-7 <= -np.log(0.99) + 5e-5
    assert found.mean == pytest.approx(found.largest, abs=5e-3)  # alike within a row
    assert (found.largest > 0.009) == (kind != "certain")


def test_sorting_and_halving_find_the_same_nucleus():
    logprobs = jax.nn.log_softmax(top_p.logits("ranked", rows=2) / 1.2)
    by_halving, by_sorting = (
        jax.jit(find, static_argnums=1)(logprobs, 0.99) for find in (sampling.nucleus, top_p.by_sorting)
    )
    counts = [(np.asarray(logprobs) >= np.asarray(least)[:, None]).sum(axis=1) for least in (by_halving, by_sorting)]
    np.testing.assert_allclose(*counts, rtol=2e-3)  # float32's sums of 151,936 differ in the last digits
