"""A figure on whole coordinates, perhaps with parts cut out, and what is written beside its lines."""

import itertools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

ROOM = 0.74  # share of the picture for the longer side of an outline
TEXT_SHARE = 0.048  # height of a text in pictures
Spot = tuple[int, int]  # x to the right, y upwards


class Length(NamedTuple):
    """A number or an x beside a straight line."""

    start: Spot
    end: Spot
    text: str
    is_inside: bool = False  # written on the right of the line from start to end, not on its left


def text_spot(line: Length, height: float) -> tuple[float, float]:
    """The middle of a text of so many cm of height beside the middle of its line."""
    (x, y), (u, v) = line.start, line.end
    span = math.hypot(u - x, v - y)
    nx, ny = (y - v) / span, (u - x) / span  # to the left of the way from start to end
    sign = -1 if line.is_inside else 1
    off = sign * height * (0.78 if abs(nx) < 0.5 else 0.62 + 0.16 * len(line.text))
    return (x + u) / 2 + nx * off, (y + v) / 2 + ny * off


@dataclass(frozen=True)
class Plan:
    """An outline, clockwise from its first corner, without what is cut out of it; lengths in cm."""

    outline: tuple[Spot, ...]
    cuts: tuple[tuple[Spot, ...], ...]
    lengths: tuple[Length, ...]
    colour: str

    def __post_init__(self):
        """Check that outlines are outlines."""
        for ring in (self.outline, *self.cuts):
            if len(ring) < 3 or len(set(ring)) < len(ring):
                raise ValueError(f"plan outlines must have three corners or more, all different, got {ring}")

    def unit(self) -> float:
        """A cm of the plan in sides of the picture."""
        return ROOM / max(max(spot) for spot in self.outline)

    def texts(self) -> list[tuple[float, float]]:
        """Where the middle of each text stands, in cm: beside the middle of its line."""
        return [text_spot(line, TEXT_SHARE / self.unit()) for line in self.lengths]

    def is_clear(self) -> bool:
        """Say whether no two texts come too close to each other."""
        spots, unit = self.texts(), self.unit()
        for (one, a), (other, b) in itertools.combinations(zip(self.lengths, spots, strict=True), 2):
            wide = TEXT_SHARE * (0.35 + 0.32 * (len(one.text) + len(other.text)))
            if abs(a[0] - b[0]) * unit < wide and abs(a[1] - b[1]) * unit < 1.05 * TEXT_SHARE:
                return False
        return True

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "plan",
            "outline": [list(spot) for spot in self.outline],
            "cuts": [[list(spot) for spot in ring] for ring in self.cuts],
            "lengths": [[*line.start, *line.end, line.text] for line in self.lengths],
            "colour": self.colour,
        }

    def describe(self) -> str:
        """The scene in words, with coordinates in cm."""
        lines = [f"A {self.colour} figure with corners at {', '.join(map(str, self.outline))}."]
        lines += [f"Cut out of it: a figure with corners at {', '.join(map(str, ring))}." for ring in self.cuts]
        lines += [f"From {line.start} to {line.end} is written {line.text}." for line in self.lengths]
        return "\n".join(lines)

    def complexity(self) -> float:
        """Corners, slanted lines, what is written, and lines of the outline beside which nothing is."""
        rings = (self.outline, *self.cuts)
        pairs = [pair for ring in rings for pair in zip(ring, ring[1:] + ring[:1], strict=True)]
        slanted = sum(a[0] != b[0] and a[1] != b[1] for a, b in pairs)
        return len(pairs) + slanted + len(self.lengths) + 2 * max(0, len(self.outline) - len(self.lengths))
