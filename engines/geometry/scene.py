"""What there is in a geometry picture: shapes, marked points, marked angles and sides, with whole coordinates.

The frame is FRAME x FRAME units, x to the right and y downwards: a unit is a pixel at 448 px, a quarter at 112 px.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from engines.geometry.exact import (
    Place,
    Point,
    Side,
    cross,
    cross_properly,
    degrees_between,
    dot,
    meeting,
    minus,
    nearest,
    segment_distance,
)
from engines.marks import Margin

FRAME = 448
INK = "black"  # drawn in the ink of the theme


class Shape(NamedTuple):
    """A segment (two points), a polygon (its corners in order) or a circle (its centre and radius)."""

    kind: str
    points: tuple[Point, ...]
    colour: str
    radius: int = 0
    filled: bool = False
    letter: str = ""  # of a segment: its name, written beyond one end
    stroke: str = "solid"

    @property
    def sides(self) -> tuple[Side, ...]:
        """The straight sides; none for a circle."""
        if self.kind == "segment":
            return ((self.points[0], self.points[1]),)
        return (
            tuple(zip(self.points, (*self.points[1:], self.points[0]), strict=True)) if self.kind == "polygon" else ()
        )

    def nearest(self, at: Place) -> Place:
        """The place of the stroke that is nearest to another place."""
        if self.kind == "circle":
            (x, y), away = self.points[0], math.dist(at, self.points[0])
            share = self.radius / away if away else 0.0
            return (x + (at[0] - x) * share, y + (at[1] - y) * share) if away else (x + self.radius, y)
        return min((nearest(at, *side) for side in self.sides), key=lambda place: math.dist(at, place))

    def distance(self, at: Place) -> float:
        """Distance of a place from the stroke, in units."""
        if self.kind == "circle":
            return abs(math.dist(at, self.points[0]) - self.radius)
        return min(segment_distance(at, *side) for side in self.sides)


class Mark(NamedTuple):
    """A dot, with a letter beside it or none."""

    at: Point
    letter: str = ""
    colour: str = INK


class Angle(NamedTuple):
    """The angle below 180 degrees between two arms from a vertex to `first` and `second`, with an arc across it."""

    vertex: Point
    first: Point
    second: Point
    colour: str
    note: str = ""  # degrees written beside the arc
    has_arms: bool = True  # False where the arms are sides of a shape

    @property
    def degrees(self) -> float:
        """Size of the angle, 0 to 180."""
        return degrees_between(minus(self.first, self.vertex), minus(self.second, self.vertex))

    @property
    def kind(self) -> str:
        """`acute`, `right` or `obtuse`, exactly."""
        side = dot(minus(self.first, self.vertex), minus(self.second, self.vertex))
        return "right" if side == 0 else "acute" if side > 0 else "obtuse"


class Note(NamedTuple):
    """What is written or marked on a side: a number beside it, or short strokes across it."""

    start: Point
    end: Point
    text: str = ""
    ticks: int = 0


class Lattice(NamedTuple):
    """A square net of thin lines; with numbers along its left and lower edge from 0, if it has axes."""

    left: int
    top: int
    step: int
    cells: int  # per side
    has_axes: bool

    def point(self, x: int, y: int) -> Point:
        """The node at coordinates that count from the lower left corner."""
        return self.left + x * self.step, self.top + (self.cells - y) * self.step


@dataclass(frozen=True)
class GeometryScene:
    """Everything in the picture, in drawing order."""

    shapes: tuple[Shape, ...] = ()
    marks: tuple[Mark, ...] = ()
    angles: tuple[Angle, ...] = ()
    notes: tuple[Note, ...] = ()
    lattice: Lattice | None = None
    leans: tuple[int, ...] = ()  # which of its places each label takes; see `engines.geometry.labels`
    margins: tuple[Margin, ...] = ()  # on which answers rest, in units

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data; where labels stand is no part of it."""
        parts = {part: [thing._asdict() for thing in getattr(self, part)] for part in _PARTS}
        return {**parts, "lattice": self.lattice and self.lattice._asdict()}

    def describe(self) -> str:
        """The scene in words, with coordinates."""
        names = {mark.at: mark.letter for mark in self.marks if mark.letter}

        def at(point: Point) -> str:
            return f"{names.get(point, '')}({point[0]}, {point[1]})"

        lines = [f"A picture of {FRAME} x {FRAME} units, x to the right, y downwards."]
        lines += [_shape_words(shape, at) for shape in self.shapes]
        lines += [f"A {mark.colour} dot {mark.letter or 'without a letter'} at {mark.at}." for mark in self.marks]
        for a in self.angles:
            note = f", marked {a.note} degrees" if a.note else ""
            lines.append(f"A {a.colour} angle {at(a.first)}-{at(a.vertex)}-{at(a.second)}, drawn with an arc{note}.")
        for note in self.notes:
            what = f"the number {note.text}" if note.text else f"{note.ticks} tick marks"
            lines.append(f"The side {at(note.start)}-{at(note.end)} carries {what}.")
        if self.lattice:
            net = self.lattice
            axes = ", numbered from 0 along its left and lower edge" if net.has_axes else ""
            lines.append(f"A net of {net.cells} x {net.cells} cells of {net.step} units{axes}; its lower left corner")
            lines[-1] += f" is at {net.point(0, 0)}."
        return "\n".join(lines)

    def complexity(self) -> float:
        """Strokes, dots, letters, arcs and notes; a net counts its lines."""
        strokes = sum(max(1, len(shape.sides)) + bool(shape.letter) for shape in self.shapes)
        dots = sum(1 + bool(mark.letter) for mark in self.marks)
        arcs = sum(1 + 2 * angle.has_arms + bool(angle.note) for angle in self.angles)
        return strokes + dots + arcs + len(self.notes) + (self.lattice.cells if self.lattice else 0)


