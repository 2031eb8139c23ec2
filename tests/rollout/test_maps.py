"""Maps: places counted at once are those token by token, and what is drawn there follows the masked distribution."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import chdtrc  # scipy.stats takes seconds to import

from perc_jax.batch import MapIds
from perc_jax.model import bind
from perc_jax.rollout import maps, sampling
from perc_jax.rollout.decode import choose, make_rollout
from perc_jax.rollout.sampling import Draws
from tests.model.cases import Case, build, compiled, random_params, small_config
from tests.rollout.mapped import IDS, MAP, allowed, walked

DRAWN = 20_000
LOGITS = np.random.default_rng(0).normal(size=64).astype(np.float32) * 1.5


def texts(ids: MapIds, count: int, length: int, seed: int) -> np.ndarray:
    """Sequences of maps and pieces of maps: right ones, too long, too short, opened twice, cut, with other words."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((count, length), np.int32)
    for row in rows:
        text = []
        while len(text) < length:
            codes = ids.length if rng.random() < 0.6 else rng.integers(0, ids.length + 3)
            piece = [ids.start, *rng.integers(ids.first, ids.first + ids.count, codes), ids.end]
            if rng.random() < 0.4:
                piece[rng.integers(len(piece))] = rng.integers(0, 60)
            text += [*piece, *rng.integers(0, 60, rng.integers(0, 3))]
        row[:] = text[:length]
    return rows


@pytest.mark.parametrize("length", [1, 3, 7])
def test_places_counted_at_once_are_those_token_by_token(length):
    """3,000 sequences for each length, of all kinds; in half of them parts were not sampled."""
    ids = MAP._replace(length=length)
    tokens = texts(ids, 3000, 40, seed=length)
    sampled = np.random.default_rng(1).random(tokens.shape) > 0.1
    sampled[::2] = True
    wanted = np.array([walked(row, mine, ids) for row, mine in zip(tokens, sampled, strict=True)])
    assert all((wanted == place).mean() > 0.005 for place in range(-1, length + 1))
    whole = (tokens == ids.end) & (wanted == length)
    malformed = (wanted >= 0) & ~whole & ~((wanted < length) & np.isin(tokens, allowed(0)))
    assert malformed.sum() > 1000 and whole.sum() > 1000
    found = jax.jit(functools.partial(maps.places, ids=ids))(tokens, sampled=sampled)
    np.testing.assert_array_equal(found, wanted)
    alike = jax.jit(functools.partial(maps.places, ids=ids))(tokens[::2].reshape(500, 3, 40))
    np.testing.assert_array_equal(alike.reshape(-1, 40), wanted[::2])
    place, carried = maps.first((1500,), ids), []
    for column in tokens[::2].T:
        carried.append(place)
        place = maps.after(place, jnp.asarray(column), ids)
    np.testing.assert_array_equal(np.stack(carried, axis=1), wanted[::2])


def masked(logits: np.ndarray, place: int, top_p: float) -> np.ndarray:
    """The distribution at a place, by hand: softmax over what is allowed, then the fewest likeliest that have top_p."""
    kept = allowed(place)
    shares = np.zeros(len(logits))
    shares[kept] = np.exp(logits[kept].astype(np.float64) - logits[kept].max())
    shares /= shares.sum()
    descending = np.sort(shares)[::-1]
    shares[shares < descending[np.searchsorted(np.cumsum(descending), top_p - 1e-9)]] = 0
    return shares / shares.sum()


def fit(tokens: np.ndarray, shares: np.ndarray) -> float:
    """Chi-square's p value of draws; those that are expected fewer than five times are counted together."""
    counts, expected = np.bincount(tokens, minlength=len(shares)), shares * len(tokens)
    assert not counts[shares == 0].any(), np.flatnonzero(counts * (shares == 0))
    often = expected >= 5
    seen, wanted = (np.append(x[often], x[~often].sum()) for x in (counts, expected))
    if len(seen) == 2:
        return 1.0
    seen, wanted = seen[wanted > 0], wanted[wanted > 0]
    return float(chdtrc(len(wanted) - 1, ((seen - wanted) ** 2 / wanted).sum()))


