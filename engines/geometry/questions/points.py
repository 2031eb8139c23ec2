"""Questions about points: on a line, on a circle, and the one point that is the middle, the foot, the centre."""

import functools
import itertools
import math

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.geometry.exact import Point, Side, line_distance, minus
from engines.geometry.layout import (
    CIRCLES,
    CLEAR_COLOURS,
    COLOURS,
    EDGE,
    LETTERS,
    MAX_TRIES,
    is_clear,
    pick,
    segment,
    some,
    spread,
    units,
    whole,
)
from engines.geometry.questions.make import beside, fitted, letters, listed, mixed, posed, subset
from engines.geometry.scene import FRAME, INK, GeometryScene, Mark, Shape

CLEAR_EDGE, LETTER_EDGE = 36, 62  # units between points and the frame, without and with letters
SIZES = (112, 112, 112, 112, 140, 168, 224, 224, 280, 280)

# By level.
POINTS = (3, 3, 3, 4, 4, 4, 5, 5, 6, 6)
POINT_MARGIN_PX = (11, 10, 10, 9, 9, 8, 8, 8, 7, 7)
APART_PX = (20, 20, 26, 26, 28, 30, 34, 34, 38, 38)  # between points
SEVERAL = (2, 3, 3, 4, 4, 5, 5, 6, 6, 7)  # points besides the ends of the line, on it or not
ON = (1, 2, 2, 2, 2, 3, 3, 3, 3, 4)

ONE_AMONG = (
    "Which {dot} lies on {name}: {among}?",
    "Which {dot} is on {name}: {among}?",
    "On {name} lies one {dot}: {among}?",
    "Find the {dot} on {name}: {among}.",
)
ONE = (
    "Which point lies on {name}?",
    "Which of the points is on {name}?",
    "One of the points lies on {name}. Which one?",
    "Find the point on {name}.",
)


def _asked(rng: np.random.Generator, level: int, points: list[Point], stroke: str) -> tuple[list[Mark], Answer]:
    """Marks for the points, coloured up to level 1 and lettered above, and the name of the first as the answer."""
    count = len(points)
    if level < 2:
        colours = some(rng, [c for c in COLOURS[:CLEAR_COLOURS] if c != stroke], count)
        marks = [Mark(point, colour=colour) for point, colour in zip(points, colours, strict=True)]
        return marks, Answer.word(colours[0], sorted(colours))
    names = letters(rng, count)
    marks = [Mark(point, letter) for point, letter in zip(points, names, strict=True)]
    return marks, Answer.choice(names[0], sorted(names))


def _one(rng: np.random.Generator, level: int, points: list[Point], shapes: list[Shape], what: str) -> Posed | None:
    """The question which of the points, of which it is the first, lies on the first shape."""
    marks, answer = _asked(rng, level, points, shapes[0].colour)
    name = f"the {shapes[0].colour} {what}" if len(shapes) > 1 else f"the {what}"
    margins = beside(points[1:], shapes) + beside(points[:1], shapes[1:])
    scene = fitted(GeometryScene(tuple(shapes), mixed(rng, marks), margins=margins), level, SIZES)
    if scene is None:
        return None
    query = {"ask": "on", "shape": what, "colour": shapes[0].colour}
    if level < 2:
        words = {"name": name, "dot": "dot", "among": listed(answer.vocabulary)}
        return posed(rng, ONE_AMONG, words, scene, answer, 1 / len(points), query)
    return posed(rng, ONE, {"name": name}, scene, answer, 1 / len(LETTERS), query)


def _off(level: int, first: list[Point], others: int, shapes: list[Shape], rng: np.random.Generator, line=None):
    """Further points away from the first ones, from each other and, by the level's margin, from the strokes."""
    gap = units(level, POINT_MARGIN_PX[level], SIZES)
    edge = CLEAR_EDGE if level < 2 else LETTER_EDGE

    def is_free(at: Point) -> bool:
        return all(s.distance(at) >= gap for s in shapes) and (line is None or line_distance(at, *line) >= gap)

    return spread(rng, others, edge, units(level, APART_PX[level], SIZES), first, is_free)


