"""What a sudoku picture shows: a board of side n with boxes, each cell empty or with a digit 1..n."""

from dataclasses import dataclass
from typing import Any

import numpy as np

BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}  # side -> rows and columns of a box


@dataclass(frozen=True)
class SudokuScene:
    """Rows from the top, columns from the left, both counted from 1; an empty cell is 0."""

    side: int
    cells: tuple[int, ...]  # row-major

    def __post_init__(self):
        """Check that every cell is given and in range."""
        if self.side not in BOXES or len(self.cells) != self.side**2:
            raise ValueError(
                f"sudoku.side must be 4, 6 or 9 with side x side cells, got {self.side} and {len(self.cells)}"
            )
        if not all(0 <= digit <= self.side for digit in self.cells):
            raise ValueError(f"sudoku.cells must be within 0..{self.side}, got {self.cells}")

    def at(self, row: int, column: int) -> int:
        """The digit of a cell, 0 if it is empty."""
        return self.cells[(row - 1) * self.side + column - 1]

    def row(self, row: int) -> tuple[int, ...]:
        """The digits of a row from the left."""
        return self.cells[(row - 1) * self.side : row * self.side]

    def column(self, column: int) -> tuple[int, ...]:
        """The digits of a column from the top."""
        return self.cells[column - 1 :: self.side]

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {"side": self.side, "cells": list(self.cells)}


def solved(rng: np.random.Generator, side: int) -> np.ndarray:
    """A full valid board, int [side, side]: a fixed pattern with digits, rows, columns, bands and stacks shuffled."""
    box_rows, box_columns = BOXES[side]
    rows = _shuffled_within(rng, side, box_rows)
    columns = _shuffled_within(rng, side, box_columns)
    shift = (rows % box_rows) * box_columns + rows // box_rows
    digits = rng.permutation(side) + 1
    return digits[(shift[:, None] + columns[None, :]) % side]


def _shuffled_within(rng: np.random.Generator, side: int, block: int) -> np.ndarray:
    """0..side-1 with the blocks in random order and random order inside each block."""
    lines = np.arange(side).reshape(-1, block)
    return rng.permuted(lines, axis=1)[rng.permutation(len(lines))].ravel()
