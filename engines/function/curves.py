"""Random curves with a wanted property, in a window that shows it; what grows with the level.

Margins: a unit of the grid is at least 8.7 px in the smallest picture of its level, so GAP units are at least 6.5 px.
"""

import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import TypeVar

import numpy as np

from engines.function.scene import Curve, FunctionScene, absolute, crossings, line, parabola

T = TypeVar("T")

# By level: half the span of both axes, the largest shift of the window, curves, families, answers of the counts.
HALF = (3, 3, 4, 4, 5, 6, 6, 7, 8, 10)
SHIFT = (1, 1, 1, 1, 1, 2, 2, 3, 3, 4)
CURVES = (1, 1, 1, 2, 2, 2, 2, 3, 3, 3)
FAMILIES = ("line", "absolute", "parabola", "pieces", "cubic", "sine")
FAMILY_COUNT = (1, 2, 3, 4, 4, 5, 5, 6, 6, 6)
MOST_CROSSINGS = (2, 2, 2, 3, 3, 4, 4, 4, 5, 5)
MIN_SIZE_PX = (112, 112, 112, 112, 112, 168, 168, 224, 224, 280)

COLOURS = ("red", "blue", "green", "purple", "orange", "pink", "brown", "cyan")  # dark enough, not the axes' black
CLEAR_COLOURS = 5  # so many of them when several curves share a picture
ASKED_SLOPES = tuple(Fraction(p, q) for p, q in ((1, 2), (2, 3), (3, 4), (1, 1), (4, 3), (3, 2), (2, 1), (3, 1)))
SLOPES = (*ASKED_SLOPES, *(Fraction(p, q) for p, q in ((3, 5), (4, 5), (5, 4), (5, 3), (7, 4), (5, 2))))
BENDS = (Fraction(1, 2), Fraction(1), Fraction(3, 2), Fraction(2))
STEEPEST = 3  # units of y per unit of x where a value is read
GAP = 0.75  # units: smallest distance of a counted curve from the line that it does not cross
SIGNS = ("positive", "negative", "zero")
MAX_TRIES = 400  # drafts of one part of a scene


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def whole(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number, both ends included."""
    return int(rng.integers(low, high + 1))


def _signed(rng: np.random.Generator, sizes: Sequence[Fraction]) -> Fraction:
    return pick(rng, sizes) * pick(rng, (-1, 1))


def coordinate(rng: np.random.Generator, level: int) -> int:
    """A coordinate of a node that some window of the level has inside: the prior of every answer that is read off."""
    return whole(rng, 1 - HALF[level], HALF[level] - 1)


def window(rng: np.random.Generator, level: int, x: int, y: int) -> FunctionScene:
    """Axes without curves in which the node (x, y) lies at least one unit from the border."""
    half, shift = HALF[level], SHIFT[level]
    right = pick(rng, [s for s in range(-shift, shift + 1) if abs(x - s) < half])
    up = pick(rng, [s for s in range(-shift, shift + 1) if abs(y - s) < half])
    return FunctionScene(right - half, right + half, up - half, up + half, ())


def _zigzag(rng: np.random.Generator, view: FunctionScene, base: Curve, changes: int, colour: str) -> Curve | None:
    """Straight pieces inside the window that cross `base` exactly `changes` times, or None if there is no room."""
    span = view.x_high - view.x_low
    count = min(changes + whole(rng, 2, 3), span // 2 + 1)
    inner = sorted(rng.permutation(span // 2 - 1)[: count - 2].tolist())
    xs = [view.x_low, *(view.x_low + 2 * (place + 1) for place in inner), view.x_high]
    if count - 1 < changes:
        return None
    flips, side, numbers = set(rng.permutation(count - 1)[:changes].tolist()), pick(rng, (-1, 1)), []
    for i, x in enumerate(xs):
        side = -side if i - 1 in flips else side
        level = base.at(x)
        room = (view.y_high - level if side > 0 else level - view.y_low) // 1
        if room < 1:
            return None
        numbers += [x, level + side * whole(rng, 1, int(room))]
    return Curve("pieces", tuple(numbers), colour)


def _pieces(rng: np.random.Generator, view: FunctionScene, x: int, y: int, colour: str) -> Curve:
    """Straight pieces through the node (x, y), which is a corner or the middle of a piece two units long."""
    step = whole(rng, -2, 2)
    if not view.y_low <= y - step <= view.y_high or not view.y_low <= y + step <= view.y_high:
        step = 0
    corners = {x - 1: y - step, x + 1: y + step} if rng.integers(2) else {x: y}
    for place in range(view.x_low, view.x_high + 1):
        ends = place in (view.x_low, view.x_high)
        if min(abs(place - known) for known in corners) >= (1 if ends else 2):
            near = min(corners, key=lambda known: abs(known - place))
            rise = STEEPEST * abs(place - near)
            low, high = max(view.y_low, corners[near] - rise), min(view.y_high, corners[near] + rise)
            corners[place] = whole(rng, low, high)
    return Curve("pieces", tuple(number for corner in sorted(corners.items()) for number in corner), colour)


def _draft(rng: np.random.Generator, family: str, view: FunctionScene, x: int, y: int, colour: str) -> Curve:
    """One curve of a family through the node (x, y), without regard to how much of it shows."""
    if family == "line":
        slope = _signed(rng, SLOPES) if rng.integers(8) else Fraction(0)
        return line(slope, y - slope * x, colour)
    if family == "pieces":
        return _pieces(rng, view, x, y, colour)
    bend, turn = _signed(rng, BENDS), whole(rng, view.x_low + 1, view.x_high - 1)
    if family == "absolute":
        return absolute(turn, y - bend * abs(x - turn), bend, view.x_low, view.x_high, colour)
    if family == "parabola":
        return parabola(turn, y - bend * (x - turn) ** 2, bend, colour)
    if family == "cubic":
        a, b = bend / 8, -bend * whole(rng, 0, 2)
        c = y - a * (x - turn) ** 3 - b * (x - turn)
        return Curve("polynomial", (c - a * turn**3 - b * turn, 3 * a * turn**2 + b, -3 * a * turn, a), colour)
    half_period, quarter, amplitude = pick(rng, (2, 4, 6)), whole(rng, 0, 3), whole(rng, 2, 4)
    middle = y - amplitude * (0, 1, 0, -1)[quarter]
    return Curve("sine", (amplitude, half_period, x - quarter * half_period // 2, middle), colour)


def through(rng: np.random.Generator, level: int, view: FunctionScene, x: int, y: int, colour: str) -> Curve:
    """A curve of the level's families through (x, y), readable there, with its turning points in the window."""
    for _ in range(MAX_TRIES):
        curve = _draft(rng, FAMILIES[whole(rng, 0, FAMILY_COUNT[level] - 1)], view, x, y, colour)
        inside = all(view.shows(t, curve.height(t)) for t in curve.turns(view.x_low, view.x_high))
        if inside and abs(curve.height(x + 0.25) - curve.height(x - 0.25)) <= STEEPEST / 2:
            return curve
    raise RuntimeError(f"no curve through ({x}, {y}) at level {level}")


def curve_colours(rng: np.random.Generator, level: int) -> list[str]:
    """As many different colours as the level has curves."""
    if CURVES[level] == 1:
        return [pick(rng, COLOURS)]
    return [COLOURS[i] for i in rng.permutation(CLEAR_COLOURS)[: CURVES[level]].tolist()]


def _apart(first: Curve, second: Curve, view: FunctionScene) -> bool:
    """Say whether two curves never run along each other, closer than a third of a unit over half a unit of x."""
    places = [x / 2 for x in range(2 * view.x_low, 2 * view.x_high + 1)]
    near = [abs(first.height(x) - second.height(x)) < 0.34 for x in places]
    return not any(a and b for a, b in itertools.pairwise(near))


def finished(
    rng: np.random.Generator,
    level: int,
    view: FunctionScene,
    asked: Sequence[Curve],
    colours: Sequence[str],
    clear: Sequence[tuple[float, float]] = (),
    dots: tuple[tuple[int, int], ...] = (),
) -> FunctionScene:
    """The scene with the asked curves and others in the remaining colours, which stay away from the `clear` places."""
    curves = list(asked)
    for colour in colours[len(asked) :]:
        for _ in range(MAX_TRIES):
            x, y = whole(rng, view.x_low + 1, view.x_high - 1), whole(rng, view.y_low + 1, view.y_high - 1)
            curve = through(rng, level, view, x, y, colour)
            free = all(abs(curve.height(cx) - cy) >= 1.25 for cx, cy in clear)
            if free and all(_apart(curve, other, view) for other in curves):
                curves.append(curve)
                break
        else:
            raise RuntimeError(f"no room for a further curve at level {level}")
    order = rng.permutation(len(curves)).tolist()
    return FunctionScene(view.x_low, view.x_high, view.y_low, view.y_high, tuple(curves[i] for i in order), dots)


def sloping(rng: np.random.Generator, level: int, view: FunctionScene, x: int, y: int, sign: int, colour: str) -> Curve:
    """A curve through (x, y) whose slope there has the sign SIGNS[sign], by at least a half where it is not zero."""
    if sign == 2 and rng.integers(2):
        return parabola(x, y, _signed(rng, BENDS), colour)
    for _ in range(MAX_TRIES):
        curve = through(rng, level, view, x, y, colour)
        if curve.family == "sine" or x in (place for place, _ in curve.corners):
            continue
        slope = curve.slope_at(x)
        if (slope == 0) if sign == 2 else (slope * (1, -1)[sign] >= Fraction(1, 2)):
            return curve
    raise RuntimeError(f"no curve of slope sign {SIGNS[sign]} at level {level}")


def counted(
    rng: np.random.Generator, level: int, view: FunctionScene, base: Curve, count: int, colour: str
) -> tuple[Curve, list[float]] | None:
    """A curve that clearly crosses `base` so many times, always inside the window, and where; or None."""
    zigzag = level >= 2 and rng.integers(2)
    if count > 2 or zigzag:
        curve = _zigzag(rng, view, base, count, colour)
    else:
        shapes = (("line", "absolute", "parabola"), ("line",), ("absolute", "parabola"))[count]
        x, y = whole(rng, view.x_low, view.x_high), whole(rng, view.y_low, view.y_high)
        curve = _draft(rng, pick(rng, shapes), view, x, y, colour)
    if curve is None:
        return None
    found, gap = crossings(curve, base, view.x_low, view.x_high)
    if len(found) != count or gap < GAP:
        return None
    shown = [view.shows(x / 2, curve.height(x / 2)) for x in range(2 * view.x_low, 2 * view.x_high + 1)]
    spread = all(b - a >= 0.8 for a, b in itertools.pairwise(found))
    inside = all(view.shows(x, base.height(x), 0.5) for x in found)
    return (curve, found) if spread and inside and 3 * sum(shown) >= len(shown) else None


def turning(rng: np.random.Generator, level: int, view: FunctionScene, x: int, y: int, colour: str) -> Curve:
    """A corner, a parabola or (from level 3) straight pieces whose only highest or lowest point is (x, y).

    Corners and parabolas open to a side where the window has room for at least half its height.
    """
    sides = [sign for sign, room in ((1, view.y_high - y), (-1, y - view.y_low)) if room >= HALF[level]]
    bend = pick(rng, BENDS) * pick(rng, sides)
    if level >= 3 and not rng.integers(3):
        for _ in range(30):
            curve = _pieces(rng, view, x, y, colour)
            heights = [h for place, h in curve.corners if place != x]
            if x in (place for place, _ in curve.corners) and (max(heights) < y or min(heights) > y):
                return curve
    if rng.integers(2):
        return absolute(x, y, bend, view.x_low, view.x_high, colour)
    return parabola(x, y, bend, colour)
