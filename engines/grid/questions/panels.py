"""Questions about two grids side by side: where they differ, in how many cells, which move turns one into the other."""

from collections.abc import Callable

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.grid.scene import Cell, PanelsScene
from engines.style import COLOURS

SIDES = ((2, 3), (3, 3), (3, 4), (4, 4), (4, 5), (5, 5), (5, 6), (6, 7), (7, 8), (8, 9))  # of each grid, per level
DIFFERENT = (3, 3, 4, 4, 5, 5, 6, 7, 8, 9)  # largest number of different cells
OPTIONS = (2, 3, 3, 4, 4, 5, 5, 5, 5, 5)  # moves to choose from
MIN_SIZE_PX = (112, 112, 112, 112, 112, 140, 196, 224, 280, 280)
SHARE = (0.3, 0.6)  # of the cells that are shaded
TRIES = 500

# What a move does to the cell (row, column) of a grid of side n; turns are as one sees them.
MOVES: dict[str, Callable[[Cell, int], Cell]] = {
    "quarter turn clockwise": lambda cell, n: (cell[1], n + 1 - cell[0]),
    "quarter turn anticlockwise": lambda cell, n: (n + 1 - cell[1], cell[0]),
    "half turn": lambda cell, n: (n + 1 - cell[0], n + 1 - cell[1]),
    "mirrored left to right": lambda cell, n: (cell[0], n + 1 - cell[1]),
    "flipped top to bottom": lambda cell, n: (n + 1 - cell[0], cell[1]),
}


def _pick(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


def _shaded(rng: np.random.Generator, rows: int, columns: int) -> frozenset[Cell]:
    cells = [(row, column) for row in range(1, rows + 1) for column in range(1, columns + 1)]
    count = max(1, round(len(cells) * rng.uniform(*SHARE)))
    return frozenset(cells[i] for i in rng.permutation(len(cells))[:count].tolist())


DIFFERENCE = (
    "The two grids differ in one cell. Which? Answer (row, column).",
    "One cell is not the same in both grids. Where? Answer (row, column).",
    "Find the only cell that differs between the left and the right grid. Answer (row, column).",
    "Compare the grids. Which cell is different? Answer (row, column).",
)


def _sides(rng: np.random.Generator, level: int) -> tuple[int, int]:
    low, high = SIDES[level]
    return int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1))


def pose_difference(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the row and column of the only different cell."""
    rows, columns = _sides(rng, level)
    left, cell = _shaded(rng, rows, columns), (int(rng.integers(rows)) + 1, int(rng.integers(columns)) + 1)
    scene = PanelsScene(rows, columns, left, left ^ {cell}, _pick(rng, COLOURS))
    guess_rate, query = 1 / (rows * columns), {"ask": "difference"}
    return Posed(scene, _pick(rng, DIFFERENCE), Answer.pair(*cell), guess_rate=guess_rate, query=query)


DIFFERENCES = (
    "In how many cells do the two grids differ?",
    "How many cells are different?",
    "Count the cells that are not the same in both grids.",
    "Compare the grids. How many cells differ?",
)


def pose_differences(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number of different cells."""
    rows, columns = _sides(rng, level)
    left, count = _shaded(rng, rows, columns), int(rng.integers(DIFFERENT[level] + 1))
    places = rng.permutation(rows * columns)[:count].tolist()
    changed = {(place // columns + 1, place % columns + 1) for place in places}
    scene = PanelsScene(rows, columns, left, left ^ changed, _pick(rng, COLOURS))
    guess_rate, query = 1 / (DIFFERENT[level] + 1), {"ask": "differences"}
    return Posed(scene, _pick(rng, DIFFERENCES), Answer.integer(count), guess_rate=guess_rate, query=query)


SYMMETRY = (
    "Which move turns the left grid into the right one? {options}",
    "How was the left grid moved to give the right one? {options}",
    "The right grid is the left one after a move. Which? {options}",
    "Choose the move that takes the left grid to the right one. {options}",
)


def pose_symmetry(rng: np.random.Generator, level: int) -> Posed:
    """Ask which of some turns and flips was done; the other moves on offer would give another picture."""
    names = [list(MOVES)[i] for i in rng.permutation(len(MOVES))[: OPTIONS[level]].tolist()]
    move, side = _pick(rng, names), max(3, _sides(rng, level)[0])
    for _ in range(TRIES):
        left = _shaded(rng, side, side)
        images = {name: frozenset(MOVES[name](cell, side) for cell in left) for name in names}
        if len(set(images.values())) == len(names) and images[move] != left:
            break
    else:
        raise RuntimeError(f"no pattern without symmetry of side {side} in {TRIES} tries")
    letters = "ABCDE"[: len(names)]
    options = " ".join(f"{letter}: {name}." for letter, name in zip(letters, names, strict=True))
    scene = PanelsScene(side, side, left, images[move], _pick(rng, COLOURS))
    question = _pick(rng, SYMMETRY).format(options=options)
    answer = Answer.choice(letters[names.index(move)], letters)
    return Posed(scene, question, answer, guess_rate=1 / len(names), query={"ask": "symmetry", "options": names})


def facts(scene: PanelsScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: how much is shaded on each side, the size."""
    return (
        Fact("How many cells of the left grid are shaded?", Answer.integer(len(scene.left))),
        Fact("How many cells of the right grid are shaded?", Answer.integer(len(scene.right))),
        Fact("How many rows does each grid have?", Answer.integer(scene.rows)),
        Fact("What colour are the shaded cells?", Answer.word(scene.colour, COLOURS)),
    )