def _is_beside(line: Side, gap: float, at: Point) -> bool:
    return line_distance(at, *line) >= gap


def _inside(point: Point, edge: int) -> bool:
    return all(edge <= value <= FRAME - edge for value in point)


def pose_on_line(rng: np.random.Generator, level: int) -> Posed:
    """The one marked point on a line."""
    count, colours = POINTS[level], some(rng, COLOURS[:4] if level < 2 else COLOURS, 2)
    edge = CLEAR_EDGE if level < 2 else LETTER_EDGE
    for _ in range(MAX_TRIES):
        line = segment(rng, 270, 430, colours[0], EDGE if level < 2 else 36)
        shapes = [line] if level < 5 else [line, segment(rng, 200, 380, colours[1], 36)]
        if level >= 5 and not is_clear(shapes[1], [line], units(level, 10), units(level, 10)):
            continue
        (x, y), step = line.points[0], minus(line.points[1], line.points[0])
        parts = math.gcd(*step)
        place = whole(rng, math.ceil(parts * 0.2), math.floor(parts * 0.8))
        point = x + step[0] // parts * place, y + step[1] // parts * place
        if not _inside(point, edge) or (level >= 5 and shapes[1].distance(point) < units(level, 14)):
            continue
        points = _off(level, [point], count - 1, shapes, rng, line.points)
        found = points and _one(rng, level, [point, *points], shapes, "line")
        if found:
            return found
    raise RuntimeError(f"no line with {count} points at level {level}")


def pose_on_circle(rng: np.random.Generator, level: int) -> Posed:
    """The one marked point on a circle."""
    count, colours = POINTS[level], some(rng, COLOURS[:4] if level < 2 else COLOURS, 2)
    edge = CLEAR_EDGE if level < 2 else LETTER_EDGE
    for _ in range(MAX_TRIES):
        shapes = [_circle(rng, colour) for colour in colours[: 1 if level < 5 else 2]]
        if len(shapes) == 2 and math.dist(shapes[0].points[0], shapes[1].points[0]) < units(level, 30):
            continue
        (x, y), (dx, dy) = shapes[0].points[0], pick(rng, CIRCLES[shapes[0].radius])
        point = (x + dx, y + dy)
        if not _inside(point, edge) or (len(shapes) == 2 and shapes[1].distance(point) < units(level, 14)):
            continue
        points = _off(level, [point], count - 1, shapes, rng)
        found = points and _one(rng, level, [point, *points], shapes, "circle")
        if found:
            return found
    raise RuntimeError(f"no circle with {count} points at level {level}")


def _circle(rng: np.random.Generator, colour: str, radii: tuple[int, ...] = (85, 100, 125, 130, 145, 150)) -> Shape:
    """A circle in the frame with many whole points."""
    radius = pick(rng, radii)
    low, high = EDGE + radius, FRAME - EDGE - radius
    return Shape("circle", ((whole(rng, low, high), whole(rng, low, high)),), colour, radius)


SEVERAL_ON_LINE = (
    "Which points lie on line {name}, besides {first} and {last}? List all.",
    "List every point on line {name} other than {first} and {last}.",
    "Besides {first} and {last}, which points are on line {name}?",
    "Give all points on line {name}, without {first} and {last}.",
)
SEVERAL_ON_CIRCLE = (
    "Which points lie on the circle? List all.",
    "List every point that is on the circle.",
    "Give all points on the circle.",
    "Which of the points are on the circle? List them.",
)


