"""Random figures with whole coordinates, and places for them; what grows with the level.

Margins are stated in pixels of the smallest picture of the level and turned into units with `units`.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from engines.geometry.exact import Place, Point, degrees_between, minus
from engines.geometry.scene import FRAME, Angle, Shape, all_common_points, common_points, contains

T = TypeVar("T")

PLAIN = (112, 112, 112, 112, 112, 168, 168, 224, 224, 280)  # smallest pictures by level, without letters
LETTERED = (112, 112, 140, 168, 168, 224, 224, 280, 280, 336)  # and with many letters
GROUPS = (1, 1, 1, 2, 2, 2, 3, 3, 4, 4)  # angles or polygons in one picture, by level
LETTERS = "ABCDEFGHKLMNPQRSTVXZ"  # no I, J, O, U, W, Y: easily confused in small print
COLOURS = ("red", "blue", "green", "purple", "orange", "pink", "brown", "cyan")  # dark enough for lines on paper
CLEAR_COLOURS = 5  # so many of them when a question tells shapes apart by colour
EDGE = 22  # units between figures and the frame
LETTER_EDGE = 66  # units between lettered points and the frame
MAX_TRIES = 600
DIRECTIONS = tuple(
    (x, y) for x in range(-9, 10) for y in range(-9, 10) if math.gcd(x, y) == 1 and max(abs(x), abs(y)) >= 3
)
# Circles with at least twenty whole points, and these points.
CIRCLES: dict[int, tuple[Point, ...]] = {
    r: tuple((x, y) for x in range(-r, r + 1) for y in (math.isqrt(r * r - x * x),) if x * x + y * y == r * r)
    for r in (85, 100, 125, 130, 145, 150, 170, 195)
}
CIRCLES = {r: (*half, *((x, -y) for x, y in half if y)) for r, half in CIRCLES.items()}


class Room(NamedTuple):
    """A rectangle of the frame, in units."""

    x: int
    y: int
    width: int
    height: int


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def whole(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number, both ends included."""
    return int(rng.integers(low, high + 1))


def some(rng: np.random.Generator, options: Sequence[T], count: int) -> list[T]:
    """So many different options in random order."""
    return [options[i] for i in rng.permutation(len(options))[:count].tolist()]


def units(level: int, px: float, sizes: Sequence[int] = PLAIN) -> float:
    """Units that are `px` pixels in the smallest picture of the level."""
    return px * FRAME / sizes[level]


def rooms(rng: np.random.Generator, count: int, spare: int = 0) -> list[Room]:
    """One to four separate rooms: the whole frame, two halves, or quarters; `spare` units less on every side."""
    edge = EDGE + spare
    full, half = FRAME - 2 * edge, FRAME // 2 - edge - edge // 2
    if count == 1:
        return [Room(edge, edge, full, full)]
    near, far = edge, FRAME // 2 + edge // 2
    if count == 2:
        halves = [Room(near, edge, half, full), Room(far, edge, half, full)]
        if rng.integers(2):
            halves = [Room(y, x, height, width) for x, y, width, height in halves]
        return some(rng, halves, 2)
    return some(rng, [Room(x, y, half, half) for x in (near, far) for y in (near, far)], count)


def slots(rng: np.random.Generator, count: int, edge: int) -> list[Room]:
    """At least so many separate rooms in rows and columns, in random order; the first `count` are given."""
    columns, rows = (2, 2) if count <= 4 else (3, 2) if count <= 6 else (3, 3)
    if rng.integers(2):
        columns, rows = rows, columns
    width, height = (FRAME - 2 * edge) // columns, (FRAME - 2 * edge) // rows
    found = [Room(edge + width * i, edge + height * j, width, height) for i in range(columns) for j in range(rows)]
    return some(rng, found, count)


