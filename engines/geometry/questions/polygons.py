"""Questions about one polygon: its corners in order, which of them point inwards, its axes of symmetry."""

import math

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.geometry.exact import Point, cross, dot, minus
from engines.geometry.labels import letter_px
from engines.geometry.layout import (
    COLOURS,
    LETTERED,
    LETTERS,
    MAX_TRIES,
    pick,
    polygon,
    rooms,
    some,
    units,
    whole,
)
from engines.geometry.questions.make import fitted, letters, mixed, posed, subset
from engines.geometry.scene import FRAME, INK, GeometryScene, Mark, Shape, inward
from engines.marks import Turn

AXES_SIZES = (168, 168, 168, 224, 224, 224, 224, 280, 280, 280)

# By level.
CORNERS = ((3, 4), (3, 4), (3, 5), (4, 5), (4, 5), (4, 6), (5, 6), (5, 7), (5, 8), (6, 8))
DENTED = (6, 6, 6, 7, 7, 8, 8, 9, 9, 10)
DENTS = (1, 1, 2, 2, 2, 3, 3, 3, 3, 4)
DASHED = (2, 2, 3, 3, 3, 4, 4, 4, 5, 5)  # lines that may be axes
ORBIT = (1, 1, 1, 2, 2, 2, 2, 2, 3, 3)  # corners in each part that is mirrored or turned

ORDER = (
    "Go once around the shape clockwise from {first}. List each letter once.",
    "List all corners clockwise, each once, starting at {first}.",
    "Read the letters around the shape clockwise from {first}, each letter once.",
    "Starting at {first}, list the corners in clockwise order, each once.",
)


def pose_vertex_order(rng: np.random.Generator, level: int) -> Posed:
    """The letters around a polygon."""
    count, edge = whole(rng, *CORNERS[level]), round(units(level, 11, LETTERED))
    for _ in range(MAX_TRIES):
        points = polygon(rng, count, rooms(rng, 1, edge)[0])  # clockwise as seen: angles grow while y points down
        order = letters(rng, count) if level >= 4 else some(rng, LETTERS[:count], count)
        marks = [Mark(point, letter) for point, letter in zip(points, order, strict=True)]
        scene = GeometryScene((Shape("polygon", points, pick(rng, COLOURS)),), mixed(rng, marks))
        scene = fitted(scene, level, LETTERED)
        if scene:
            words, query = {"first": order[0]}, {"ask": "vertex_order", "first": order[0]}
            return posed(rng, ORDER, words, scene, Answer.permutation(order), order_rate(level), query)
    raise RuntimeError(f"no room for {count} corners with letters at level {level}")


def order_rate(level: int) -> float:
    """How often the best guess finds the order: only where the letters are the first ones of the alphabet.

    The letter that is named first leaves (n - 1)! orders of each number n of corners that it allows.
    """
    low, high = CORNERS[level]
    if level >= 4:
        return 0.0
    best = (
        max(1 / n / math.factorial(n - 1) for n in range(max(low, place), high + 1)) for place in range(1, high + 1)
    )
    return sum(best) / (high - low + 1)


INWARD = (
    "At which corners does the shape bend inwards? List all.",
    "List every corner that points into the shape.",
    "Which corners have an inside angle above 180 degrees? List all.",
    "Give all corners at which the shape has a dent.",
)


def pose_inward(rng: np.random.Generator, level: int) -> Posed:
    """The corners of a polygon at which it is not convex."""
    count, number = DENTED[level], subset(rng, DENTS[level], DENTED[level])
    edge = round(units(level, 7, DENT_SIZES))
    for _ in range(MAX_TRIES):
        points = polygon(rng, count, rooms(rng, 1, edge)[0], number)
        dents = inward(points)
        if len(dents) != number:
            continue
        names = dict(zip(points, letters(rng, count), strict=True))
        marks = [Mark(*item) for item in names.items()]
        ring = list(zip((points[-1], *points[:-1]), points, (*points[1:], points[0]), strict=True))
        margins = tuple(Turn(arms, 10.0, 172.0) for arms in ring)
        scene = GeometryScene((Shape("polygon", points, INK),), mixed(rng, marks), margins=margins)
        scene = fitted(scene, level, DENT_SIZES)
        if scene:
            answer = Answer.set_of([names[point] for point in dents], sorted(names.values()))
            rate = 1 / DENTS[level] / len(LETTERS)
            return posed(rng, INWARD, {}, scene, answer, rate, {"ask": "inward"})
    raise RuntimeError(f"no polygon with {number} dents of {count} corners at level {level}")


