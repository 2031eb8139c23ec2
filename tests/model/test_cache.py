"""Rings of keys and values: who sees which column, moved rings hold the same, int8 is as close as it can be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_jax.model import cache

KINDS = ("model", "int8")
write, resized = jax.jit(cache.write), jax.jit(cache.resized, static_argnums=2)
seen = jax.jit(cache.seen, static_argnums=0)


def filled(kind: str, columns: int, tokens: int):
    """A ring after that many tokens, [L,P,K,W,B,hd] = [1,1,1,1,B,2]; token t is (t + 1, -t - 1)."""
    ring = cache.empty((1, 1, 1, 1, columns, 2), np.dtype(np.float32), kind)
    for token in range(tokens):
        fresh = np.array([token + 1, -token - 1], np.float32).reshape(1, 1, 1, 1, 2)
        ring = write(ring, fresh, np.int32(token))
    return ring


def read(ring, time: int, length: int) -> list[float]:
    """The tokens that a row of that length sees, sorted."""
    mine = np.asarray(seen(cache.columns(ring), np.int32(time), np.array([[length]])))[0, 0]
    data = np.asarray(ring.data) * np.asarray(ring.scale)[..., None] if isinstance(ring, cache.Quantised) else ring
    return sorted(np.asarray(data)[0, 0, 0, 0, mine, 0].round(3).tolist())


def test_the_worked_example():
    assert np.asarray(cache.seen(4, jnp.int32(6), np.array([[0, 1, 3, 4]]))).astype(int).tolist() == [
        [[0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 1], [1, 1, 1, 1]]
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_layers_that_lie_apart_are_written_as_their_stack_is(kind):
    rng = np.random.default_rng(0)
    ring = cache.stored(jnp.asarray(rng.normal(size=(3, 2, 2, 4, 5, 8)), jnp.float32), kind)
    fresh = jnp.asarray(rng.normal(size=(3, 2, 4, 2, 8)), jnp.float32)
    whole = cache.write(ring, fresh, jnp.int32(7))
    parts = [cache.write(*layer, jnp.int32(7)) for layer in zip(cache.apart(ring), fresh, strict=True)]
    jax.tree.map(np.testing.assert_array_equal, cache.together(tuple(parts)), whole)


@given(st.sampled_from([1, 4, 5]), st.data())
def test_a_row_sees_its_own_last_tokens_however_often_the_ring_went_round(columns, data):
    tokens = data.draw(st.integers(0, 3 * columns))
    length = data.draw(st.integers(0, min(columns, tokens)))
    assert read(filled("model", columns, tokens), tokens, length) == list(range(tokens - length + 1, tokens + 1))


@pytest.mark.parametrize("kind", KINDS)
@given(st.sampled_from([1, 3]), st.sampled_from([1, 2, 3]), st.booleans(), st.data())
def test_a_moved_ring_holds_the_same_and_goes_on(kind, short, factor, grows, data):
    """Growing keeps all columns, shrinking the last ones; then a token more is written and found."""
    before, after = (short, short * factor) if grows else (short * factor, short)
    tokens = data.draw(st.integers(0, 3 * before))
    ring = resized(filled(kind, before, tokens), np.int32(tokens), after)
    time = tokens % min(before, after)
    kept = min(tokens, before, after)
    assert read(ring, time, kept) == list(range(tokens - kept + 1, tokens + 1))
    fresh = np.array([tokens + 1, -tokens - 1], np.float32).reshape(1, 1, 1, 1, 2)
    ring = write(ring, fresh, np.int32(time))
    more = min(kept + 1, after)
    assert read(ring, time + 1, more) == list(range(tokens - more + 2, tokens + 2))


def test_int8_is_off_by_half_a_step_at_most_and_exact_at_its_largest():
    x = np.random.default_rng(0).normal(size=(5, 7, 16)).astype(np.float32) * np.float32(
        [[[1e-4]], [[1]], [[50]], [[0]], [[3]]]
    )
    kept = jax.tree.map(np.asarray, cache.stored(jnp.asarray(x), "int8"))
    off = np.abs(kept.data * kept.scale[..., None] - x)
    assert kept.data.dtype == np.int8
    assert (off <= 0.5001 * kept.scale[..., None]).all()
    largest = np.abs(x).argmax(axis=-1)[..., None]
    np.testing.assert_allclose(np.take_along_axis(off, largest, axis=-1), 0, atol=1e-5)
    assert cache.stored(x, "model") is x


extended = jax.jit(cache.extended)


def test_the_worked_example_of_extending():
    """Tokens 1 to 6 stand in columns 0 1 2 3 0 1; c goes behind the last two."""
    ring = filled("model", 4, 6)
    fresh = np.array([7, -7], np.float32).reshape(1, 1, 1, 1, 1, 2)
    found = np.asarray(extended(ring, fresh, np.int32(6), np.array([[1]])))
    assert [found[0, 0, 0, 0, column, 0] for column in (3, 0, 1)] == [5, 6, 7]


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 9), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=4, max_size=4))
def test_extending_is_writing_one_by_one(kind, time, rows):
    """Rows of different lengths get different numbers of tokens; what they then see is what they would have written."""
    float32 = np.dtype(np.float32)
    lengths, counts = (np.array(each).reshape(2, 2) for each in zip(*rows, strict=True))
    rng = np.random.default_rng(time)
    kept = cache.stored(jnp.asarray(rng.normal(size=(2, 2, 3, 2, 7, 4)), jnp.float32), kind)
    fresh = jnp.asarray(rng.normal(size=(2, 2, 3, 2, 3, 4)), jnp.float32)
    found = cache.plain(extended(kept, fresh, np.int32(time), counts), float32)
    old, new = (np.asarray(cache.plain(each, float32)) for each in (kept, cache.stored(fresh, kind)))
    for p, w in np.ndindex(2, 2):
        length, count = lengths[p, w], counts[p, w]
        before = [old[:, p, :, w, (time - 1 - age) % 7] for age in reversed(range(length))]
        wanted = before + [new[:, p, :, w, token] for token in range(count)]
        places = [(time - 1 - age) % 7 for age in reversed(range(length + count))]
        for place, value in zip(places, wanted, strict=True):
            np.testing.assert_array_equal(np.asarray(found)[:, p, :, w, place], value)
