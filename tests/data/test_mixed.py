"""Positions and their sources."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_jax.data.mixed import BLOCK, Drawn, Shares

WEIGHTS = st.lists(st.floats(0.0, 100.0), min_size=1, max_size=5).filter(lambda weights: sum(weights) > 0.01)


@given(WEIGHTS, st.integers(0, 2**20), st.integers(0, 2**31))
def test_counts_go_on_by_one_from_position_to_position(weights, start, seed):
    """Whatever stands before: each source's rows have numbers without gap or repetition, over a block's end too."""
    shares = Shares(("mixture", seed, "grpo"), tuple(weights))
    start = start // BLOCK * BLOCK + BLOCK // 2
    places = [shares.place(position) for position in range(start, start + BLOCK)]
    for source in range(len(weights)):
        counts = [place.count for place in places if place.source == source]
        assert (np.diff(counts) == 1).all()


@given(WEIGHTS)
def test_a_block_holds_each_source_by_its_weight(weights):
    shares = Shares(("mixture", 0, "grpo"), tuple(weights))
    drawn = np.bincount([shares.place(position).source for position in range(BLOCK)], minlength=len(weights))
    wanted = np.array(weights) / sum(weights) * BLOCK
    assert drawn.sum() == BLOCK and ((drawn > 0) == (wanted > 0)).all()
    assert (np.abs(drawn - wanted) <= len(weights)).all()


def test_seeds_and_stages_have_orders_of_their_own():
    def order(*key):
        return [Shares(key, (1.0, 1.0)).place(position).source for position in range(64)]

    orders = [order("mixture", 0, "a"), order("mixture", 1, "a"), order("mixture", 0, "b")]
    assert order("mixture", 0, "a") == orders[0] and len({tuple(one) for one in orders}) == 3


@given(
    st.lists(
        st.tuples(st.dictionaries(st.sampled_from("abcd"), st.floats(0.5, 9), min_size=1), st.integers(0, 1500)),
        min_size=2,
        max_size=4,
    )
)
def test_other_weights_from_a_position_on_leave_out_no_row_and_bring_none_again(parts):
    """Sources come, go, come again and weigh something else; the record of a checkpoint stands between."""
    key, position, rows = ("mixture", 0, "grpo"), 0, {}
    drawn = Drawn(parts[0][0])
    for weights, length in parts:
        drawn = Drawn.of(json.loads(json.dumps(drawn.become(key, weights, position).record())))
        shares, names = drawn.shares(key), list(weights)
        for at in range(position, position + length):
            source, count = shares.place(at)
            rows.setdefault(names[source], []).append(count)
        position += length
    assert all(counts == list(range(len(counts))) for counts in rows.values())


def test_weights_that_stay_draw_as_if_nothing_had_stood_between():
    key, weights = ("mixture", 3, "grpo"), {"": 3.0, "mine": 1.0}
    alone = Shares(key, (3.0, 1.0))
    assert Drawn(weights).become(key, dict(weights), 5120).shares(key) == alone
    scaled = Drawn(weights).become(key, {"": 6.0, "mine": 2.0}, 5120).shares(key)
    assert [scaled.place(at) for at in range(5120, 7000)] == [alone.place(at) for at in range(5120, 7000)]


@pytest.mark.parametrize("position", [0, 1023, 1024, 10**9])
def test_one_source_has_every_position(position):
    assert Shares(("mixture", 0, "grpo"), (6.0,)).place(position) == (0, position)