_PARTS = ("shapes", "marks", "angles", "notes")


def _shape_words(shape: Shape, at) -> str:
    if shape.kind == "circle":
        return f"A {shape.colour} circle around {at(shape.points[0])} with radius {shape.radius}."
    points, dashed = "-".join(map(at, shape.points)), "dashed " if shape.stroke == "dashed" else ""
    if shape.kind == "segment":
        return f"A {dashed}{shape.colour} line {shape.letter + ' ' if shape.letter else ''}from {points}."
    return f"A {'filled' if shape.filled else 'hollow'} {shape.colour} polygon {points}."


def common_points(first: Shape, second: Shape) -> list[Place]:
    """Where two strokes (segments, polygons; or a circle with one of them) cross."""
    if second.kind == "circle":
        first, second = second, first
    if first.kind == "circle":
        return [place for side in second.sides for place in _on_circle(first, *side)]
    pairs = itertools.product(first.sides, second.sides)
    return [meeting(one, other) for one, other in pairs if cross_properly(one, other)]


def all_common_points(shapes: tuple[Shape, ...]) -> list[Place]:
    """Every crossing of two different shapes."""
    return [place for one, other in itertools.combinations(shapes, 2) for place in common_points(one, other)]


def contains(shape: Shape, at: Place) -> bool:
    """Say whether a circle or polygon has a place inside (even-odd rule)."""
    if shape.kind == "circle":
        return math.dist(at, shape.points[0]) < shape.radius
    hits = ((a, b) for a, b in shape.sides if (a[1] > at[1]) != (b[1] > at[1]))
    return sum(at[0] < a[0] + (at[1] - a[1]) * (b[0] - a[0]) / (b[1] - a[1]) for a, b in hits) % 2 == 1


def inward(points: tuple[Point, ...]) -> list[Point]:
    """Corners of a simple polygon at which its inside angle is above 180 degrees, exactly."""
    before, after = (points[-1], *points[:-1]), (*points[1:], points[0])
    turns = [cross(minus(b, a), minus(c, b)) for a, b, c in zip(before, points, after, strict=True)]
    way = 1 if sum(cross(a, b) for a, b in zip(points, after, strict=True)) > 0 else -1
    return [point for point, turn in zip(points, turns, strict=True) if turn * way < 0]


def _on_circle(circle: Shape, start: Point, end: Point) -> Iterator[Place]:
    step, offset = minus(end, start), minus(start, circle.points[0])
    a, b, c = dot(step, step), dot(step, offset), dot(offset, offset) - circle.radius**2
    if b * b <= a * c:
        return
    for sign in (-1, 1):
        share = (-b + sign * math.sqrt(b * b - a * c)) / a
        if 0 < share < 1:
            yield start[0] + share * step[0], start[1] + share * step[1]
