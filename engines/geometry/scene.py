"""What there is in a geometry picture: shapes, marked points and marked angles with whole coordinates.

The frame is FRAME x FRAME units, x to the right and y downwards: a unit is a pixel at 448 px, a quarter at 112 px.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

FRAME = 448
Point = tuple[int, int]
Place = tuple[float, float]


@dataclass(frozen=True)
class Shape:
    """A segment (two points), a polygon (its corners in order) or a circle (its centre and radius)."""

    kind: str
    points: tuple[Point, ...]
    colour: str
    radius: int = 0
    filled: bool = False

    @property
    def sides(self) -> tuple[tuple[Point, Point], ...]:
        """The straight sides; none for a circle."""
        if self.kind == "segment":
            return ((self.points[0], self.points[1]),)
        return (
            tuple(zip(self.points, (*self.points[1:], self.points[0]), strict=True)) if self.kind == "polygon" else ()
        )

    def distance(self, at: Place) -> float:
        """Distance of a place from the stroke, in units."""
        if self.kind == "circle":
            return abs(math.dist(at, self.points[0]) - self.radius)
        return min(segment_distance(at, *side) for side in self.sides)


@dataclass(frozen=True)
class Mark:
    """A dot, with a letter beside it or none."""

    at: Point
    letter: str = ""
    colour: str = "black"


@dataclass(frozen=True)
class Angle:
    """Two arms from a vertex to `first` and `second`, with an arc across the angle below 180 degrees."""

    vertex: Point
    first: Point
    second: Point
    colour: str

    @property
    def degrees(self) -> float:
        """Size of the angle, 0 to 180."""
        return degrees_between(minus(self.first, self.vertex), minus(self.second, self.vertex))

    @property
    def kind(self) -> str:
        """`acute`, `right` or `obtuse`, exactly."""
        side = dot(minus(self.first, self.vertex), minus(self.second, self.vertex))
        return "right" if side == 0 else "acute" if side > 0 else "obtuse"


@dataclass(frozen=True)
class GeometryScene:
    """Everything in the picture, in drawing order."""

    shapes: tuple[Shape, ...] = ()
    marks: tuple[Mark, ...] = ()
    angles: tuple[Angle, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data."""
        return {part: [asdict(thing) for thing in getattr(self, part)] for part in ("shapes", "marks", "angles")}


def minus(first: Point, second: Point) -> Point:
    """The vector from `second` to `first`."""
    return first[0] - second[0], first[1] - second[1]


def dot(first: Point, second: Point) -> int:
    """The scalar product; 0 when perpendicular."""
    return first[0] * second[0] + first[1] * second[1]


def cross(first: Point, second: Point) -> int:
    """The signed area of the parallelogram; 0 when parallel."""
    return first[0] * second[1] - first[1] * second[0]


def degrees_between(first: Point, second: Point) -> float:
    """The angle of two vectors, 0 to 180."""
    return math.degrees(math.atan2(abs(cross(first, second)), dot(first, second)))


def segment_distance(at: Place, start: Place, end: Place) -> float:
    """Distance of a place from a segment."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    share = ((at[0] - start[0]) * dx + (at[1] - start[1]) * dy) / (dx * dx + dy * dy)
    share = min(max(share, 0.0), 1.0)
    return math.hypot(at[0] - start[0] - share * dx, at[1] - start[1] - share * dy)


def line_distance(at: Point, start: Point, end: Point) -> float:
    """Distance of a point from the endless line through two others."""
    return abs(cross(minus(end, start), minus(at, start))) / math.dist(start, end)


def cross_properly(first: tuple[Point, Point], second: tuple[Point, Point]) -> bool:
    """Say exactly whether two segments cross at one point inside both."""
    (a, b), (c, d) = first, second
    ab, cd = minus(b, a), minus(d, c)
    sides = cross(ab, minus(c, a)), cross(ab, minus(d, a)), cross(cd, minus(a, c)), cross(cd, minus(b, c))
    return sides[0] * sides[1] < 0 and sides[2] * sides[3] < 0


def common_points(first: Shape, second: Shape) -> list[Place]:
    """Where two strokes (segments, polygons; or a circle with one of them) cross."""
    if second.kind == "circle":
        first, second = second, first
    if first.kind == "circle":
        return [place for side in second.sides for place in _on_circle(first, *side)]
    pairs = itertools.product(first.sides, second.sides)
    return [_meeting(*one, *other) for one, other in pairs if cross_properly(one, other)]


def all_common_points(shapes: tuple[Shape, ...]) -> list[Place]:
    """Every crossing of two different shapes."""
    return [place for one, other in itertools.combinations(shapes, 2) for place in common_points(one, other)]


def contains(shape: Shape, at: Place) -> bool:
    """Say whether a circle or polygon has a place inside (even-odd rule)."""
    if shape.kind == "circle":
        return math.dist(at, shape.points[0]) < shape.radius
    hits = ((a, b) for a, b in shape.sides if (a[1] > at[1]) != (b[1] > at[1]))
    return sum(at[0] < a[0] + (at[1] - a[1]) * (b[0] - a[0]) / (b[1] - a[1]) for a, b in hits) % 2 == 1


def _meeting(a: Point, b: Point, c: Point, d: Point) -> Place:
    ab, cd = minus(b, a), minus(d, c)
    share = cross(minus(c, a), cd) / cross(ab, cd)
    return a[0] + share * ab[0], a[1] + share * ab[1]


def _on_circle(circle: Shape, start: Point, end: Point) -> Iterator[Place]:
    step, offset = minus(end, start), minus(start, circle.points[0])
    a, b, c = dot(step, step), dot(step, offset), dot(offset, offset) - circle.radius**2
    if b * b <= a * c:
        return
    for sign in (-1, 1):
        share = (-b + sign * math.sqrt(b * b - a * c)) / a
        if 0 < share < 1:
            yield start[0] + share * step[0], start[1] + share * step[1]
