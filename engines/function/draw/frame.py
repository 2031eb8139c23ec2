"""Where data stand in a picture: the plot area of a window, and curves as lines of pixels cut at its border."""

import functools
import itertools
import math
from collections.abc import Callable

import numpy as np

from engines.function.scene import Curve, FunctionScene
from engines.marks import Apart, Margin, Point

STEP_PX = 2.5  # between neighbouring points of a bent line
NODE_PX, ROOT_PX, TURN_PX, POINT_PX = 5.0, 8.0, 6.0, 8.0  # floors in a picture of 448 px
LEAST_PX = 2.0
TOUCH = 0.05  # units: what is as near as that to the axis touches it, what is as near as that to a zero is the same

MEETING_COLUMNS = 160

Pixel = Callable[[float, float], Point]


class Frame:
    """The map from data units to pixels: a window, and the box it fills (left, top, width, height)."""

    def __init__(self, scene: FunctionScene, box: tuple[float, float, float, float]):
        self.scene = scene
        self.left, self.top, self.width, self.height = box
        self.unit_x = self.width / (scene.x_high - scene.x_low)
        self.unit_y = self.height / (scene.y_high - scene.y_low)

    def pixel(self, x: float, y: float) -> Point:
        """The place of a data point in final pixels."""
        return self.left + (x - self.scene.x_low) * self.unit_x, self.top + (self.scene.y_high - y) * self.unit_y

    def pixels(self, data: np.ndarray) -> np.ndarray:
        """The places of data points, float [n, 2]."""
        scene = self.scene
        return (data - (scene.x_low, scene.y_high)) * (self.unit_x, -self.unit_y) + (self.left, self.top)


@functools.lru_cache(maxsize=256)
def columns(low: int, high: int, count: int) -> np.ndarray:
    """Equally spaced x, both ends included; not to be changed."""
    xs = np.linspace(low, high, count + 1)
    xs.flags.writeable = False
    return xs


def strands(curve: Curve, scene: FunctionScene, width_px: float) -> list[np.ndarray]:
    """A curve as open lines in data units, float [n, 2] each, cut at the border of the window."""
    whole = [_clipped(part, scene.y_low, scene.y_high) for part in _parts(curve, scene, width_px)]
    return [part for parts in whole for part in parts if len(part) > 1]


