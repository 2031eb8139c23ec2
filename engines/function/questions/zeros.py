"""Curves with chosen zeros: above, below and on a straight line exactly where they should be.

Built, not searched: a curve with these zeros is found first, then the line is added to it.
"""

import itertools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from engines.function.questions.curves import is_clear
from engines.function.questions.levels import FAMILY_COUNT, SLOPES, pick, places, whole
from engines.function.scene import Curve, FunctionScene, Number

Rng = np.random.Generator
Zeros = Sequence[Number]
Line = tuple[Number, Number]  # slope, intercept
AXIS: Line = (0, 0)
LEAST = 1  # units that a curve rises above or sinks below the line between two zeros, at least
DEPTHS = (1, Fraction(3, 2), 2, 3, 4)
EXTREMES = (0.8, 0.999)  # of a cubic or quartic: least height between two zeros in units, most in shares of the room


def spread_zeros(rng: np.random.Generator, view: FunctionScene, count: int, apart: int, parts: int) -> list[Fraction]:
    """So many places, multiples of 1/parts, at least `apart` units from each other and one from the border."""
    room = parts * (view.x_high - view.x_low - 2) - (count - 1) * (parts * apart - 1)
    chosen = sorted(rng.permutation(room + 1)[:count].tolist())
    return [view.x_low + 1 + Fraction(p + i * (parts * apart - 1), parts) for i, p in enumerate(chosen)]


def with_zeros(
    rng: np.random.Generator,
    level: int,
    view: FunctionScene,
    zeros: Sequence[Number],
    colour: str,
    base: Line = AXIS,
    side: int = 0,
) -> Curve | None:
    """A curve that crosses the line exactly at the zeros; `side` 1 or -1 says where it starts.

    None if it would come near the x-axis without crossing it clearly, which cannot be where the line is the x-axis.
    """
    makers = [_kinked]
    if level < 2 and len(zeros) <= 2:
        makers = []
    if len(zeros) == 0:
        makers = [*makers, _aside, _aside]
    elif len(zeros) == 1:
        makers = [*makers, _straight, _straight]
    elif len(zeros) == 2:
        makers = [*makers, _bowl, _corner]
    elif FAMILY_COUNT[level] >= 4:
        makers = [*makers, _product, _product]
    side = side or pick(rng, (-1, 1))
    found = pick(rng, makers)(rng, view, zeros, side, colour, base)
    found = found if found is not None else _kinked(rng, view, zeros, side, colour, base)
    return found if base == AXIS or is_clear(found.heights(places(view.x_low, view.x_high))) else None


def _room(view: FunctionScene, base: Line, x: Number, side: int) -> Number:
    """From the line at x up (side 1) or down (-1) to the border."""
    height = base[0] * x + base[1]
    return view.y_high - height if side > 0 else height - view.y_low


def _kinked(rng: Rng, view: FunctionScene, zeros: Zeros, side: int, colour: str, base: Line) -> Curve:
    """Straight pieces, with corners between the zeros, and some at them."""
    edges = [view.x_low, *zeros, view.x_high]
    corners: list[tuple[Number, Number]] = []
    for index, (left, right) in enumerate(itertools.pairwise(edges)):
        is_first, is_last = index == 0, index == len(zeros)
        xs = [left] if is_first else []
        if not is_first and not is_last:
            xs.append(Fraction(left + right, 2))
        elif right - left > 2 and rng.integers(2):
            xs.append(
                left + whole(rng, 1, int(right - left) - 1)
                if is_first
                else right - whole(rng, 1, int(right - left) - 1)
            )
        xs += [right] if is_last else []
        for x in xs:
            reach = min(x - left if x > left else right - x, right - x if x < right else x - left)
            most = min(_room(view, base, x, side), 3 * max(reach, Fraction(1, 2)))
            height = Fraction(whole(rng, 2 * LEAST, max(2 * LEAST, int(2 * most))), 2)
            corners.append((x, side * height))
        if not is_last:
            corners.append((right, 0))
        side = -side
    corners = [corner for i, corner in enumerate(corners) if i == 0 or corner[0] != corners[i - 1][0]]
    numbers = tuple(number for corner in corners for number in corner)
    return Curve("pieces", numbers, colour).raised(*base)


