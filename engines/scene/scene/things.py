"""Things on a floor, seen from in front and a little above, and their outlines.

Units are thousandths of the picture's side, x to the right and y downwards. A thing stands at (x, y), the middle of its
foot; what stands lower in the picture is nearer to the viewer and a little larger.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

SHAPES = ("cube", "sphere", "cylinder", "cone")
SIZES = ("small", "large")
SURFACES = ("matte", "shiny", "striped")
FLAT = 0.36  # height of a circle that lies on the floor, by its width
HEIGHTS = {"cylinder": 1.7, "cone": 2.2}  # in radii
HALF_CUBE, CUBE_HEIGHT = 0.8, 1.5  # half an edge in radii, and the height in such halves
STEPS = 24  # corners of a round outline


class Thing(NamedTuple):
    """One thing."""

    colour: str
    shape: str  # of `SHAPES`
    size: str  # of `SIZES`
    surface: str  # of `SURFACES`
    x: int
    y: int
    radius: int
    turn: int = 0  # of a cube around its upright axis, in degrees


@dataclass(frozen=True)
class Floor:
    """Things on a floor."""

    things: tuple[Thing, ...]

    @functools.cached_property
    def seen(self) -> tuple[tuple[int, int], ...]:
        """By thing: the pixels that are seen in a raster, and those that would be if it stood alone; see `sight`."""
        from engines.scene.scene.sight import counts

        return counts(self.things)

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {"things": [thing._asdict() for thing in self.things], "seen": [list(pair) for pair in self.seen]}

    def describe(self) -> str:
        """The scene in words, from left to right."""
        lines = []
        for number, thing in enumerate(sorted(self.things, key=lambda thing: thing.x), 1):
            words = f"{thing.size} {thing.colour} {thing.surface} {thing.shape}"
            lines.append(f"Thing {number} from the left: {words}, at ({thing.x}, {thing.y}).")
        return "\n".join(lines)

    def complexity(self) -> float:
        """Things and the attributes by which they differ, and what is partly hidden."""
        kinds = sum(len({getattr(thing, name) for thing in self.things}) > 1 for name in ("shape", "size", "surface"))
        return len(self.things) * (2 + kinds) + 2 * sum(part < whole for part, whole in self.seen)


def _turned(degrees: int) -> np.ndarray:
    """The four corners on the floor of a cube of radius 1, float [4, 2], in order around it."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [(c * a - s * b, s * a + c * b) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    return np.array([(HALF_CUBE * across, -FLAT * HALF_CUBE * back) for across, back in corners])


def foot(thing: Thing) -> np.ndarray:
    """The four corners on the floor of a cube, float [4, 2], in order around it; farther ones are higher."""
    return _turned(thing.turn) * thing.radius + (thing.x, thing.y)


@functools.cache
def _outline(shape: str, turn: int) -> np.ndarray:
    """The outline of a thing of radius 1 at (0, 0), float [n, 2]."""
    angles = np.arange(STEPS) * (math.tau / STEPS)
    ring = np.stack([np.cos(angles), np.sin(angles)], 1)
    if shape == "sphere":
        return ring - (0, 1 - FLAT / 2)
    if shape == "cube":
        corners, up = _turned(turn), np.array((0, -CUBE_HEIGHT * HALF_CUBE))
        left, right = corners[corners[:, 0].argmin()], corners[corners[:, 0].argmax()]
        front, back = corners[corners[:, 1].argmax()], corners[corners[:, 1].argmin()]
        return np.stack([left, front, right, right + up, back + up, left + up])
    rim, rise = ring * (1, FLAT), np.array((0, -HEIGHTS[shape]))
    near, far = rim[: STEPS // 2 + 1], rim[STEPS // 2 :]
    if shape == "cone":
        return np.concatenate([near, [rise]])
    return np.concatenate([near, far + rise, rim[:1] + rise])


def outline(thing: Thing) -> np.ndarray:
    """Corners of the convex outline of a thing, float [n, 2]."""
    return _outline(thing.shape, thing.turn) * thing.radius + (thing.x, thing.y)
