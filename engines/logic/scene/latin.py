"""A board of which each row and column holds 1 to its side once, with signs between cells or cages around them."""

from dataclasses import dataclass
from typing import Any, NamedTuple

Cell = tuple[int, int]  # row, column


class Cage(NamedTuple):
    """Cells whose numbers, by one operation, give a number; of "-" and ":" the larger number comes first."""

    cells: tuple[Cell, ...]  # in reading order: the number is written in the first
    operation: str  # "+", "x", "-", ":", or "" for a single cell
    number: int

    def label(self) -> str:
        """What is written in the first cell."""
        return f"{self.number}{self.operation}"


@dataclass(frozen=True)
class Latin:
    """Numbers of cells, 0 where none is shown, and what is known of the others."""

    side: int
    cells: tuple[int, ...]  # row by row
    signs: tuple[tuple[Cell, Cell], ...] = ()  # the smaller cell first, both side by side
    cages: tuple[Cage, ...] = ()

    def __post_init__(self):
        """Check that every cell is given."""
        if len(self.cells) != self.side**2 or not all(0 <= number <= self.side for number in self.cells):
            raise ValueError(f"latin.cells must be {self.side**2} numbers within 0..{self.side}, got {self.cells}")

    def at(self, row: int, column: int) -> int:
        """The number that a cell shows, 0 if none."""
        return self.cells[(row - 1) * self.side + column - 1]

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "latin",
            "side": self.side,
            "cells": list(self.cells),
            "signs": [[*a, *b] for a, b in self.signs],
            "cages": [[[list(cell) for cell in cage.cells], cage.operation, cage.number] for cage in self.cages],
        }

    def describe(self) -> str:
        """The scene in words."""
        lines = [f"A board of {self.side} rows and columns."]
        for row in range(1, self.side + 1):
            shown = (self.at(row, column) or "empty" for column in range(1, self.side + 1))
            lines.append(f"Row {row}: " + ", ".join(map(str, shown)) + ".")
        lines += [f"Less than the cell at ({s}, {d}): ({r}, {c})." for (r, c), (s, d) in self.signs]
        for cage in self.cages:
            places = ", ".join(f"({r}, {c})" for r, c in cage.cells)
            lines.append(f"Cage {cage.label()} from ({cage.cells[0][0]}, {cage.cells[0][1]}): {places}.")
        return "\n".join(lines)

    def complexity(self) -> float:
        """Cells, those without a number twice, signs, and cells in cages with others; sums count less than the rest."""
        hard = sum(cage.operation not in ("", "+") for cage in self.cages)
        joined = sum(len(cage.cells) for cage in self.cages if len(cage.cells) > 1)
        return len(self.cells) + self.cells.count(0) + len(self.signs) + joined + 3 * hard
