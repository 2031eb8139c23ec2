"""What a grid picture shows: rows and columns of cells, each empty or with one coloured shape."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

SHAPES = ("circle", "square", "triangle", "star", "cross", "diamond")


class Mark(NamedTuple):
    """A shape in a cell."""

    colour: str  # of `engines.style.COLOURS`
    shape: str  # of `SHAPES`


@dataclass(frozen=True)
class GridScene:
    """Cells in rows from the top and columns from the left; both are counted from 1."""

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
            "rows": self.rows,
            "columns": self.columns,
            "cells": [list(mark) if mark else None for mark in self.cells],
            "has_headers": self.has_headers,
        }
