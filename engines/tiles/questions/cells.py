"""Patterns of cells: turned, mirrored, cut to size; connected figures at random."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

from engines.tiles.scene import Pattern

Cell = tuple[int, int]
Figure = tuple[Cell, ...]  # cells of a connected figure, sorted, from (0, 0) on
T = TypeVar("T")

# What a reflection or turn does to (row, column) of a square of so many cells a side.
MOVES = {
    "quarter": lambda r, c, n: (c, n - 1 - r),
    "three": lambda r, c, n: (n - 1 - c, r),
    "half": lambda r, c, n: (n - 1 - r, n - 1 - c),
    "upright": lambda r, c, n: (r, n - 1 - c),
    "level": lambda r, c, n: (n - 1 - r, c),
    "falling": lambda r, c, n: (c, r),
    "rising": lambda r, c, n: (n - 1 - c, n - 1 - r),
}
PAINTS = ("red", "blue", "green", "purple", "orange")  # of cells whose outlines must be seen


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """One of the items."""
    return items[int(rng.integers(len(items)))]


def some(rng: np.random.Generator, items: Sequence[T], count: int) -> list[T]:
    """So many different items, in any order."""
    return [items[i] for i in rng.permutation(len(items))[:count].tolist()]


def moved(pattern: Pattern, move: str) -> Pattern:
    """A square pattern after a move of `MOVES`; "" leaves it."""
    if not move:
        return pattern
    side = len(pattern)
    cells = [[0] * side for _ in range(side)]
    for row in range(side):
        for column in range(side):
            r, c = MOVES[move](row, column, side)
            cells[r][c] = pattern[row][column]
    return tuple(map(tuple, cells))


def images(pattern: Pattern) -> dict[str, Pattern]:
    """A square pattern after each move."""
    return {move: moved(pattern, move) for move in MOVES}


def grown(rng: np.random.Generator, rows: int, columns: int, size: int) -> Figure:
    """A connected figure of so many cells within rows x columns, at random, moved to (0, 0)."""
    cells = [(int(rng.integers(rows)), int(rng.integers(columns)))]
    taken, dice = set(cells), iter(rng.random(40 * size).tolist())
    while len(cells) < size:
        row, column = cells[int(next(dice) * len(cells))]
        down, right = ((0, 1), (1, 0), (0, -1), (-1, 0))[int(next(dice) * 4)]
        cell = (row + down, column + right)
        if cell not in taken and 0 <= cell[0] < rows and 0 <= cell[1] < columns:
            taken.add(cell)
            cells.append(cell)
    return normal(cells)


def normal(cells: Iterable[Cell]) -> Figure:
    """The same figure, sorted, in the corner at (0, 0)."""
    cells = list(cells)
    top, left = min(row for row, _ in cells), min(column for _, column in cells)
    return tuple(sorted((row - top, column - left) for row, column in cells))


def turned(figure: Figure, turns: int) -> Figure:
    """A figure after so many quarter turns clockwise."""
    for _ in range(turns % 4):
        figure = tuple((column, -row) for row, column in figure)
    return normal(figure)


def flipped(figure: Figure) -> Figure:
    """A figure in an upright mirror."""
    return normal((row, -column) for row, column in figure)


def all_turns(figure: Figure) -> list[Figure]:
    """A figure in its four positions."""
    return [turned(figure, turns) for turns in range(4)]


def is_chiral(figure: Figure) -> bool:
    """Say whether no turn makes a figure its mirror image, and it has four positions."""
    return len({*all_turns(figure), *all_turns(flipped(figure))}) == 8


def is_whole(cells: Iterable[Cell]) -> bool:
    """Say whether cells are connected by their sides."""
    left = set(cells)
    front = [left.pop()]
    while front:
        row, column = front.pop()
        for cell in ((row, column + 1), (row + 1, column), (row, column - 1), (row - 1, column)):
            if cell in left:
                left.remove(cell)
                front.append(cell)
    return not left


def painted(cells: dict[Cell, int] | Iterable[Cell], rows: int, columns: int) -> Pattern:
    """Cells as a pattern of rows x columns, in their colours or all in the first."""
    colours = cells if isinstance(cells, dict) else dict.fromkeys(cells, 1)
    return tuple(tuple(colours.get((row, column), 0) for column in range(columns)) for row in range(rows))


def centred(figure: Figure, side: int) -> Pattern:
    """A figure in the middle of a square."""
    down = (side - 1 - max(row for row, _ in figure)) // 2
    right = (side - 1 - max(column for _, column in figure)) // 2
    return painted([(row + down, column + right) for row, column in figure], side, side)
