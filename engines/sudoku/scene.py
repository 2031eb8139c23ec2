"""What sudoku-like pictures show: boards of symbols with regions, patterned tiles, matrices of figures, runs, letters.

Rows count from the top and columns from the left, both from 1; tuples of cells are row-major.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}  # side -> rows and columns of a box
SHAPES = ("circle", "square", "triangle", "star", "cross", "diamond")
NOUNS = {"digits": "digit", "letters": "letter", "colours": "colour", "shapes": "shape"}


def box_regions(side: int) -> tuple[int, ...]:
    """The region of each cell where regions are the usual boxes, numbered in reading order."""
    tall, wide = BOXES[side]
    return tuple(row // tall * (side // wide) + column // wide for row in range(side) for column in range(side))


@dataclass(frozen=True)
class SudokuScene:
    """A board of side x side cells, each empty (0) or with a symbol 1..side; regions are boxes or irregular."""

    side: int
    cells: tuple[int, ...]
    symbols: tuple[str, ...]  # names of the symbols 1..side
    kind: str  # key of `NOUNS`
    regions: tuple[int, ...]

    def __post_init__(self):
        """Check that every cell is given and in range."""
        if self.side not in BOXES or len(self.cells) != self.side**2:
            raise ValueError(
                f"sudoku.side must be 4, 6 or 9 with side x side cells, got {self.side} and {len(self.cells)}"
            )
        if not all(0 <= number <= self.side for number in self.cells):
            raise ValueError(f"sudoku.cells must be within 0..{self.side}, got {self.cells}")

    def at(self, row: int, column: int) -> int:
        """The number of a cell's symbol, 0 if it is empty."""
        return self.cells[(row - 1) * self.side + column - 1]

    def row(self, row: int) -> tuple[int, ...]:
        """The numbers of a row from the left."""
        return self.cells[(row - 1) * self.side : row * self.side]

    def name(self, number: int) -> str:
        """A symbol's name; "empty" for 0."""
        return self.symbols[number - 1] if number else "empty"

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": self.kind,
            "side": self.side,
            "cells": list(self.cells),
            "symbols": list(self.symbols),
            "regions": list(self.regions),
        }

    def describe(self) -> str:
        """The scene in words, row by row, and its regions."""
        lines = [f"A board of {self.side} rows and columns with {self.kind}."]
        for row in range(1, self.side + 1):
            lines.append(f"Row {row}: " + ", ".join(map(self.name, self.row(row))) + ".")
        if self.regions == box_regions(self.side):
            lines.append("Boxes of {} rows and {} columns.".format(*BOXES[self.side]))
        else:
            starts = range(0, self.side**2, self.side)
            lines.append("Regions: " + "/".join("".join(map(str, self.regions[i : i + self.side])) for i in starts))
        return "\n".join(lines)

    def complexity(self) -> float:
        """Cells: an empty one must be told from a filled one too."""
        return len(self.cells)


class Tile(NamedTuple):
    """Some equal shapes."""

    shape: str
    colour: str
    count: int = 1


@dataclass(frozen=True)
class TilesScene:
    """Tiles in rows and columns."""

    rows: int
    columns: int
    tiles: tuple[Tile, ...]

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        tiles = [list(tile) for tile in self.tiles]
        return {"kind": "tiles", "rows": self.rows, "columns": self.columns, "tiles": tiles}

    def describe(self) -> str:
        """The scene in words, row by row."""
        rows = (self.tiles[i : i + self.columns] for i in range(0, len(self.tiles), self.columns))
        return "\n".join(
            f"Row {number}: " + ", ".join(f"{tile.colour} {tile.shape}" for tile in row) + "."
            for number, row in enumerate(rows, 1)
        )

    def complexity(self) -> float:
        """Tiles."""
        return len(self.tiles)


@dataclass(frozen=True)
class MatrixScene:
    """Three rows of three tiles, the last of which is not shown, and tiles to choose from."""

    tiles: tuple[Tile, ...]  # eight
    options: tuple[Tile, ...]  # lettered from A

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        tiles, options = ([list(tile) for tile in part] for part in (self.tiles, self.options))
        return {"kind": "matrix", "tiles": tiles, "options": options}

    def describe(self) -> str:
        """The scene in words."""
        words = [f"{tile.count} {tile.colour} {tile.shape}" for tile in (*self.tiles, *self.options)]
        rows = [", ".join(words[i : min(i + 3, 8)]) for i in (0, 3, 6)]
        options = ", ".join(f"{letter}: {text}" for letter, text in zip("ABCD", words[8:], strict=False))
        return f"Three rows: {'; '.join(rows)}, missing. Options: {options}."

    def complexity(self) -> float:
        """Tiles, and attributes that vary."""
        values = zip(*self.tiles, strict=True)
        return len(self.tiles) + len(self.options) + 4 * sum(len(set(column)) > 1 for column in values)


