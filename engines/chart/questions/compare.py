"""Questions that put several bars together: difference, sum, ratio, order."""

import functools
from fractions import Fraction
from math import gcd, perm

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.chart.questions.make import (
    LETTERS_USED,
    UNITS,
    bar_chart,
    bar_kind,
    bar_marks,
    between,
    chance,
    pick,
    spread,
    value_axis,
)

MORE = {"bar": "higher", "hbar": "longer"}
LARGEST_DENOMINATOR = (4, 5, 6, 8, 8, 10, 10, 12, 12, 12)  # of a ratio of two bars
RANKED = (3, 3, 3, 4, 4, 4, 5, 5, 6, 6)  # bars to be put in order


def pose_compare_bars(rng: np.random.Generator, level: int) -> Posed:
    """By how much one bar exceeds another."""
    units, marks, kind = UNITS[level], bar_marks(rng, level), bar_kind(rng, level)
    axis = value_axis(rng, level, marks.topic, may_break=True)
    ticks = [between(rng, 1, units) for _ in marks.names]
    high, low = rng.permutation(len(ticks))[:2].tolist()
    rise = between(rng, 1, units - 1)
    ticks[low] = between(rng, 1, units - rise)
    ticks[high] = ticks[low] + rise
    scene, more = bar_chart(rng, level, kind, marks, ticks, axis, numbers_rate=0.1), MORE[kind]
    one, other = marks.name(high), marks.name(low)
    question = pick(rng, (
        f"How much {more} is {one} than {other}?",
        f"By how much is {one} {more} than {other}?",
        f"What is the difference between {one} and {other}?",
        f"What is the value of {one} minus {other}?",
    ))  # fmt: skip
    query = {"ask": "difference", **marks.query(high), "less": marks.names[low]}
    return Posed(scene, question, Answer.integer(rise * axis.unit), guess_rate=1 / (units - 1), query=query)


def pose_sum_bars(rng: np.random.Generator, level: int) -> Posed:
    """The sum of two bars."""
    units, marks, kind = UNITS[level], bar_marks(rng, level), bar_kind(rng, level)
    axis = value_axis(rng, level, marks.topic)
    ticks = [between(rng, 1, units) for _ in marks.names]
    one, other = rng.permutation(len(ticks))[:2].tolist()
    total = between(rng, 2, 2 * units)
    ticks[one] = between(rng, max(1, total - units), min(units, total - 1))
    ticks[other] = total - ticks[one]
    scene = bar_chart(rng, level, kind, marks, ticks, axis, numbers_rate=0.1)
    first, second = marks.name(one), marks.name(other)
    question = pick(rng, (
        f"What is the sum of {first} and {second}?",
        f"Add the values of {first} and {second}.",
        f"What is the value of {first} plus that of {second}?",
        f"What do {first} and {second} add up to?",
    ))  # fmt: skip
    query = {"ask": "sum", **marks.query(one), "and": marks.names[other]}
    return Posed(scene, question, Answer.integer(total * axis.unit), guess_rate=1 / (2 * units - 1), query=query)


@functools.cache
def _ratios(level: int) -> list[Fraction]:
    """Fractions below 1 in lowest terms, with a denominator that the axis has room for."""
    largest = min(LARGEST_DENOMINATOR[level], UNITS[level])
    return [Fraction(a, b) for b in range(2, largest + 1) for a in range(1, b) if gcd(a, b) == 1]


def pose_ratio_bars(rng: np.random.Generator, level: int) -> Posed:
    """What fraction of a bar another bar is."""
    units, marks, kind = UNITS[level], bar_marks(rng, level), bar_kind(rng, level)
    axis, ratio = value_axis(rng, level, marks.topic), pick(rng, _ratios(level))
    ticks = [between(rng, 1, units) for _ in marks.names]
    part, whole = rng.permutation(len(ticks))[:2].tolist()
    times = between(rng, 1, units // ratio.denominator)
    ticks[part], ticks[whole] = times * ratio.numerator, times * ratio.denominator
    scene = bar_chart(rng, level, kind, marks, ticks, axis, numbers_rate=0.1)
    one, other = marks.name(part), marks.name(whole)
    question = pick(rng, (
        f"What fraction of {other} is {one}?",
        f"Divide the value of {one} by that of {other}. Give a fraction.",
        f"{one[0].upper()}{one[1:]} is what fraction of {other}?",
        f"What is the ratio of {one} to {other}, as a fraction?",
    ))  # fmt: skip
    query = {"ask": "ratio", **marks.query(part), "whole": marks.names[whole]}
    return Posed(scene, question, Answer.fraction(ratio), guess_rate=1 / len(_ratios(level)), query=query)


def pose_rank_order(rng: np.random.Generator, level: int) -> Posed:
    """All bars in order of their height."""
    marks, kind = bar_marks(rng, level, RANKED[level]), bar_kind(rng, level)
    axis, is_rising = value_axis(rng, level, marks.topic, may_break=True), chance(rng, 0.5)
    ticks = spread(rng, RANKED[level], 1, UNITS[level], 1)
    order = sorted(range(len(ticks)), key=lambda i: ticks[i] if is_rising else -ticks[i])
    scene = bar_chart(rng, level, kind, marks, ticks, axis)
    what = "colours of the bars" if marks.by_colour else "bars"
    low, high = ("lowest", "highest") if kind == "bar" else ("shortest", "longest")
    start, end = (low, high) if is_rising else (high, low)
    question = pick(rng, (
        f"List the {what} from {start} to {end}.",
        f"Put the {what} in order, {start} first.",
        f"Name the {what}, from the {start} to the {end}.",
        f"Order the {what}: begin with the {start}, end with the {end}.",
    ))  # fmt: skip
    answer = Answer.permutation(marks.names[i] for i in order)
    # Letters at low levels are the same in every chart, so their orders can be guessed; words and colours hardly.
    is_letters = not marks.by_colour and marks.topic is None
    guess_rate = 1 / perm(max(LETTERS_USED[level], len(ticks)), len(ticks)) if is_letters else 0.002
    query = {"ask": "order", "end": "low" if is_rising else "high", "by": marks.query(0)["by"]}
    return Posed(scene, question, answer, guess_rate=guess_rate, query=query)