DENT_SIZES = (168, 168, 168, 224, 224, 280, 280, 336, 336, 336)

AXES = (
    "Which dashed lines are axes of symmetry of the shape? List all, or none.",
    "Along which dashed lines can the shape be folded onto itself? List all, or none.",
    "List every dashed line that is a mirror line of the shape, or none.",
    "Give all dashed lines in which the shape is its own mirror image, or none.",
)
# Directions (p, q) of a first axis; with (-q, p), a frame in which shapes are mirrored and turned exactly.
FRAMES = ((1, 0), (0, 1), (1, 1), (2, 1), (1, 2), (3, 1), (1, 3), (3, 2), (2, -1), (1, -1), (3, -1), (1, -2))
MOST_ORBIT = {"D1": 3, "D2": 3, "D4": 2, "C2": 3, "C4": 2}  # mirrored in 1, 2, 4 axes, or only turned
GROUPS = ("D1", "D1", "D2", "D2", "D4", "D4", "C2", "C4")
LEAST_TURN = 16  # degrees between dashed lines


def pose_axes(rng: np.random.Generator, level: int) -> Posed:
    """Which of some dashed lines through the middle are axes of symmetry; shapes are exact."""
    count, group = DASHED[level], pick(rng, GROUPS)
    reach = FRAME / 2 - 24 - 1.4 * letter_px(AXES_SIZES[level]) * FRAME / AXES_SIZES[level]
    for _ in range(MAX_TRIES):
        corners = min(ORBIT[level], MOST_ORBIT[group]) + (group in ("D1", "C2", "C4"))
        built = _symmetric(rng, group, corners, reach)
        if built is None:
            continue
        points, (p, q) = built
        middle = FRAME // 2, FRAME // 2
        true = {"D1": [(p, q)], "D2": [(p, q), (-q, p)]}.get(group, [])
        if group == "D4":
            true = [(p, q), (-q, p), (p - q, p + q), (p + q, q - p)]
        ways = some(rng, true, min(len(true), 1 + int(rng.integers(count)))) if true else []
        number = len(ways)
        options = [(a * p - b * q, a * q + b * p) for a, b in FRAMES]
        for way in mixed(rng, options):
            far = all(_lean(way, other) >= LEAST_TURN for other in (*ways, *true))
            if len(ways) < count and far:
                ways.append(way)
        lines = [_dashed(points, middle, way) for way in ways]
        if len(ways) < count or not all(lines):
            continue
        names = letters(rng, count)
        shapes = [
            Shape("segment", line, INK, letter=letter, stroke="dashed")
            for line, letter in zip(lines, names, strict=True)
        ]
        found = [letter for letter, way in zip(names, ways, strict=True) if is_axis(points, middle, way)]
        if len(found) != number or not all(_is_clearly_off(points, middle, way) for way in ways[number:]):
            continue
        scene = GeometryScene((Shape("polygon", points, pick(rng, COLOURS)), *mixed(rng, shapes)))
        scene = fitted(scene, level, AXES_SIZES)
        if scene:
            answer = Answer.set_of(names[:number], sorted(names))
            return posed(rng, AXES, {}, scene, answer, NO_AXIS, {"ask": "axes"})
    raise RuntimeError(f"no room for {count} dashed lines at level {level}")


NO_AXIS = 0.25  # share of shapes without an axis, which is also the best guess


def _lean(one: Point, other: Point) -> float:
    turn = math.degrees(math.atan2(abs(cross(one, other)), dot(one, other)))
    return min(turn, 180 - turn)


