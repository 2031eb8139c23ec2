"""What grows with the level, and how windows, colours and answers are drawn.

A unit of the grid is at least 8.7 px in the smallest picture of its level.
"""

import functools
from collections.abc import Sequence
from fractions import Fraction
from typing import TypeVar

import numpy as np

from engines.function.scene import FunctionScene

T = TypeVar("T")

# By level: half the span of both axes, the largest shift of the window, curves, families, answers of the counts.
HALF = (3, 3, 4, 4, 5, 6, 6, 7, 8, 10)
SHIFT = (1, 1, 1, 1, 1, 2, 2, 3, 3, 4)
CURVES = (1, 1, 1, 2, 2, 2, 2, 3, 3, 3)
FAMILIES = ("line", "absolute", "parabola", "pieces", "cubic", "sine", "exponential", "hyperbola")
FAMILY_COUNT = (1, 2, 3, 4, 4, 6, 6, 8, 8, 8)
MOST_CROSSINGS = (2, 2, 2, 3, 3, 4, 4, 4, 5, 5)
MIN_SIZE_PX = (112, 112, 112, 112, 112, 168, 168, 224, 224, 280)

COLOURS = ("red", "blue", "green", "purple", "orange", "pink", "brown", "cyan")  # dark enough, not the axes' black
CLEAR_COLOURS = 5  # so many of them when several curves share a picture
NAMED_LEVEL = 4  # from here on some pictures with several curves have a legend
NAMES = ("f", "g", "h", "p", "q")
ASKED_SLOPES = tuple(Fraction(p, q) for p, q in ((1, 2), (2, 3), (3, 4), (1, 1), (4, 3), (3, 2), (2, 1), (3, 1)))
SLOPES = (*ASKED_SLOPES, *(Fraction(p, q) for p, q in ((3, 5), (4, 5), (5, 4), (5, 3), (7, 4), (5, 2))))
BENDS = (Fraction(1, 2), Fraction(1), Fraction(3, 2), Fraction(2))
STEEPEST = 3  # units of y per unit of x where a value is read
MAX_TRIES = 400  # drafts of one part of a scene


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def whole(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number, both ends included."""
    return int(rng.integers(low, high + 1))


def signed(rng: np.random.Generator, sizes: Sequence[Fraction]) -> Fraction:
    """One of the sizes or its negative."""
    return pick(rng, sizes) * (1, -1)[int(rng.integers(2))]


def coordinate(rng: np.random.Generator, level: int) -> int:
    """A coordinate of a node that some window of the level has inside: the prior of every answer that is read off."""
    return whole(rng, 1 - HALF[level], HALF[level] - 1)


def pair_of_coordinates(rng: np.random.Generator, level: int, apart: int = 1) -> tuple[int, int]:
    """Two coordinates, the smaller first, at least so far apart; all such pairs are equally likely."""
    reach = 2 * HALF[level] - 1 - apart  # of the smaller, from the lowest coordinate
    first, second = sorted(rng.permutation(reach + 1)[:2].tolist())
    return first + 1 - HALF[level], second + apart - HALF[level]


def pairs_of_coordinates(level: int, apart: int = 1) -> int:
    """How many such pairs there are."""
    reach = 2 * HALF[level] - 1 - apart
    return (reach + 1) * reach // 2


def window(
    rng: np.random.Generator, level: int, xs: Sequence[float] = (0,), ys: Sequence[float] = (0,)
) -> FunctionScene:
    """Axes without curves in which all these coordinates lie at least one unit from the border."""
    half, shift = HALF[level], SHIFT[level]
    right = pick(rng, [s for s in range(-shift, shift + 1) if all(abs(x - s) <= half - 1 for x in xs)])
    up = pick(rng, [s for s in range(-shift, shift + 1) if all(abs(y - s) <= half - 1 for y in ys)])
    return FunctionScene(right - half, right + half, up - half, up + half)


def curve_colours(rng: np.random.Generator, level: int, least: int = 1) -> list[str]:
    """As many different colours as the level has curves."""
    count = max(least, CURVES[level])
    if count == 1:
        return [pick(rng, COLOURS)]
    return [COLOURS[i] for i in rng.permutation(CLEAR_COLOURS)[:count].tolist()]


@functools.lru_cache(maxsize=256)
def places(low: int, high: int) -> np.ndarray:
    """Every eighth of a unit between two whole numbers, float [n]; not to be changed."""
    xs = np.arange(8 * low, 8 * high + 1) / 8
    xs.flags.writeable = False
    return xs