@pytest.mark.parametrize("place", [-1, 0, MAP.length - 1, MAP.length])
@pytest.mark.parametrize("top_p", [1.0, 0.8])
def test_20_000_draws_follow_the_masked_distribution(place, top_p):
    draws, keys = Draws(1.0, top_p), jax.random.key_data(jax.random.split(jax.random.key(3), DRAWN))
    logprobs = sampling.sampling_logprobs(jnp.asarray(LOGITS)[None, None], draws, IDS, place=jnp.full((1, 1), place))
    rows = jnp.broadcast_to(logprobs, (1, DRAWN, len(LOGITS)))
    tokens, found = choose(rows, keys[None], jnp.zeros((1, DRAWN), jnp.int32), draws)
    tokens, wanted = np.asarray(tokens)[0], masked(LOGITS, place, top_p)
    np.testing.assert_allclose(np.exp(logprobs)[0, 0], wanted, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found[0], np.log(wanted[tokens]), atol=2e-6)
    assert fit(tokens, wanted) > 1e-3
    other = masked(LOGITS + np.random.default_rng(1).normal(size=64) * 0.1, place, 1.0)
    assert place == MAP.length or fit(tokens, np.where(wanted > 0, other, 0) / other[wanted > 0].sum()) < 1e-6


def test_what_a_rollout_draws_behind_a_start_mark_follows_the_masked_distribution():
    """20,000 completions that begin with the mark, and all first tokens: against the full forward pass, masked by hand.

    The head's column of the mark is turned towards the prompt, so that most completions begin with it.
    """
    config, group = small_config(tied=False, layers=1, depth=1), 2000
    batch, params = build(Case(config, [[5]], 6, 16), seed=3).batch, random_params(config, seed=1)
    begun = np.array([[[MAP.start, 0]]], np.int32)
    last = compiled(lambda params: bind(config, params).forward(batch, begun)[0][0, -1])(params)
    column = 6.5 * np.asarray(last) / np.sum(np.square(last))
    params["text"]["head"]["kernel"] = np.array(params["text"]["head"]["kernel"])
    params["text"]["head"]["kernel"][:, MAP.start] = column

    @compiled
    def logits(params):
        model = bind(config, params)
        prompt, answer = model.forward(batch, begun)
        return model.logits(jnp.stack([prompt[0, -1], answer[0, 0, 0]]))

    draws = Draws()
    prefill, decode = make_rollout(config, IDS, group_size=group, max_tokens=2, draws=draws, segment_tokens=1)

    @compiled
    def sampled(params, batch, name, key):
        context, state = prefill(params, batch, name, key)
        return decode(params, context, state).completions().tokens

    key = np.array([0, 7], np.uint32)
    tokens = np.concatenate([sampled(params, batch, np.array([n], np.uint32), key)[0] for n in range(12)])
    first, second = np.asarray(logits(params))
    assert fit(tokens[:, 0], masked(first, -1, 1.0)) > 1e-3
    behind = tokens[tokens[:, 0] == MAP.start, 1]
    assert len(behind) >= DRAWN
    assert fit(behind[:DRAWN], masked(second, 0, 1.0)) > 1e-3


def test_gradients_are_finite_at_all_places_and_zero_at_what_is_forbidden():
    places = jnp.arange(-1, MAP.length + 1)
    tokens = jnp.array([allowed(int(place))[0] for place in places])

    def loss(logits, draws):
        found = sampling.sampling_logprobs(logits, draws, IDS, tokens, places)
        return jnp.sum(sampling.take(found, tokens)) + jnp.sum(sampling.entropy(found))

    for draws in (Draws(), Draws(0.7, 0.9)):
        gradient = np.asarray(jax.grad(loss)(jnp.tile(LOGITS, (len(places), 1)), draws))
        assert np.isfinite(gradient).all() and np.abs(gradient).max() < 10
        for row, place in zip(gradient, np.asarray(places), strict=True):
            assert not np.delete(row, allowed(int(place))).any()
        assert not gradient[-1].any()  # an end mark is certain


def test_places_are_given_where_maps_are_sampled_whole_and_nowhere_else():
    for ids, place in ((IDS, None), (IDS._replace(map=None), jnp.zeros(1, jnp.int32))):
        with pytest.raises(ValueError, match="places in a map must be given where maps are sampled whole"):
            sampling.sampling_logprobs(jnp.zeros((1, 64)), Draws(), ids, place=place)


WRONG = {
    "mark among the codes": {"end": 41},
    "equal marks": {"end": 20},
    "a code that is forbidden": {"first": 3},
    "a code beyond the vocabulary": {"first": 51},
    "a mark that ends completions": {"start": 2},
    "a map of nothing": {"length": 0},
}


@pytest.mark.parametrize("label", WRONG)
def test_marks_and_codes_are_ids_of_their_own(label):
    maps.check(IDS)
    maps.check(IDS._replace(map=None))
    with pytest.raises(ValueError, match="a map's marks and codes must be ids of their own below 60, got MapIds"):
        maps.check(IDS._replace(map=MAP._replace(**WRONG[label])))