def _straight(rng: Rng, view: FunctionScene, zeros: Zeros, side: int, colour: str, base: Line) -> Curve:
    """A line that falls if it starts above."""
    slope = -side * pick(rng, SLOPES)
    return Curve("polynomial", (-slope * zeros[0], slope), colour).raised(*base)


def _aside(rng: Rng, view: FunctionScene, zeros: Zeros, side: int, colour: str, base: Line) -> Curve | None:
    """A parallel line, or a parabola or corner that opens away from the line."""
    room = min(_room(view, base, x, side) for x in (view.x_low, view.x_high))
    if room < 2:
        return None
    depth, kind = Fraction(whole(rng, 2, int(2 * min(max(1, room - 3), 4))), 2), whole(rng, 0, 2)
    if kind == 0:
        return Curve("polynomial", (side * depth, 0), colour).raised(*base)
    turn, bend = whole(rng, view.x_low + 2, view.x_high - 2), side * pick(rng, (Fraction(1, 2), 1))
    if kind == 1:
        return Curve("polynomial", (side * depth + bend * turn**2, -2 * bend * turn, bend), colour).raised(*base)
    low, high, foot = view.x_low, view.x_high, side * depth
    numbers = (low, foot + bend * (turn - low), turn, foot, high, foot + bend * (high - turn))
    return Curve("pieces", numbers, colour).raised(*base)


def _depth(rng: Rng, view: FunctionScene, zeros: Zeros, side: int, base: Line) -> Number | None:
    """How far a curve goes beyond the line half-way between two zeros."""
    middle = Fraction(zeros[0] + zeros[1], 2)
    room = _room(view, base, middle, -side)
    depths = [depth for depth in DEPTHS if depth <= room and depth <= 2 * (zeros[1] - zeros[0])]
    return pick(rng, depths) if depths else None


def _bowl(rng: Rng, view: FunctionScene, zeros: Zeros, side: int, colour: str, base: Line) -> Curve | None:
    """A parabola through two zeros."""
    depth = _depth(rng, view, zeros, side, base)
    if depth is None:
        return None
    (left, right), bend = zeros, side * 4 * depth / Fraction(zeros[1] - zeros[0]) ** 2
    return Curve("polynomial", (bend * left * right, -bend * (left + right), bend), colour).raised(*base)


def _corner(rng: Rng, view: FunctionScene, zeros: Zeros, side: int, colour: str, base: Line) -> Curve | None:
    """A corner through two zeros."""
    depth = _depth(rng, view, zeros, side, base)
    if depth is None:
        return None
    turn, bend = Fraction(zeros[0] + zeros[1], 2), side * 2 * depth / Fraction(zeros[1] - zeros[0])
    ends = (-side * depth + bend * (turn - view.x_low), -side * depth + bend * (view.x_high - turn))
    return Curve("pieces", (view.x_low, ends[0], turn, -side * depth, view.x_high, ends[1]), colour).raised(*base)


def _product(rng: Rng, view: FunctionScene, zeros: Zeros, side: int, colour: str, base: Line) -> Curve | None:
    """A polynomial of the least degree, if it stays in the window between the zeros and leaves the line clearly."""
    coefficients: list[Number] = [1]
    for zero in zeros:
        shifted = [0, *coefficients]
        coefficients = [a - zero * b for a, b in zip(shifted, [*coefficients, 0], strict=True)]
    xs = places(view.x_low, view.x_high)
    ys = np.polyval([float(c) for c in reversed(coefficients)], xs)
    sign = side * (1 if ys[0] > 0 else -1)
    extremes = []
    for left, right in itertools.pairwise(zeros):
        inside = (xs > float(left)) & (xs < float(right))
        extremes.append(float(np.abs(ys[inside]).max()))
    room = min(float(_room(view, base, zero, way)) - abs(float(base[0])) for zero in zeros for way in (-1, 1))
    scale = Fraction(round(24 * min(EXTREMES[1] * room / max(extremes), 3.0)), 24)
    if scale == 0 or float(scale) * min(extremes) < EXTREMES[0]:
        return None
    return Curve("polynomial", tuple(sign * scale * c for c in coefficients), colour).raised(*base)