def pose_points_on_line(rng: np.random.Generator, level: int) -> Posed:
    """All points on a line, besides its ends, which have letters too."""
    total, number = SEVERAL[level], subset(rng, ON[level], SEVERAL[level])
    apart = units(level, APART_PX[max(level, 2)], SIZES_SEVERAL)
    for _ in range(MAX_TRIES):
        line = segment(rng, 300, 430, INK, 50)
        (x, y), step = line.points[0], minus(line.points[1], line.points[0])
        parts, size = math.gcd(*step), math.hypot(*step)
        if size < (number + 1) * apart:
            continue
        slack = size - (number + 1) * apart
        stops = np.cumsum(apart + slack * rng.dirichlet(np.ones(number + 1)))[:number]
        places = [round(stop / size * parts) for stop in stops.tolist()]
        on = [(x + step[0] // parts * i, y + step[1] // parts * i) for i in places]
        chain = [line.points[0], *on, line.points[1]]
        if min(math.dist(a, b) for a, b in itertools.pairwise(chain)) < 0.9 * apart:
            continue
        gap = units(level, POINT_MARGIN_PX[level], SIZES_SEVERAL)
        is_free = functools.partial(_is_beside, line.points, gap)
        off = spread(rng, total - number, 50, apart, chain, is_free)
        if off is None:
            continue
        names = letters(rng, total + 2)
        marks = [Mark(point, letter) for point, letter in zip([*line.points, *on, *off], names, strict=True)]
        scene = GeometryScene((line,), mixed(rng, marks), margins=beside(off, [line]))
        scene = fitted(scene, level, SIZES_SEVERAL)
        if scene:
            first, last = sorted(names[:2])
            answer = Answer.set_of(names[2 : 2 + number], sorted(names[2:]))
            rate = 1 / min(ON[level], total) / (len(LETTERS) - 2)
            words = {"name": first + last, "first": first, "last": last}
            query = {"ask": "points_on_line", "line": first + last}
            return posed(rng, SEVERAL_ON_LINE, words, scene, answer, rate, query)
    raise RuntimeError(f"no line with {number} of {total} points at level {level}")


SIZES_SEVERAL = (140, 140, 168, 168, 224, 224, 280, 280, 336, 336)


def pose_points_on_circle(rng: np.random.Generator, level: int) -> Posed:
    """All points on a circle; others are inside, outside, or its centre."""
    total, number = SEVERAL[level] + 1, subset(rng, ON[level], SEVERAL[level])
    apart = units(level, APART_PX[max(level, 2)], SIZES_SEVERAL)
    for _ in range(MAX_TRIES):
        circle = _circle(rng, INK, (100, 125, 130, 145, 150))
        x, y = circle.points[0]
        on: list[Point] = []
        for dx, dy in some(rng, CIRCLES[circle.radius], len(CIRCLES[circle.radius])):
            at = (x + dx, y + dy)
            if len(on) < number and _inside(at, 50) and all(math.dist(at, other) >= apart for other in on):
                on.append(at)
        if len(on) < number:
            continue
        middle = [circle.points[0]] if total > number and rng.integers(2) else []
        gap = units(level, POINT_MARGIN_PX[level], SIZES_SEVERAL)
        others = total - number - len(middle)
        off = spread(rng, others, 50, apart, [*on, *middle], lambda at, c=circle, g=gap: c.distance(at) >= g)
        if off is None:
            continue
        names = letters(rng, total)
        marks = [Mark(point, letter) for point, letter in zip([*on, *middle, *off], names, strict=True)]
        scene = GeometryScene((circle,), mixed(rng, marks), margins=beside([*middle, *off], [circle]))
        scene = fitted(scene, level, SIZES_SEVERAL)
        if scene:
            rate = 1 / min(ON[level], SEVERAL[level]) / len(LETTERS)
            answer = Answer.set_of(names[:number], sorted(names))
            return posed(rng, SEVERAL_ON_CIRCLE, {}, scene, answer, rate, {"ask": "points_on_circle"})
    raise RuntimeError(f"no circle with {number} of {total} points at level {level}")
