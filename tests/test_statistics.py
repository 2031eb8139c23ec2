"""Intervals: known values, bounds, coverage by simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_jax import statistics
from perc_jax.statistics import bootstrap_mean, mcnemar, paired_difference, wilson_interval


def test_wilson_known_values():
    assert wilson_interval(81, 263) == pytest.approx((0.255, 0.366), abs=5e-4)  # Newcombe 1998, table I, method 3
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(0, 0) == (0.0, 1.0)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_accuracy_and_mirrors(case):
    correct, n = case
    low, high = wilson_interval(correct, n)
    assert 0 <= low <= correct / n <= high <= 1
    mirrored = wilson_interval(n - correct, n)
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high))


def test_wilson_refuses_impossible_counts():
    with pytest.raises(ValueError, match=r"correct must be within 0\.\.3, got 4"):
        wilson_interval(4, 3)


def test_wilson_covers():
    rng = np.random.default_rng(0)
    for p in (0.05, 0.5, 0.9):
        inside = [low <= p <= high for low, high in (wilson_interval(int(k), 100) for k in rng.binomial(100, p, 2000))]
        assert 0.93 < np.mean(inside) < 0.98


def test_mcnemar_known_values():
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(0, 6) == pytest.approx(2 / 64)
    assert mcnemar(1, 9) == mcnemar(9, 1) == pytest.approx(22 / 1024)
    assert 0 <= mcnemar(3000, 2000) < 1e-40


def test_paired_difference_counts_and_signs():
    before = np.array([0, 0, 0, 1, 1, 0])
    after = np.array([1, 1, 0, 0, 1, 1])
    result = paired_difference(before, after)
    assert (result.n, result.gained, result.lost) == (6, 3, 1)
    assert result.difference == pytest.approx(2 / 6)
    back = paired_difference(after, before)
    assert back.difference == -result.difference
    assert back.ci95 == pytest.approx((-result.ci95[1], -result.ci95[0]))
    assert back.p_value == result.p_value


def test_equal_answers_give_an_interval_around_zero():
    same = np.ones(50, bool)
    result = paired_difference(same, same)
    assert result.difference == 0 and result.p_value == 1
    assert result.ci95[0] < 0 < result.ci95[1]


def test_paired_interval_covers_and_is_narrower_than_unpaired():
    rng = np.random.default_rng(1)
    covered, widths = [], []
    for _ in range(1500):
        before = rng.random(300) < 0.5
        after = np.where(rng.random(300) < 0.15, ~before, before) | (rng.random(300) < 0.1)
        # a wrong item becomes right in 0.15 + 0.85 * 0.1 of cases, a right one is lost in 0.15 * 0.9
        truth = 0.5 * (0.15 + 0.85 * 0.1) - 0.5 * (0.15 * 0.9)
        low, high = paired_difference(before, after).ci95
        covered.append(low <= truth <= high)
        widths.append(high - low)
    assert 0.93 < np.mean(covered) < 0.98
    assert np.mean(widths) < 2 * 1.96 * math.sqrt(2 * 0.25 / 300)


def test_paired_difference_refuses_bad_input():
    with pytest.raises(ValueError, match="at least one item"):
        paired_difference(np.array([]), np.array([]))
    with pytest.raises(ValueError, match=r"after must be 0 or 1 per item, got \[0, 2\]"):
        paired_difference(np.array([0, 1]), np.array([0, 2]))


def test_bootstrap_is_repeatable_and_covers():
    rng = np.random.default_rng(2)
    values = rng.exponential(size=80)
    once = bootstrap_mean(values, np.random.default_rng(3))
    assert once == bootstrap_mean(values, np.random.default_rng(3))
    assert once[0] < values.mean() < once[1]
    inside = 0
    for _ in range(300):
        low, high = bootstrap_mean(rng.exponential(size=80), rng, resamples=300)
        inside += low <= 1 <= high
    assert 0.88 < inside / 300 < 0.98
    with pytest.raises(ValueError, match="at least one entry"):
        bootstrap_mean(np.zeros(0), rng)


@pytest.mark.parametrize(("n", "correct"), [(1, 0), (1, 1), (5, 2), (6, 0), (6, 6), (8, 3)])
def test_pass_at_k_is_the_share_of_draws_with_a_right_one(n, correct):
    answers = [1] * correct + [0] * (n - correct)
    for k in range(1, n + 1):
        draws = [max(draw) for draw in itertools.combinations(answers, k)]
        assert statistics.pass_at_k(n, correct, k) == pytest.approx(sum(draws) / len(draws))
    with pytest.raises(ValueError, match=r"pass@k needs 1 <= k <= n .*, got k = 0"):
        statistics.pass_at_k(n, correct, 0)


def test_units_are_resampled_whole():
    """Ten copies of every value are no news: the interval stays, where one over values would shrink."""
    values, rng = np.random.default_rng(0).random(40), np.random.default_rng
    names = [str(i) for i in range(40)]
    mean, low, high = statistics.clustered_mean(values, names, rng(1))
    copies, units = np.repeat(values, 10), [name for name in names for _ in range(10)]
    again = statistics.clustered_mean(copies, units, rng(1))
    assert again == pytest.approx((mean, low, high))
    assert mean == pytest.approx(values.mean()) and low < mean < high
    shrunk = statistics.clustered_mean(copies, [str(i) for i in range(400)], rng(1))
    assert shrunk[2] - shrunk[1] < (high - low) / 2
    sums, counts = statistics.by_unit(np.array([1.0, 2.0, 4.0]), ["b", "a", "b"])
    assert sums.tolist() == [5.0, 2.0] and counts.tolist() == [2.0, 1.0]


def test_flipped_signs_give_the_p_value_of_all_ways_to_flip():
    rng = np.random.default_rng(2)
    for size in (1, 4, 9):
        differences = rng.normal(0.3, 1.0, size)
        flips = [abs(np.dot(signs, differences)) for signs in itertools.product((-1, 1), repeat=size)]
        exact = np.mean([flip >= abs(differences.sum()) - 1e-9 for flip in flips])
        assert statistics.sign_flip(np.append(differences, 0.0), rng) == pytest.approx(exact)
    assert statistics.sign_flip(np.zeros(3), rng) == 1.0


def test_many_units_get_a_p_value_by_chance_that_is_right():
    rng = np.random.default_rng(3)
    ones = np.array([1.0] * 14 + [-1.0] * 6)  # signs alone: McNemar's test
    assert statistics.sign_flip(ones, rng) == pytest.approx(statistics.mcnemar(14, 6), abs=0.01)
    assert 0 < statistics.sign_flip(np.ones(40), rng) < 1e-4
