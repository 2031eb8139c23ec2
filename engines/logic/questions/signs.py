"""Questions about boards with signs between cells: which number must stand in a cell, which sign is wrong."""

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.logic.questions.squares import Candidates, squares
from engines.logic.scene import Latin

SIDES = (4, 4, 4, 4, 4, 5, 5, 5, 5, 5)
SIGNS = (3, 4, 4, 5, 6, 6, 7, 8, 9, 10)
SHOWN = (6, 5, 4, 3, 2, 6, 5, 4, 3, 2)  # numbers, before those that one solution needs
NEEDED_FROM_LEVEL = 3  # from here on the signs are needed: the numbers alone leave the cell open
MIN_SIZE_PX = (112, 112, 112, 140, 140, 168, 168, 168, 196, 196)
TRIES = 200

RULE = "Each row and column has 1 to {side} once, and signs open towards the larger number. "
CELL = (
    RULE + "What is in row {row}, column {column}?",
    RULE + "Find the number of row {row}, column {column}.",
    RULE + "Which number goes in row {row}, column {column}?",
    RULE + "Solve for row {row}, column {column}.",
)


def pick(rng: np.random.Generator, options):
    """One of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def pairs(side: int) -> list[tuple[int, int]]:
    """All cells side by side, numbered row by row from 0."""
    beside = [(cell, cell + 1) for cell in range(side * side) if (cell + 1) % side]
    return beside + [(cell, cell + side) for cell in range(side * (side - 1))]


def at(side: int, cell: int) -> tuple[int, int]:
    """Row and column of a cell, from 1."""
    return cell // side + 1, cell % side + 1


def signed(side: int, numbers: list[int], chosen: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs with the smaller number's cell first."""
    return [(a, b) if numbers[a] < numbers[b] else (b, a) for a, b in chosen]


def pose_futoshiki(rng: np.random.Generator, level: int) -> Posed:
    """Ask for a cell of a board with one solution."""
    side = SIDES[level]
    for _ in range(TRIES):
        everything = squares(side)
        numbers = everything[:, int(rng.integers(everything.shape[1]))].tolist()
        order, every = rng.permutation(side * side).tolist(), pairs(side)
        asked, shown = order[0], order[1 : 1 + SHOWN[level]]
        left = Candidates(side)
        for cell in shown:
            left = left.keep(left.cell(cell) == numbers[cell])
        chosen = [every[i] for i in rng.permutation(len(every))[: SIGNS[level]].tolist()]
        signs = signed(side, numbers, chosen)
        bare = left
        for small, large in signs:
            left = left.keep(left.cell(small) < left.cell(large))
        while left.count() > 1:
            cell = pick(rng, [cell for cell in left.varying() if cell != asked])
            left, bare = (some.keep(some.cell(cell) == numbers[cell]) for some in (left, bare))
            shown = [*shown, cell]
        if level < NEEDED_FROM_LEVEL or (bare.cell(asked) != numbers[asked]).any():
            break
    else:
        raise RuntimeError(f"no board whose signs are needed at level {level} in {TRIES} tries")
    cells = tuple(number if cell in shown else 0 for cell, number in enumerate(numbers))
    scene = Latin(side, cells, tuple(sorted((at(side, a), at(side, b)) for a, b in signs)))
    row, column = at(side, asked)
    question = pick(rng, CELL).format(side=side, row=row, column=column)
    query = {"ask": "futoshiki", "row": row, "column": column}
    return Posed(scene, question, Answer.integer(numbers[asked]), guess_rate=1 / side, query=query)
