"""Dice: opposite faces add up to seven, and 1, 2, 3 follow each other counter-clockwise around their corner."""

import itertools
from dataclasses import dataclass
from typing import Any

Die = tuple[int, int, int]  # pips on top, on the left and on the right
STEPS = {"lower left": (1, 0), "lower right": (0, 1), "upper right": (-1, 0), "upper left": (0, -1)}


@dataclass(frozen=True)
class DiceScene:
    """Dice in a picture, in reading order; `width` of them to a line."""

    dice: tuple[Die, ...]
    colour: str
    width: int
    shift: tuple[int, int] = (0, 0)

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data."""
        dice = [list(die) for die in self.dice]
        return {"kind": "dice", "dice": dice, "colour": self.colour, "width": self.width, "shift": list(self.shift)}

    def describe(self) -> str:
        """The scene in words: the faces of each die that show."""
        lines = [
            f"Die {number}: {top} on top, {left} on the left, {right} on the right."
            for number, (top, left, right) in enumerate(self.dice, start=1)
        ]
        return "\n".join([f"Dice with {self.colour} faces.", *lines])

    def complexity(self) -> float:
        """Faces that show."""
        return 3 * len(self.dice)


@dataclass(frozen=True)
class RollScene:
    """A die on a floor of tiles and the way it is rolled: cells (row, column) from where it stands, side by side."""

    rows: int
    columns: int
    die: Die
    way: tuple[tuple[int, int], ...]
    colour: str
    zoom: int = 0
    shift: tuple[int, int] = (0, 0)

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data."""
        return {
            "kind": "roll",
            "rows": self.rows,
            "columns": self.columns,
            "die": list(self.die),
            "way": [list(cell) for cell in self.way],
            "colour": self.colour,
            "zoom": self.zoom,
            "shift": list(self.shift),
        }

    def describe(self) -> str:
        """The scene in words: the die, and each step of its way."""
        top, left, right = self.die
        row, column = self.way[0]
        return (
            f"A floor of {self.rows} rows, coming nearer towards the lower left, and {self.columns} columns, coming "
            f"nearer towards the lower right. A {self.colour} die stands in row {row + 1}, column {column + 1}: {top} "
            f"on top, {left} on the left, {right} on the right. It is rolled to the {', the '.join(self.moves())}."
        )

    def complexity(self) -> float:
        """Tiles and steps."""
        return self.rows * self.columns + len(self.way) - 1

    def moves(self) -> list[str]:
        """The directions of the steps, words of `STEPS`."""
        return moves(self.way)


def moves(way: tuple[tuple[int, int], ...]) -> list[str]:
    """The directions in which a way goes from cell to cell, words of `STEPS`."""
    names = {step: name for name, step in STEPS.items()}
    return [names[r1 - r0, c1 - c0] for (r0, c0), (r1, c1) in itertools.pairwise(way)]


def rolled(die: Die, move: str) -> Die:
    """What the three near faces show after a die was rolled over the edge in this direction."""
    top, left, right = die
    if move == "lower right":
        return 7 - right, left, top
    if move == "upper left":
        return right, left, 7 - top
    if move == "lower left":
        return 7 - left, top, right
    return left, 7 - top, right


def _all_dice() -> tuple[Die, ...]:
    """The 24 ways in which a die can stand."""
    found = [(1, 2, 3)]
    for die in found:
        found += {rolled(die, move) for move in STEPS} - set(found)
    return tuple(sorted(found))


DICE = _all_dice()
