"""Clouds of points in lettered panels, perhaps each with a straight line."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

SPAN = 100  # of both axes, from 0; they have no numbers


class Line(NamedTuple):
    """y = height + slope (x - SPAN / 2)."""

    slope: Fraction
    height: Fraction


class Cloud(NamedTuple):
    """Points of a panel, in whole numbers from 0 to `SPAN`."""

    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Clouds:
    """Panels A, B, ... with a cloud each; where there are lines, one cloud with another line in each panel."""

    clouds: tuple[Cloud, ...]
    lines: tuple[Line, ...]
    colour: str
    steps: int  # of thought that the question takes, in all

    def __post_init__(self):
        """Check that points lie within the axes and that lines go with one cloud."""
        spots = [spot for cloud in self.clouds for point in cloud.points for spot in point]
        if not all(0 <= spot <= SPAN for spot in spots) or (self.lines and len(self.clouds) != 1):
            raise ValueError(f"clouds must lie within 0..{SPAN}, and lines be of one cloud, got {spots}")

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        clouds = [[list(point) for point in cloud.points] for cloud in self.clouds]
        lines = [[str(line.slope), str(line.height)] for line in self.lines]
        shown = {"cloud": clouds[0], "options": lines} if lines else {"options": clouds}
        return {"kind": "clouds", "span": SPAN, **shown, "colour": self.colour}

    def describe(self) -> str:
        """The scene in words."""
        told = []
        for place, cloud in enumerate(self.clouds):
            name = "Each panel" if self.lines else f"Panel {chr(65 + place)}"
            told.append(f"{name} has points " + ", ".join(f"({x}, {y})" for x, y in cloud.points) + ".")
        for place, (slope, height) in enumerate(self.lines):
            told.append(f"The line of panel {chr(65 + place)} has slope {slope} and height {height} in the middle.")
        return "\n".join(told)

    def complexity(self) -> float:
        """Points that are drawn, and steps of thought."""
        drawn = max(1, len(self.lines)) * sum(len(cloud.points) for cloud in self.clouds)
        return drawn / 4 + 10 * self.steps
