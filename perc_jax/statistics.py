"""Intervals and tests for accuracies: how sure a number is. Numpy only; no scipy.

Every interval is at 95 % unless `z` or `confidence` says otherwise.
"""

import itertools
import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

Z95 = 1.959963984540054  # 97.5 % quantile of the standard normal distribution
EXACT_UNITS = 12  # that differ, up to which all signs are tried
BLOCK = 1 << 20  # numbers that are drawn at once
ALIKE = 1e-9  # means of units that differ by less are the same


class PairedDifference(NamedTuple):
    """Two accuracies on the same items: after minus before."""

    n: int
    difference: float  # in [-1, 1]
    ci95: tuple[float, float]
    p_value: float  # two-sided: exact McNemar, or of sign flips where items share a unit
    gained: int  # items wrong before and right after
    lost: int  # items right before and wrong after


def wilson_interval(correct: int | float, n: int, z: float = Z95) -> tuple[float, float]:
    """Interval for an accuracy (Wilson 1927): within [0, 1], never empty, sound at 0 and n correct.

    Args:
        correct: items answered right, 0..n; a sum of shares need not be whole.
        n: items asked; with none nothing is known, and the interval is (0, 1).
        z: normal quantile.

    Raises:
        ValueError: `correct` is not within 0..n.
    """
    if not 0 <= correct <= n:
        raise ValueError(f"correct must be within 0..{n}, got {correct}")
    if n == 0:
        return 0.0, 1.0
    p = correct / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = 0.0 if correct == 0 else max(0.0, centre - half)
    high = 1.0 if correct == n else min(1.0, centre + half)
    return low, high


def paired_difference(
    before: Shaped[np.ndarray, "n"], after: Shaped[np.ndarray, "n"], units: Sequence[Hashable] | None = None
) -> PairedDifference:
    """Compare two models on the same items.

    The interval is Wald's with half an item added to each cell of the 2 x 2 table (Agresti & Min 2005, Statistics in
    Medicine 24), which keeps its coverage where few items differ. The p-value is McNemar's exact one. Where items share
    a unit, they are `gain_interval` and `sign_flip`, the same each time.

    Args:
        before: 0/1 or bool per item.
        after: the same items, in the same order.
        units: the independent unit that each belongs to; None: each is one.

    Raises:
        ValueError: no items, or something other than 0 and 1.
    """
    if len(before) == 0:
        raise ValueError("before must have at least one item, got 0")
    for name, answers in (("before", before), ("after", after)):
        if not np.isin(answers, (0, 1)).all():
            raise ValueError(f"{name} must be 0 or 1 per item, got {sorted(set(answers.tolist()))[:5]}")
    n = len(before)
    gained = int(np.sum((before == 0) & (after == 1)))
    lost = int(np.sum((before == 1) & (after == 0)))
    if units is not None and len(set(units)) < n:
        changes, rng = np.asarray(after, np.float64) - np.asarray(before, np.float64), np.random.default_rng(0)
        ci95, p_value = gain_interval(changes, rng, units), sign_flip(by_unit(changes, units)[0], rng)
    else:
        ci95, p_value = _paired(gained, lost, n), mcnemar(gained, lost)
    return PairedDifference(n, (gained - lost) / n, ci95, p_value, gained, lost)


def _paired(gained: int | float, lost: int | float, n: int) -> tuple[float, float]:
    """The interval of `paired_difference`."""
    more, fewer, total = gained + 0.5, lost + 0.5, n + 2
    centre = (more - fewer) / total
    half = Z95 * math.sqrt(more + fewer - (more - fewer) ** 2 / total) / total
    return max(-1.0, centre - half), min(1.0, centre + half)


def independent_difference(correct_before: int, n_before: int, correct_after: int, n_after: int) -> tuple[float, float]:
    """Interval of accuracy after minus before on different items (Newcombe 1998, Statistics in Medicine 17, method 10).

    Of the same items it is wider than need be where they go together, never knowing which item is which.
    """
    low_1, high_1 = wilson_interval(correct_before, n_before)
    low_2, high_2 = wilson_interval(correct_after, n_after)
    first, second = (c / n if n else 0.5 for c, n in ((correct_before, n_before), (correct_after, n_after)))
    low = second - first - math.hypot(second - low_2, high_1 - first)
    return low, second - first + math.hypot(high_2 - second, first - low_1)


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided exact p-value that `gained` and `lost` come from a fair coin; 1.0 where nothing differs."""
    n, fewer = gained + lost, min(gained, lost)
    tail, term = 0, 1  # exact integers: sum of binomial(n, k) for k <= fewer
    for k in range(fewer + 1):
        tail += term
        term = term * (n - k) // (k + 1)
    return min(1.0, 2 * tail / 2**n)


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Chance that one of k of the n samples of a question, drawn without replacement, is right.

    The unbiased estimator of Chen et al. 2021 (arXiv 2107.03374, section 2.1). Raises `ValueError` unless 1 <= k <= n
    and 0 <= correct <= n.
    """
    if not 1 <= k <= n or not 0 <= correct <= n:
        raise ValueError(f"pass@k needs 1 <= k <= n and 0 <= correct <= n, got k = {k}, n = {n}, correct = {correct}")
    return 1 - math.comb(n - correct, k) / math.comb(n, k)