def line_in(rng: np.random.Generator, step: Point, room: Room, inset: int) -> tuple[Point, ...]:
    """A segment along a whole vector, nearly as long as fits into a room less an inset on every side."""
    inner = Room(room.x + inset, room.y + inset, room.width - 2 * inset, room.height - 2 * inset)
    most = min(inner.width // max(abs(step[0]), 1), inner.height // max(abs(step[1]), 1))
    times = whole(rng, max(1, math.ceil(0.7 * most)), most)
    points = placed(rng, ((0, 0), (step[0] * times, step[1] * times)), inner)
    return points if rng.integers(2) else points[::-1]


def placed(rng: np.random.Generator, points: Sequence[Point], room: Room) -> tuple[Point, ...] | None:
    """The points moved to a random place where all lie in the room, or None if they do not fit."""
    (left, right), (top, bottom) = ((min(values), max(values)) for values in zip(*points, strict=True))
    if right - left > room.width or bottom - top > room.height:
        return None
    dx = room.x - left + whole(rng, 0, room.width - (right - left))
    dy = room.y - top + whole(rng, 0, room.height - (bottom - top))
    return tuple((x + dx, y + dy) for x, y in points)


def vector(rng: np.random.Generator, low: float, high: float) -> tuple[Point, Point]:
    """A random vector of a length in [low, high], and the primitive vector of which it is a multiple."""
    step = pick(rng, DIRECTIONS)
    size = math.hypot(*step)
    most = max(int(high / size), 1)
    count = whole(rng, min(math.ceil(low / size), most), most)
    return (step[0] * count, step[1] * count), step


def turned(rng: np.random.Generator, first: Point, degrees: float, length: float) -> Point:
    """A vector of about this length at about this angle from another, to either side."""
    angle = math.atan2(first[1], first[0]) + math.radians(degrees) * pick(rng, (-1, 1))
    return round(length * math.cos(angle)), round(length * math.sin(angle))


def angle_of(rng: np.random.Generator, kind: str, margin: float, room: Room, colour: str) -> Angle:
    """An angle of a kind, at least `margin` degrees from 90 unless right, and 25 from 0 and 180."""
    reach = 0.58 * min(room.width, room.height) + 0.1 * max(room.width, room.height)
    for _ in range(MAX_TRIES):
        first, step = vector(rng, 0.6 * reach, reach)
        length = reach * (0.6 + 0.4 * rng.random())
        if kind == "right":
            count, side = max(1, round(length / math.hypot(*step))), pick(rng, (-1, 1))
            second = (-step[1] * count * side, step[0] * count * side)
        else:
            low, high = (25, 90 - margin) if kind == "acute" else (90 + margin, 155)
            second = turned(rng, first, low + (high - low) * rng.random(), length)
            if not low <= degrees_between(first, second) <= high:
                continue
        points = placed(rng, ((0, 0), first, second), room)
        if points:
            return Angle(*points, colour)
    raise RuntimeError(f"no {kind} angle fits {room}")


def polygon(rng: np.random.Generator, count: int, room: Room, dents: int = 0) -> tuple[Point, ...]:
    """Corners of a simple polygon in the room, clockwise as seen; each turns by at least 22 degrees.

    Up to seven corners it is convex and irregular; more corners leave less play. `dents` of six or more point inwards.
    """
    largest, play = min(room.width, room.height) / 2, min(0.36, 1.7 / count)
    for _ in range(MAX_TRIES):
        radius, start = largest * (0.72 + 0.28 * rng.random()), math.tau * rng.random()
        inwards = _scattered(rng, count, dents)
        corners = []
        for i, (shift, depth) in enumerate(rng.random((count, 2)).tolist()):
            angle = start + math.tau * (i + play * (shift - 0.5)) / count
            deep = math.cos(math.tau / count) - 0.2 - 0.12 * depth  # below the line from neighbour to neighbour
            reach = radius * (deep if i in inwards else 1 - 0.3 * play * depth)
            corners.append((round(reach * math.cos(angle)), round(reach * math.sin(angle))))
        points = placed(rng, corners, room)
        if points and _turns_clearly(points, 0.9 * radius * math.sin(math.pi / count)):
            return points
    raise RuntimeError(f"no polygon with {count} sides fits {room}")


def _scattered(rng: np.random.Generator, count: int, dents: int) -> frozenset[int]:
    """So many corners of a polygon, no two neighbours."""
    found: set[int] = set()
    for i in rng.permutation(count).tolist() if dents else ():
        if len(found) < dents and not {(i - 1) % count, (i + 1) % count} & found:
            found.add(i)
    return frozenset(found)


def _turns_clearly(points: Sequence[Point], shortest: float) -> bool:
    steps = [minus(b, a) for a, b in zip(points, (*points[1:], points[0]), strict=True)]
    turns = [degrees_between(a, b) for a, b in zip(steps, (*steps[1:], steps[0]), strict=True)]
    return all(22 <= turn <= 150 for turn in turns) and all(math.hypot(*step) >= shortest for step in steps)


def is_clear(new: Shape, shapes: Sequence[Shape], gap: float, apart: float) -> bool:
    """Say whether a segment neither touches nor nearly touches others: it crosses them clearly or stays away.

    Ends stay `gap` units from other strokes, crossings turn by at least 20 degrees, circles are not grazed, and all
    crossings of the picture stay `apart` units from each other.
    """
    (start, end), step = new.points, minus(new.points[1], new.points[0])
    places: list[Place] = []
    for shape in shapes:
        if min(shape.distance(start), shape.distance(end)) < gap:
            return False
        found = common_points(new, shape)
        if shape.kind == "circle":
            reach = abs(step[0] * (shape.points[0][1] - start[1]) - step[1] * (shape.points[0][0] - start[0]))
            if abs(reach / math.hypot(*step) - shape.radius) < gap:
                return False
        else:
            other = minus(shape.points[1], shape.points[0])
            turn = degrees_between(step, other)
            if found and min(turn, 180 - turn) < 20:
                return False
            if min(new.distance(point) for point in shape.points) < gap:
                return False
        places += found
    older = all_common_points(tuple(shapes)) if places else []
    near = (math.dist(place, other) for i, place in enumerate(places) for other in (*places[:i], *older))
    return all(length >= apart for length in near)


def anywhere(rng: np.random.Generator, step: Point, colour: str, edge: int = EDGE) -> Shape:
    """The segment with this vector at a random place of the frame."""
    spans = [(edge - min(0, d), FRAME - edge - max(0, d)) for d in step]
    x, y = (whole(rng, low, high) for low, high in spans)
    return Shape("segment", ((x, y), (x + step[0], y + step[1])), colour)


def segment(rng: np.random.Generator, low: float, high: float, colour: str, edge: int = EDGE) -> Shape:
    """A segment of a length in [low, high] anywhere in the frame."""
    room = Room(edge, edge, FRAME - 2 * edge, FRAME - 2 * edge)
    for _ in range(MAX_TRIES):
        points = placed(rng, ((0, 0), vector(rng, low, high)[0]), room)
        if points:
            return Shape("segment", points, colour)
    raise RuntimeError(f"no segment of length {low} to {high} fits the frame")


def spread(
    rng: np.random.Generator, count: int, edge: int, apart: float, taken: Sequence[Point], is_free=lambda _: True
) -> list[Point] | None:
    """Further points in the frame, so far from each other and from those taken, each where it is free; or None."""
    points: list[Point] = []
    for point in rng.integers(edge, FRAME - edge + 1, size=(40 * count, 2)).tolist() if count else ():
        if all(math.dist(point, other) >= apart for other in (*taken, *points)) and is_free(tuple(point)):
            points.append(tuple(point))
            if len(points) == count:
                return points
    return points if len(points) == count else None


def place_on(rng: np.random.Generator, shape: Shape) -> Place:
    """A place on a segment, away from its ends, or anywhere on a circle."""
    if shape.kind == "circle":
        angle = math.tau * rng.random()
        (x, y) = shape.points[0]
        return x + shape.radius * math.cos(angle), y + shape.radius * math.sin(angle)
    (x0, y0), (x1, y1) = shape.points
    share = 0.15 + 0.7 * rng.random()
    return x0 + share * (x1 - x0), y0 + share * (y1 - y0)


def aimed(rng: np.random.Generator, through: Sequence[Place], reach: float, colour: str) -> Shape | None:
    """A segment through none, one or two places that goes on beyond them by at most `reach`, or None if it cannot."""
    if not through:
        return segment(rng, 0.7 * reach, 1.3 * reach, colour)
    start, end = through[0], through[-1]
    angle, size = math.tau * rng.random(), math.dist(start, end)
    if size:
        angle = math.atan2(end[1] - start[1], end[0] - start[0])
    before, beyond = (reach * (0.3 + 0.7 * rng.random((2,)))).tolist()
    x, y = math.cos(angle), math.sin(angle)
    points = (
        (round(start[0] - before * x), round(start[1] - before * y)),
        (round(end[0] + beyond * x), round(end[1] + beyond * y)),
    )
    inside = all(EDGE <= value <= FRAME - EDGE for point in points for value in point)
    return Shape("segment", points, colour) if inside and math.dist(*points) >= 0.8 * reach else None


def closed(rng: np.random.Generator, room: Room, colour: str) -> Shape:
    """A circle or a polygon of three to five sides in a room."""
    sides = whole(rng, 2, 5)
    if sides > 2:
        return Shape("polygon", polygon(rng, sides, room), colour)
    most = min(room.width, room.height) // 2
    radius = whole(rng, int(0.7 * most), most)
    x, y = whole(rng, radius, room.width - radius), whole(rng, radius, room.height - radius)
    return Shape("circle", ((room.x + x, room.y + y),), colour, radius)


def within(rng: np.random.Generator, shape: Shape, gap: float) -> Point | None:
    """A point inside a shape, `gap` units from its stroke, or None if none of some tries is."""
    (left, right), (top, bottom) = (
        (min(values) - shape.radius, max(values) + shape.radius) for values in zip(*shape.points, strict=True)
    )
    for _ in range(30):
        at = whole(rng, left, right), whole(rng, top, bottom)
        if contains(shape, at) and shape.distance(at) >= gap:
            return at
    return None
