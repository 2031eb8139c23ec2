"""All Latin squares of a small side, by which solutions are counted: every rule is a test of all of them at once."""

import functools
import itertools

import numpy as np


@functools.cache
def squares(side: int) -> np.ndarray:
    """Every Latin square of a side up to 5, int8 [side * side, count]: the numbers of each cell, row by row."""
    reduced = np.array(_reduced(side), np.int8)  # first row and column in order
    found = []
    for columns in itertools.permutations(range(side)):
        turned = reduced[:, :, columns]
        found += [turned[:, (0, *rows)] for rows in itertools.permutations(range(1, side))]
    return np.ascontiguousarray(np.concatenate(found).reshape(-1, side * side).T)


def _reduced(side: int) -> list[list[list[int]]]:
    """The squares whose first row and first column are 1, 2, …"""
    lines = list(itertools.permutations(range(1, side + 1)))
    found: list[list[tuple[int, ...]]] = [[tuple(range(1, side + 1))]]
    for row in range(2, side + 1):
        fitting = [line for line in lines if line[0] == row]
        found = [
            [*square, line]
            for square in found
            for line in fitting
            if all(a != b for above in square for a, b in zip(above, line, strict=True))
        ]
    return [[list(line) for line in square] for square in found]


class Candidates:
    """The squares that are left after some rules."""

    def __init__(self, side: int, places: np.ndarray | None = None):
        self.side, self._all = side, squares(side)
        self._places = places  # of those that are left; None: all

    def cell(self, cell: int) -> np.ndarray:
        """The numbers that the squares have in a cell, int8 [n]."""
        return self._all[cell] if self._places is None else self._all[cell][self._places]

    def keep(self, fits: np.ndarray) -> "Candidates":
        """Those of them that fit, by bool [n]."""
        places = np.flatnonzero(fits)
        return Candidates(self.side, places if self._places is None else self._places[places])

    def count(self) -> int:
        """How many are left."""
        return self._all.shape[1] if self._places is None else len(self._places)

    def varying(self) -> list[int]:
        """The cells in which they differ."""
        table = self._all if self._places is None else self._all[:, self._places]
        return np.flatnonzero((table != table[:, :1]).any(1)).tolist()

    def one(self, place: int) -> list[int]:
        """The numbers of one of them, row by row."""
        return self._all[:, place if self._places is None else self._places[place]].tolist()