def _parts(curve: Curve, scene: FunctionScene, width_px: float) -> list[np.ndarray]:
    """A curve between the left and right border, broken where it jumps; not yet cut at the lower and upper one."""
    numbers, count = [float(number) for number in curve.numbers], max(24, math.ceil(width_px / STEP_PX))
    low, high = scene.x_low, scene.x_high
    if curve.family == "ellipse":
        x, y, across, up = numbers
        turn = columns(0, 1, count) * math.tau
        return [np.column_stack([x + across * np.cos(turn), y + up * np.sin(turn)])]
    if curve.family == "sideways":
        x, y, bend = numbers
        ys = columns(scene.y_low, scene.y_high, count)
        swapped = np.column_stack([ys, x + bend * (ys - y) ** 2])
        return [part[:, ::-1] for part in _clipped(swapped, low, high)]
    if curve.family == "branches":
        return [np.array([[a, b], [c, d]], float) for a, b, c, d, *_ in curve.branches if a != c]
    if curve.family == "pieces":
        return [np.array(numbers).reshape(-1, 2)]
    if curve.family == "polynomial" and len(numbers) <= 2:
        xs = columns(low, high, 1)
        return [np.column_stack([xs, curve.heights(xs)])]
    if curve.family == "hyperbola":
        pole = numbers[1]
        reach = abs(numbers[0]) / (scene.y_high - scene.y_low + 1)  # nearer to the pole nothing shows
        sides = [np.linspace(low, pole - reach, count // 2), np.linspace(pole + reach, high, count // 2)]
        return [np.column_stack([xs, curve.heights(xs)]) for xs in sides]
    xs = columns(low, high, count)
    turns = _turns(curve.family, numbers, low, high)
    xs = np.sort(np.append(xs, turns[(low < turns) & (turns < high)]))
    return [np.column_stack([xs, curve.heights(xs)])]


def _turns(family: str, numbers: list[float], low: float, high: float) -> np.ndarray:
    """Where a smooth curve has its peaks and valleys, exactly: they are drawn where they are."""
    if family == "sine":
        _, half_period, start, _ = numbers
        first, last = math.ceil((low - start) / half_period - 0.5), math.floor((high - start) / half_period - 0.5)
        return start + half_period * (np.arange(first, last + 1) + 0.5)
    if family != "polynomial":
        return np.empty(0)
    slopes = [power * number for power, number in enumerate(numbers)][1:]
    if len(slopes) == 2:
        return np.array([-slopes[0] / slopes[1]]) if slopes[1] else np.empty(0)
    roots = np.roots(slopes[::-1])
    return roots.real[np.abs(roots.imag) < 1e-9]


def _clipped(part: np.ndarray, low: float, high: float) -> list[np.ndarray]:
    """The parts of a line with low <= y <= high, cut exactly where its segments cross the border."""
    ys = part[:, 1]
    if low <= ys.min() and ys.max() <= high:
        return [part]
    found: list[list[tuple[float, float]]] = [[]]
    for (x0, y0), (x1, y1) in itertools.pairwise(part.tolist()):
        if max(y0, y1) < low or min(y0, y1) > high:
            continue
        start = (x0, y0) if low <= y0 <= high else _cut(x0, y0, x1, y1, low if y0 < low else high)
        end = (x1, y1) if low <= y1 <= high else _cut(x0, y0, x1, y1, low if y1 < low else high)
        if not found[-1] or found[-1][-1] != start:
            found.append([start])
        found[-1].append(end)
    return [np.array(points) for points in found if len(points) > 1]


def _cut(x0: float, y0: float, x1: float, y1: float, edge: float) -> tuple[float, float]:
    """Where a segment is at a height."""
    return x0 + (x1 - x0) * (edge - y0) / (y1 - y0), edge


def shaded(scene: FunctionScene, width_px: float) -> list[np.ndarray]:
    """Outlines of the shaded region in data units, float [n, 2] each."""
    xs = columns(scene.x_low, scene.x_high, max(24, math.ceil(width_px)))
    low, high = scene.band(xs)
    is_in = (low < high).astype(int)
    starts, ends = np.flatnonzero(np.diff(is_in, prepend=0) > 0), np.flatnonzero(np.diff(is_in, append=0) < 0)
    found = []
    for start, end in zip(starts, ends, strict=True):
        run = slice(start, end + 1)
        lower, upper = np.column_stack([xs[run], low[run]]), np.column_stack([xs[run], high[run]])
        found.append(np.concatenate([lower, upper[::-1]]))
    return [outline for outline in found if len(outline) > 2]


def floor_px(size_px: float, at_448: float) -> float:
    """A floor given for pictures of 448 px, in one of this size."""
    return max(LEAST_PX, at_448 * size_px / 448)


def margins(scene: FunctionScene, lines: list[list[np.ndarray]], pixel: Pixel, size_px: int) -> list[Margin]:
    """What must stay apart for the questions about a window: nodes, zeros, turning points, points, jumps."""
    found: list[Margin] = []
    for x, y in ((scene.x_low, scene.y_low), (scene.x_high - 1, scene.y_high - 1)):
        for beside in ((x + 1, y), (x, y + 1)):
            found.append(Apart(pixel(x, y), pixel(*beside), floor_px(size_px, NODE_PX)))
    for curve, parts in zip(scene.curves, lines, strict=True):
        if curve.family not in ("branches", "ellipse", "sideways"):
            found += _of_graph(parts, pixel, size_px)
    found += [
        Apart(pixel(float(a[2]), float(a[3])), pixel(float(b[0]), float(b[1])), floor_px(size_px, POINT_PX))
        for curve in scene.curves
        for a, b in itertools.pairwise(curve.branches)
        if a[2] == b[0] and a[3] != b[1]
    ]
    straight = [c for c in scene.curves if c.family == "polynomial" and len(c.numbers) == 2]
    for line, curve in itertools.product(straight, scene.curves):
        if curve is not line and curve.family not in ("branches", "ellipse", "sideways"):
            found += _meetings(line, curve, scene, pixel, size_px)
    for point in scene.points:
        for curve in scene.curves:
            found += _off(curve, float(point.x), float(point.y), pixel, size_px)
    return found


def _of_graph(parts: list[np.ndarray], pixel: Pixel, size_px: int) -> list[Margin]:
    """Zeros apart from each other; turning points off the axis or on it, and apart in height."""
    zeros: list[float] = []
    turns: list[tuple[float, float]] = []
    for part in parts:
        xs, ys = part[:, 0], part[:, 1]
        changes = np.flatnonzero(ys[:-1] * ys[1:] < 0)
        zeros += [float(xs[i] - ys[i] * (xs[i + 1] - xs[i]) / (ys[i + 1] - ys[i])) for i in changes]
        zeros += xs[ys == 0].tolist()
        rises = np.diff(ys)
        turns += [(float(xs[i + 1]), float(ys[i + 1])) for i in np.flatnonzero(rises[:-1] * rises[1:] < 0)]
    floors = floor_px(size_px, ROOT_PX), floor_px(size_px, TURN_PX)
    apart = sorted(zeros)
    found: list[Margin] = [
        Apart(pixel(a, 0), pixel(b, 0), floors[0]) for a, b in itertools.pairwise(apart) if b - a > TOUCH
    ]
    found += [Apart(pixel(x, y), pixel(x, 0), floors[1]) for x, y in turns if abs(y) > TOUCH]
    return found + [
        Apart(pixel(x, y), pixel(x, other), floors[1])
        for (x, y), (_, other) in itertools.pairwise(turns)
        if abs(y - other) > TOUCH
    ]


def _meetings(line: Curve, curve: Curve, scene: FunctionScene, pixel: Pixel, size_px: int) -> list[Margin]:
    """Neighbouring places where a curve crosses a line stay apart."""
    xs = columns(scene.x_low, scene.x_high, MEETING_COLUMNS)
    edge = line.heights(xs)
    gaps = curve.heights(xs) - edge
    at = np.flatnonzero(gaps[:-1] * gaps[1:] < 0)
    at = at[np.abs(gaps[at]) < scene.y_high - scene.y_low]  # not across the pole of a hyperbola
    places = [(float(x), float(y)) for x, y in zip(xs[at], edge[at], strict=True) if scene.shows(x, y)]
    floor = floor_px(size_px, ROOT_PX)
    return [Apart(pixel(*a), pixel(*b), floor) for a, b in itertools.pairwise(places) if b[0] - a[0] > 2 * TOUCH]


def _off(curve: Curve, x: float, y: float, pixel: Pixel, size_px: int) -> list[Margin]:
    """A point stands off the border of a region, measured straight up and down, or from the centre of an ellipse."""
    if curve.family == "ellipse":
        centre_x, centre_y, across, up = map(float, curve.numbers)
        away = math.hypot((x - centre_x) / across, (y - centre_y) / up)
        if away < 0.2:
            return []
        near = (centre_x + (x - centre_x) / away, centre_y + (y - centre_y) / away)
    else:
        before, there, after = curve.heights(np.array([x - 0.01, x, x + 0.01])).tolist()
        slope, gap = (after - before) / 0.02, there - y
        if not abs(gap) > TOUCH:  # on the curve, or where it has no height
            return []
        aside = -gap * slope / (1 + slope * slope)  # foot of the perpendicular on the tangent
        near = (x + aside, there + slope * aside)
    return [Apart(pixel(x, y), pixel(*near), floor_px(size_px, POINT_PX))]
