"""Questions about boards of queens: one in each row, column and region, no two of which touch."""

import functools
import itertools

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.logic.questions.signs import at, pick
from engines.logic.scene import Queens

SIDES = (5, 5, 5, 5, 6, 6, 6, 7, 7, 7)
SHOWN = (1, 1, 0, 0, 2, 1, 0, 2, 1, 0)
MIN_SIZE_PX = (112, 112, 112, 112, 112, 112, 140, 140, 168, 168)
REPAIRS = 30  # cells that change their region before a board is given up
TRIES = 200

WHERE = (
    "One queen per row, column and region; no two touch, even diagonally. In which column is the queen of row {row}?",
    "Each row, column and region has one queen; none touch, even diagonally. Give the column of row {row}'s queen.",
    "Put one queen in each row, column and region, none next to another. Which column does row {row} use?",
    "No two queens touch; every row, column and region has one. Where in row {row} is it? Answer with its column.",
)


@functools.cache
def placements(side: int) -> np.ndarray:
    """All ways to put a queen into each row and column so that none touch, int [n, side]: columns by row, from 0."""
    every = itertools.permutations(range(side))
    return np.array([p for p in every if all(abs(a - b) > 1 for a, b in itertools.pairwise(p))])


@functools.cache
def _beside(side: int) -> tuple[tuple[int, ...], ...]:
    found = []
    for cell in range(side * side):
        row, column = divmod(cell, side)
        near = ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
        found.append(tuple(r * side + c for r, c in near if 0 <= r < side and 0 <= c < side))
    return tuple(found)


def solutions(regions: np.ndarray, some: np.ndarray) -> np.ndarray:
    """Those of some placements that have one queen in each region; `regions` int [side, side]."""
    side = len(regions)
    bits = np.left_shift(1, regions[np.arange(side), some])
    return some[np.bitwise_or.reduce(bits, axis=1) == (1 << side) - 1]


def _grown(rng: np.random.Generator, side: int, seeds: list[int]) -> list[int]:
    """Regions that grow from the queens' cells until no cell is left."""
    regions, beside = [-1] * side**2, _beside(side)
    for region, cell in enumerate(seeds):
        regions[cell] = region
    front = [(cell, other) for cell in seeds for other in beside[cell]]
    dice = iter(rng.random(8 * side * side).tolist())
    while front:
        place = int(next(dice) * len(front))
        cell, other = front[place]
        front[place] = front[-1]
        front.pop()
        if regions[other] < 0:
            regions[other] = regions[cell]
            front += [(other, third) for third in beside[other] if regions[third] < 0]
    return regions


def _is_whole(regions: list[int], without: int, side: int) -> bool:
    """Say whether a region stays in one piece without a cell of it."""
    region, beside = regions[without], _beside(side)
    cells = {cell for cell, own in enumerate(regions) if own == region and cell != without}
    front = [next(iter(cells))]
    seen = set(front)
    while front:
        cell = front.pop()
        for other in beside[cell]:
            if other in cells and other not in seen:
                seen.add(other)
                front.append(other)
    return len(seen) == len(cells)


def _repaired(rng: np.random.Generator, side: int, regions: list[int], goal: np.ndarray, some: np.ndarray) -> bool:
    """Move cells between regions until the goal is the only solution among some placements; say whether it is."""
    for _ in range(REPAIRS):
        found = solutions(np.array(regions).reshape(side, side), some)
        others = found[(found != goal).any(1)]
        if not len(others):
            return True
        other, moved = others[int(rng.integers(len(others)))], False
        for row in rng.permutation(np.flatnonzero(other != goal)).tolist():
            cell = row * side + int(other[row])
            near = [regions[x] for x in _beside(side)[cell] if regions[x] != regions[cell]]
            if near and _is_whole(regions, cell, side):
                regions[cell], moved = pick(rng, near), True
                break
        if not moved:
            return False
    return False


def pose_queens(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the column of a row's queen, where regions and shown queens leave one solution."""
    side = SIDES[level]
    row, column = (int(i) for i in rng.integers(side, size=2))
    every = placements(side)
    for _ in range(TRIES):
        goal = pick(rng, every[every[:, row] == column])
        shown = [r for r in rng.permutation(side).tolist() if r != row][: SHOWN[level]]
        some = every[(every[:, shown] == goal[shown]).all(1)]
        regions = _grown(rng, side, [r * side + int(goal[r]) for r in range(side)])
        # What is shown must not answer by itself.
        if len(set(some[:, row].tolist())) > 1 and _repaired(rng, side, regions, goal, some):
            names = {region: place for place, region in enumerate(dict.fromkeys(regions))}  # in reading order
            named = tuple(names[region] for region in regions)
            scene = Queens(side, named, tuple(at(side, r * side + int(goal[r])) for r in sorted(shown)))
            question, query = pick(rng, WHERE).format(row=row + 1), {"ask": "queens", "row": row + 1}
            return Posed(scene, question, Answer.integer(column + 1), guess_rate=1 / side, query=query)
    raise RuntimeError(f"no board with one solution at level {level} in {TRIES} tries")
