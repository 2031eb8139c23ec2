"""Courses: marked points over numbered axes, which straight pieces join or would join."""

from dataclasses import dataclass
from typing import Any, NamedTuple

MOST_X = 12


class Course(NamedTuple):
    """The points of a panel from left to right, at whole x from 0 to `MOST_X`."""

    name: str
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Courses:
    """Panels one above the other; each value is a multiple of half a step of the axis."""

    step: int  # between numbers of the value axis, of which there are five from 0
    courses: tuple[Course, ...]
    is_joined: bool
    colour: str
    steps: int  # of thought that the question takes, in all

    def __post_init__(self):
        """Check that points go to the right and lie on lines or half-way between two."""
        for name, points in self.courses:
            xs = [x for x, _ in points]
            if xs != sorted(set(xs)) or not all(0 <= y <= self.high and 2 * y % self.step == 0 for _, y in points):
                raise ValueError(f"courses.{name} must go to the right on multiples of {self.step}/2, got {points}")

    @property
    def high(self) -> int:
        """The uppermost number."""
        return 4 * self.step

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "courses",
            "step": self.step,
            "courses": [{"name": name, "points": [list(point) for point in points]} for name, points in self.courses],
            "is_joined": self.is_joined,
            "colour": self.colour,
        }

    def describe(self) -> str:
        """The scene in words."""
        told = []
        for name, points in self.courses:
            told.append(f"Course {name}: " + ", ".join(f"{y} at x = {x}" for x, y in points) + ".")
        return "\n".join(told)

    def complexity(self) -> float:
        """Points, and steps of thought."""
        return sum(len(course.points) for course in self.courses) + 10 * self.steps
