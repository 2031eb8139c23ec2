"""Buckets that the doctor proposes: they hold what it says, save what it says, and are what a config takes."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perc_jax.data import buckets, doctor
from perc_jax.data.doctor import Looked
from tests.programs.test_programs import CONFIG

LARGEST, WINDOW = (1024, 2048), 64


def test_two_kinds_of_prompts_are_told_apart():
    tokens, patches = np.array([200] * 90 + [900] * 10), np.array([256] * 90 + [2048] * 10)
    found = buckets.propose(tokens, patches, LARGEST, WINDOW)
    assert found.buckets == ((256, 256),) and found.shares == (0.9,)
    assert found.saved == pytest.approx(0.9 * (1 - (1 / 4 + 1 / 8) / 2))


def test_nothing_is_proposed_where_it_would_save_nothing():
    full = buckets.propose(np.full(50, 1000), np.full(50, 2000), LARGEST, WINDOW)
    assert full == buckets.Proposal((), 0.0, ()) == buckets.propose(*np.zeros((2, 0), int), LARGEST, WINDOW)


def test_texts_without_pictures_keep_one_window():
    found = buckets.propose(np.array([30] * 50 + [1000] * 50), np.array([0] * 50 + [2000] * 50), LARGEST, WINDOW)
    assert found.buckets == ((64, 64),) and found.shares == (0.5,)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 300))
def test_what_is_proposed_is_a_chain_that_a_config_takes(seed, count):
    rng = np.random.default_rng(seed)
    tokens = np.minimum(rng.geometric(1 / rng.integers(20, 800), count), LARGEST[0])
    patches = np.minimum(rng.geometric(1 / rng.integers(20, 1500), count) // WINDOW * WINDOW, LARGEST[1])
    found = buckets.propose(tokens, patches, LARGEST, WINDOW)
    data = dataclasses.replace(CONFIG.data, max_prompt_tokens=LARGEST[0], max_patches=LARGEST[1], buckets=found.buckets)
    dataclasses.replace(CONFIG, data=data)  # is sound: ascending, whole windows, below the largest
    assert len(found.buckets) <= buckets.MOST and 0 <= found.saved < 1 and len(found.shares) == len(found.buckets)
    fits = [(tokens <= most) & (patches <= slots) for most, slots in found.buckets]
    assert sum(found.shares) == pytest.approx(np.any(fits, axis=0).mean() if fits else 0)
    if found.buckets:
        for number in range(len(found.buckets)):  # each of them is of use
            others = found.buckets[:number] + found.buckets[number + 1 :]
            assert buckets._worth(tokens, patches, others, LARGEST).saved <= found.saved + 1e-9


def test_the_best_of_all_pairs_is_found():
    """Two shapes, against every pair of cuts."""
    rng = np.random.default_rng(3)
    shares = np.sort(rng.random(12))
    costs = np.sort(rng.random(12))
    shares[-1] = costs[-1] = 1.0

    def left(cuts):
        total, before = 0.0, 0.0
        for cut in cuts:
            total, before = total + (shares[cut] - before) * costs[cut], shares[cut]
        return total + 1 - before

    pairs = [(a, b) for a in range(12) for b in range(a + 1, 12)] + [(a,) for a in range(12)]
    assert left(buckets._cut(shares, costs, 2)) == pytest.approx(min(map(left, pairs)))


def test_the_doctor_says_what_to_set():
    rows = [Looked(n, f"t:{n}", "", 20, 16) if n % 4 else Looked(n, f"t:{n}", "", 60, 64) for n in range(40)]
    data = dataclasses.replace(CONFIG.data, max_prompt_tokens=64, max_patches=64)
    config = dataclasses.replace(CONFIG, data=data)
    [line] = doctor.bucketing(config, {"t": [*rows, Looked(40, "t:40", "gone"), Looked(41, "t:41", "", 999, 64)]})
    assert line.startswith("data.buckets = ((64, 16),) would hold 75 % of the prompts, and leave out up to ")
    proposed = eval(re.match(r"data.buckets = (.*) would hold", line)[1])  # as a config file takes it
    told = dataclasses.replace(config, data=dataclasses.replace(data, buckets=proposed))
    assert list(doctor.bucketing(told, {"t": rows})) == []
