"""What grid pictures show: shapes in cells, shaded regions, two grids side by side, trails of arrows, nested squares.

Rows count from the top and columns from the left, both from 1. Everything is exact.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

SHAPES = ("circle", "square", "triangle", "star", "cross", "diamond")
PLURALS = ("circles", "squares", "triangles", "stars", "crosses", "diamonds")
STEPS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}

Cell = tuple[int, int]  # row, column


class Mark(NamedTuple):
    """A shape in a cell."""

    colour: str  # of `engines.style.COLOURS`
    shape: str  # of `SHAPES`


@dataclass(frozen=True)
class GridScene:
    """A grid whose cells are empty or hold one coloured shape."""

    rows: int
    columns: int
    cells: tuple[Mark | None, ...]  # row-major
    has_headers: bool  # row and column numbers are written at the edge

    def __post_init__(self):
        """Check that every cell is given."""
        if len(self.cells) != self.rows * self.columns:
            raise ValueError(
                f"grid.cells must have rows x columns = {self.rows * self.columns} entries, got {len(self.cells)}"
            )

    def at(self, row: int, column: int) -> Mark | None:
        """What is in a cell."""
        return self.cells[(row - 1) * self.columns + column - 1]

    def marks(self) -> Iterator[tuple[int, int, Mark]]:
        """Every shape with its row and column."""
        for place, mark in enumerate(self.cells):
            if mark is not None:
                yield place // self.columns + 1, place % self.columns + 1, mark

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "cells",
            "rows": self.rows,
            "columns": self.columns,
            "cells": [list(mark) if mark else None for mark in self.cells],
            "has_headers": self.has_headers,
        }

    def describe(self) -> str:
        """The scene in words, row by row."""
        lines = [f"A grid of {self.rows} rows and {self.columns} columns."]
        for row in range(1, self.rows + 1):
            cells = (self.at(row, column) for column in range(1, self.columns + 1))
            lines.append(f"Row {row}: " + ", ".join(" ".join(mark) if mark else "empty" for mark in cells) + ".")
        return "\n".join(lines)

    def complexity(self) -> float:
        """Cells and shapes."""
        return len(self.cells) + sum(mark is not None for mark in self.cells)


@dataclass(frozen=True)
class RegionScene:
    """A grid some of whose cells are shaded in one colour."""

    rows: int
    columns: int
    shaded: frozenset[Cell]
    colour: str

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        cells = [list(cell) for cell in sorted(self.shaded)]
        return {"kind": "region", "rows": self.rows, "columns": self.columns, "shaded": cells, "colour": self.colour}

    def describe(self) -> str:
        """The scene in words, row by row: # is shaded."""
        return f"A grid of {self.rows} rows and {self.columns} columns; # is {self.colour}.\n" + _pattern(
            self.shaded, self.rows, self.columns
        )

    def complexity(self) -> float:
        """Cells and shaded cells."""
        return self.rows * self.columns + len(self.shaded)


@dataclass(frozen=True)
class PanelsScene:
    """Two grids of the same size side by side, with shaded cells."""

    rows: int
    columns: int
    left: frozenset[Cell]
    right: frozenset[Cell]
    colour: str

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        left, right = ([list(cell) for cell in sorted(side)] for side in (self.left, self.right))
        return {
            "kind": "panels",
            "rows": self.rows,
            "columns": self.columns,
            "left": left,
            "right": right,
            "colour": self.colour,
        }

    def describe(self) -> str:
        """The scene in words: # is shaded."""
        sides = (_pattern(side, self.rows, self.columns) for side in (self.left, self.right))
        return "Two grids of {} rows and {} columns; # is {}.\nLeft:\n{}\nRight:\n{}".format(
            self.rows, self.columns, self.colour, *sides
        )

    def complexity(self) -> float:
        """Cells of both grids."""
        return 2 * self.rows * self.columns + len(self.left) + len(self.right)


@dataclass(frozen=True)
class TrailScene:
    """A square grid of arrows with a dot at the start of a trail; letters stand outside the edge, at `exits`."""

    side: int
    arrows: tuple[tuple[Cell, str], ...]  # cell and direction, a key of `STEPS`, in reading order
    start: Cell
    exits: tuple[tuple[Cell, str], ...]  # the place just outside the grid (row or column 0 or side + 1) and its letter

    def trail(self) -> list[Cell]:
        """The cells of the trail from the start to the last one inside the grid."""
        arrows, cell, cells = dict(self.arrows), self.start, []
        while cell in arrows:
            cells.append(cell)
            down, right = STEPS[arrows[cell]]
            cell = (cell[0] + down, cell[1] + right)
        return cells

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "trail",
            "side": self.side,
            "arrows": [[*cell, way] for cell, way in self.arrows],
            "start": list(self.start),
            "exits": [[*place, letter] for place, letter in self.exits],
        }

    def describe(self) -> str:
        """The scene in words."""
        arrows = "; ".join(f"row {r}, column {c}: {way}" for (r, c), way in self.arrows)
        exits = "; ".join(f"{letter} at row {r}, column {c}" for (r, c), letter in self.exits)
        row, column = self.start
        return (
            f"A grid of {self.side} rows and columns with arrows: {arrows}. The dot is in row {row}, column {column}. "
            f"Letters just outside the grid (row or column 0 or {self.side + 1}): {exits}."
        )

    def complexity(self) -> float:
        """Arrows and letters."""
        return len(self.arrows) + len(self.exits)


class Ring(NamedTuple):
    """A circle drawn as a line; thousandths of the picture's side."""

    x: int
    y: int
    radius: int
    colour: str


@dataclass(frozen=True)
class RingsScene:
    """Circles that overlap, touch or keep apart."""

    rings: tuple[Ring, ...]

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {"kind": "rings", "rings": [list(ring) for ring in self.rings]}

    def describe(self) -> str:
        """The scene in words."""
        parts = (f"{r.colour}, centre ({r.x}, {r.y}), radius {r.radius}" for r in self.rings)
        return "Circles, in thousandths of the picture's side from its top left corner: " + "; ".join(parts) + "."

    def complexity(self) -> float:
        """Circles and pairs of them."""
        return len(self.rings) * (len(self.rings) + 1) / 2


@dataclass(frozen=True)
class NestScene:
    """Squares one inside the other; thousandths of the picture's side."""

    centre: tuple[int, int]
    sides: tuple[int, ...]  # from the outermost
    tilt_deg: int
    colours: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "nest",
            "centre": list(self.centre),
            "sides": list(self.sides),
            "tilt_deg": self.tilt_deg,
            "colours": list(self.colours),
        }

    def describe(self) -> str:
        """The scene in words."""
        parts = (f"{colour} of side {side}" for colour, side in zip(self.colours, self.sides, strict=True))
        return "Squares, each inside the one before: " + ", ".join(parts) + "."

    def complexity(self) -> float:
        """Squares."""
        return len(self.sides)


def _pattern(shaded: frozenset[Cell], rows: int, columns: int) -> str:
    """Rows of # and dots."""
    return "\n".join(
        "".join("#" if (row, column) in shaded else "." for column in range(1, columns + 1))
        for row in range(1, rows + 1)
    )