def _symmetric(
    rng: np.random.Generator, group: str, corners: int, reach: float
) -> tuple[tuple[Point, ...], Point] | None:
    """A star-shaped polygon around the middle of the frame with just this symmetry, and its first axis; or None."""
    p, q = pick(rng, FRAMES)
    turns, is_mirrored = int(group[1]), group[0] == "D"
    sector = math.tau / turns / (2 if is_mirrored else 1)
    orbit: list[Point] = []
    for i in range(corners):
        angle = sector * (i + 0.2 + 0.6 * rng.random()) / corners
        size = reach / math.hypot(p, q) * (0.5 + 0.5 * rng.random())
        s, t = round(size * math.cos(angle)), round(size * math.sin(angle))
        orbit += [(s, t), (s, -t)] if is_mirrored else [(s, t)]
    if turns >= 2:
        orbit += [(-s, -t) for s, t in orbit]
    if turns == 4:
        orbit += [(-t, s) for s, t in orbit]
    orbit = sorted(set(orbit), key=lambda at: math.atan2(at[1], at[0]))  # seen from the middle, so sides never cross
    half = FRAME // 2
    points = tuple((half + s * p - t * q, half + s * q + t * p) for s, t in orbit)
    sides = list(zip(points, (*points[1:], points[0]), strict=True))
    around = zip(orbit, (*orbit[1:], orbit[0]), strict=True)
    if any(cross(a, b) <= 0 for a, b in around) or min(math.dist(*side) for side in sides) < 36:
        return None
    steps = [minus(b, a) for a, b in sides]
    bends = [abs(_turn(a, b)) for a, b in zip(steps, (*steps[1:], steps[0]), strict=True)]
    if not all(18 <= bend <= 145 for bend in bends):
        return None
    return points, (p, q)


def _turn(one: Point, other: Point) -> float:
    return math.degrees(math.atan2(cross(one, other), dot(one, other)))


def is_axis(points: tuple[Point, ...], middle: Point, way: Point) -> bool:
    """Say exactly whether the corners of a polygon are their own mirror image in a line through a point."""
    size = dot(way, way)
    mirrored = {_mirrored(point, middle, way, size) for point in points}
    return mirrored == {(x * size, y * size) for x, y in (minus(point, middle) for point in points)}


def _mirrored(point: Point, middle: Point, way: Point, size: int) -> Point:
    """The mirror image relative to the middle, `size` times enlarged so that it stays whole."""
    at = minus(point, middle)
    along = 2 * dot(at, way)
    return along * way[0] - size * at[0], along * way[1] - size * at[1]


def _is_clearly_off(points: tuple[Point, ...], middle: Point, way: Point) -> bool:
    """Say whether mirroring moves some corner far from all others."""
    size = dot(way, way)
    images = [(x / size, y / size) for x, y in (_mirrored(point, middle, way, size) for point in points)]
    corners = [minus(point, middle) for point in points]
    return max(min(math.dist(image, corner) for corner in corners) for image in images) >= 30


def _dashed(points: tuple[Point, ...], middle: Point, way: Point) -> tuple[Point, Point] | None:
    """A line through the middle that goes on beyond the shape on both sides, or None if the frame is too small."""
    size, ends = math.hypot(*way), []
    corners = [minus(point, middle) for point in points]
    for sign in (-1, 1):
        ray = sign * way[0], sign * way[1]
        rim = (cross(a, b) / cross(ray, minus(b, a)) for a, b in _crossed(corners, ray))
        times = math.ceil(max(rim) + 16 / size)
        ends.append((middle[0] + times * ray[0], middle[1] + times * ray[1]))
    return tuple(ends) if all(18 <= value <= FRAME - 18 for end in ends for value in end) else None


def _crossed(corners: list[Point], ray: Point) -> list[tuple[Point, Point]]:
    """The sides that a ray from the middle meets."""
    sides = zip(corners, (*corners[1:], corners[0]), strict=True)
    return [(a, b) for a, b in sides if cross(a, ray) >= 0 >= cross(b, ray)]