@dataclass(frozen=True)
class RunsScene:
    """A grid some of whose cells are shaded."""

    rows: int
    columns: int
    shaded: tuple[bool, ...]
    colour: str

    def line(self, row: int) -> tuple[bool, ...]:
        """The cells of a row from the left."""
        return self.shaded[(row - 1) * self.columns : row * self.columns]

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        shaded = [int(cell) for cell in self.shaded]
        return {"kind": "runs", "rows": self.rows, "columns": self.columns, "shaded": shaded, "colour": self.colour}

    def describe(self) -> str:
        """The scene in words: # is shaded."""
        rows = ("".join(".#"[cell] for cell in self.line(row)) for row in range(1, self.rows + 1))
        return f"A grid of {self.rows} rows and {self.columns} columns; # is {self.colour}.\n" + "\n".join(rows)

    def complexity(self) -> float:
        """Cells."""
        return len(self.shaded)


@dataclass(frozen=True)
class LettersScene:
    """A square of letters."""

    side: int
    letters: str

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {"kind": "letter square", "side": self.side, "letters": self.letters}

    def describe(self) -> str:
        """The rows of letters."""
        starts = range(0, self.side**2, self.side)
        return "Rows of letters:\n" + "\n".join(self.letters[i : i + self.side] for i in starts)

    def complexity(self) -> float:
        """Letters."""
        return len(self.letters)


def solved(rng: np.random.Generator, side: int) -> np.ndarray:
    """A full valid board with boxes, int [side, side]: a pattern with digits, rows, columns, bands, stacks shuffled."""
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


def solved_irregular(rng: np.random.Generator, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A full valid board with irregular regions and those regions, int [side, side]: one of a few, turned at random."""
    regions, numbers = IRREGULAR[side][int(rng.integers(len(IRREGULAR[side])))]
    turns, is_flipped, digits = int(rng.integers(4)), bool(rng.integers(2)), rng.permutation(side) + 1
    boards = []
    for text in (regions, numbers):
        board = np.rot90(np.array([int(c) for c in text]).reshape(side, side), turns)
        boards.append(board.T if is_flipped else board)
    return digits[boards[1] - 1], boards[0]


# Regions and a solution, row-major: made by swapping cells between boxes, and solved.
IRREGULAR = {
    4: (
        ("0011003122312233", "3142241342311324"),
        ("0011200123312233", "2341341241231234"),
        ("0011001122232333", "3421123443122143"),
        ("0011001123332223", "3142241312344321"),
        ("0111000122332233", "2431314213244213"),
        ("0033001322132211", "3241142341322314"),
    ),
    6: (
        ("000111000111222333422553424533444555", "546132123456251643634215465321312564"),
        ("000111020133022133422133442555444555", "564321132456325614641532256143413265"),
        ("002111022111002333042553442553444553", "261435345126413652526314632541154263"),
        ("201111200011220033223333445555444455", "314256452613123465561324236541645132"),
        ("200011201111200333224353244355444555", "563142421563345216614325236451152634"),
        ("000111002131022331222333444555444555", "542631134265613524256143321456465312"),
        ("000111020131022135222335444335444555", "341625215364634152526431453216162543"),
        ("000111020131220133224335424535444555", "431526215364326145654213542631163452"),
    ),
    9: (
        (
            "000111222000141222300141225330144425336145555366444555366777888366778888366777788",
            "186975342234156789457298163619327458728439516395681274542763891973814625861542937",
        ),
        (
            "000111122000012222001111222333344555634345555634444455636777778636788888666777888",
            "753216849486931257124579368275843691918467532369152784837694125591328476642785913",
        ),
        (
            "000111222000111252000141252333341552334344452334445555677777778666687788666688888",
            "856937421123456789479162538614578293238741956985324167367219845792685314541893672",
        ),
        (
            "000111222000112222003311122033441555634444588633444558633777558666677758667778888",
            "735812469246391578184957623923584716452163897861479235378625941697238154519746382",
        ),
        (
            "000122222300111122300411125300441525333445555333744455666774888666678888667777788",
            "467392518612758934738521469259436871941863725385917246824179653573684192196245387",
        ),
    ),
}
