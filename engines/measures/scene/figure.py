"""A figure of points and lines made by a theorem's rule, and the angles and lengths that are written in it."""

from dataclasses import dataclass
from typing import Any

from engines.measures.scene.forms import FORMS, Shape


@dataclass(frozen=True)
class Figure:
    """A form with its whole numbers, turned and perhaps mirrored."""

    form: str  # of `FORMS`
    values: tuple[int, ...]
    labels: tuple[tuple[str, str], ...]  # angle ABC or length AB, and what is written there: a number or x
    turn: int = 0  # degrees counter-clockwise
    is_mirrored: bool = False

    def __post_init__(self):
        """Check that the form exists."""
        if self.form not in FORMS:
            raise ValueError(f"figure.form must be one of {', '.join(FORMS)}, got {self.form!r}")

    def shape(self) -> Shape:
        """Points, lines and marks, before turning and mirroring."""
        return FORMS[self.form].make(*self.values)

    def letters(self) -> tuple[str, ...]:
        """The points that have a letter; the centre of a circle has one where the form speaks of it."""
        return tuple(name for name in self.shape().points if name != "O" or "centre O" in FORMS[self.form].words)

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "figure",
            "form": self.form,
            "values": list(self.values),
            "labels": [list(label) for label in self.labels],
            "turn": self.turn,
            "is_mirrored": self.is_mirrored,
        }

    def describe(self) -> str:
        """The scene in words."""
        lines = [FORMS[self.form].words]
        for name, text in self.labels:
            lines.append(f"{'Angle' if len(name) == 3 else 'Length'} {name}: {text}.")
        return "\n".join(lines)

    def complexity(self) -> float:
        """Points, lines, and steps of the theorem twice each."""
        shape = self.shape()
        return len(shape.points) + len(shape.lines) + 8 * FORMS[self.form].steps
