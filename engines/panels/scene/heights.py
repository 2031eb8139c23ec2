"""A map of heights: hills and hollows, lines of equal height, lettered points or arrows."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

SIDE = 100  # of the map, from 0; x to the right, y upwards
Spot = tuple[int, int]


class Hill(NamedTuple):
    """tall / (1 + (d / wide)^2) at a distance of d from its top; a hollow where tall is below 0."""

    x: int
    y: int
    tall: int
    wide: int


@dataclass(frozen=True)
class Map:
    """The ground is at `base`, and hills add up; lines run at all multiples of `step`."""

    base: int
    hills: tuple[Hill, ...]
    step: int
    points: tuple[Spot, ...] = ()  # A, B, ...
    arrows: tuple[tuple[Spot, Spot], ...] = ()  # A, B, ...: start and end
    steps: int = 1  # of thought that the question takes, in all

    def __post_init__(self):
        """Check that what is marked lies on the map."""
        spots = [*self.points, *(spot for arrow in self.arrows for spot in arrow)]
        if not all(0 < number < SIDE for spot in spots for number in spot):
            raise ValueError(f"map points must lie within 0..{SIDE}, got {spots}")

    def at(self, x: Fraction, y: Fraction) -> Fraction:
        """The height at a place, exact."""
        total = Fraction(self.base)
        for hill in self.hills:
            away = (x - hill.x) ** 2 + (y - hill.y) ** 2
            total += hill.tall / (1 + Fraction(away, hill.wide**2))
        return total

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "map",
            "base": self.base,
            "hills": [list(hill) for hill in self.hills],
            "step": self.step,
            "points": [list(point) for point in self.points],
            "arrows": [[*start, *end] for start, end in self.arrows],
        }

    def describe(self) -> str:
        """The scene in words."""
        told = [f"Ground at {self.base}, lines every {self.step}."]
        for x, y, tall, wide in self.hills:
            told.append(f"At ({x}, {y}) {tall} more, half of it {wide} away.")
        told += [f"Point {chr(65 + i)} at {spot}." for i, spot in enumerate(self.points)]
        told += [f"Arrow {chr(65 + i)} from {start} to {end}." for i, (start, end) in enumerate(self.arrows)]
        return "\n".join(told)

    def complexity(self) -> float:
        """Hills twice, what is marked, and steps of thought."""
        return 2 * len(self.hills) + len(self.points) + len(self.arrows) + 10 * self.steps