def by_unit(
    values: Float[np.ndarray, "n"], units: Sequence[Hashable]
) -> tuple[Float[np.ndarray, "u"], Float[np.ndarray, "u"]]:
    """Sum and count of the values of each unit, units in the order of their first value."""
    places: dict[Hashable, int] = {}
    index = np.array([places.setdefault(unit, len(places)) for unit in units])
    return np.bincount(index, values, len(places)), np.bincount(index, minlength=len(places)).astype(np.float64)


def clustered_mean(
    values: Float[np.ndarray, "n"], units: Sequence[Hashable], rng: np.random.Generator, *, resamples: int = 2000
) -> tuple[float, float, float]:
    """Mean of values of any range, and its percentile interval when whole units are drawn again, not values.

    Where the units' means are all alike, as those of a single unit, the interval has no width: for shares, whose range
    is known, there are `share_interval` and `gain_interval`.

    Args:
        values: one per question.
        units: the independent unit that each belongs to, for instance the seed of a variant.
        rng: where the resamples come from.
        resamples: how many.

    Raises:
        ValueError: no values.
    """
    if len(values) == 0:
        raise ValueError("values must have at least one entry, got 0")
    sums, counts = by_unit(values, units)
    means, rows = [], max(1, BLOCK // len(sums))
    for start in range(0, resamples, rows):
        chosen = rng.integers(len(sums), size=(min(rows, resamples - start), len(sums)))
        means.append(sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1))
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return float(values.mean()), float(low), float(high)


def share_interval(
    values: Float[np.ndarray, "n"], rng: np.random.Generator, units: Sequence[Hashable] | None = None
) -> tuple[float, float]:
    """Interval for the mean of shares in [0, 1]: of right answers to a question, say, or 0 and 1 of one answer each.

    Where every value is a unit and 0 or 1, it is Wilson's. Otherwise whole units are drawn again, and where their means
    are all alike, as where all are right or all wrong, it is Wilson's for as many items as units: no share varies more
    than one that is 0 or 1. A single unit of which a part is right tells nothing of others.

    Args:
        values: one per question.
        rng: where the resamples come from.
        units: the independent unit that each belongs to; None: each value is one.

    Raises:
        ValueError: no values.
    """
    means, names = _means_of_units(values, units)
    is_settled = bool(np.isin(means, (0.0, 1.0)).all())
    if is_settled and len(means) == len(values):
        return wilson_interval(int(means.sum()), len(means))
    if len(means) == 1 and not is_settled:
        return 0.0, 1.0
    if np.ptp(means) < ALIKE:
        return wilson_interval(min(1.0, float(means[0])) * len(means), len(means))
    return clustered_mean(values, names, rng)[1:]


def gain_interval(
    differences: Float[np.ndarray, "n"], rng: np.random.Generator, units: Sequence[Hashable] | None = None
) -> tuple[float, float]:
    """Interval for the mean difference of shares, in [-1, 1].

    Whole units are drawn again. Where their means are all alike, as where none has changed, it is that of
    `paired_difference` for as many items as units. A single unit tells nothing of others: (-1, 1).

    Args:
        differences: after minus before, one per question.
        rng: where the resamples come from.
        units: the independent unit that each belongs to; None: each value is one.

    Raises:
        ValueError: no values.
    """
    means, names = _means_of_units(differences, units)
    if len(means) == 1:
        return -1.0, 1.0
    if np.ptp(means) < ALIKE:
        mean, count = float(means[0]), len(means)
        return _paired(max(0.0, mean) * count, max(0.0, -mean) * count, count)
    return clustered_mean(differences, names, rng)[1:]


def _means_of_units(
    values: Float[np.ndarray, "n"], units: Sequence[Hashable] | None
) -> tuple[Float[np.ndarray, "u"], Sequence[Hashable]]:
    """The mean of each unit, and the unit of each value. Raises `ValueError` without values."""
    if len(values) == 0:
        raise ValueError("values must have at least one entry, got 0")
    names = range(len(values)) if units is None else units
    sums, counts = by_unit(values, names)
    return sums / counts, names


def sign_flip(differences: Float[np.ndarray, "u"], rng: np.random.Generator, *, resamples: int = 20_000) -> float:
    """Two-sided p-value of a paired permutation test: that each unit's difference might as well have the other sign.

    Exact up to `EXACT_UNITS` units that differ, from random signs (and the observed ones) beyond.
    """
    size = np.abs(differences[differences != 0])
    observed = abs(differences.sum()) - 1e-9 * size.sum()
    if len(size) <= EXACT_UNITS:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(size)))).reshape(2 ** len(size), -1)
        return float(np.mean(np.abs(signs @ size) >= observed))
    sums, rows = [], max(1, BLOCK // len(size))
    for start in range(0, resamples, rows):
        signs = rng.integers(0, 2, (min(rows, resamples - start), len(size))) * 2 - 1
        sums.append(signs @ size)
    extreme = np.abs(np.concatenate(sums)) >= observed
    return float((extreme.sum() + 1) / (len(extreme) + 1))
