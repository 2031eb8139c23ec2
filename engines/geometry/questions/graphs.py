"""Questions about what is joined to what: dots with letters, some of them joined by straight lines."""

import itertools
import math

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.geometry.exact import Point, cross_properly, degrees_between, lean_between, minus, segment_distance
from engines.geometry.layout import LETTERED, LETTERS, MAX_TRIES, spread, units, whole
from engines.geometry.questions.make import fitted, letters, mixed, posed
from engines.geometry.scene import INK, GeometryScene, Mark, Shape

Edge = tuple[int, int]  # two points by number
LEAST_TURN = 22  # degrees between lines that meet
LEAST_BEND = 12  # degrees by which two lines that meet are off one straight line, which would seem to pass the point

# By level.
POINTS = (4, 4, 5, 5, 6, 6, 7, 7, 8, 9)
MORE_LINES = (1, 2, 3, 3, 4, 5, 6, 6, 7, 8)  # besides those of the point that is asked about
MOST_JOINED = (3, 3, 4, 4, 4, 4, 5, 5, 5, 5)
CROSSES_FROM = 4  # lines may cross

JOINED = (
    "Which points are joined to {name} by a line? List all.",
    "List all points that a line joins to {name}.",
    "From {name}, to which points do lines lead? List all.",
    "Give every point that is joined directly to {name}.",
)
DEGREE = (
    "How many lines end at {name}?",
    "Count the lines that lead to {name}.",
    "To how many other points is {name} joined by a line?",
    "How many lines start at point {name}?",
)


def pose_joined(rng: np.random.Generator, level: int) -> Posed:
    """All points that are joined to one."""
    scene, names, number = _graph(rng, level)
    rate = 1 / MOST_JOINED[level] / (len(LETTERS) - 1)
    answer = Answer.set_of(names[1 : number + 1], sorted(names))
    return posed(rng, JOINED, {"name": names[0]}, scene, answer, rate, {"ask": "joined", "point": names[0]})


def pose_degree(rng: np.random.Generator, level: int) -> Posed:
    """How many lines end at a point."""
    scene, names, number = _graph(rng, level)
    answer, query = Answer.integer(number), {"ask": "degree", "point": names[0]}
    return posed(rng, DEGREE, {"name": names[0]}, scene, answer, 1 / MOST_JOINED[level], query)


def _graph(rng: np.random.Generator, level: int) -> tuple[GeometryScene, list[str], int]:
    """Dots and lines; the first dot is joined to so many of those that follow. Its letters in order, and the number."""
    number, count = whole(rng, 1, MOST_JOINED[level]), POINTS[level]
    apart = units(level, 26 if level < 3 else 34 if level < 7 else 40, LETTERED)
    gap = units(level, 8, LETTERED)
    for _ in range(MAX_TRIES):
        points = spread(rng, count, 52, apart, [])
        if points is None:
            continue
        edges = _star(rng, points, number, gap)
        if edges is None:
            continue
        points, edges = edges
        others = mixed(rng, list(itertools.combinations(range(1, count), 2)))
        for edge in others:
            if len(edges) == number + MORE_LINES[level]:
                break
            if _fits(edge, edges, points, gap, level >= CROSSES_FROM):
                edges.append(edge)
        if len(edges) < number + max(1, MORE_LINES[level] - 2):
            continue
        names = letters(rng, count)
        marks = [Mark(point, letter) for point, letter in zip(points, names, strict=True)]
        shapes = [Shape("segment", (points[i], points[j]), INK) for i, j in edges]
        scene = fitted(GeometryScene(mixed(rng, shapes), mixed(rng, marks)), level, LETTERED)
        if scene:
            return scene, names, number
    raise RuntimeError(f"no {count} points with {number} lines at one at level {level}")


def _star(rng: np.random.Generator, points: list[Point], number: int, gap: float):
    """The points, reordered so that the first can be joined to the `number` that follow; and these lines. Or None."""
    for hub in range(min(3, len(points))):
        rest = mixed(rng, [point for i, point in enumerate(points) if i != hub])
        chosen: list[Point] = []
        for end in rest:
            is_clear = all(segment_distance(p, points[hub], end) >= gap for p in rest if p != end)
            if len(chosen) < number and is_clear and all(_bends(points[hub], end, old) for old in chosen):
                chosen.append(end)
        if len(chosen) == number:
            left = [point for point in rest if point not in chosen]
            return [points[hub], *chosen, *left], [(0, i + 1) for i in range(number)]
    return None


def _bends(at: Point, one: Point, two: Point) -> bool:
    """Say whether two lines leave a point clearly apart, and are clearly no single line through it."""
    return LEAST_TURN <= degrees_between(minus(one, at), minus(two, at)) <= 180 - LEAST_BEND


def _fits(edge: Edge, edges: list[Edge], points: list[Point], gap: float, may_cross: bool) -> bool:
    """Say whether a line keeps off other points, leaves its ends clearly, and crosses clearly or not at all."""
    a, b = (points[i] for i in edge)
    if any(segment_distance(p, a, b) < gap for i, p in enumerate(points) if i not in edge):
        return False
    for other in edges:
        c, d = (points[i] for i in other)
        common = set(edge) & set(other)
        if common:
            (i,) = common
            one, two = (points[next(k for k in pair if k != i)] for pair in (edge, other))
            if not _bends(points[i], one, two):
                return False
        elif cross_properly((a, b), (c, d)) and (not may_cross or lean_between(minus(b, a), minus(d, c)) < LEAST_TURN):
            return False
    return math.dist(a, b) > 0
