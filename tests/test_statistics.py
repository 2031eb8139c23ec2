"""Intervals: known values, bounds, coverage by simulation."""

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_jax import statistics
from perc_jax.statistics import (
    clustered_mean,
    gain_interval,
    mcnemar,
    paired_difference,
    share_interval,
    wilson_interval,
)


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


def test_items_of_one_unit_are_compared_as_one():
    before, after = np.zeros(12), np.array([1] * 9 + [0] * 3)
    units, rng = [place // 3 for place in range(12)], np.random.default_rng(0)
    found = paired_difference(before, after, units)
    assert found.ci95 == gain_interval(after - before, rng, units) and found.p_value == pytest.approx(2 / 2**3)
    assert (found.n, found.difference, found.gained, found.lost) == (12, 0.75, 9, 0)
    assert paired_difference(before, after, list(range(12))) == paired_difference(before, after)


def test_paired_difference_refuses_bad_input():
    with pytest.raises(ValueError, match="at least one item"):
        paired_difference(np.array([]), np.array([]))
    with pytest.raises(ValueError, match=r"after must be 0 or 1 per item, got \[0, 2\]"):
        paired_difference(np.array([0, 1]), np.array([0, 2]))


def alone(count: int) -> list[str]:
    """Names of units of one value each."""
    return [str(i) for i in range(count)]


def test_bootstrap_is_repeatable_and_covers():
    rng = np.random.default_rng(2)
    values = rng.exponential(size=80)
    once = clustered_mean(values, alone(80), np.random.default_rng(3))
    assert once == clustered_mean(values, alone(80), np.random.default_rng(3))
    assert once[1] < once[0] == values.mean() < once[2]
    inside = 0
    for _ in range(300):
        _, low, high = clustered_mean(rng.exponential(size=80), alone(80), rng, resamples=300)
        inside += low <= 1 <= high
    assert 0.88 < inside / 300 < 0.98
    with pytest.raises(ValueError, match="at least one entry"):
        clustered_mean(np.zeros(0), [], rng)


def test_resamples_of_many_units_are_drawn_in_blocks_and_are_the_same(monkeypatch):
    values, units = np.random.default_rng(0).random(300), [str(i // 3) for i in range(300)]
    changes = np.random.default_rng(1).normal(0.2, 1.0, 40)

    def found() -> list:
        rng = np.random.default_rng(4)
        return [clustered_mean(values, units, rng, resamples=101), statistics.sign_flip(changes, rng), rng.random()]

    monkeypatch.setattr(statistics, "BLOCK", 10**9)
    whole = found()
    for block in (1, 777):
        monkeypatch.setattr(statistics, "BLOCK", block)
        assert found() == whole


def test_resamples_of_many_units_take_little_memory():
    tracemalloc.start()
    clustered_mean(np.random.default_rng(0).random(30_000), alone(30_000), np.random.default_rng(0), resamples=200)
    statistics.sign_flip(np.ones(30_000), np.random.default_rng(0), resamples=200)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6  # 144 MB and more where all are drawn at once


def test_an_interval_of_shares_is_never_a_point():
    rng = np.random.default_rng
    for right in (0, 1):  # k answers to each of 20 questions, all alike: as sure as 20 questions
        assert share_interval(np.full(20, float(right)), rng(0)) == wilson_interval(20 * right, 20)
        found = share_interval(np.full(60, float(right)), rng(0), [str(i // 3) for i in range(60)])
        assert found == wilson_interval(20 * right, 20)
        assert share_interval(np.full(5, float(right)), rng(0), ["a"] * 5) == wilson_interval(right, 1)
    assert share_interval(np.array([1.0, 0, 1, 1]), rng(0)) == wilson_interval(3, 4)
    assert share_interval(np.array([0.3]), rng(0)) == share_interval(np.array([0.0, 1.0]), rng(0), "aa") == (0.0, 1.0)
    assert share_interval(np.full(4, 0.3), rng(0)) == pytest.approx(wilson_interval(1.2, 4))
    values = rng(1).random(30)
    assert share_interval(values, rng(0)) == clustered_mean(values, alone(30), rng(0))[1:]
    for interval in (share_interval, gain_interval):
        with pytest.raises(ValueError, match="at least one entry"):
            interval(np.zeros(0), rng(0))


def test_an_interval_of_gains_is_never_a_point():
    rng = np.random.default_rng
    none = np.zeros(20)
    assert gain_interval(none, rng(0)) == paired_difference(none, none).ci95
    assert gain_interval(np.zeros(40), rng(0), [str(i // 2) for i in range(40)]) == paired_difference(none, none).ci95
    gained = gain_interval(np.ones(12), rng(0), [str(i // 6) for i in range(12)])  # as two questions
    assert gained == paired_difference(np.zeros(2), np.ones(2)).ci95 and gained[0] < 0 < gained[1] == 1
    assert gain_interval(-np.ones(12), rng(0), [str(i // 6) for i in range(12)]) == (-gained[1], -gained[0])
    assert gain_interval(np.array([0.0, 1.0]), rng(0), "aa") == gain_interval(np.ones(1), rng(0)) == (-1.0, 1.0)
    low, high = gain_interval(np.full(8, 0.25), rng(0))
    assert low < 0.25 < high
    values = rng(1).normal(size=30)
    assert gain_interval(values, rng(0)) == clustered_mean(values, alone(30), rng(0))[1:]


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
    mean, low, high = clustered_mean(values, names, rng(1))
    copies, units = np.repeat(values, 10), [name for name in names for _ in range(10)]
    again = clustered_mean(copies, units, rng(1))
    assert again == pytest.approx((mean, low, high))
    assert mean == pytest.approx(values.mean()) and low < mean < high
    shrunk = clustered_mean(copies, [str(i) for i in range(400)], rng(1))
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
