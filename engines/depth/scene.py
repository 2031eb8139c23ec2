"""Bodies of any height on a floor, and points marked on them or on the floor itself.

Units are thousandths of the picture's side, x to the right and y downwards. The floor is seen from a little above
without vanishing points: what stands `up` units above a row of the floor is seen `up` rows higher, so a mark's height
in the picture says nothing by itself. A body stands at (x, y), the middle of its foot.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from engines.relief import FLAT

SHAPES = ("column", "box", "cone", "ball")  # a box is a square pillar, a column a round one
HALF_BOX = 0.8  # half an edge of a box, in radii
WALL, EDGE = 240, 22  # the row where the floor begins, and the width of the empty frame


class Body(NamedTuple):
    """One thing on the floor."""

    colour: str
    shape: str  # of `SHAPES`
    x: int
    y: int
    radius: int
    height: int  # twice the radius of a ball
    turn: int = 0  # of a box around its upright axis, in degrees


class Point(NamedTuple):
    """A marked point of a surface."""

    letter: str
    x: int
    y: int  # its row in the picture
    on: int = 0  # the number of the body, from 1, on whose near side it is; 0: on the floor


@dataclass(frozen=True)
class Hall:
    """What stands around, and what is marked."""

    bodies: tuple[Body, ...]
    points: tuple[Point, ...] = ()

    def place(self, point: Point) -> float:
        """The row of the floor over which a point lies: how near it is; larger is nearer."""
        return near_row(self.bodies[point.on - 1], point.x) if point.on else float(point.y)

    def by_nearness(self) -> list[Point]:
        """The marked points, the nearest first."""
        return sorted(self.points, key=self.place, reverse=True)

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "things": [body._asdict() for body in self.bodies],
            "points": [point._asdict() for point in self.points],
        }

    def describe(self) -> str:
        """The scene in words."""
        lines = []
        for number, body in enumerate(self.bodies, 1):
            where = f"standing at ({body.x}, {body.y}), of radius {body.radius} and height {body.height}"
            turned = f", turned by {body.turn} degrees" if body.shape == "box" else ""
            lines.append(f"Thing {number}: a {body.colour} {body.shape}, {where}{turned}.")
        for point in self.points:
            on = f"on thing {point.on}" if point.on else "on the floor"
            lines.append(f"Point {point.letter} is {on}, marked at ({point.x}, {point.y}).")
        return "\n".join(lines)

    def complexity(self) -> float:
        """Things and marks."""
        return 2.0 * len(self.bodies) + 3.0 * len(self.points)


@functools.cache
def _turned(degrees: int) -> np.ndarray:
    """The corners on the floor of a box of radius 1 at (0, 0): left, front, right, back; float [4, 2]."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = np.array([(c * a - s * b, s * a + c * b) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
    corners *= (HALF_BOX, FLAT * HALF_BOX)
    order = corners[:, 0].argmin(), corners[:, 1].argmax(), corners[:, 0].argmax(), corners[:, 1].argmin()
    return corners[list(order)]


def foot(body: Body) -> np.ndarray:
    """The corners on the floor of a box: left, front, right, back; float [4, 2]."""
    return _turned(body.turn) * body.radius + (body.x, body.y)


def near_row(body: Body, x: float) -> float:
    """The row of the floor where the near side of a box or a column stands, below a place across."""
    if body.shape == "box":
        return float(np.interp(x, *foot(body)[:3].T))
    return body.y + FLAT * math.sqrt(max(body.radius**2 - (x - body.x) ** 2, 0))
