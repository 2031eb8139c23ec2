"""Questions about walls of sums: which number stands in a brick, by sums, by differences, or only by equations."""

import functools
import itertools
from collections.abc import Sequence

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.logic.questions.signs import pick
from engines.logic.scene import Wall

BASES = (3, 3, 3, 4, 4, 4, 5, 5, 5, 5)
ROUNDS = ((1, 1), (1, 2), (2, 2), (2, 2), (3, 3), (4, 4), (3, 4), (4, 5), (5, 8), (9, 9))  # 9: only by equations
EQUATIONS = 9
VALUES = ((1, 9), (4, 16), (12, 28), (30, 50))  # asked for by layer; all of a layer are equally likely
MIN_SIZE_PX = (112, 112, 112, 140, 140, 140, 168, 168, 168, 168)
TRIES = 3000

WHAT = (
    "Each brick is the sum of the two bricks below it. Which number is at the question mark?",
    "Every number is the sum of the two just below it. What does the question mark stand for?",
    "Two neighbouring bricks add up to the brick above them. Find the number at the question mark.",
    "In this wall each brick holds the sum of the two under it. What is the number at the question mark?",
)


def layers(base: Sequence[int]) -> list[list[int]]:
    """All numbers of the wall over a base."""
    found = [list(base)]
    while len(found[-1]) > 1:
        found.append([a + b for a, b in itertools.pairwise(found[-1])])
    return found


@functools.cache
def _bricks(size: int) -> tuple[tuple[int, int], ...]:
    """Layer and place of every brick."""
    return tuple((height, place) for height in range(size) for place in range(size - height))


@functools.cache
def _triples(size: int) -> tuple[int, ...]:
    """Each brick with the two below it, as bits of their numbers among all bricks."""
    number = {brick: 1 << i for i, brick in enumerate(_bricks(size))}
    return tuple(number[h, i] | number[h, i + 1] | number[h + 1, i] for h, i in _bricks(size) if (h + 1, i) in number)


def rounds(size: int, shown: Sequence[int], asked: int) -> int:
    """After how many rounds of sums and differences of three bricks the asked one is known; `EQUATIONS` if never."""
    known = sum(1 << brick for brick in shown)
    for number in range(1, EQUATIONS):
        found = 0
        for three in _triples(size):
            missing = three & ~known
            if missing & (missing - 1) == 0:
                found |= missing
        if found >> asked & 1:
            return number
        if not found:
            break
        known |= found
    return EQUATIONS


@functools.cache
def _forms(size: int) -> tuple[tuple[int, ...], ...]:
    """By brick: how often it counts each brick of the base."""
    walls = [layers([int(i == j) for j in range(size)]) for i in range(size)]
    return tuple(tuple(wall[height][place] for wall in walls) for height, place in _bricks(size))


def is_determined(size: int, shown: Sequence[int]) -> bool:
    """Say whether so many bricks as the base has fix the whole wall: their determinant is not 0 (Bareiss)."""
    rows, before = [list(_forms(size)[brick]) for brick in shown], 1
    for k in range(size - 1):
        pivot = next((r for r in range(k, size) if rows[r][k]), None)
        if pivot is None:
            return False
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for r in range(k + 1, size):
            for c in range(k + 1, size):
                rows[r][c] = (rows[r][c] * rows[k][k] - rows[r][k] * rows[k][c]) // before
        before = rows[k][k]
    return rows[-1][-1] != 0


def pose_wall(rng: np.random.Generator, level: int) -> Posed:
    """Ask for a brick of a wall that the bricks shown determine."""
    size, (low, high) = BASES[level], ROUNDS[level]
    bricks = _bricks(size)
    for _ in range(TRIES):
        place, *shown = rng.permutation(len(bricks))[: 1 + size].tolist()
        asked, count = bricks[place], rounds(size, shown, place)
        if asked[0] < len(VALUES) and low <= count <= high and is_determined(size, shown):
            break
    else:
        raise RuntimeError(f"no wall at level {level} in {TRIES} tries")
    wanted = int(rng.integers(VALUES[asked[0]][0], VALUES[asked[0]][1] + 1))
    while True:
        numbers = layers(rng.integers(1, 10, size=size).tolist())
        if numbers[asked[0]][asked[1]] == wanted:
            break
    given = {bricks[brick] for brick in shown}
    written = tuple(
        tuple(n if (height, i) in given else None for i, n in enumerate(layer)) for height, layer in enumerate(numbers)
    )
    scene = Wall(written, asked, count)
    rate = (0.09, 0.09, 0.08, 0.07, 0.07, 0.07, 0.07, 0.07, 0.07, 0.08)[level]
    return Posed(scene, pick(rng, WHAT), Answer.integer(wanted), guess_rate=rate, query={"ask": "wall"})
