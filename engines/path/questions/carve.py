"""Carving mazes: trees of ways that grow into each other's way until no cell is left, and walks through them.

Cells are numbered row by row from 0 here.
"""

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np


def pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    """One of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


@functools.cache
def neighbours(rows: int, columns: int) -> tuple[tuple[int, ...], ...]:
    """The cells beside each cell."""
    found = []
    for cell in range(rows * columns):
        row, column = divmod(cell, columns)
        beside = []
        if row:
            beside.append(cell - columns)
        if row + 1 < rows:
            beside.append(cell + columns)
        if column:
            beside.append(cell - 1)
        if column + 1 < columns:
            beside.append(cell + 1)
        found.append(tuple(beside))
    return tuple(found)


class Carving:
    """Trees of ways, one from each seed; together they fill the board.

    `branchy` is the share of steps that go on from any cell of a tree and not from its newest: 0 gives long corridors,
    1 many short dead ends.
    """

    def __init__(self, rng: np.random.Generator, rows: int, columns: int, seeds: Sequence[int], branchy: float):
        self.rows, self.columns = rows, columns
        self.owner = [-1] * (rows * columns)
        self.open: dict[int, list[int]] = {cell: [] for cell in range(rows * columns)}
        beside = neighbours(rows, columns)
        for tree, seed in enumerate(seeds):
            self.owner[seed] = tree
        live = [[seed] for seed in seeds]
        growing = list(range(len(seeds)))
        dice = _dice(rng, 6 * rows * columns)
        while growing:
            tree = growing[int(next(dice) * len(growing))]
            cells = live[tree]
            place = int(next(dice) * len(cells)) if next(dice) < branchy else len(cells) - 1
            cell = cells[place]
            free = [other for other in beside[cell] if self.owner[other] < 0]
            if free:
                other = free[int(next(dice) * len(free))]
                self.owner[other] = tree
                self.join(cell, other)
                cells.append(other)
            else:
                cells[place] = cells[-1]
                cells.pop()
                if not cells:
                    growing.remove(tree)

    def join(self, one: int, other: int) -> None:
        """Open the wall between two cells side by side."""
        self.open[one].append(other)
        self.open[other].append(one)

    def cells(self, tree: int) -> list[int]:
        """The cells of a tree."""
        return [cell for cell, owner in enumerate(self.owner) if owner == tree]

    def borders(self) -> list[tuple[int, int]]:
        """Pairs of cells side by side that belong to different trees, the lower number first."""
        beside = neighbours(self.rows, self.columns)
        return [(a, b) for a, cells in enumerate(beside) for b in cells if a < b and self.owner[a] != self.owner[b]]

    def walls(self) -> list[tuple[int, int]]:
        """Pairs of cells side by side with a wall between them."""
        beside = neighbours(self.rows, self.columns)
        return [(a, b) for a, cells in enumerate(beside) for b in cells if a < b and b not in self.open[a]]

    def ways(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """For each cell whether it is open to the right, and downwards."""
        right, down = [0] * len(self.owner), [0] * len(self.owner)
        for cell, others in self.open.items():
            for other in others:
                if other == cell + 1:
                    right[cell] = 1
                elif other == cell + self.columns:
                    down[cell] = 1
        return tuple(right), tuple(down)

    def place(self, cell: int) -> tuple[int, int]:
        """Row and column of a cell, from 1."""
        return cell // self.columns + 1, cell % self.columns + 1


def _dice(rng: np.random.Generator, block: int) -> Iterator[float]:
    """Numbers within 0..1, drawn in blocks: single draws from numpy cost more than all else."""
    while True:
        yield from rng.random(block).tolist()


def distances(ways: Mapping[int, Sequence[int]], start: int) -> dict[int, int]:
    """Steps from a cell to every cell that can be reached."""
    found, front = {start: 0}, [start]
    while front:
        following = []
        for cell in front:
            for other in ways[cell]:
                if other not in found:
                    found[other] = found[cell] + 1
                    following.append(other)
        front = following
    return found


def turns(ways: Mapping[int, Sequence[int]], start: int) -> dict[int, int]:
    """Changes of direction on the way from a cell to every other one, where there is one way to each."""
    found, front = {start: 0}, [(start, 0)]
    while front:
        following = []
        for cell, step in front:
            for other in ways[cell]:
                if other not in found:
                    found[other] = found[cell] + (step not in (0, other - cell))
                    following.append((other, other - cell))
        front = following
    return found


def way(ways: Mapping[int, Sequence[int]], start: int, goal: int) -> list[int]:
    """The cells of a shortest way, both ends included."""
    steps = distances(ways, goal)
    found = [start]
    while found[-1] != goal:
        found.append(next(other for other in ways[found[-1]] if steps.get(other, -1) == steps[found[-1]] - 1))
    return found


def spread(rng: np.random.Generator, start: int, among: Sequence[list[int]], columns: int) -> list[int]:
    """A cell out of each list, none twice, with distances from the start that do not depend on which list it is.

    For each a distance is drawn that fits any of the lists, and the cell whose own is nearest to it is taken.
    """
    row, column = divmod(start, columns)
    far = {c: math.hypot(c // columns - row, c % columns - column) for c in {c for cells in among for c in cells}}
    every, taken = sorted(far.values()), set()
    found = []
    for cells in among:
        wanted = every[int(rng.integers(len(every)))]
        free = [cell for cell in cells if cell not in taken]
        near = sorted(free, key=lambda cell: (abs(far[cell] - wanted), cell))[:2]
        found.append(pick(rng, near))
        taken.add(found[-1])
    return found
