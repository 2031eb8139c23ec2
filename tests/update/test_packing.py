"""Plans of updates: every group once, on its own device, in rows that hold it; little padding at realistic lengths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perc_jax.update import packing

GROUP, LONGEST, PROMPT = 8, 512, 384
# From less than half of the mean to the most there can be, each 15 % more than the one before.
WIDTHS = (*(int(192 * 1.15**i) // 32 * 32 for i in range(22)), GROUP * LONGEST)


def lengths(rng: np.random.Generator, prompts: int, mean: float = 60.0) -> np.ndarray:
    """Geometric lengths of completions [P, G], cut at the longest."""
    return np.minimum(rng.geometric(1 / mean, (prompts, GROUP)), LONGEST)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([(1, 1, 1), (1, 4, 1), (2, 2, 1), (4, 1, 2), (2, 2, 2)]), st.integers(0, 2**16))
def test_every_group_is_computed_once_in_a_row_that_holds_it(shape, seed):
    devices, micro_batches, updates = shape
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, GROUP * 9, 16)
    plan = packing.plan(
        np.full(16, 5),
        tokens,
        np.ones(16, bool),
        devices=devices,
        prompt_width=6,
        widths=(10, 40, 72),
        micro_batches=micro_batches,
        updates=updates,
    )
    assert len(plan.updates) == updates
    own, places = tokens.reshape(devices, -1), 0
    for part, micro in enumerate(plan.updates):
        assert len(micro) == micro_batches
        rows = np.concatenate([rows for _, rows, _ in micro], axis=1)
        wanted = np.arange(part, own.shape[1], updates)
        assert all(sorted(mine) == wanted.tolist() for mine in rows)
        for width, rows, _ in micro:
            most = np.take_along_axis(own, rows, axis=1).max()
            assert most <= width and width == min(w for w in (10, 40, 72) if w >= most)
            places += rows.size * (6 + width)
    assert plan.padding_share == pytest.approx(1 - (80 + tokens.sum()) / places)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([(1, 1, 1), (1, 4, 1), (1, 16, 1), (2, 2, 1), (4, 1, 2), (2, 2, 2)]),
    st.floats(0, 1),
    st.integers(0, 2**16),
)
def test_every_group_with_signal_is_computed_and_no_micro_batch_too_many(shape, share, seed):
    devices, micro_batches, updates = shape
    rng = np.random.default_rng(seed)
    tokens, prompts, signal = rng.integers(0, GROUP * 9, 16), rng.integers(1, 7, 16), rng.random(16) < share
    plan = packing.plan(
        prompts,
        tokens,
        signal,
        devices=devices,
        prompt_width=6,
        widths=(10, 40, 72),
        micro_batches=micro_batches,
        updates=updates,
    )
    own_signal, own = signal.reshape(devices, -1), tokens.reshape(devices, -1)
    count, computed, held, places = 16 // (devices * micro_batches * updates), 0, 0, 0
    for part, micro in enumerate(plan.updates):
        rows = np.concatenate([rows for _, rows, _ in micro], axis=1)
        mine = own_signal[:, part::updates]
        assert len(micro) == max(1, -(-mine.sum(axis=1).max() // count)) <= micro_batches
        for device, chosen in enumerate(rows):
            wanted = {place for place in np.flatnonzero(own_signal[device]) if place % updates == part}
            assert wanted <= set(chosen.tolist()) and len(set(chosen.tolist())) == len(chosen)
            assert set((chosen % updates).tolist()) == {part}
            idle = [own[device, place] for place in chosen if place not in wanted]
            left = [own[device, p] for p in range(part, own.shape[1], updates) if p not in set(chosen.tolist())]
            assert max(idle, default=0) <= min(left, default=1 << 20)  # the shortest of those without
            held += prompts.reshape(devices, -1)[device, chosen].sum() + own[device, chosen].sum()
        assert all(np.take_along_axis(own, rows, axis=1).max() <= width for width, rows, _ in micro)
        computed, places = computed + rows.size, places + sum(rows.size * (6 + width) for width, rows, _ in micro)
    assert plan.skipped_share == pytest.approx(1 - computed / 16)
    assert plan.padding_share == pytest.approx(1 - held / places)


def test_lengths_reach_to_the_last_token_that_carries_loss():
    mask = np.array([[[True, True, False], [False, False, False], [False, True, False]]])
    assert packing.lengths(mask).tolist() == [[2, 0, 2]]


@pytest.mark.parametrize(("devices", "prompts", "micro_batches"), [(1, 32, 8), (1, 64, 16), (8, 128, 16)])
def test_padding_stays_below_15_percent_at_geometric_lengths(devices, prompts, micro_batches):
    """Mean 60, at most 512, eight completions; prompts as long as their bucket: what is padded is the completions'.

    Several devices need more groups each: the longest of any device's n-th longest groups decides for all.
    """
    rng, shares = np.random.default_rng(0), []
    for _ in range(50):
        shares.append(
            packing.plan(
                np.full(prompts, PROMPT),
                lengths(rng, prompts).sum(axis=1),
                np.ones(prompts, bool),
                devices=devices,
                prompt_width=PROMPT,
                widths=WIDTHS,
                micro_batches=micro_batches,
            ).padding_share
        )
    print(f"{devices} devices, {prompts} prompts: {np.mean(shares):.3f}, at most {max(shares):.3f}")
    assert np.mean(shares) <= 0.15
