"""Random curves through a node, fit to be read; what else a picture shows; the legend."""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from engines.function.questions.levels import (
    BENDS,
    FAMILIES,
    FAMILY_COUNT,
    MAX_TRIES,
    NAMED_LEVEL,
    NAMES,
    SLOPES,
    STEEPEST,
    pick,
    places,
    signed,
    whole,
)
from engines.function.scene import Curve, FunctionScene, absolute, line, parabola

CLEAR = 0.4  # units: what does not cross the axis keeps so far away
ROOTS_APART = 6  # eighths of a unit between two crossings of the axis, at least
STEP = 8  # places per unit


def pieces(rng: np.random.Generator, view: FunctionScene, x: int, y: int, colour: str) -> Curve:
    """Straight pieces through the node (x, y), which is a corner or the middle of a piece two units long."""
    step = whole(rng, -2, 2)
    if not view.y_low <= y - step <= view.y_high or not view.y_low <= y + step <= view.y_high:
        step = 0
    corners = {x - 1: y - step, x + 1: y + step} if rng.integers(2) else {x: y}
    spans = rng.integers(2, 4, size=view.x_high - view.x_low).tolist()
    for way in (-1, 1):
        at = (min if way < 0 else max)(corners)
        edge = view.x_low if way < 0 else view.x_high
        while at != edge:
            left = abs(edge - at)
            gap = left if left < 4 else spans.pop()
            rise = STEEPEST * gap
            low, high = max(view.y_low, corners[at] - rise), min(view.y_high, corners[at] + rise)
            corners[at + way * gap] = whole(rng, low, high)
            at += way * gap
    return Curve("pieces", tuple(number for corner in sorted(corners.items()) for number in corner), colour)


def _draft(rng: np.random.Generator, family: str, view: FunctionScene, x: int, y: int, colour: str) -> Curve:
    """One curve of a family through the node (x, y), without regard to how much of it shows."""
    if family == "line":
        slope = signed(rng, SLOPES) if rng.integers(8) else Fraction(0)
        return line(slope, y - slope * x, colour)
    if family == "pieces":
        return pieces(rng, view, x, y, colour)
    if family == "sine":
        half_period, quarter, amplitude = pick(rng, (2, 4, 6)), whole(rng, 0, 3), whole(rng, 1, 4)
        middle = y - amplitude * (0, 1, 0, -1)[quarter]
        return Curve("sine", (amplitude, half_period, x - quarter * half_period // 2, middle), colour)
    if family == "exponential":
        factor, power = pick(rng, (-1, 1)), whole(rng, 0, 2)
        base = pick(rng, (Fraction(2), Fraction(1, 2)))
        shift = x - (power if base == 2 else -power)
        return Curve("exponential", (factor, base, shift, y - factor * 2**power), colour)
    if family == "hyperbola":
        away, factor = pick(rng, ((1, 1), (1, 2), (2, 2), (2, 4), (3, 3), (1, 3)))
        away, factor = away * pick(rng, (-1, 1)), factor * pick(rng, (-1, 1))
        return Curve("hyperbola", (factor, x - away, y - factor // away), colour)
    bend, turn = signed(rng, BENDS), whole(rng, view.x_low + 1, view.x_high - 1)
    if family == "absolute":
        return absolute(turn, y - bend * abs(x - turn), bend, view.x_low, view.x_high, colour)
    if family == "parabola":
        return parabola(turn, y - bend * (x - turn) ** 2, bend, colour)
    a, b = bend / 8, -bend * whole(rng, 0, 2)
    c = y - a * (x - turn) ** 3 - b * (x - turn)
    return Curve("polynomial", (c - a * turn**3 - b * turn, 3 * a * turn**2 + b, -3 * a * turn, a), colour)


def is_fit(curve: Curve, view: FunctionScene, ys: np.ndarray) -> bool:
    """Say whether a random curve shows well: turning points and asymptotes inside, clear crossings of the x-axis.

    `ys` are its heights at `places` of the window.
    """
    if curve.family == "exponential" and not view.y_low < curve.numbers[3] < view.y_high:
        return False
    if curve.family == "hyperbola":
        _, pole, level = curve.numbers
        if not (view.x_low < pole < view.x_high and view.y_low < level < view.y_high):
            return False
    turns = _turns(ys)
    if curve.family != "hyperbola" and len(turns) and not (view.y_low <= turns.min() and turns.max() <= view.y_high):
        return False
    if np.count_nonzero((ys >= view.y_low) & (ys <= view.y_high)) * 3 < len(ys):
        return False
    return is_clear(ys, turns)


def is_clear(ys: np.ndarray, turns: np.ndarray | None = None) -> bool:
    """Say whether heights at `places` cross 0 well apart, and turn either at 0 or clearly away from it."""
    far = np.abs(_turns(ys) if turns is None else turns)
    return not ((far > 1e-6) & (far < CLEAR)).any() and _crosses_apart(ys)


def _turns(ys: np.ndarray) -> np.ndarray:
    rises = np.diff(ys)
    return ys[1:-1][rises[:-1] * rises[1:] < 0]


def _crosses_apart(ys: np.ndarray) -> bool:
    """Say whether neighbouring zeros of heights at `places` are well apart."""
    zeros = np.concatenate([np.flatnonzero(ys[:-1] * ys[1:] < 0) + 0.5, np.flatnonzero(ys == 0)])
    return len(zeros) < 2 or bool(np.diff(np.sort(zeros)).min() >= ROOTS_APART)


def through(rng: np.random.Generator, level: int, view: FunctionScene, x: int, y: int, colour: str) -> Curve:
    """A curve of the level's families through (x, y), readable there, with its turning points in the window."""
    xs, at = places(view.x_low, view.x_high), STEP * (x - view.x_low)
    for _ in range(MAX_TRIES):
        curve = _draft(rng, FAMILIES[whole(rng, 0, FAMILY_COUNT[level] - 1)], view, x, y, colour)
        ys = curve.heights(xs)
        if abs(ys[at + 2] - ys[at - 2]) <= STEEPEST / 2 and is_fit(curve, view, ys):
            return curve
    raise RuntimeError(f"no curve through ({x}, {y}) at level {level}")


def maybe_dashed(rng: np.random.Generator, curve: Curve) -> Curve:
    """The same curve, sometimes dashed; never one with corners, which a gap could hide."""
    is_dashed = not rng.integers(3) and not curve.corners
    return dataclasses.replace(curve, dashed=True) if is_dashed else curve


def _apart(first: np.ndarray, second: np.ndarray) -> bool:
    """Say whether two curves never run along each other: nearer than a third of a unit over half a unit of x."""
    near = np.abs(first - second)[:: STEP // 2] < 0.34
    return not (near[1:] & near[:-1]).any() and _crosses_apart(first - second)


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
    curves, xs = list(asked), places(view.x_low, view.x_high)
    if len(colours) > len(asked):
        heights = [curve.heights(xs) for curve in curves]
        spots = [(int(STEP * (x - view.x_low)), y) for x, y in clear]
        for colour in colours[len(asked) :]:
            curve, ys = _further(rng, level, view, colour, heights, spots)
            curves.append(curve)
            heights.append(ys)
    order = rng.permutation(len(curves)).tolist()
    names: tuple[str, ...] = ()
    if len(curves) > 1 and level >= NAMED_LEVEL and not rng.integers(3):
        names = tuple(NAMES[i] for i in rng.permutation(len(curves)).tolist())
    return dataclasses.replace(view, curves=tuple(curves[i] for i in order), dots=dots, names=names)


def _further(
    rng: np.random.Generator,
    level: int,
    view: FunctionScene,
    colour: str,
    others: list[np.ndarray],
    spots: list[tuple[int, float]],
) -> tuple[Curve, np.ndarray]:
    """A curve that stays away from spots and runs along no other; and its heights."""
    xs = places(view.x_low, view.x_high)
    for _ in range(MAX_TRIES):
        x, y = whole(rng, view.x_low + 1, view.x_high - 1), whole(rng, view.y_low + 1, view.y_high - 1)
        curve = _draft(rng, FAMILIES[whole(rng, 0, FAMILY_COUNT[level] - 1)], view, x, y, colour)
        ys = curve.heights(xs)
        free = all(abs(ys[at] - height) >= 1.25 for at, height in spots)
        if free and all(_apart(ys, other) for other in others) and is_fit(curve, view, ys):
            return curve, ys
    raise RuntimeError(f"no room for a further curve at level {level}")


def named(scene: FunctionScene, curve: Curve, kind: str = "graph") -> str:
    """What a question calls a curve. `kind` must not give the answer away."""
    return scene.name(scene.curves.index(curve), kind)


def turning(rng: np.random.Generator, level: int, view: FunctionScene, x: int, y: int, side: int, colour: str) -> Curve:
    """A corner, a parabola or (from level 3) straight pieces whose only lowest (side 1) or highest point is (x, y)."""
    bend = pick(rng, BENDS) * side
    if level >= 3 and not rng.integers(3):
        return _peak(rng, view, x, y, side, colour)
    if rng.integers(2):
        return absolute(x, y, bend, view.x_low, view.x_high, colour)
    return parabola(x, y, bend, colour)


def _peak(rng: np.random.Generator, view: FunctionScene, x: int, y: int, side: int, colour: str) -> Curve:
    """Straight pieces with a corner at (x, y) that all others are above (side 1) or below (-1), by a unit or more."""
    corners = {x: y}
    room = view.y_high - y if side > 0 else y - view.y_low
    for way, edge in ((-1, view.x_low), (1, view.x_high)):
        at = x
        while at != edge:
            left = abs(edge - at)
            gap = left if left < 4 else whole(rng, 2, 3)
            most = min(room, STEEPEST * gap + side * (corners[at] - y))
            least = max(1, side * (corners[at] - y) - STEEPEST * gap)
            at += way * gap
            corners[at] = y + side * whole(rng, least, most)
    return Curve("pieces", tuple(number for corner in sorted(corners.items()) for number in corner), colour)
